#pragma once

// What every command of cordonctl stands on: where it prints, what time it is, and the controller.

#include <absl/status/statusor.h>

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/crypto/key.h"
#include "controller/cordonctl/client.h"
#include "controller/cordonctl/trust_pin.h"
#include "controller/keys/passphrase.h"

namespace cordon::ctl {

// design.md §11, and 4 of decision 0014
enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kBadUsage = 2,
  kNotAllAnswered = 3,
  kNeedsSignatures = 4
};

// The world around the program; tests bring their own.
struct Environment {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool input_is_terminal = false;
  bool output_is_terminal = false;
  bool error_is_terminal = false;
  int columns = 80;
  std::function<const char*(const char*)> getenv;
  std::function<int64_t()> now_unix_nanos;
  controller::AskSecret ask_secret = {};  // empty: nobody to ask
  // Calls `stop` from another thread when the program is asked to end (Ctrl-C), while what it returns lives;
  // to be called before other threads start. Empty: the system ends the program.
  std::function<std::unique_ptr<void, void (*)(void*)>(std::function<void()> stop)> on_stop = {};
};

struct GlobalOptions {
  std::string identity;         // --identity
  std::string controller;       // --controller
  bool json = false;            // -o json
  bool ocsf = false;            // -o ocsf, for events
  std::string passphrase_file;  // --passphrase-file, else CORDON_PASSPHRASE_FILE
};

class Tool {
 public:
  Tool(const Environment& environment, GlobalOptions options)
      : environment_(environment), options_(std::move(options)) {}

  // Reads the identity and connects, once.
  absl::StatusOr<Client*> Controller();

  // Whom the fleet trusts now, followed once from what the identity pins. When that has changed the identity
  // is pinned anew, its file too, and it is said.
  absl::StatusOr<const FollowedTrust*> Trust();

  // The same once more, after a change of trust of our own.
  absl::Status FollowTrustAgain();

  // The key that signs, once; asks for its passphrase.
  absl::StatusOr<EVP_PKEY*> SigningKey();

  // Where the identity file is, or would be.
  absl::StatusOr<std::string> IdentityPath() const;

  // Where passphrases come from.
  controller::PassphraseSource Passphrases() const;

  // The identity for what needs no controller, whether or not its certificate is still valid.
  absl::StatusOr<v1::OperatorIdentity> IdentityAtAnyTime() const;

  const Environment& World() const { return environment_; }
  int64_t Now() const { return environment_.now_unix_nanos(); }
  bool Json() const { return options_.json; }
  bool Ocsf() const { return options_.ocsf; }

  // To standard output: a line of JSON, or text as it is.
  void Print(const boost::json::object& object) const;
  void Print(std::string_view text) const;
  // To standard error: a sentence for a person, whatever -o says.
  void Say(std::string_view sentence) const;

 private:
  const Environment& environment_;
  GlobalOptions options_;
  std::string identity_path_;
  std::unique_ptr<Client> client_;
  std::optional<FollowedTrust> trust_;
  KeyPtr signing_key_;
};

// What a command does once the command line is read. INVALID_ARGUMENT ends with kBadUsage, other errors with
// kFailed.
using Command = std::function<absl::StatusOr<ExitCode>(Tool&)>;

}  // namespace cordon::ctl
