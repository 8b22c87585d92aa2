#include <nftables/libnftables.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/crypto/digest.h"
#include "platform/api/packet_filter.h"
#include "platform/linux/links/link_table.h"
#include "platform/linux/packet_filter/listing.h"
#include "platform/linux/packet_filter/ruleset.h"

namespace cordon::platform {
namespace {

constexpr int kTries = 5;  // an interface may go between listing the interfaces and the transaction
constexpr size_t kMaxErrorText = 500;

struct FreeContext {
  void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};

// libnftables in this process: no nft program is started, one netlink transaction per run.
class Nft {
 public:
  Nft() : context_(nft_ctx_new(NFT_CTX_DEFAULT)) {
    if (context_ == nullptr) return;
    nft_ctx_buffer_output(context_.get());
    nft_ctx_buffer_error(context_.get());
  }

  // What the commands print.
  absl::StatusOr<std::string> Run(const std::string& commands) {
    if (context_ == nullptr) return absl::ResourceExhaustedError("libnftables cannot be started");
    const int result = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
    std::string output = nft_ctx_get_output_buffer(context_.get());
    const std::string_view error = nft_ctx_get_error_buffer(context_.get());
    if (result == 0) return output;
    const std::string text = Printable(error.substr(0, std::min(error.find('\n'), kMaxErrorText)));
    if (error.find("Operation not permitted") != std::string_view::npos) {
      return absl::PermissionDeniedError(StrCat("nftables: ", text, " (needs CAP_NET_ADMIN)"));
    }
    return absl::InternalError(StrCat("nftables: ", text));
  }

 private:
  std::unique_ptr<nft_ctx, FreeContext> context_;
};

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
      CORDON_ASSIGN_OR_RETURN(const std::string transaction, Describe(policy));
      status = nft_.Run(transaction).status();
      if (status.ok() || absl::IsPermissionDenied(status)) break;
    }
    return Annotate(status, "cannot change the packet filter");
  }

  absl::StatusOr<FilterReadback> ReadBack(const FilterPolicy& intended) override {
    CORDON_ASSIGN_OR_RETURN(const std::vector<Uplink> uplinks, Uplinks());
    const std::vector<Table> wanted = MakeRuleset(intended, uplinks);
    FilterReadback readback;
    readback.ruleset_sha256 = Sha256(FormatTables(wanted));
    CORDON_ASSIGN_OR_RETURN(const std::vector<std::string> present, PresentFamilies());
    readback.absent = present.empty();
    for (const std::string& family : {std::string("inet"), std::string("netdev")}) {
      const bool is_there = std::find(present.begin(), present.end(), family) != present.end();
      CORDON_RETURN_IF_ERROR(ReadTable(family, is_there, wanted, uplinks, &readback));
    }
    if (intended.level != Level::kObserve) {
      for (const Uplink& uplink : uplinks) {
        if (!CanHook(uplink)) readback.differences.push_back(NotHooked(uplink));
      }
    }
    readback.matches = readback.differences.empty();
    return readback;
  }

  absl::StatusOr<std::string> Describe(const FilterPolicy& policy) override {
    CORDON_ASSIGN_OR_RETURN(std::vector<Uplink> uplinks, Uplinks());
    return FormatTransaction(MakeRuleset(policy, std::move(uplinks)));
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

  // The families in which a table of Cordon's stands.
  absl::StatusOr<std::vector<std::string>> PresentFamilies() {
    CORDON_ASSIGN_OR_RETURN(const std::string tables, nft_.Run("list tables"));
    std::vector<std::string> families;
    for (const std::string& family : {std::string("inet"), std::string("netdev")}) {
      if (tables.find(StrCat("table ", family, " cordon\n")) != std::string::npos) families.push_back(family);
    }
    return families;
  }

  absl::Status ReadTable(const std::string& family, bool is_there, const std::vector<Table>& wanted,
                         const std::vector<Uplink>& uplinks, FilterReadback* readback) {
    const auto want =
        std::find_if(wanted.begin(), wanted.end(), [&](const Table& t) { return t.family == family; });
    const std::string name = StrCat("table ", family, " cordon");
    if (!is_there) {
      if (want != wanted.end()) readback->differences.push_back(name + " is missing");
      return absl::OkStatus();
    }
    CORDON_ASSIGN_OR_RETURN(const std::string text, nft_.Run("list " + name));
    const absl::StatusOr<Listing> listing = ParseListing(text);
    if (!listing.ok()) {
      readback->differences.emplace_back(Message(listing.status()));
      return absl::OkStatus();
    }
    readback->dropped_packets += listing->dropped_packets;
    if (want == wanted.end()) {
      readback->differences.push_back(name + " still stands");
      return absl::OkStatus();
    }
    const Table intended = Canonical(*want);
    const Table found = WithoutVanished(listing->table, intended);
    for (std::string& difference : Differences(intended, found)) {
      readback->differences.push_back(std::move(difference));
    }
    if (family == "netdev") readback->uplinks = HookedUplinks(intended, found, uplinks);
    return absl::OkStatus();
  }

  // Kernels from 6.16 on keep the chain of an interface that has gone; it holds nothing then, and hooks the
  // interface again when it returns.
  static Table WithoutVanished(Table found, const Table& intended) {
    std::erase_if(found.chains, [&](const Chain& chain) {
      const bool of_uplink = chain.name.starts_with("ingress/") || chain.name.starts_with("egress/");
      const bool wanted = std::any_of(intended.chains.begin(), intended.chains.end(),
                                      [&](const Chain& other) { return other.name == chain.name; });
      const bool harmless = chain.rules == std::vector<std::string>{"jump into-host"} ||
                            chain.rules == std::vector<std::string>{"jump out-of-host"};
      return of_uplink && !wanted && harmless;
    });
    return found;
  }

  // Uplinks whose two chains, and the rules they jump to, are as intended.
  static std::vector<std::string> HookedUplinks(const Table& intended, const Table& found,
                                                const std::vector<Uplink>& uplinks) {
    const auto as_intended = [&](const std::string& name) {
      const auto named = [&](const Chain& chain) { return chain.name == name; };
      const auto want = std::find_if(intended.chains.begin(), intended.chains.end(), named);
      const auto have = std::find_if(found.chains.begin(), found.chains.end(), named);
      return want != intended.chains.end() && have != found.chains.end() && *want == *have;
    };
    std::vector<std::string> hooked;
    if (!as_intended("into-host") || !as_intended("out-of-host")) return hooked;
    for (const Uplink& uplink : uplinks) {
      if (as_intended(IngressChain(uplink)) && as_intended(EgressChain(uplink)))
        hooked.push_back(uplink.name);
    }
    std::sort(hooked.begin(), hooked.end());
    return hooked;
  }

  Nft nft_;
  LinkTable links_;
  absl::Status links_open_;
};

}  // namespace

std::unique_ptr<PacketFilter> MakePacketFilter() {
  return std::make_unique<NftFilter>();
}

}  // namespace cordon::platform
