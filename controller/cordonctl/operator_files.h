#pragma once

// What goes to and fro when somebody becomes an operator (AUT-3): a request with keys and a proof, a welcome
// with a certificate, and between them the new keys, which never leave their machine.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "cordon/v1/operator.pb.h"

namespace cordon::ctl {

inline constexpr size_t kMaxOperatorFileBytes = 64 * 1024;

// Armoured text. Reading it checks bounds and, of a request, the proof: INVALID_ARGUMENT names what is wrong.
std::string WriteRequest(const v1::OperatorRequest& request);
absl::StatusOr<v1::OperatorRequest> ReadRequest(std::string_view text);
std::string WriteWelcome(const v1::OperatorWelcome& welcome);
absl::StatusOr<v1::OperatorWelcome> ReadWelcome(std::string_view text);

// The keys of somebody who waits for a welcome: an identity that has nothing else yet. Holds private keys.
std::string WritePending(const v1::OperatorIdentity& pending);
absl::StatusOr<v1::OperatorIdentity> ReadPending(std::string_view text);

// The identity that a welcome makes of pending keys. INVALID_ARGUMENT when the two do not belong together.
absl::StatusOr<v1::OperatorIdentity> Join(const v1::OperatorIdentity& pending,
                                          const v1::OperatorWelcome& welcome);

// The text of one of these files. INVALID_ARGUMENT when it cannot be read.
absl::StatusOr<std::string> ReadOperatorFile(const std::string& path);
// Where the keys that wait are, beside the identity file that they are for.
std::string PendingFile(const std::string& identity_path);

// Eight groups of four digits, for two people to compare: of the first half of the SHA-256 of what is in the
// file.
std::string Fingerprint(const google::protobuf::MessageLite& message);

}  // namespace cordon::ctl
