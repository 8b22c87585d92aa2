#pragma once

// Elements of named sets over netlink, by libmnl. Libnftables takes them as text, some 10 µs and two copies
// for each; a profile may have ten thousand.

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/linux/packet_filter/ruleset.h"
#include "platform/linux/system/netlink.h"

namespace cordon::platform {

// One element as the kernel keeps it: an address, or a place at which a range begins, or has ended.
struct RawElement {
  AddressBytes key{};
  bool ends_range = false;
  friend auto operator<=>(const RawElement&, const RawElement&) = default;
};

// The pure half. RawElementsOf: in the order in which the kernel takes them. IntervalsOf: the order of `raw`
// does not matter; nothing when the elements make no ranges.
std::vector<RawElement> RawElementsOf(const AddressSet& set);
std::optional<std::vector<Interval>> IntervalsOf(const AddressSet& set, std::vector<RawElement> raw);

// Elements that are added to, and taken out of, one set. `set` says how they are written; its own elements do
// not count.
struct ElementChange {
  std::string family;
  const AddressSet* set = nullptr;
  std::vector<RawElement> added{};
  std::vector<RawElement> removed{};
};

class SetElements {
 public:
  // Works in the network namespace in which the calling thread is now.
  SetElements() : opened_(socket_.Open()) {}

  // All in one transaction, in tables of the name "cordon". NOT_FOUND when a set, or an element that is to
  // go, is not there; nothing has changed then.
  absl::Status Change(const std::vector<ElementChange>& changes);

  // Puts the elements of `set` of `table FAMILY NAME` into it. FAILED_PRECONDITION, with a sentence for
  // people, when there is an element among them that Cordon does not make.
  absl::Status Read(std::string_view family, std::string_view table, AddressSet* set);

 private:
  NetlinkSocket socket_{NETLINK_NETFILTER};
  absl::Status opened_;
};

}  // namespace cordon::platform
