#include <grp.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "platform/api/user_notice.h"
#include "platform/linux/user_notice/wall_text.h"

namespace cordon::platform {
namespace {

constexpr unsigned kLifeSeconds = 5;
constexpr uint64_t kCallMicros = 3'000'000;

struct Unref {
  void operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }
};

std::string ReadAllInput() {
  constexpr size_t kMaxBytes = 8192;
  std::string text;
  std::array<char, 1024> piece{};
  while (text.size() < kMaxBytes) {
    const ssize_t got = read(STDIN_FILENO, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(piece.data(), static_cast<size_t>(got));
  }
  return text;
}

// For good: saved ids too. The group is that of the user's own runtime folder, so that no name service, which
// may be cut off, has to be asked.
absl::Status BecomeUser(uid_t uid, const std::string& runtime_folder) {
  struct stat folder{};
  if (stat(runtime_folder.c_str(), &folder) != 0) return absl::ErrnoToStatus(errno, runtime_folder);
  if (folder.st_uid != uid) return absl::PermissionDeniedError(StrCat(runtime_folder, " is not the user's"));
  if (setgroups(0, nullptr) != 0 || setresgid(folder.st_gid, folder.st_gid, folder.st_gid) != 0 ||
      setresuid(uid, uid, uid) != 0) {
    return absl::ErrnoToStatus(errno, "cannot become the user");
  }
  return absl::OkStatus();
}

absl::Status Failed(int error, std::string_view what) {
  return absl::ErrnoToStatus(-error, std::string(what));
}

absl::Status Notify(sd_bus* bus, const UserNotice& notice) {
  // app name, replaces, icon, summary, body, actions, hints (urgency 2: stays until it is read), expiry 0:
  // never
  sd_bus_error error{};
  const int result = sd_bus_call_method(
      bus, "org.freedesktop.Notifications", "/org/freedesktop/Notifications", "org.freedesktop.Notifications",
      "Notify", &error, nullptr, "susssasa{sv}i", "Cordon", 0U, "dialog-warning", notice.title.c_str(),
      EscapeMarkup(notice.text).c_str(), 0, 1, "urgency", "y", 2, 0);
  absl::Status status;
  if (result < 0) status = Failed(result, error.message == nullptr ? "Notify" : error.message);
  sd_bus_error_free(&error);
  return status;
}

}  // namespace

absl::Status ShowNoticeOnDesktop(uint32_t uid) {
  alarm(kLifeSeconds);  // the agent may not have the right to end a user's process
  const UserNotice notice = UnpackNotice(ReadAllInput());
  const std::string folder = StrCat("/run/user/", uid);
  CORDON_RETURN_IF_ERROR(BecomeUser(uid, folder));
  sd_bus* made = nullptr;
  int result = sd_bus_new(&made);
  if (result < 0) return Failed(result, "cannot speak D-Bus");
  const std::unique_ptr<sd_bus, Unref> bus(made);
  sd_bus_set_address(bus.get(), StrCat("unix:path=", folder, "/bus").c_str());
  sd_bus_set_bus_client(bus.get(), 1);
  sd_bus_set_method_call_timeout(bus.get(), kCallMicros);
  result = sd_bus_start(bus.get());
  if (result < 0) return Failed(result, StrCat("cannot reach the bus of user ", uid));
  return Notify(bus.get(), notice);
}

}  // namespace cordon::platform
