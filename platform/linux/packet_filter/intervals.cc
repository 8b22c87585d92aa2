#include "platform/linux/packet_filter/intervals.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "common/base/strings.h"

namespace cordon::platform {
namespace {

// An address as a number, most significant byte first; IPv4 in the last four bytes.
using Bytes = std::array<uint8_t, 16>;

struct Interval {
  Bytes first{};
  Bytes last{};
};

constexpr size_t FirstByte(bool v6) {
  return v6 ? 0 : 12;
}

Bytes BytesOf(const boost::asio::ip::address& address) {
  Bytes bytes{};
  if (address.is_v6()) {
    const auto from = address.to_v6().to_bytes();
    std::copy(from.begin(), from.end(), bytes.begin());
  } else {
    const auto from = address.to_v4().to_bytes();
    std::copy(from.begin(), from.end(), bytes.begin() + 12);
  }
  return bytes;
}

std::string TextOf(const Bytes& bytes, bool v6) {
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

// The next higher address; false at the highest one.
bool Increment(Bytes& bytes, bool v6) {
  for (size_t at = bytes.size(); at > FirstByte(v6);) {
    if (++bytes[--at] != 0) return true;
  }
  return false;
}

std::vector<Interval> Join(std::vector<Interval> intervals, bool v6) {
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.first < b.first; });
  std::vector<Interval> joined;
  for (const Interval& next : intervals) {
    if (!joined.empty()) {
      Bytes after = joined.back().last;
      if (!Increment(after, v6) || next.first <= after) {
        joined.back().last = std::max(joined.back().last, next.last);
        continue;
      }
    }
    joined.push_back(next);
  }
  return joined;
}

// "10.0.0.0/8" when the interval is a network, "10.0.0.7" for one address, else "10.0.0.1-10.0.0.5".
std::string Format(const Interval& interval, bool v6) {
  if (interval.first == interval.last) return TextOf(interval.first, v6);
  size_t prefix = FirstByte(v6) * 8;
  const auto bit = [](const Bytes& bytes, size_t at) { return (bytes[at / 8] >> (7 - at % 8)) & 1; };
  while (bit(interval.first, prefix) == bit(interval.last, prefix)) ++prefix;
  for (size_t at = prefix; at < 128; ++at) {
    if (bit(interval.first, at) != 0 || bit(interval.last, at) != 1) {
      return StrCat(TextOf(interval.first, v6), "-", TextOf(interval.last, v6));
    }
  }
  return StrCat(TextOf(interval.first, v6), "/", prefix - FirstByte(v6) * 8);
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

std::string AddressSetText(const std::vector<Network>& networks, bool v6) {
  std::vector<Interval> intervals;
  for (const Network& network : networks) {
    if (network.IsV6() == v6) intervals.push_back(IntervalOf(network));
  }
  std::vector<std::string> elements;
  for (const Interval& interval : Join(std::move(intervals), v6)) elements.push_back(Format(interval, v6));
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
