#include "platform/linux/bypasses/foreign_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <utility>

namespace cordon::platform {
namespace {

constexpr int64_t kOwnPriority = -500;

std::vector<std::string> Words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(std::move(word));
  return words;
}

std::vector<std::string> Lines(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(std::move(line));
  return lines;
}

bool IsCordons(std::string_view table) {
  return table == "cordon" || table.starts_with("cordon-");
}

int64_t NumberOf(std::string_view word) {
  int64_t number = 0;
  if (word.starts_with("+")) word.remove_prefix(1);
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

// The names that nft prints for priorities.
int64_t NamedPriority(std::string_view name, bool bridge) {
  using Named = std::pair<std::string_view, int64_t>;
  constexpr std::array<Named, 6> kOthers = {Named{"raw", -300}, {"mangle", -150}, {"dstnat", -100},
                                            {"filter", 0},      {"security", 50}, {"srcnat", 100}};
  constexpr std::array<Named, 4> kBridge = {
      Named{"dstnat", -300}, {"filter", -200}, {"out", 100}, {"srcnat", 300}};
  const auto find = [&](const auto& names) {
    const auto at = std::find_if(names.begin(), names.end(), [&](const Named& n) { return n.first == name; });
    return at == names.end() ? NumberOf(name) : at->second;
  };
  return bridge ? find(kBridge) : find(kOthers);
}

// "type filter hook input priority filter - 10; policy accept;"
bool ParseHook(std::string_view line, BaseChain* chain) {
  std::string plain(line);
  std::replace(plain.begin(), plain.end(), ';', ' ');
  const std::vector<std::string> words = Words(plain);
  if (words.size() < 4 || words[0] != "type" || words[2] != "hook") return false;
  chain->type = words[1];
  chain->hook = words[3];
  for (size_t at = 4; at + 1 < words.size(); ++at) {
    if (words[at] == "policy") chain->policy = words[at + 1];
    if (words[at] != "priority") continue;
    chain->priority = NamedPriority(words[at + 1], chain->family == "bridge");
    if (at + 3 < words.size() && (words[at + 2] == "+" || words[at + 2] == "-")) {
      const int64_t offset = NumberOf(words[at + 3]);
      chain->priority += words[at + 2] == "+" ? offset : -offset;
    }
  }
  return true;
}

}  // namespace

std::vector<BaseChain> ParseBaseChains(std::string_view text) {
  std::vector<BaseChain> chains;
  BaseChain chain;
  for (const std::string& line : Lines(text)) {
    const std::vector<std::string> words = Words(line);
    if (words.size() == 4 && words[0] == "table") {
      chain = {.family = words[1], .table = words[2]};
    } else if (words.size() == 3 && words[0] == "chain") {
      chain.name = words[1];
    } else if (!IsCordons(chain.table) && ParseHook(line, &chain)) {
      chains.push_back(chain);
      chain.policy.clear();
    }
  }
  return chains;
}

bool MayBypass(const BaseChain& chain) {
  return chain.family == "netdev" || chain.family == "bridge" || chain.hook == "ingress" ||
         chain.hook == "egress" || chain.priority <= kOwnPriority;
}

std::vector<Rule> ParseRules(std::string_view table_text) {
  std::vector<Rule> rules;
  std::string chain;
  int depth = 0;  // of braces within the chain: sets that go over several lines
  for (const std::string& line : Lines(table_text)) {
    const std::vector<std::string> words = Words(line);
    if (words.empty()) continue;
    if (chain.empty()) {
      if (words.size() == 3 && words[0] == "chain" && words[2] == "{") chain = words[1];
      continue;
    }
    if (depth == 0 && words.size() == 1 && words[0] == "}") {
      chain.clear();
      continue;
    }
    std::string text = line.substr(line.find_first_not_of(" \t"));
    if (depth > 0) {
      rules.back().text += " " + text;
    } else if (words[0] != "type") {
      rules.push_back({chain, text});
    }
    depth += static_cast<int>(std::count(text.begin(), text.end(), '{') -
                              std::count(text.begin(), text.end(), '}'));
    depth = std::max(depth, 0);
  }
  return rules;
}

bool Rewrites(std::string_view rule) {
  constexpr std::array<std::string_view, 7> kStatements = {"set",  "fwd",      "dup",   "dnat",
                                                           "snat", "redirect", "tproxy"};
  const std::vector<std::string> words = Words(rule);
  bool quoted = false;  // a comment or a log prefix says what it likes
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    const bool inside = quoted;
    if (std::count(word.begin(), word.end(), '"') % 2 == 1) quoted = !quoted;
    return !inside && std::find(kStatements.begin(), kStatements.end(), word) != kStatements.end();
  });
}

}  // namespace cordon::platform
