#include "controller/pki/fleet_file.h"

#include <toml++/toml.h>

#include <boost/asio/ip/address.hpp>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/x509.h"

namespace cordon::controller {
namespace {

constexpr size_t kMaxNames = 16;

bool IsDnsName(std::string_view name) {
  return !name.empty() && name.size() <= 253 && name.front() != '.' && name.front() != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string_view::npos;
}

bool IsAddress(const std::string& name) {
  boost::system::error_code error;
  boost::asio::ip::make_address(name, error);
  return !error;
}

}  // namespace

absl::Status CheckPkiOptions(const PkiOptions& options) {
  if (!IsUuid(options.fleet_id)) return absl::InvalidArgumentError("fleet_id is not a UUID");
  const Identity controller = {IdentityKind::kController, options.organisation, options.fleet_id};
  CORDON_RETURN_IF_ERROR(Annotate(ParseIdentity(FormatIdentity(controller)).status(), "organisation"));
  if (options.names.empty() || options.names.size() > kMaxNames) {
    return absl::InvalidArgumentError(StrCat("the controller needs 1 to ", kMaxNames, " names"));
  }
  for (const std::string& name : options.names) {
    if (IsAddress(name) || IsDnsName(name)) continue;
    return absl::InvalidArgumentError(
        StrCat("'", Printable(name), "' is neither a DNS name in lower case nor an IP address"));
  }
  return absl::OkStatus();
}

std::string FormatFleetFile(const PkiOptions& options) {
  std::string text =
      StrCat("fleet_id = \"", options.fleet_id, "\"\norganisation = \"", options.organisation,
             "\"\n# What hosts reach the controller by; its certificate names these.\nnames = [");
  for (size_t i = 0; i < options.names.size(); ++i)
    StrAppend(&text, i == 0 ? "\"" : ", \"", options.names[i], "\"");
  return text + "]\n";
}

absl::StatusOr<PkiOptions> ParseFleetFile(std::string_view text) {
  PkiOptions options;
  try {
    const toml::table table = toml::parse(text);
    options.fleet_id = table["fleet_id"].value_or(std::string());
    options.organisation = table["organisation"].value_or(std::string());
    if (const toml::array* names = table["names"].as_array()) {
      for (const toml::node& name : *names) options.names.push_back(name.value_or(std::string()));
    }
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(StrCat("line ", error.source().begin.line, ": ", error.description()));
  }
  CORDON_RETURN_IF_ERROR(CheckPkiOptions(options));
  return options;
}

}  // namespace cordon::controller
