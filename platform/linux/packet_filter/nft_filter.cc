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
#include "platform/api/packet_filter.h"
#include "platform/linux/links/link_table.h"
#include "platform/linux/packet_filter/listing.h"
#include "platform/linux/packet_filter/nft.h"
#include "platform/linux/packet_filter/readback.h"
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

class NftFilter final : public PacketFilter {
 public:
  // Both hold sockets in the network namespace that the thread is in now.
  NftFilter() : links_open_(links_.Open()) {}

  absl::Status Apply(const FilterPolicy& policy) override {
    absl::Status status;
    for (int attempt = 0; attempt < kTries; ++attempt) {
      if (attempt > 0) Forget();
      status = policy.level == Level::kObserve ? Remove() : Change(policy, attempt < kTriesInPlace);
      if (status.ok() || absl::IsPermissionDenied(status)) break;
    }
    if (!status.ok()) Forget();
    return Annotate(status, "cannot change the packet filter");
  }

  void Prepare(const FilterPolicy& policy) override {
    if (policy.level == Level::kObserve) return;
    const absl::StatusOr<std::vector<Uplink>> uplinks = Uplinks();
    if (!uplinks.ok() || !LearnWhatStands().ok() || !IsOfOurForm(*standing_)) return;
    if (!Fill(policy, *uplinks).ok()) Forget();
  }

  absl::Status Tidy() override {
    if (!untidy_) return absl::OkStatus();
    CORDON_RETURN_IF_ERROR(LearnWhatStands());
    if (std::ranges::none_of(*standing_, IsHooked)) return Remove();  // prepared, and nothing followed
    const std::optional<Slot> live = LiveSlot(*standing_);
    if (!live.has_value()) return absl::OkStatus();  // drift: it is ReadBack's to tell and Apply's to repair
    filled_.reset();
    std::vector<Table> kept = *standing_;
    for (Table& table : kept) {
      std::erase_if(table.chains, [&](const Chain& chain) { return IsOfSlot(chain, Other(*live)); });
      std::erase_if(table.sets, [&](const AddressSet& set) { return IsOfSlot(set, Other(*live)); });
    }
    const std::string deletions = FormatTidy(*standing_, kept);
    if (!deletions.empty()) {
      WaitForPacketsOnTheirWay();
      if (const absl::Status done = nft_.Run(deletions).status(); !done.ok()) {
        Forget();
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
      Forget();
      return absl::FailedPreconditionError("the kernel's rules are not those that these names belong to");
    }
    const absl::Status done = elements_.Change(NameChanges(*standing_, sets));
    if (!done.ok()) {
      Forget();
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
    FilterReadback readback = Judge(intended, uplinks, found);
    const bool as_remembered = standing_.has_value() && LiveSlot(*standing_) == LiveSlot(TablesOf(found));
    if (!readback.matches || !as_remembered) Forget();
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

  void Forget() {
    standing_.reset();
    filled_.reset();
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
    const bool filled = filled_.has_value() && filled_->policy == policy && filled_->uplinks == uplinks;
    if (!in_place || (!filled && !IsOfOurForm(*standing_))) {
      filled_.reset();
      std::vector<Table> wanted = MakeRuleset(policy, uplinks);
      CORDON_RETURN_IF_ERROR(nft_.Run(FormatFresh(wanted)).status());
      standing_ = std::move(wanted);
      return absl::OkStatus();
    }
    if (!filled) CORDON_RETURN_IF_ERROR(Fill(policy, uplinks));
    CORDON_RETURN_IF_ERROR(nft_.Run(FormatTurn(*standing_, filled_->wanted)).status());
    standing_ = AfterTurn(*standing_, std::move(filled_->wanted));
    filled_.reset();
    return absl::OkStatus();
  }

  // The slot that judges nothing, with the policy's rules.
  absl::Status Fill(const FilterPolicy& policy, const std::vector<Uplink>& uplinks) {
    filled_.reset();
    const Slot slot = Other(LiveSlot(*standing_).value_or(Slot::kB));
    std::vector<Table> wanted = MakeRuleset(policy, uplinks, slot);
    if (untidy_) WaitForPacketsOnTheirWay();  // the slot that is filled now was live a moment ago
    untidy_ = true;
    CORDON_RETURN_IF_ERROR(nft_.Run(FormatFill(*standing_, wanted, false)).status());
    CORDON_RETURN_IF_ERROR(elements_.Change(ElementsToFill(wanted)));
    standing_ = AfterFill(*standing_, wanted);
    filled_ = Filled{.policy = policy, .uplinks = uplinks, .wanted = std::move(wanted)};
    return absl::OkStatus();
  }

  // The hooks go first: sets must not go while packets are still judged by rules that look into them (ISO-1).
  absl::Status Remove() {
    CORDON_RETURN_IF_ERROR(LearnWhatStands());
    if (standing_->empty()) {
      untidy_ = false;
      return absl::OkStatus();
    }
    if (const std::string unhook = FormatUnhook(*standing_); !unhook.empty()) {
      CORDON_RETURN_IF_ERROR(nft_.Run(unhook).status());
      WaitForPacketsOnTheirWay();
    }
    CORDON_RETURN_IF_ERROR(nft_.Run(FormatRemoval()).status());
    standing_.emplace();
    filled_.reset();
    untidy_ = false;
    return absl::OkStatus();
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
  // What the slot that is not live holds, by standing_; good for as long as standing_ is.
  struct Filled {
    FilterPolicy policy;
    std::vector<Uplink> uplinks;
    std::vector<Table> wanted;
  };
  std::optional<Filled> filled_;
  bool untidy_ = true;  // a slot that is not live may still stand
};

}  // namespace

std::unique_ptr<PacketFilter> MakePacketFilter() {
  return std::make_unique<NftFilter>();
}

}  // namespace cordon::platform
