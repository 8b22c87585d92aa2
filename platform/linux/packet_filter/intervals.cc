#include "platform/linux/packet_filter/intervals.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/base/strings.h"

namespace cordon::platform {
namespace {

constexpr size_t FirstByte(bool v6) {
  return v6 ? 0 : 12;
}

std::string TextOf(const AddressBytes& bytes, bool v6) {
  if (v6) return boost::asio::ip::address_v6(bytes).to_string();
  boost::asio::ip::address_v4::bytes_type four;
  std::copy(bytes.begin() + 12, bytes.end(), four.begin());
  return boost::asio::ip::address_v4(four).to_string();
}

Interval IntervalOf(const Network& network) {
  Interval interval{.first = BytesOf(network.address), .last = BytesOf(network.address)};
  const size_t from = FirstByte(network.IsV6()) * 8 + static_cast<size_t>(network.prefix_length);
  for (size_t bit = from; bit < 128; ++bit) {
    interval.last[bit / 8] = static_cast<uint8_t>(interval.last[bit / 8] | (0x80U >> (bit % 8)));
  }
  return interval;
}

std::vector<Interval> Join(std::vector<Interval> intervals, bool v6) {
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.first < b.first; });
  std::vector<Interval> joined;
  for (const Interval& next : intervals) {
    if (!joined.empty()) {
      AddressBytes after = joined.back().last;
      if (!Increment(&after, v6) || next.first <= after) {
        joined.back().last = std::max(joined.back().last, next.last);
        continue;
      }
    }
    joined.push_back(next);
  }
  return joined;
}

std::string SetText(const std::vector<std::string>& elements) {
  if (elements.empty()) return {};
  if (elements.size() == 1) return elements.front();
  std::string text = "{ ";
  for (const std::string& element : elements)
    StrAppend(&text, &element == elements.data() ? "" : ", ", element);
  return text + " }";
}

}  // namespace

AddressBytes BytesOf(const boost::asio::ip::address& address) {
  AddressBytes bytes{};
  if (address.is_v6()) {
    const auto from = address.to_v6().to_bytes();
    std::copy(from.begin(), from.end(), bytes.begin());
  } else {
    const auto from = address.to_v4().to_bytes();
    std::copy(from.begin(), from.end(), bytes.begin() + 12);
  }
  return bytes;
}

bool Increment(AddressBytes* bytes, bool v6) {
  for (size_t at = bytes->size(); at > FirstByte(v6);) {
    if (++(*bytes)[--at] != 0) return true;
  }
  return false;
}

bool Decrement(AddressBytes* bytes, bool v6) {
  for (size_t at = bytes->size(); at > FirstByte(v6);) {
    if ((*bytes)[--at]-- != 0) return true;
  }
  return false;
}

AddressBytes HighestAddress(bool v6) {
  AddressBytes bytes{};
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(FirstByte(v6)), bytes.end(), uint8_t{0xff});
  return bytes;
}

std::vector<Interval> IntervalsOf(const std::vector<Network>& networks, bool v6) {
  std::vector<Interval> intervals;
  for (const Network& network : networks) {
    if (network.IsV6() == v6) intervals.push_back(IntervalOf(network));
  }
  if (!std::ranges::all_of(intervals, &Interval::IsOneAddress)) return Join(std::move(intervals), v6);
  std::ranges::sort(intervals);
  intervals.erase(std::unique(intervals.begin(), intervals.end()), intervals.end());
  return intervals;
}

std::string IntervalText(const Interval& interval, bool v6) {
  if (interval.first == interval.last) return TextOf(interval.first, v6);
  size_t prefix = FirstByte(v6) * 8;
  const auto bit = [](const AddressBytes& bytes, size_t at) { return (bytes[at / 8] >> (7 - at % 8)) & 1; };
  while (bit(interval.first, prefix) == bit(interval.last, prefix)) ++prefix;
  for (size_t at = prefix; at < 128; ++at) {
    if (bit(interval.first, at) != 0 || bit(interval.last, at) != 1) {
      return StrCat(TextOf(interval.first, v6), "-", TextOf(interval.last, v6));
    }
  }
  return StrCat(TextOf(interval.first, v6), "/", prefix - FirstByte(v6) * 8);
}

std::optional<Interval> ParseInterval(std::string_view text, bool v6) {
  const size_t dash = text.find('-');
  const auto first = ParseNetwork(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : ParseNetwork(text.substr(dash + 1));
  if (!first.ok() || !last.ok() || first->IsV6() != v6 || last->IsV6() != v6) return std::nullopt;
  return Interval{.first = IntervalOf(*first).first, .last = IntervalOf(*last).last};
}

std::string AddressSetText(const std::vector<Network>& networks, bool v6) {
  std::vector<std::string> elements;
  for (const Interval& interval : Join(IntervalsOf(networks, v6), v6))
    elements.push_back(IntervalText(interval, v6));
  // nftables drops a match of every address as needless; of two halves it makes a set (see listing.cc).
  if (elements == std::vector<std::string>{"0.0.0.0/0"}) elements = {"0.0.0.0/1", "128.0.0.0/1"};
  if (elements == std::vector<std::string>{"::/0"}) elements = {"::/1", "8000::/1"};
  return SetText(elements);
}

std::vector<PortRange> JoinPorts(std::vector<PortRange> ports) {
  std::sort(ports.begin(), ports.end());
  std::vector<PortRange> joined;
  for (const PortRange& next : ports) {
    if (!joined.empty() && next.first <= uint32_t{joined.back().last} + 1) {
      joined.back().last = std::max(joined.back().last, next.last);
    } else {
      joined.push_back(next);
    }
  }
  return joined;
}

std::string PortSetText(const std::vector<PortRange>& ports) {
  std::vector<std::string> elements;
  for (const PortRange& range : ports) {
    elements.push_back(range.first == range.last ? StrCat(range.first)
                                                 : StrCat(range.first, "-", range.last));
  }
  return SetText(elements);
}

}  // namespace cordon::platform
