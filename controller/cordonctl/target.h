#pragma once

// TARGET: which hosts a command is about.

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "cordon/v1/operator.pb.h"

namespace CLI {
class App;
}

namespace cordon::ctl {

struct TargetOptions {
  std::vector<std::string> hosts;   // names or ids
  std::vector<std::string> sites;   // --site
  std::vector<std::string> labels;  // --label key=value
  bool all = false;                 // --all

  bool Empty() const { return hosts.empty() && sites.empty() && labels.empty() && !all; }
};

// Adds the positional TARGET and its flags to a command.
void AddTarget(CLI::App* command, TargetOptions* options);

// "key=value". INVALID_ARGUMENT when one is not of that form.
absl::StatusOr<std::vector<v1::Label>> ParseLabels(const std::vector<std::string>& texts);

// The host that has this id, or else this name, whose capitals do not count. NOT_FOUND for one that no host
// has, FAILED_PRECONDITION, listing the candidates, for a name that several have. Revoked hosts have no
// names.
absl::StatusOr<v1::TargetHost> FindHost(const std::string& text, const std::vector<v1::Host>& hosts,
                                        int64_t now_unix_nanos);

// What is signed. A host that is named stands in it with its id and its name, so that a controller that hands
// out the wrong id for a name is found out by the agent. INVALID_ARGUMENT for bad usage, and the errors of
// FindHost.
absl::StatusOr<v1::Target> BuildTarget(const TargetOptions& options, const std::vector<v1::Host>& hosts,
                                       int64_t now_unix_nanos);

// The hosts that `target` means, by the same code as the agent's. Revoked ones only when `with_revoked`.
std::vector<v1::Host> Matching(const v1::Target& target, const std::vector<v1::Host>& hosts,
                               bool with_revoked = false);

}  // namespace cordon::ctl
