#include "platform/linux/packet_filter/set_elements.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::platform {
namespace {

constexpr size_t kMostInOneMessage = 1'000;  // a list of elements is an attribute, of at most 64 KiB
constexpr size_t kElementBytes = 48;         // at most, as an attribute
constexpr size_t kMessageBytes = 256;        // at most, beside the elements
constexpr int kTries = 5;                    // of a listing that a change interrupted

uint8_t NetfilterFamily(std::string_view family) {
  return family == "inet" ? NFPROTO_INET : NFPROTO_NETDEV;
}

nlmsghdr* PutHeader(char* at, int type, int flags, uint8_t family, uint16_t resource = 0) {
  nlmsghdr* const message = mnl_nlmsg_put_header(at);
  message->nlmsg_type = static_cast<uint16_t>(type);
  message->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  auto* const header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  header->nfgen_family = family;
  header->version = NFNETLINK_V0;
  header->res_id = htons(resource);
  return message;
}

constexpr int TableMessage(int type) {
  return (NFNL_SUBSYS_NFTABLES << 8) | type;
}

void PutElement(nlmsghdr* message, const RawElement& element, bool v6) {
  const size_t size = v6 ? 16 : 4;
  nlattr* const nest = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
  nlattr* const key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
  mnl_attr_put(message, NFTA_DATA_VALUE, size, element.key.data() + element.key.size() - size);
  mnl_attr_nest_end(message, key);
  if (element.ends_range) mnl_attr_put_u32(message, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
  mnl_attr_nest_end(message, nest);
}

// The messages of a transaction, one after the other.
class Batch {
 public:
  explicit Batch(size_t elements) : bytes_(elements * kElementBytes + kMessageBytes * 16) {
    Begun(PutHeader(bytes_.data(), NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
  }

  void Add(const ElementChange& change, int type, int flags, std::span<const RawElement> elements) {
    while (!elements.empty()) {
      const auto now = elements.first(std::min(elements.size(), kMostInOneMessage));
      elements = elements.subspan(now.size());
      bytes_.resize(std::max(bytes_.size(), used_ + now.size() * kElementBytes + 2 * kMessageBytes));
      nlmsghdr* const message = PutHeader(bytes_.data() + used_, TableMessage(type), flags | NLM_F_ACK,
                                          NetfilterFamily(change.family));
      mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, "cordon");
      mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, change.set->name.c_str());
      nlattr* const list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
      for (const RawElement& element : now) PutElement(message, element, change.set->v6);
      mnl_attr_nest_end(message, list);
      Begun(message);
    }
  }

  std::span<char> End() {
    bytes_.resize(std::max(bytes_.size(), used_ + kMessageBytes));
    Begun(PutHeader(bytes_.data() + used_, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    return {bytes_.data(), used_};
  }

 private:
  void Begun(const nlmsghdr* message) { used_ += MNL_ALIGN(message->nlmsg_len); }

  std::vector<char> bytes_;
  size_t used_ = 0;
};

template <typename Each>
void ForEach(const void* first, const void* end, const Each& each) {
  const auto* attribute = static_cast<const nlattr*>(first);
  const auto left = [&] {
    return static_cast<int>(static_cast<const char*>(end) - reinterpret_cast<const char*>(attribute));
  };
  for (; mnl_attr_ok(attribute, left()); attribute = mnl_attr_next(attribute)) each(attribute);
}

template <typename Each>
void ForEachIn(const nlattr* nest, const Each& each) {
  const auto* const first = static_cast<const char*>(mnl_attr_get_payload(nest));
  ForEach(first, first + mnl_attr_get_payload_len(nest), each);
}

// One element of an answer. False for what Cordon does not make: without a key ("everything else"), with
// data, or with a time after which it goes.
bool ParseElement(const nlattr* nest, bool v6, RawElement* element) {
  bool plain = true;
  bool has_key = false;
  const size_t size = v6 ? 16 : 4;
  ForEachIn(nest, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case NFTA_SET_ELEM_KEY:
        ForEachIn(attribute, [&](const nlattr* value) {
          has_key = mnl_attr_get_type(value) == NFTA_DATA_VALUE && mnl_attr_get_payload_len(value) == size;
          if (has_key)
            std::memcpy(element->key.data() + element->key.size() - size, mnl_attr_get_payload(value), size);
        });
        break;
      case NFTA_SET_ELEM_FLAGS:
        plain = plain && mnl_attr_get_payload_len(attribute) == sizeof(uint32_t) &&
                ntohl(mnl_attr_get_u32(attribute)) == NFT_SET_ELEM_INTERVAL_END;
        element->ends_range = true;
        break;
      case NFTA_SET_ELEM_USERDATA:  // a comment
      case NFTA_SET_ELEM_PAD:
        break;
      default:
        plain = false;
    }
  });
  return plain && has_key;
}

// All elements of one message; false when one of them is strange.
bool ParseElements(const nlmsghdr* message, bool v6, std::vector<RawElement>* raw) {
  bool plain = true;
  ForEach(mnl_nlmsg_get_payload_offset(message, sizeof(nfgenmsg)), mnl_nlmsg_get_payload_tail(message),
          [&](const nlattr* attribute) {
            if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_LIST_ELEMENTS) return;
            ForEachIn(attribute, [&](const nlattr* nest) {
              plain = ParseElement(nest, v6, &raw->emplace_back()) && plain;
            });
          });
  return plain;
}

}  // namespace

std::vector<RawElement> RawElementsOf(const AddressSet& set) {
  std::vector<RawElement> raw;
  raw.reserve(set.elements.size() * (set.ranges ? 2 : 1));
  for (const Interval& interval : set.elements) {
    raw.push_back({.key = interval.first});
    AddressBytes after = interval.last;
    if (set.ranges && Increment(&after, set.v6)) raw.push_back({.key = after, .ends_range = true});
  }
  return raw;
}

std::optional<std::vector<Interval>> IntervalsOf(const AddressSet& set, std::vector<RawElement> raw) {
  std::ranges::sort(raw, [](const RawElement& a, const RawElement& b) {
    return std::pair(a.key, !a.ends_range) < std::pair(b.key, !b.ends_range);
  });
  std::vector<Interval> intervals;
  bool open = false;  // the last one has no end yet
  for (const RawElement& element : raw) {
    if (!element.ends_range) {
      if (open) return std::nullopt;
      intervals.push_back({.first = element.key, .last = set.ranges ? HighestAddress(set.v6) : element.key});
      open = set.ranges;
      continue;
    }
    // Libnftables marks that nothing holds from the lowest address on.
    if (!open && intervals.empty() && element.key == AddressBytes{}) continue;
    if (!open) return std::nullopt;
    intervals.back().last = element.key;
    Decrement(&intervals.back().last, set.v6);
    open = false;
  }
  return intervals;
}

absl::Status SetElements::Change(const std::vector<ElementChange>& changes) {
  CORDON_RETURN_IF_ERROR(opened_);
  size_t elements = 0;
  for (const ElementChange& change : changes) elements += change.added.size() + change.removed.size();
  if (elements == 0) return absl::OkStatus();
  Batch batch(elements);
  for (const ElementChange& change : changes) {
    batch.Add(change, NFT_MSG_NEWSETELEM, NLM_F_CREATE, change.added);
    batch.Add(change, NFT_MSG_DELSETELEM, 0, change.removed);
  }
  return socket_.RunBatch(batch.End(), "change addresses in the packet filter (needs CAP_NET_ADMIN)");
}

absl::Status SetElements::Read(std::string_view family, std::string_view table, AddressSet* set) {
  CORDON_RETURN_IF_ERROR(opened_);
  absl::Status status;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    std::array<char, 512> buffer{};
    nlmsghdr* const request =
        PutHeader(buffer.data(), TableMessage(NFT_MSG_GETSETELEM), NLM_F_DUMP, NetfilterFamily(family));
    mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, std::string(table).c_str());
    mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, set->name.c_str());
    std::vector<RawElement> raw;
    bool plain = true;
    status =
        socket_.Run(request, "read addresses back from the packet filter (needs CAP_NET_ADMIN)",
                    [&](const nlmsghdr* message) { plain = ParseElements(message, set->v6, &raw) && plain; });
    if (absl::IsUnavailable(status)) continue;  // the rules changed meanwhile
    CORDON_RETURN_IF_ERROR(status);
    std::optional<std::vector<Interval>> intervals = IntervalsOf(*set, std::move(raw));
    if (!plain || !intervals.has_value()) {
      return absl::FailedPreconditionError(
          StrCat("set ", Printable(set->name), " has an element that is not Cordon's"));
    }
    set->elements = *std::move(intervals);
    return absl::OkStatus();
  }
  return status;
}

}  // namespace cordon::platform
