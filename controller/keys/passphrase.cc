#include "controller/keys/passphrase.h"

#include "common/base/status.h"
#include "platform/api/files.h"

namespace cordon::controller {
namespace {

constexpr int kTries = 3;

absl::StatusOr<std::string> ReadPassphraseFile(const std::string& path) {
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(path, 4 * kMaxPassphraseBytes);
  if (!text.ok()) return Annotate(text.status(), "--passphrase-file");
  std::string line = text->substr(0, text->find('\n'));
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

absl::Status CheckLength(std::string_view passphrase) {
  if (passphrase.size() >= kMinPassphraseBytes && passphrase.size() <= kMaxPassphraseBytes) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(StrCat("a passphrase has ", kMinPassphraseBytes, " to ",
                                           kMaxPassphraseBytes, " characters, this one has ",
                                           passphrase.size()));
}

absl::StatusOr<std::string> Ask(const PassphraseSource& source, std::string_view prompt) {
  return source.ask ? source.ask(prompt) : absl::UnavailableError("there is nobody to ask");
}

absl::StatusOr<std::string> AskTwice(const PassphraseSource& source) {
  absl::StatusOr<std::string> first =
      Ask(source, StrCat("New passphrase (at least ", kMinPassphraseBytes, " characters): "));
  if (absl::IsUnavailable(first.status())) {
    return absl::InvalidArgumentError(
        "there is no terminal to ask for a passphrase on: give --passphrase-file FILE, or --no-passphrase to "
        "keep "
        "the keys unsealed");
  }
  if (!first.ok()) return first;
  CORDON_RETURN_IF_ERROR(CheckLength(*first));
  CORDON_ASSIGN_OR_RETURN(const std::string second, Ask(source, "Again: "));
  if (*first != second) return absl::InvalidArgumentError("the two passphrases differ; nothing was changed");
  return first;
}

}  // namespace

absl::StatusOr<std::string> ChoosePassphrase(const PassphraseSource& source) {
  if (source.none) return std::string();
  if (source.file.empty()) return AskTwice(source);
  CORDON_ASSIGN_OR_RETURN(std::string passphrase, ReadPassphraseFile(source.file));
  CORDON_RETURN_IF_ERROR(Annotate(CheckLength(passphrase), source.file));
  return passphrase;
}

absl::StatusOr<KeyPtr> OpenKey(std::string_view pem, const PassphraseSource& source, std::string_view what) {
  if (!IsSealedPrivateKey(pem)) return PrivateKeyFromPem(pem);
  if (!source.file.empty()) {
    CORDON_ASSIGN_OR_RETURN(const std::string passphrase, ReadPassphraseFile(source.file));
    absl::StatusOr<KeyPtr> key = OpenSealedPrivateKey(pem, passphrase);
    if (!key.ok()) return Annotate(key.status(), StrCat(what, ", with ", source.file));
    return key;
  }
  absl::StatusOr<KeyPtr> key = absl::PermissionDeniedError("");
  for (int i = 0; i < kTries && absl::IsPermissionDenied(key.status()); ++i) {
    const absl::StatusOr<std::string> passphrase =
        Ask(source, StrCat(i == 0 ? "" : "Wrong. ", "Passphrase of ", what, ": "));
    if (absl::IsUnavailable(passphrase.status())) {
      return absl::FailedPreconditionError(
          StrCat(what,
                 " is sealed, and there is no terminal to ask for the passphrase on: give --passphrase-file "
                 "FILE or set CORDON_PASSPHRASE_FILE"));
    }
    if (!passphrase.ok()) return passphrase.status();
    key = OpenSealedPrivateKey(pem, *passphrase);
  }
  if (!key.ok()) return Annotate(key.status(), what);
  return key;
}

absl::StatusOr<std::string> KeyText(const EVP_PKEY& key, std::string_view passphrase) {
  return passphrase.empty() ? PrivateKeyToPem(key) : SealPrivateKey(key, passphrase);
}

}  // namespace cordon::controller
