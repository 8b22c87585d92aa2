#pragma once

// The keys of the operator whose identity it is.

#include <absl/status/statusor.h>

#include <string>

#include "controller/cordonctl/order_flow.h"
#include "controller/cordonctl/tool.h"

namespace cordon::ctl {

struct NewKeysOptions {
  std::string passphrase_file;  // --new-passphrase-file; empty: asked for
  bool no_passphrase = false;   // --no-passphrase
  TrustOrderOptions order;      // of `rotate`
};

// A new TLS key and certificate; who is trusted does not change.
absl::StatusOr<ExitCode> RenewCertificate(Tool& tool);

// New signing and unlock keys by a change of trust. They are on disk beside the identity before anybody
// trusts them, and take the place of the old ones once they are in force: at once, or, after
// kNeedsSignatures, when this is called again.
absl::StatusOr<ExitCode> RotateKeys(Tool& tool, const NewKeysOptions& options);

// Seals the keys in the identity file with another passphrase.
absl::StatusOr<ExitCode> ChangePassphrase(Tool& tool, const NewKeysOptions& options);

}  // namespace cordon::ctl
