#include "platform/api/leak_counter.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "platform/linux/links/link_table.h"
#include "platform/linux/packet_filter/listing.h"
#include "platform/linux/packet_filter/nft.h"
#include "platform/linux/packet_filter/table_reader.h"
#include "platform/linux/packet_filter/watch.h"

namespace cordon::platform {
namespace {

class NftLeakCounter final : public LeakCounter {
 public:
  NftLeakCounter() : links_open_(links_.Open()) {}

  absl::Status Follow(const FilterPolicy& policy) override {
    CORDON_ASSIGN_OR_RETURN(const std::vector<Uplink> uplinks, Uplinks());
    std::vector<Table> wanted = MakeWatch(policy, uplinks);
    if (cleared_ && wanted == tables_ && Read().ok()) return absl::OkStatus();
    tables_.clear();
    last_ = 0;
    CORDON_RETURN_IF_ERROR(
        Annotate(nft_.Run(FormatWatch(wanted)).status(), "cannot count what slips through"));
    tables_ = std::move(wanted);
    cleared_ = true;
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Take(const FilterPolicy& policy) override {
    CORDON_ASSIGN_OR_RETURN(const std::vector<Uplink> uplinks, Uplinks());
    if (tables_.empty() || tables_ != MakeWatch(policy, uplinks)) {
      return absl::FailedPreconditionError("nothing counts yet what slips through these rules");
    }
    const absl::StatusOr<uint64_t> read = Read();
    if (!read.ok()) {
      tables_.clear();  // made anew by the next Follow
      return read.status();
    }
    return *read - std::exchange(last_, *read);
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

  // The sum of the counters, of tables that are still as they were made: others count something else.
  absl::StatusOr<uint64_t> Read() {
    CORDON_ASSIGN_OR_RETURN(const std::vector<Listing> found, reader_.Read());
    uint64_t sum = 0;
    for (const Table& table : tables_) {
      const auto listing =
          std::ranges::find_if(found, [&](const Listing& each) { return each.table.family == table.family; });
      if (listing == found.end() || !Differences(Canonical(table), listing->table).empty()) {
        return absl::FailedPreconditionError("somebody changed the rules that count what slips through");
      }
      sum += listing->counted_packets;
    }
    if (sum < last_)
      return absl::FailedPreconditionError("somebody set the count of what slips through back");
    return sum;
  }

  Nft nft_;
  TableReader reader_{"cordon-watch"};
  LinkTable links_;
  absl::Status links_open_;
  std::vector<Table> tables_;  // that count now; empty: none
  uint64_t last_ = 0;
  bool cleared_ = false;  // what an earlier agent left is gone
};

}  // namespace

std::unique_ptr<LeakCounter> MakeLeakCounter() {
  return std::make_unique<NftLeakCounter>();
}

}  // namespace cordon::platform
