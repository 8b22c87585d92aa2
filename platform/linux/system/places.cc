#include "platform/api/places.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/uuid.h"
#include "platform/api/files.h"

namespace cordon::platform {
namespace {

absl::Status Failed(std::string_view what, const std::filesystem::path& path, const std::error_code& error) {
  return absl::UnavailableError(StrCat("cannot ", what, " ", path.string(), ": ", error.message()));
}

// Binds in a folder of the owner's alone and moves the finished socket into place: at no moment can anybody
// else connect, and a stale socket is replaced in one step.
class SocketDoor final : public LocalDoor {
 public:
  SocketDoor(std::filesystem::path path, std::filesystem::path folder)
      : path_(std::move(path)), folder_(std::move(folder)) {}
  ~SocketDoor() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    if (open_) std::filesystem::remove(path_, ignored);
  }

  LocalAddress Address() const override {
    return {.address = StrCat("unix:", Bound().string()), .secret = {}};
  }

  absl::Status Open(int /*port*/) override {
    using std::filesystem::perms;
    std::error_code error;
    std::filesystem::permissions(Bound(), perms::owner_read | perms::owner_write, error);
    if (error) return Failed("set the mode of", path_, error);
    std::filesystem::rename(Bound(), path_, error);
    if (error) return Failed("make", path_, error);
    open_ = true;
    std::filesystem::remove_all(folder_, error);
    return absl::OkStatus();
  }

 private:
  std::filesystem::path Bound() const { return folder_ / "s"; }

  const std::filesystem::path path_;
  const std::filesystem::path folder_;
  bool open_ = false;
};

}  // namespace

Places DefaultPlaces() {
  return {.config_file = "/etc/cordon/agent.toml",
          .state_folder = "/var/lib/cordon",
          .socket = "/run/cordon/agent.sock",
          .executable = "/proc/self/exe"};
}

absl::StatusOr<std::unique_ptr<LocalDoor>> MakeLocalDoor(const std::filesystem::path& path) {
  std::error_code error;
  const auto there = std::filesystem::symlink_status(path, error);
  if (std::filesystem::exists(there) && !std::filesystem::is_socket(there))
    return absl::AlreadyExistsError(
        StrCat(path.string(), " exists and is no socket; give another path for it"));
  const std::filesystem::path folder = path.parent_path() / StrCat(".", NewUuid().substr(0, 8));
  CORDON_RETURN_IF_ERROR(MakePrivateFolder(folder));
  return std::make_unique<SocketDoor>(path, folder);
}

absl::StatusOr<LocalAddress> FindLocalDoor(const std::filesystem::path& path) {
  std::error_code unknown;  // what may not be looked at, connecting will name
  if (std::filesystem::status(path, unknown).type() == std::filesystem::file_type::not_found)
    return absl::UnavailableError("no agent runs there");
  return LocalAddress{.address = StrCat("unix:", path.string()), .secret = {}};
}

}  // namespace cordon::platform
