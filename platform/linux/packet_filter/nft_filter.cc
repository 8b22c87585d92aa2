#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/api/packet_filter.h"
#include "platform/linux/links/link_table.h"
#include "platform/linux/packet_filter/listing.h"
#include "platform/linux/packet_filter/nft.h"
#include "platform/linux/packet_filter/ruleset.h"
#include "platform/linux/packet_filter/set_elements.h"
#include "platform/linux/packet_filter/table_reader.h"
#include "platform/linux/packet_filter/transaction.h"

namespace cordon::platform {
namespace {

constexpr int kTries = 5;  // an interface may go between listing the interfaces and the transaction
constexpr int kTriesInPlace = 3;
constexpr std::chrono::milliseconds kMoment(20);  // far longer than a packet is on its way through the rules

// Returns when no packet is on its way any more through rules that it met before this call: the kernel walks
// them inside an RCU section, and this call waits for a grace period.
void WaitForPacketsOnTheirWay() {
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0) std::this_thread::sleep_for(kMoment);
}

// "interface" for people, with what is strange about its name visible.
std::string NotHooked(const Uplink& uplink) {
  return StrCat(
      "interface ", Printable(uplink.name), " (number ", uplink.index,
      ") has a name that nftables cannot take: raw sockets, bridges and macvlans on it are not covered; "
      "rename the interface");
}

class NftFilter final : public PacketFilter {
 public:
  // Both hold sockets in the network namespace that the thread is in now.
  NftFilter() : links_open_(links_.Open()) {}

  absl::Status Apply(const FilterPolicy& policy) override {
    absl::Status status;
    for (int attempt = 0; attempt < kTries; ++attempt) {
      if (attempt > 0) standing_.reset();
      status = policy.level == Level::kObserve ? Remove() : Change(policy, attempt < kTriesInPlace);
      if (status.ok() || absl::IsPermissionDenied(status)) break;
    }
    if (!status.ok()) standing_.reset();
    return Annotate(status, "cannot change the packet filter");
  }

  absl::Status Tidy() override {
    if (!untidy_) return absl::OkStatus();
    CORDON_RETURN_IF_ERROR(LearnWhatStands());
    const std::optional<Slot> live = LiveSlot(*standing_);
    if (!live.has_value()) return absl::OkStatus();  // drift: it is ReadBack's to tell and Apply's to repair
    std::vector<Table> kept = *standing_;
    for (Table& table : kept) {
      std::erase_if(table.chains, [&](const Chain& chain) { return IsOfSlot(chain, Other(*live)); });
      std::erase_if(table.sets, [&](const AddressSet& set) { return IsOfSlot(set, Other(*live)); });
    }
    const std::string deletions = FormatTidy(*standing_, kept);
    if (!deletions.empty()) {
      WaitForPacketsOnTheirWay();
      if (const absl::Status done = nft_.Run(deletions).status(); !done.ok()) {
        standing_.reset();
        return Annotate(done, "cannot delete rules that are no longer in use");
      }
    }
    standing_ = std::move(kept);
    untidy_ = false;
    return absl::OkStatus();
  }

  absl::Status UpdateNames(const FilterPolicy& policy) override {
    CORDON_RETURN_IF_ERROR(LearnWhatStands());
    const std::optional<Slot> live = LiveSlot(*standing_);
    const std::vector<AddressSet> sets = MakeNameSets(policy, live.value_or(Slot::kA));
    const auto has_all = [&](const Table& table) {
      return std::ranges::all_of(sets, [&](const AddressSet& set) {
        return std::ranges::find(table.sets, set.name, &AddressSet::name) != table.sets.end();
      });
    };
    if (!live.has_value() || standing_->size() != std::size(kFamilies) ||
        !std::ranges::all_of(*standing_, has_all)) {
      standing_.reset();
      return absl::FailedPreconditionError("the kernel's rules are not those that these names belong to");
    }
    const absl::Status done = elements_.Change(NameChanges(*standing_, sets));
    if (!done.ok()) {
      standing_.reset();
      return absl::FailedPreconditionError(
          StrCat("the addresses of names cannot be opened: ", Message(done)));
    }
    for (Table& table : *standing_) {
      for (const AddressSet& set : sets) {
        std::ranges::find(table.sets, set.name, &AddressSet::name)->elements = set.elements;
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<FilterReadback> ReadBack(const FilterPolicy& intended) override {
    CORDON_ASSIGN_OR_RETURN(const std::vector<Uplink> uplinks, Uplinks());
    CORDON_ASSIGN_OR_RETURN(const std::vector<Listing> found, reader_.Read());
    FilterReadback readback;
    readback.absent = found.empty();
    const Slot live = LiveSlot(TablesOf(found)).value_or(Slot::kA);
    const std::vector<Table> wanted = MakeRuleset(intended, uplinks, live);
    readback.ruleset_sha256 =
        Sha256(FormatTables(live == Slot::kA ? wanted : MakeRuleset(intended, uplinks)));
    for (const std::string_view family : kFamilies) Compare(family, found, wanted, live, &readback);
    readback.uplinks = HookedUplinks(wanted, found, uplinks, live);
    if (intended.level != Level::kObserve) {
      for (const Uplink& uplink : uplinks) {
        if (!CanHook(uplink)) readback.differences.push_back(NotHooked(uplink));
      }
    }
    readback.matches = readback.differences.empty();
    if (!readback.matches) standing_.reset();
    return readback;
  }

  absl::StatusOr<std::string> Describe(const FilterPolicy& policy) override {
    CORDON_ASSIGN_OR_RETURN(std::vector<Uplink> uplinks, Uplinks());
    return FormatFresh(MakeRuleset(policy, std::move(uplinks)));
  }

 private:
  absl::StatusOr<std::vector<Uplink>> Uplinks() {
    CORDON_RETURN_IF_ERROR(links_open_);
    CORDON_ASSIGN_OR_RETURN(const std::vector<Link> links, links_.List());
    std::vector<Uplink> uplinks;
    for (const Link& link : links) {
      if (!link.loopback) uplinks.push_back({.name = link.name, .index = link.index});
    }
    return uplinks;
  }

  absl::Status LearnWhatStands() {
    if (standing_.has_value()) return absl::OkStatus();
    CORDON_ASSIGN_OR_RETURN(const std::vector<Listing> found, reader_.Read());
    standing_ = TablesOf(found);
    return absl::OkStatus();
  }

  // True when what stands is of the form that Cordon gives it, whatever the rules of its slots say: then a
  // change in place leaves nothing behind that is not wanted.
  static bool IsOfOurForm(const std::vector<Table>& standing) {
    if (standing.empty()) return true;
    const bool plain = std::all_of(standing.begin(), standing.end(),
                                   [](const Table& table) { return table.header.empty(); });
    return plain && LiveSlot(standing).has_value();
  }

  // To the policy's rules, in place where that is possible.
  absl::Status Change(const FilterPolicy& policy, bool in_place) {
    CORDON_ASSIGN_OR_RETURN(const std::vector<Uplink> uplinks, Uplinks());
    if (in_place) CORDON_RETURN_IF_ERROR(LearnWhatStands());
    if (!in_place || !IsOfOurForm(*standing_)) {
      std::vector<Table> wanted = MakeRuleset(policy, uplinks);
      CORDON_RETURN_IF_ERROR(nft_.Run(FormatFresh(wanted)).status());
      standing_ = std::move(wanted);
      return absl::OkStatus();
    }
    const Slot slot = Other(LiveSlot(*standing_).value_or(Slot::kB));
    std::vector<Table> wanted = MakeRuleset(policy, uplinks, slot);
    if (untidy_) WaitForPacketsOnTheirWay();  // the slot that is filled now was live a moment ago
    untidy_ = true;
    CORDON_RETURN_IF_ERROR(nft_.Run(FormatFill(*standing_, wanted, false)).status());
    CORDON_RETURN_IF_ERROR(elements_.Change(ElementsToFill(wanted)));
    CORDON_RETURN_IF_ERROR(nft_.Run(FormatTurn(*standing_, wanted)).status());
    standing_ = AfterTurn(*standing_, std::move(wanted));
    return absl::OkStatus();
  }

  // The hooks go first: sets must not go while packets are still judged by rules that look into them (ISO-1).
  absl::Status Remove() {
    CORDON_RETURN_IF_ERROR(LearnWhatStands());
    if (standing_->empty()) return absl::OkStatus();
    if (const std::string unhook = FormatUnhook(*standing_); !unhook.empty()) {
      CORDON_RETURN_IF_ERROR(nft_.Run(unhook).status());
      WaitForPacketsOnTheirWay();
    }
    CORDON_RETURN_IF_ERROR(nft_.Run(FormatRemoval()).status());
    standing_.emplace();
    untidy_ = false;
    return absl::OkStatus();
  }

  static const Listing* OfFamily(const std::vector<Listing>& found, std::string_view family) {
    const auto at = std::find_if(found.begin(), found.end(),
                                 [&](const Listing& listing) { return listing.table.family == family; });
    return at == found.end() ? nullptr : &*at;
  }

  static void Compare(std::string_view family, const std::vector<Listing>& found,
                      const std::vector<Table>& wanted, Slot live, FilterReadback* readback) {
    const auto want =
        std::find_if(wanted.begin(), wanted.end(), [&](const Table& t) { return t.family == family; });
    const Listing* const have = OfFamily(found, family);
    const std::string name = StrCat("table ", family, " cordon");
    if (have == nullptr) {
      if (want != wanted.end()) readback->differences.push_back(name + " is missing");
      return;
    }
    readback->dropped_packets += have->dropped_packets;
    if (want == wanted.end()) {
      readback->differences.push_back(name + " still stands");
      return;
    }
    const Table intended = Canonical(*want);
    for (std::string& difference : Differences(intended, WithoutIdle(have->table, intended, live))) {
      readback->differences.push_back(std::move(difference));
    }
  }

  // Without what judges no packet: the slot that is not live, and chains of interfaces that have gone
  // (kernels from 6.16 on keep them, and hook the interface again when it returns).
  static Table WithoutIdle(Table found, const Table& intended, Slot live) {
    std::erase_if(found.sets, [&](const AddressSet& set) { return IsOfSlot(set, Other(live)); });
    std::erase_if(found.chains, [&](const Chain& chain) {
      if (IsOfSlot(chain, Other(live))) return true;
      const bool of_uplink = chain.name.starts_with("ingress/") || chain.name.starts_with("egress/");
      const bool wanted = std::any_of(intended.chains.begin(), intended.chains.end(),
                                      [&](const Chain& other) { return other.name == chain.name; });
      const bool harmless = chain.rules == std::vector<std::string>{"jump " + SlotChain("into-host", live)} ||
                            chain.rules == std::vector<std::string>{"jump " + SlotChain("out-of-host", live)};
      return of_uplink && !wanted && harmless;
    });
    return found;
  }

  // Uplinks whose two chains, and the rules they jump to, are as intended.
  static std::vector<std::string> HookedUplinks(const std::vector<Table>& wanted,
                                                const std::vector<Listing>& found,
                                                const std::vector<Uplink>& uplinks, Slot live) {
    std::vector<std::string> hooked;
    const Listing* const have = OfFamily(found, "netdev");
    if (wanted.empty() || have == nullptr) return hooked;
    const Table intended = Canonical(wanted.back());
    const auto as_intended = [&](const std::string& name) {
      const auto named = [&](const Chain& chain) { return chain.name == name; };
      const auto want = std::find_if(intended.chains.begin(), intended.chains.end(), named);
      const auto is = std::find_if(have->table.chains.begin(), have->table.chains.end(), named);
      return want != intended.chains.end() && is != have->table.chains.end() && *want == *is;
    };
    if (!as_intended(SlotChain("into-host", live)) || !as_intended(SlotChain("out-of-host", live)))
      return hooked;
    for (const Uplink& uplink : uplinks) {
      if (as_intended(IngressChain(uplink)) && as_intended(EgressChain(uplink)))
        hooked.push_back(uplink.name);
    }
    std::sort(hooked.begin(), hooked.end());
    return hooked;
  }

  Nft nft_;
  TableReader reader_{"cordon"};
  SetElements elements_;
  LinkTable links_;
  absl::Status links_open_;
  // What the kernel holds, as far as this object wrote it or read it; nothing when that is not known. A guess
  // that has become wrong costs nothing but the precision of ISO-1: the transaction fails, or ReadBack tells
  // what is left.
  std::optional<std::vector<Table>> standing_;
  bool untidy_ = true;  // a slot that is not live may still stand
};

}  // namespace

std::unique_ptr<PacketFilter> MakePacketFilter() {
  return std::make_unique<NftFilter>();
}

}  // namespace cordon::platform
