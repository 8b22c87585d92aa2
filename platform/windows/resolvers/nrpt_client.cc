#include "platform/windows/resolvers/nrpt_client.h"

#include <utility>

#include "common/base/status.h"

namespace cordon::platform::nrpt {
namespace {

// 127.0.0.1 is what other DNS servers of a host take (Docker, filters of advertisements, the role of Windows
// Server); decision 0039 says why these two.
constexpr const char* kGuardAddresses[] = {"127.67.79.53", "::1"};

class NrptClient final : public DnsClient {
 public:
  explicit NrptClient(std::unique_ptr<Table> table) : table_(std::move(table)) {}

  std::vector<boost::asio::ip::address> GuardAddresses() const override {
    std::vector<boost::asio::ip::address> addresses;
    for (const char* text : kGuardAddresses) addresses.push_back(boost::asio::ip::make_address(text));
    return addresses;
  }

  uint16_t GuardPort() const override { return 53; }  // a rule names addresses alone

  absl::Status Turn(const std::vector<boost::asio::ip::address>& guards) override {
    if (guards.empty()) return absl::InvalidArgumentError("a rule for names needs somebody to ask");
    const Rule wanted = MakeRule(guards);
    const absl::StatusOr<std::optional<Rule>> standing = table_->Read();
    const bool stands = standing.ok() && standing->has_value() && Same(**standing, wanted);
    if (stands && told_ == true) return absl::OkStatus();
    told_.reset();
    if (!stands) CORDON_RETURN_IF_ERROR(Annotate(table_->Write(wanted), kTurning));
    CORDON_RETURN_IF_ERROR(Annotate(table_->Reload(), kTurning));
    told_ = true;
    return absl::OkStatus();
  }

  absl::Status TurnBack() override {
    const absl::StatusOr<std::optional<Rule>> standing = table_->Read();
    const bool gone = standing.ok() && !standing->has_value();
    if (gone && told_ == false) return absl::OkStatus();
    told_.reset();
    if (!gone) CORDON_RETURN_IF_ERROR(Annotate(table_->Delete(), kTurningBack));
    CORDON_RETURN_IF_ERROR(Annotate(table_->Reload(), kTurningBack));
    told_ = false;
    return absl::OkStatus();
  }

  std::vector<std::string> Obstacles() override { return nrpt::Obstacles(table_->Look()); }

 private:
  static constexpr const char* kTurning = "Windows' DNS client cannot be turned to the agent's guard";
  static constexpr const char* kTurningBack = "Windows' DNS client cannot be turned back";

  const std::unique_ptr<Table> table_;
  // Whether the client follows the rule, as far as it was told. Not known at first: an agent that was killed
  // may have changed the table and told nobody.
  std::optional<bool> told_;
};

}  // namespace

std::unique_ptr<DnsClient> MakeNrptClient(std::unique_ptr<Table> table) {
  return std::make_unique<NrptClient>(std::move(table));
}

}  // namespace cordon::platform::nrpt
