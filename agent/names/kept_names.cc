#include "agent/names/kept_names.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/names/name_list.h"
#include "common/base/network.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxPortFile = 16;
constexpr uint16_t kDnsPort = 53;

class KeptNames final : public Names {
 public:
  explicit KeptNames(std::filesystem::path port_file) : port_file_(std::move(port_file)) {}

  void Begin(const v1::IsolationState& state) override {
    const NameList list(state.action().profile());
    sets_.assign(list.SetCount(), {});
    for (const v1::OpenedAddress& opened : state.opened()) Open(list, opened);
    for (platform::NameSet& set : sets_) {
      std::ranges::sort(set.addresses);
      const auto repeats = std::ranges::unique(set.addresses);
      set.addresses.erase(repeats.begin(), repeats.end());
    }
    redirect_.reset();
    resolvers_.clear();
    for (const std::string& resolver : state.resolvers()) {
      const auto parsed = ParseNetwork(resolver);
      if (parsed.ok()) resolvers_.push_back({parsed->address, kDnsPort});
    }
    if (state.level() == v1::LEVEL_ESSENTIAL && !list.Empty()) Turn();
  }

  void Settle() override {}
  void Record(v1::IsolationState* /*state*/) const override {}
  std::vector<platform::NameSet> Sets() const override { return sets_; }
  std::optional<platform::DnsRedirect> Redirect() const override { return redirect_; }
  // As the agent left it: it records them where it asks them.
  std::vector<Endpoint> OwnResolvers() const override {
    return redirect_.has_value() ? std::vector<Endpoint>() : resolvers_;
  }
  void LookUpController(const std::string& /*name*/, std::function<void(Addresses)> /*done*/) override {}
  void AskGuard(std::function<void(absl::Status)> /*done*/) override {}
  std::vector<std::string> Notes() const override { return {}; }
  void OnChange(std::function<absl::Status(Change)> /*listener*/) override {}
  void Tick() override {}

 private:
  void Open(const NameList& list, const v1::OpenedAddress& opened) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(opened.address(), error);
    if (error) return;
    for (const size_t set : list.SetsOf(opened.name())) sets_[set].addresses.push_back(address);
  }

  void Turn() {
    uint16_t port = 0;
    const auto text = platform::ReadFileBounded(port_file_, kMaxPortFile);
    if (text.ok()) std::from_chars(text->data(), text->data() + text->size(), port);
    if (port == 0) return;  // no guard has listened here yet: port 53 is shut like any other
    redirect_.emplace(platform::DnsRedirect{.guard_port = port, .resolvers = resolvers_});
  }

  const std::filesystem::path port_file_;
  std::vector<platform::NameSet> sets_;
  std::optional<platform::DnsRedirect> redirect_;
  std::vector<Endpoint> resolvers_;
};

}  // namespace

std::unique_ptr<Names> MakeKeptNames(std::filesystem::path port_file) {
  return std::make_unique<KeptNames>(std::move(port_file));
}

}  // namespace cordon::agent
