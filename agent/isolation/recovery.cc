#include "agent/isolation/recovery.h"

#include <algorithm>
#include <optional>
#include <string>

#include "common/base/text.h"
#include "common/crypto/credible_time.h"
#include "cordon/v1/gateway.pb.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

// The link's files, by the names that agent/link gives them; this module is below it.
constexpr const char* kEnrollmentFile = "enrollment.pb";
constexpr const char* kAddressFile = "addresses";
constexpr const char* kHostCertificateFile = "host.crt";
constexpr size_t kMaxFileBytes = size_t{256} * 1024;
constexpr size_t kMaxEndpoints = 64;

std::optional<boost::asio::ip::address> AddressOf(const std::string& text) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(text, error);
  if (error) return std::nullopt;
  return address;
}

}  // namespace

std::vector<Endpoint> KnownControllers(const std::filesystem::path& state_dir) {
  std::vector<Endpoint> endpoints;
  const absl::StatusOr<std::string> bytes =
      platform::ReadFileBounded(state_dir / kEnrollmentFile, kMaxFileBytes);
  v1::EnrollmentFile enrollment;
  if (!bytes.ok() || !enrollment.ParseFromString(*bytes)) return endpoints;
  const auto book = platform::ReadFileBounded(state_dir / kAddressFile, kMaxFileBytes);
  const auto known = ParseAddressBook(book.value_or(""));
  for (const std::string& text : enrollment.controllers()) {
    const absl::StatusOr<HostPort> controller = ParseHostPort(text);
    if (!controller.ok() || endpoints.size() >= kMaxEndpoints) continue;
    if (const auto address = AddressOf(controller->host)) endpoints.push_back({*address, controller->port});
    for (const auto& [name, address] : known) {
      if (name == controller->host && endpoints.size() < kMaxEndpoints)
        endpoints.push_back({address, controller->port});
    }
  }
  std::sort(endpoints.begin(), endpoints.end());
  endpoints.erase(std::unique(endpoints.begin(), endpoints.end()), endpoints.end());
  return endpoints;
}

std::vector<Endpoint> ControllersOf(const v1::IsolationState& state) {
  std::vector<Endpoint> endpoints;
  for (const std::string& text : state.controllers()) {
    const absl::StatusOr<HostPort> parsed = ParseHostPort(text);
    if (!parsed.ok()) continue;
    if (const auto address = AddressOf(parsed->host)) endpoints.push_back({*address, parsed->port});
  }
  return endpoints;
}

v1::IsolationState ClosedState(const std::filesystem::path& state_dir, std::string_view why,
                               const Clock& clock) {
  constexpr int64_t kNanosPerMicro = 1'000;
  v1::IsolationState state;
  state.set_level(v1::LEVEL_CONTROLLER_ONLY);
  const int64_t now = CredibleNanos(clock.WallNanos(), state_dir / kHostCertificateFile);
  state.set_sequence(static_cast<uint64_t>(std::max<int64_t>(now / kNanosPerMicro, 0)));
  state.set_note(Printable(why));
  for (const Endpoint& controller : KnownControllers(state_dir))
    state.add_controllers(FormatEndpoint(controller));
  return state;
}

bool IsClosedState(const v1::IsolationState& state) {
  return state.level() == v1::LEVEL_CONTROLLER_ONLY && !state.has_action() && !state.note().empty();
}

}  // namespace cordon::agent
