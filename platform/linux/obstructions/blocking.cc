#include "platform/linux/obstructions/blocking.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <sstream>

#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::platform {
namespace {

constexpr size_t kMaxQuoted = 160;

std::vector<std::string> Words(std::string_view text) {
  std::string plain;
  for (const char c : text) {  // "{ 1.2.3.4, 5.6.7.8 }" falls into its elements
    if (c == '{' || c == '}') {
      plain += StrCat(" ", std::string(1, c), " ");
    } else {
      plain.push_back(c == ',' || c == '\t' ? ' ' : c);
    }
  }
  std::istringstream stream(plain);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::optional<uint32_t> Number(std::string_view text) {
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, hex ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Whether `value` is in the element: a number, "1-9".
bool HasNumber(const std::string& element, uint32_t value) {
  if (const auto one = Number(element); one.has_value()) return *one == value;
  const size_t dash = element.find('-');
  if (dash == std::string::npos) return false;
  const auto low = Number(element.substr(0, dash));
  const auto high = Number(element.substr(dash + 1));
  return low.has_value() && high.has_value() && *low <= value && value <= *high;
}

// The same for addresses: "10.0.0.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9".
bool HasAddress(const std::string& element, const boost::asio::ip::address& value) {
  if (const absl::StatusOr<Network> network = ParseNetwork(element); network.ok()) {
    return network->IsV6() == value.is_v6() && network->Contains(value);
  }
  const size_t dash = element.find('-');
  if (dash == std::string::npos) return false;
  boost::system::error_code error;
  const auto low = boost::asio::ip::make_address(element.substr(0, dash), error);
  const auto high = error ? low : boost::asio::ip::make_address(element.substr(dash + 1), error);
  return !error && low.is_v6() == value.is_v6() && low <= value && value <= high;
}

// A walk over the words of one rule.
class Matcher {
 public:
  Matcher(std::vector<std::string> words, const Endpoint& controller, bool outbound, uint32_t mark)
      : words_(std::move(words)), controller_(controller), outbound_(outbound), mark_(mark) {}

  Fit Judge() {
    bool named = false;
    bool unknown = false;
    while (at_ < words_.size()) {
      const Fit fit = Next();
      if (fit == Fit::kNo) return Fit::kNo;
      named = named || fit == Fit::kChannel;
      unknown = unknown || fit == Fit::kMaybe;
    }
    if (named) return Fit::kChannel;
    return unknown ? Fit::kMaybe : Fit::kAll;
  }

 private:
  bool Is(size_t ahead, std::string_view word) const {
    return at_ + ahead < words_.size() && words_[at_ + ahead] == word;
  }

  // The elements after a key, and whether they are excluded.
  std::vector<std::string> Elements(bool* excluded) {
    std::vector<std::string> elements;
    *excluded = Is(0, "!=");
    if (*excluded || Is(0, "==")) ++at_;
    if (Is(0, "{")) {
      for (++at_; at_ < words_.size() && words_[at_] != "}"; ++at_) elements.push_back(words_[at_]);
      ++at_;
    } else if (at_ < words_.size()) {
      elements.push_back(words_[at_++]);
    }
    return elements;
  }

  template <typename Has>
  Fit Compare(Has has) {
    bool excluded = false;
    const std::vector<std::string> elements = Elements(&excluded);
    if (!elements.empty() && elements.front().starts_with("@")) return Fit::kMaybe;  // a named set
    const bool in = std::any_of(elements.begin(), elements.end(), has);
    return in != excluded ? Fit::kChannel : Fit::kNo;
  }

  Fit Next();

  const std::vector<std::string> words_;
  const Endpoint& controller_;
  const bool outbound_;
  const uint32_t mark_;
  size_t at_ = 0;
};

Fit Matcher::Next() {
  const std::string word = words_[at_++];
  const std::string peer_address = outbound_ ? "daddr" : "saddr";
  const std::string peer_port = outbound_ ? "dport" : "sport";
  if (word == "ip" || word == "ip6") {
    if ((word == "ip6") != controller_.address.is_v6()) return Fit::kNo;
    if (at_ < words_.size() && words_[at_] == peer_address) {
      ++at_;
      return Compare([&](const std::string& element) { return HasAddress(element, controller_.address); });
    }
    return Fit::kMaybe;
  }
  if (word == "udp" || word == "icmp" || word == "icmpv6" || word == "sctp" || word == "arp") return Fit::kNo;
  if (word == "tcp" || word == "th") {
    if (at_ < words_.size() && words_[at_] == peer_port) {
      ++at_;
      return Compare([&](const std::string& element) { return HasNumber(element, controller_.port); });
    }
    return Fit::kMaybe;
  }
  if (word == "meta" && Is(0, "l4proto")) {
    ++at_;
    const Fit fit = Compare([](const std::string& element) { return element == "tcp" || element == "6"; });
    return fit == Fit::kNo ? Fit::kNo : Fit::kAll;
  }
  if (word == "mark" || (word == "meta" && Is(0, "mark"))) {
    if (word == "meta") ++at_;
    if (Is(0, "set")) return Fit::kMaybe;
    if (!outbound_) return Fit::kMaybe;
    return Compare([&](const std::string& element) { return HasNumber(element, mark_); });
  }
  constexpr std::array<std::string_view, 5> kPassing = {"counter", "drop", "reject", "accept", "log"};
  if (std::find(kPassing.begin(), kPassing.end(), word) != kPassing.end()) {
    if (word == "counter" && Is(0, "packets")) at_ += 4;
    if (word == "reject" || word == "log") at_ = words_.size();  // with what it answers, or says
    return Fit::kAll;
  }
  return Fit::kMaybe;
}

bool EndsIn(std::string_view rule, std::initializer_list<std::string_view> verdicts) {
  const std::vector<std::string> words = Words(rule);
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return std::find(verdicts.begin(), verdicts.end(), word) != verdicts.end();
  });
}

bool IsOutbound(const BaseChain& chain) {
  return chain.hook == "output" || chain.hook == "postrouting" || chain.hook == "egress";
}

bool IsInbound(const BaseChain& chain) {
  return chain.hook == "input" || chain.hook == "prerouting" || chain.hook == "ingress";
}

}  // namespace

Fit FitOf(std::string_view rule, const Endpoint& controller, bool outbound, uint32_t mark) {
  return Matcher(Words(rule), controller, outbound, mark).Judge();
}

std::vector<std::string> BlockingRules(const std::vector<BaseChain>& chains, const std::vector<Rule>& rules,
                                       const std::vector<Endpoint>& controllers, uint32_t mark) {
  std::set<std::string> found;
  for (const BaseChain& chain : chains) {
    const bool outbound = IsOutbound(chain);
    if (!outbound && !IsInbound(chain)) continue;
    const std::string where = StrCat("table ", chain.family, " ", Printable(chain.table), ", chain ");
    for (const Endpoint& controller : controllers) {
      bool accepted = chain.policy != "drop";
      for (const Rule& rule : rules) {
        const bool in_chain = rule.chain == chain.name;
        const bool is_base = std::any_of(chains.begin(), chains.end(),
                                         [&](const BaseChain& other) { return other.name == rule.chain; });
        if (!in_chain && is_base) continue;
        const Fit fit = FitOf(rule.text, controller, outbound, mark);
        if (EndsIn(rule.text, {"accept", "jump", "goto"}) && fit != Fit::kNo) accepted = true;
        // What stands in a chain that is jumped to may be meant for some packets only.
        const bool hits = fit == Fit::kChannel || (fit == Fit::kAll && in_chain);
        if (!hits || !EndsIn(rule.text, {"drop", "reject"})) continue;
        found.insert(StrCat("a rule of somebody else stops packets ", outbound ? "to " : "from ",
                            "the controller ", FormatEndpoint(controller), ": ", where, Printable(rule.chain),
                            ": ", Printable(rule.text.substr(0, kMaxQuoted))));
      }
      if (accepted) continue;
      found.insert(StrCat("the policy of somebody else's chain stops packets ", outbound ? "to " : "from ",
                          "the controller ", FormatEndpoint(controller), ": ", where, Printable(chain.name)));
    }
  }
  return {found.begin(), found.end()};
}

}  // namespace cordon::platform
