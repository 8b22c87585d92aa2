#include "common/wire/profile.h"

#include "common/base/network.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"

namespace cordon {
namespace {

constexpr size_t kMaxCommentBytes = 200;
constexpr size_t kMaxHostNameBytes = 253;
constexpr size_t kMaxLabelBytes = 63;

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool IsHostLabel(std::string_view label) {
  if (label.empty() || label.size() > kMaxLabelBytes || label.front() == '-' || label.back() == '-') {
    return false;
  }
  for (const char c : label) {
    if (!IsAlphanumeric(c) && c != '-' && c != '_') return false;
  }
  return true;
}

// The number of labels, 0 when one of them is not well formed.
int CountLabels(std::string_view name) {
  int labels = 0;
  while (true) {
    const size_t dot = name.find('.');
    if (!IsHostLabel(name.substr(0, dot))) return 0;
    ++labels;
    if (dot == std::string_view::npos) return labels;
    name.remove_prefix(dot + 1);
  }
}

absl::Status CheckPorts(const v1::AllowRule& rule) {
  if (rule.ports_size() > kMaxRulePorts) {
    return Bad(StrCat("ports: ", rule.ports_size(), " entries, at most ", kMaxRulePorts));
  }
  if (rule.protocol() == v1::TRANSPORT_PROTOCOL_ICMP && !rule.ports().empty()) {
    return Bad("ports: ICMP has none");
  }
  for (const v1::PortRange& range : rule.ports()) {
    if (range.first() < 1 || range.last() > 65'535 || range.last() < range.first()) {
      return Bad(StrCat("ports: ", range.first(), "-", range.last(), " is not a range within 1-65535"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPeers(const v1::AllowRule& rule) {
  if (rule.networks().empty() && rule.names().empty()) {
    return Bad("networks: missing; a rule needs networks or names ('0.0.0.0/0' and '::/0' for any address)");
  }
  if (rule.networks_size() > kMaxRuleNetworks) {
    return Bad(StrCat("networks: ", rule.networks_size(), " entries, at most ", kMaxRuleNetworks));
  }
  for (const std::string& network : rule.networks()) {
    CORDON_RETURN_IF_ERROR(Annotate(ParseNetwork(network).status(), "networks"));
  }
  if (rule.names_size() > kMaxRuleNames) {
    return Bad(StrCat("names: ", rule.names_size(), " entries, at most ", kMaxRuleNames));
  }
  for (const std::string& name : rule.names()) {
    if (!IsProfileName(name)) {
      return Bad(StrCat("names: '", Printable(name),
                        "' is neither a lower-case host name nor '*.' before a name of two labels or more"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckProgram(const v1::Program& program) {
  if (!IsAbsolutePath(program.path())) {
    return Bad(StrCat("program: '", Printable(program.path()), "' is not an absolute path of at most ",
                      kMaxPathBytes, " bytes"));
  }
  if (!program.sha256().empty() && program.sha256().size() != kSha256Bytes) {
    return Bad(StrCat("program: the SHA-256 has ", program.sha256().size(), " bytes, not ", kSha256Bytes));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsProfileName(std::string_view name) {
  if (name.size() > kMaxHostNameBytes) return false;
  if (name.starts_with("*.")) return CountLabels(name.substr(2)) >= 2;
  return CountLabels(name) >= 1;
}

bool IsAbsolutePath(std::string_view path) {
  if (!IsPlainText(path, kMaxPathBytes) || path.empty()) return false;
  if (path.front() == '/') return true;
  const char drive = static_cast<char>(path.front() | 0x20);
  return path.size() >= 3 && drive >= 'a' && drive <= 'z' && path[1] == ':' &&
         (path[2] == '\\' || path[2] == '/');
}

absl::Status CheckAllowRule(const v1::AllowRule& rule) {
  if (!IsPlainText(rule.comment(), kMaxCommentBytes)) {
    return Bad(StrCat("comment: longer than ", kMaxCommentBytes, " bytes, or with control characters"));
  }
  if (rule.direction() < v1::DIRECTION_OUT || rule.direction() > v1::DIRECTION_BOTH) {
    return Bad("direction: missing or not known (out, in, both)");
  }
  if (rule.protocol() < v1::TRANSPORT_PROTOCOL_TCP || rule.protocol() > v1::TRANSPORT_PROTOCOL_ICMP) {
    return Bad("protocol: missing or not known (tcp, udp, icmp)");
  }
  CORDON_RETURN_IF_ERROR(CheckPeers(rule));
  CORDON_RETURN_IF_ERROR(CheckPorts(rule));
  return rule.has_program() ? CheckProgram(rule.program()) : absl::OkStatus();
}

absl::Status CheckProfile(const v1::Profile& profile) {
  if (!IsName(profile.name())) {
    return Bad(StrCat("profile: the name '", Printable(profile.name().substr(0, 80)),
                      "' is not 1 to 64 characters of [a-z0-9-]"));
  }
  if (profile.allow_size() > kMaxProfileRules) {
    return Bad(StrCat("profile '", profile.name(), "': ", profile.allow_size(), " rules, at most ",
                      kMaxProfileRules));
  }
  for (int i = 0; i < profile.allow_size(); ++i) {
    if (absl::Status checked = CheckAllowRule(profile.allow(i)); !checked.ok()) {
      return Annotate(checked, StrCat("profile '", profile.name(), "': rule ", i + 1));
    }
  }
  return absl::OkStatus();
}

}  // namespace cordon
