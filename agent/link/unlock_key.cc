#include "agent/link/unlock_key.h"

#include "agent/link/host_state.h"
#include "common/base/status.h"
#include "common/crypto/x25519.h"
#include "platform/api/files.h"
#include "platform/api/key_protection.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxKeyBytes = 64 * 1024;

absl::StatusOr<UnlockKey> Parse(const std::string& sealed) {
  UnlockKey unlock;
  CORDON_ASSIGN_OR_RETURN(const std::string pem, platform::OpenKey(sealed));
  CORDON_ASSIGN_OR_RETURN(unlock.key, PrivateKeyFromPem(pem));
  CORDON_ASSIGN_OR_RETURN(unlock.public_key, RawX25519PublicKey(*unlock.key));
  return unlock;
}

absl::StatusOr<UnlockKey> Make(const std::filesystem::path& path) {
  CORDON_ASSIGN_OR_RETURN(const KeyPtr key, NewX25519Key());
  CORDON_ASSIGN_OR_RETURN(const std::string pem, PrivateKeyToPem(*key));
  CORDON_ASSIGN_OR_RETURN(const std::string sealed, platform::SealKey(pem));
  CORDON_RETURN_IF_ERROR(platform::WriteFileDurably(path, sealed, platform::FileAccess::kOwnerOnly));
  return Parse(sealed);
}

}  // namespace

absl::StatusOr<UnlockKey> LoadOrMakeUnlockKey(const std::filesystem::path& state_dir) {
  const std::filesystem::path path = state_dir / kUnlockKeyFile;
  const absl::StatusOr<std::string> bytes = platform::ReadFileBounded(path, kMaxKeyBytes);
  if (absl::IsNotFound(bytes.status())) return Make(path);
  if (!bytes.ok() && !absl::IsOutOfRange(bytes.status())) return bytes.status();
  absl::StatusOr<UnlockKey> unlock = bytes.ok() ? Parse(*bytes) : bytes.status();
  if (unlock.ok() || absl::IsUnavailable(unlock.status())) return unlock;  // not damaged: sealed
  std::filesystem::path aside = path;
  aside += ".damaged";
  std::error_code error;
  std::filesystem::rename(path, aside, error);
  if (error) return Annotate(unlock.status(), StrCat(path.string(), " is damaged and cannot be set aside"));
  const absl::Status why = unlock.status();
  unlock = Make(path);
  if (!unlock.ok()) return unlock;
  unlock->notice = StrCat(path.string(), " was damaged (", Message(why),
                          ") and is replaced: this host cannot be unlocked ",
                          "by phone until it has reached a controller");
  return unlock;
}

}  // namespace cordon::agent
