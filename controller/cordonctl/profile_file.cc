#include "controller/cordonctl/profile_file.h"

#include <charconv>

#include "common/base/hex.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "common/wire/profile.h"
#include "controller/cordonctl/toml_reader.h"
#include "platform/api/files.h"

namespace cordon::ctl {
namespace {

// Reads one file.
class Reader : TomlReader {
 public:
  using TomlReader::TomlReader;

  absl::StatusOr<v1::Profile> Profile(const toml::table& root) const;

 private:
  absl::Status Ports(const toml::table& table, v1::AllowRule* rule) const;
  absl::StatusOr<v1::PortRange> Port(const toml::node& node) const;
  absl::Status Program(const toml::table& table, v1::AllowRule* rule) const;
  absl::Status Rule(const toml::table& table, v1::AllowRule* rule) const;
};

absl::StatusOr<v1::PortRange> Reader::Port(const toml::node& node) const {
  int64_t first = 0;
  int64_t last = 0;
  if (node.is_integer()) {
    first = last = node.as_integer()->get();
  } else if (node.is_string()) {
    const std::string& text = node.as_string()->get();
    const char* const end = text.data() + text.size();
    const auto head = std::from_chars(text.data(), end, first);
    const bool dash = head.ec == std::errc() && head.ptr != end && *head.ptr == '-';
    const auto tail = dash ? std::from_chars(head.ptr + 1, end, last) : head;
    if (!dash || tail.ec != std::errc() || tail.ptr != end) first = 0;
  }
  if (first < 1 || last > 65'535 || last < first) {
    return At(node, "ports: must hold numbers from 1 to 65535 and ranges like \"5060-5080\"");
  }
  v1::PortRange range;
  range.set_first(static_cast<uint32_t>(first));
  range.set_last(static_cast<uint32_t>(last));
  return range;
}

absl::Status Reader::Ports(const toml::table& table, v1::AllowRule* rule) const {
  const toml::node* const node = table.get("ports");
  if (node == nullptr) return absl::OkStatus();
  if (!node->is_array()) return At(*node, "ports: must be a list, like [443, \"5060-5080\"]");
  for (const toml::node& item : *node->as_array()) {
    CORDON_ASSIGN_OR_RETURN(*rule->add_ports(), Port(item));
  }
  return absl::OkStatus();
}

absl::Status Reader::Program(const toml::table& table, v1::AllowRule* rule) const {
  const toml::node* const node = table.get("program");
  if (node == nullptr) return absl::OkStatus();
  if (!node->is_table()) return At(*node, "program: must be like { path = \"/usr/bin/viewer\" }");
  const toml::table& program = *node->as_table();
  CORDON_RETURN_IF_ERROR(OnlyKeys(program, {"path", "sha256"}));
  std::string sha256;
  CORDON_RETURN_IF_ERROR(Text(program, "path", rule->mutable_program()->mutable_path()));
  CORDON_RETURN_IF_ERROR(Text(program, "sha256", &sha256));
  const absl::StatusOr<std::string> bytes = HexDecode(sha256);
  if (!bytes.ok()) return At(*node, StrCat("program: sha256: ", Message(bytes.status())));
  rule->mutable_program()->set_sha256(*bytes);
  return absl::OkStatus();
}

absl::Status Reader::Rule(const toml::table& table, v1::AllowRule* rule) const {
  CORDON_RETURN_IF_ERROR(
      OnlyKeys(table, {"comment", "direction", "protocol", "networks", "names", "ports", "program"}));
  v1::Direction direction = v1::DIRECTION_UNSPECIFIED;
  v1::TransportProtocol protocol = v1::TRANSPORT_PROTOCOL_UNSPECIFIED;
  CORDON_RETURN_IF_ERROR(Text(table, "comment", rule->mutable_comment()));
  CORDON_RETURN_IF_ERROR(Choice(table, "direction", v1::DIRECTION_BOTH, &direction));
  CORDON_RETURN_IF_ERROR(Choice(table, "protocol", v1::TRANSPORT_PROTOCOL_ICMP, &protocol));
  rule->set_direction(direction);
  rule->set_protocol(protocol);
  CORDON_RETURN_IF_ERROR(Texts(table, "networks", rule->mutable_networks()));
  CORDON_RETURN_IF_ERROR(Texts(table, "names", rule->mutable_names()));
  CORDON_RETURN_IF_ERROR(Ports(table, rule));
  CORDON_RETURN_IF_ERROR(Program(table, rule));
  if (const absl::Status checked = CheckAllowRule(*rule); !checked.ok()) return At(table, Message(checked));
  return absl::OkStatus();
}

absl::StatusOr<v1::Profile> Reader::Profile(const toml::table& root) const {
  CORDON_RETURN_IF_ERROR(OnlyKeys(root, {"name", "allow"}));
  v1::Profile profile;
  CORDON_RETURN_IF_ERROR(Text(root, "name", profile.mutable_name()));
  if (const toml::node* const allow = root.get("allow"); allow != nullptr) {
    if (!allow->is_array()) return At(*allow, "allow: write each rule under its own [[allow]]");
    for (const toml::node& item : *allow->as_array()) {
      if (!item.is_table()) return At(item, "allow: write each rule under its own [[allow]]");
      CORDON_RETURN_IF_ERROR(Rule(*item.as_table(), profile.add_allow()));
    }
  }
  // The rules are good: what is left to say is about the whole.
  CORDON_RETURN_IF_ERROR(Annotate(CheckProfile(profile), StrCat(FileName(), ":1")));
  return profile;
}

}  // namespace

absl::StatusOr<v1::Profile> ParseProfile(std::string_view text, const std::string& file_name) {
  CORDON_ASSIGN_OR_RETURN(const toml::table root, ParseToml(text, kMaxProfileFileBytes, file_name));
  return Reader(file_name).Profile(root);
}

absl::StatusOr<v1::Profile> LoadProfileFile(const std::string& path) {
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(path, kMaxProfileFileBytes);
  if (!text.ok()) return absl::InvalidArgumentError(StrCat("profile: ", Message(text.status())));
  return ParseProfile(*text, path);
}

}  // namespace cordon::ctl
