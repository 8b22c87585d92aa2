#include "platform/windows/keys/tpm.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/crypto/aead.h"
#include "common/crypto/digest.h"
#include "common/crypto/random.h"
#include "platform/windows/keys/envelope.h"

namespace cordon::platform::keys {
namespace {

using Result = NcryptCalls::Result;

// winerror.h, which is not on every system that tests this.
constexpr Result kNoSuchKey[] = {
    0x80090016,  // NTE_BAD_KEYSET
    0x8009000d,  // NTE_NO_KEY
    0x80090011,  // NTE_NOT_FOUND
};
// Said of a key, or of what it shall decrypt, that will not be right the next time either.
constexpr Result kWrongForGood[] = {
    0x80090003,  // NTE_BAD_KEY
    0x80090005,  // NTE_BAD_DATA
    0x80090027,  // NTE_INVALID_PARAMETER
    0x8009002c,  // NTE_DECRYPTION_FAILURE
    0x8028009f,  // TPM_20_E_INTEGRITY: the TPM was cleared since
};

bool IsOneOf(Result result, const auto& list) {
  return std::ranges::find(list, result) != std::end(list);
}

absl::Status Failed(const char* call, Result result) {
  return absl::UnavailableError(absl::StrFormat("the TPM failed at %s (0x%08x)", call, result));
}

absl::Status Gone(const char* call, Result result) {
  return absl::DataLossError(absl::StrFormat(
      "its key in the TPM is gone or another one, at %s (0x%08x): the TPM was cleared, or this "
      "is another machine or mainboard",
      call, result));
}

class Object {
 public:
  explicit Object(const NcryptCalls& calls) : calls_(calls) {}
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object() { Free(); }

  NcryptCalls::Handle Get() const { return handle_; }
  NcryptCalls::Handle* Out() { return &handle_; }
  void Free() {
    if (const NcryptCalls::Handle held = std::exchange(handle_, 0); held != 0) calls_.free(held);
  }

 private:
  const NcryptCalls& calls_;
  NcryptCalls::Handle handle_ = 0;
};

// Opened again by its name afterwards: what is not there then would be lost at the next start.
absl::Status MakeKey(const NcryptCalls& calls, NcryptCalls::Handle provider) {
  Object key(calls);
  if (const Result made = calls.create_key(provider, key.Out()); made != 0)
    return Failed("making a key", made);
  if (const Result limited = calls.limit_key(key.Get()); limited != 0)
    return Failed("setting a key's length and use", limited);
  const Result done = calls.finalize_key(key.Get());
  return done == 0 ? absl::OkStatus() : Failed("keeping a key", done);
}

absl::Status OpenOrMakeKey(const NcryptCalls& calls, NcryptCalls::Handle provider, Object* key) {
  Result opened = calls.open_key(provider, key->Out());
  if (IsOneOf(opened, kNoSuchKey)) {
    key->Free();
    CORDON_RETURN_IF_ERROR(MakeKey(calls, provider));
    opened = calls.open_key(provider, key->Out());
  }
  return opened == 0 ? absl::OkStatus() : Failed("opening its key", opened);
}

}  // namespace

absl::StatusOr<std::string> SealByTpm(const NcryptCalls& calls, std::string_view key) {
  Object provider(calls);
  bool hardware = false;
  const Result opened = calls.open_provider(provider.Out());
  if (opened != 0 || calls.in_hardware(provider.Get(), &hardware) != 0 || !hardware)
    return absl::UnimplementedError("this machine has no TPM that Windows uses");
  Object sealing(calls);
  CORDON_RETURN_IF_ERROR(OpenOrMakeKey(calls, provider.Get(), &sealing));
  const std::string content_key = RandomBytes(kAeadKeyBytes);
  TpmEnvelope envelope;
  if (const Result done = calls.encrypt(sealing.Get(), content_key, &envelope.wrapped_key); done != 0)
    return Failed("encrypting", done);
  std::string again;
  if (const Result done = calls.decrypt(sealing.Get(), envelope.wrapped_key, &again); done != 0)
    return Failed("decrypting what it has encrypted", done);
  if (!ConstantTimeEquals(again, content_key))
    return absl::UnavailableError("the TPM does not decrypt what it has encrypted");
  envelope.nonce = RandomBytes(kAeadNonceBytes);
  CORDON_ASSIGN_OR_RETURN(envelope.sealed, SealAead(content_key, envelope.nonce, kTpmHead, key));
  return WriteEnvelope(envelope);
}

absl::StatusOr<std::string> OpenByTpm(const NcryptCalls& calls, std::string_view bytes) {
  CORDON_ASSIGN_OR_RETURN(const TpmEnvelope envelope, ReadEnvelope(bytes));
  Object provider(calls);
  if (const Result opened = calls.open_provider(provider.Out()); opened != 0)
    return Annotate(Failed("opening its provider", opened), "it needs the TPM: is it switched off?");
  Object sealing(calls);
  const Result opened = calls.open_key(provider.Get(), sealing.Out());
  if (IsOneOf(opened, kNoSuchKey) || IsOneOf(opened, kWrongForGood)) return Gone("opening it", opened);
  if (opened != 0)
    return Annotate(Failed("opening its key", opened), "it needs the TPM: is it switched off?");
  std::string content_key;
  const Result done = calls.decrypt(sealing.Get(), envelope.wrapped_key, &content_key);
  if (IsOneOf(done, kWrongForGood)) return Gone("decrypting", done);
  if (done != 0) return Failed("decrypting", done);
  return OpenAead(content_key, envelope.nonce, kTpmHead, envelope.sealed);
}

}  // namespace cordon::platform::keys
