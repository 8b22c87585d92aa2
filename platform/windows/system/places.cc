#include "platform/api/places.h"

#include <charconv>
#include <utility>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/crypto/random.h"
#include "platform/api/files.h"
#include "platform/windows/system/agent_folder.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

constexpr size_t kSecretBytes = 32;
constexpr size_t kMostBytes = 256;
constexpr std::string_view kFirstLine = "cordon-agent on this host";

// A file of three lines: what it is, the address, the secret.
class PortDoor final : public LocalDoor {
 public:
  PortDoor(std::filesystem::path path, std::string secret)
      : path_(std::move(path)), secret_(std::move(secret)) {}
  ~PortDoor() override {
    std::error_code ignored;
    if (open_) std::filesystem::remove(path_, ignored);
  }

  LocalAddress Address() const override { return {.address = "127.0.0.1:0", .secret = secret_}; }

  absl::Status Open(int port) override {
    CORDON_RETURN_IF_ERROR(WriteFileDurably(
        path_, StrCat(kFirstLine, "\n127.0.0.1:", port, "\n", secret_, "\n"), FileAccess::kOwnerOnly));
    open_ = true;
    return absl::OkStatus();
  }

 private:
  const std::filesystem::path path_;
  const std::string secret_;
  bool open_ = false;
};

std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

}  // namespace

Places DefaultPlaces() {
  wchar_t self[32'768] = {};
  const DWORD length = GetModuleFileNameW(nullptr, self, std::size(self));
  const std::filesystem::path folder = AgentFolder();
  return {.config_file = folder / "agent.toml",
          .state_folder = folder / "State",
          .socket = folder / "State" / "agent.local",
          .executable = Narrow({self, length})};
}

absl::StatusOr<std::unique_ptr<LocalDoor>> MakeLocalDoor(const std::filesystem::path& path) {
  const absl::StatusOr<std::string> there = ReadFileBounded(path, kMostBytes);
  if (!absl::IsNotFound(there.status()) && !(there.ok() && there->starts_with(kFirstLine)))
    return absl::AlreadyExistsError(
        StrCat(Shown(path), " exists and is not the agent's; give another path for it"));
  return std::make_unique<PortDoor>(path, HexEncode(RandomBytes(kSecretBytes)));
}

absl::StatusOr<LocalAddress> FindLocalDoor(const std::filesystem::path& path) {
  const absl::StatusOr<std::string> text = ReadFileBounded(path, kMostBytes);
  if (absl::IsNotFound(text.status())) return absl::UnavailableError("no agent runs there");
  CORDON_RETURN_IF_ERROR(text.status());
  std::string_view rest = *text;
  if (TakeLine(&rest) != kFirstLine)
    return absl::UnavailableError(StrCat(Shown(path), " is not the agent's"));
  LocalAddress found;
  found.address = TakeLine(&rest);
  found.secret = TakeLine(&rest);
  return found;
}

}  // namespace cordon::platform
