#include "platform/linux/packet_filter/listing.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::platform {
namespace {

constexpr size_t kMaxDifferences = 20;
constexpr size_t kMaxQuotedRule = 200;

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Lines without indentation; a line that leaves a set's brace open is joined with those that follow, but for
// lines that open a table or chain.
std::vector<std::string> LogicalLines(std::string_view text) {
  std::vector<std::string> lines;
  int64_t unclosed = 0;  // braces of sets in the last line
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const int64_t opened =
        std::count(line.begin(), line.end(), '{') - std::count(line.begin(), line.end(), '}');
    if (unclosed > 0) {
      StrAppend(&lines.back(), " ", line);
      unclosed += opened;
      continue;
    }
    lines.emplace_back(line);
    const bool opens_block =
        line.ends_with("{") && (line.starts_with("table ") || line.starts_with("chain "));
    unclosed = opens_block || line == "}" ? 0 : opened;
  }
  return lines;
}

// Takes "packets N bytes N" out of `rule` and returns N packets.
uint64_t TakeCounter(std::string* rule) {
  constexpr std::string_view kPackets = "counter packets ";
  const size_t at = rule->find(kPackets);
  if (at == std::string::npos) return 0;
  uint64_t packets = 0;
  const char* const end = rule->data() + rule->size();
  const auto [after, error] = std::from_chars(rule->data() + at + kPackets.size(), end, packets);
  constexpr std::string_view kBytes = " bytes ";
  if (error != std::errc{} || !std::string_view(after, end).starts_with(kBytes)) return 0;
  uint64_t bytes = 0;
  const auto [rest, bytes_error] = std::from_chars(after + kBytes.size(), end, bytes);
  if (bytes_error != std::errc{}) return 0;
  *rule = StrCat(rule->substr(0, at), "counter", std::string_view(rest, end));
  return packets;
}

std::vector<std::string_view> SortedElements(std::string_view elements) {
  std::vector<std::string_view> sorted;
  sorted.reserve(static_cast<size_t>(std::count(elements.begin(), elements.end(), ',')) + 1);
  while (!elements.empty()) {
    const size_t comma = std::min(elements.find(','), elements.size());
    if (const std::string_view element = Trimmed(elements.substr(0, comma)); !element.empty()) {
      sorted.push_back(element);
    }
    elements.remove_prefix(std::min(comma + 1, elements.size()));
  }
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::string SortSet(std::string_view elements) {
  const std::vector<std::string_view> sorted = SortedElements(elements);
  std::string text;
  text.reserve(elements.size() + sorted.size());
  for (const std::string_view element : sorted) {
    if (!text.empty()) text += ", ";
    text += element;
  }
  // The two halves of all addresses are listed as one element.
  if (text == "0.0.0.0/1, 128.0.0.0/1") return "0.0.0.0/0";
  if (text == "8000::/1, ::/1") return "::/0";
  return text;
}

std::string CanonicalRule(std::string_view rule) {
  std::string out;
  while (true) {
    const size_t open = rule.find('{');
    const size_t close = rule.find('}', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) return out.append(rule);
    StrAppend(&out, rule.substr(0, open), "{ ", SortSet(rule.substr(open + 1, close - open - 1)), " }");
    rule.remove_prefix(close + 1);
  }
}

std::string Quoted(std::string_view rule) {
  const std::string text = Printable(rule.substr(0, kMaxQuotedRule));
  return StrCat("\"", text, rule.size() > kMaxQuotedRule ? "…" : "", "\"");
}

void CompareChains(const std::string& where, const Chain& intended, const Chain& found,
                   std::vector<std::string>* out) {
  if (intended.hook != found.hook) {
    out->push_back(
        StrCat(where, " is hooked as ", Quoted(found.hook), " instead of ", Quoted(intended.hook)));
  }
  // Rules that stand at both ends are left out; what is between them differs.
  const auto& want = intended.rules;
  const auto& have = found.rules;
  const size_t shorter = std::min(want.size(), have.size());
  size_t same = 0;
  while (same < shorter && want[same] == have[same]) ++same;
  size_t tail = 0;
  while (tail < shorter - same && want[want.size() - 1 - tail] == have[have.size() - 1 - tail]) ++tail;
  for (size_t at = same; at < have.size() - tail; ++at) {
    out->push_back(StrCat(where, " has a rule that is not Cordon's here: ", Quoted(have[at])));
  }
  for (size_t at = same; at < want.size() - tail; ++at) {
    out->push_back(StrCat(where, " lacks the rule ", Quoted(want[at])));
  }
}

// One of Cordon's own sets as a logical line: "set NAME { type ipv4_addr elements = { 192.0.2.1 } }". Nothing
// for sets of any other form.
std::optional<AddressSet> ParseSet(std::string_view line) {
  const auto take = [&line](std::string_view prefix) {
    if (!line.starts_with(prefix)) return false;
    line.remove_prefix(prefix.size());
    return true;
  };
  AddressSet set;
  if (!take("set ")) return std::nullopt;
  set.name = line.substr(0, line.find(' '));
  line.remove_prefix(set.name.size());
  if (!take(" { type ")) return std::nullopt;
  set.v6 = line.starts_with("ipv6_addr");
  if (!take(set.v6 ? "ipv6_addr" : "ipv4_addr")) return std::nullopt;
  set.ranges = take(" flags interval");
  if (take(" elements = { ")) {
    const size_t end = line.find(" }");
    if (end == std::string_view::npos) return std::nullopt;
    for (const std::string_view element : SortedElements(line.substr(0, end))) {
      const std::optional<Interval> interval = ParseInterval(element, set.v6);
      if (!interval.has_value() || (!set.ranges && !interval->IsOneAddress())) return std::nullopt;
      set.elements.push_back(*interval);
    }
    std::ranges::sort(set.elements);
    line.remove_prefix(end + 2);
  }
  return line == " }" ? std::optional(std::move(set)) : std::nullopt;
}

void CompareSets(const std::string& where, const AddressSet& intended, const AddressSet& found,
                 std::vector<std::string>* out) {
  if (intended.v6 != found.v6 || intended.ranges != found.ranges) {
    out->push_back(StrCat(where, " is for another kind of address"));
    return;
  }
  if (intended.elements == found.elements) return;
  for (const Interval& element : found.elements) {
    if (!std::ranges::binary_search(intended.elements, element))
      out->push_back(StrCat(
          where, " has an address that is not Cordon's here: ", Quoted(IntervalText(element, found.v6))));
  }
  for (const Interval& element : intended.elements) {
    if (!std::ranges::binary_search(found.elements, element))
      out->push_back(StrCat(where, " lacks the address ", IntervalText(element, intended.v6)));
  }
}

void CompareAllSets(const Table& intended, const Table& found, std::vector<std::string>* out) {
  const std::string table = StrCat("table ", intended.family, " cordon");
  const auto find = [](const Table& in, const std::string& name) {
    return std::ranges::find(in.sets, name, &AddressSet::name);
  };
  for (const AddressSet& set : intended.sets) {
    const std::string where = StrCat(table, ", set ", set.name);
    if (const auto other = find(found, set.name); other != found.sets.end()) {
      CompareSets(where, set, *other, out);
    } else {
      out->push_back(StrCat(where, " is missing"));
    }
  }
  for (const AddressSet& set : found.sets) {
    if (find(intended, set.name) == intended.sets.end())
      out->push_back(StrCat(table, " has a set that is not Cordon's: ", Quoted(set.name)));
  }
}

const Chain* Find(const Table& table, const std::string& name) {
  const auto found = std::find_if(table.chains.begin(), table.chains.end(),
                                  [&](const Chain& chain) { return chain.name == name; });
  return found == table.chains.end() ? nullptr : &*found;
}

}  // namespace

absl::StatusOr<Listing> ParseListing(std::string_view text) {
  const auto unknown = [](std::string_view line) {
    return absl::InvalidArgumentError(StrCat("the kernel's rules cannot be read: ", Quoted(line)));
  };
  const std::vector<std::string> lines = LogicalLines(text);
  constexpr std::string_view kEnd = " cordon {";
  if (lines.empty() || !lines.front().starts_with("table ") || !lines.front().ends_with(kEnd) ||
      lines.back() != "}") {
    return unknown(lines.empty() ? "" : lines.front());
  }
  Listing listing;
  listing.table.family = lines.front().substr(6, lines.front().size() - 6 - kEnd.size());
  Chain* chain = nullptr;
  for (size_t at = 1; at + 1 < lines.size(); ++at) {
    std::string line = lines[at];
    // What has a name twice would be compared once (ISO-6); the kernel has nothing twice.
    if (chain == nullptr && line.starts_with("chain ") && line.ends_with(" {")) {
      std::string name = line.substr(6, line.size() - 8);
      if (Find(listing.table, name) != nullptr) return unknown(line);
      chain = &listing.table.chains.emplace_back();
      chain->name = std::move(name);
    } else if (std::optional<AddressSet> set = chain == nullptr ? ParseSet(line) : std::nullopt) {
      const auto& sets = listing.table.sets;
      if (std::ranges::find(sets, set->name, &AddressSet::name) != sets.end()) return unknown(line);
      listing.table.sets.push_back(*std::move(set));
    } else if (chain == nullptr) {
      StrAppend(&listing.table.header, line, "\n");
    } else if (line == "}") {
      chain = nullptr;
    } else if (line.starts_with("type ") && chain->hook.empty() && chain->rules.empty()) {
      chain->hook = line;
    } else {
      const uint64_t packets = TakeCounter(&line);
      if (line.ends_with("drop")) listing.dropped_packets += packets;
      listing.counted_packets += packets;
      chain->rules.push_back(CanonicalRule(line));
    }
  }
  if (chain != nullptr) return unknown(text);
  return listing;
}

Table Canonical(Table table) {
  for (Chain& chain : table.chains) {
    for (std::string& rule : chain.rules) rule = CanonicalRule(rule);
  }
  for (AddressSet& set : table.sets) std::ranges::sort(set.elements);
  return table;
}

std::vector<std::string> Differences(const Table& intended, const Table& found) {
  std::vector<std::string> out;
  const std::string table = StrCat("table ", intended.family, " cordon");
  if (intended.header != found.header) {
    out.push_back(StrCat(table, " holds something that is not Cordon's: ", Quoted(found.header)));
  }
  CompareAllSets(intended, found, &out);
  for (const Chain& chain : intended.chains) {
    const std::string where = StrCat(table, ", chain ", chain.name);
    const Chain* const other = Find(found, chain.name);
    if (other == nullptr) {
      out.push_back(StrCat(where, " is missing"));
    } else {
      CompareChains(where, chain, *other, &out);
    }
  }
  for (const Chain& chain : found.chains) {
    if (Find(intended, chain.name) == nullptr) {
      out.push_back(StrCat(table, " has a chain that is not Cordon's: ", Quoted(chain.name)));
    }
  }
  if (out.size() > kMaxDifferences) {
    const size_t more = out.size() - kMaxDifferences;
    out.resize(kMaxDifferences);
    out.push_back(StrCat("and ", more, " more differences"));
  }
  return out;
}

}  // namespace cordon::platform
