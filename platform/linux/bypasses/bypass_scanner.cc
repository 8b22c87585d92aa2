#include "platform/api/bypass_scanner.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/linux/bypasses/foreign_rules.h"
#include "platform/linux/bypasses/traffic_control.h"
#include "platform/linux/packet_filter/nft.h"
#include "platform/linux/system/netlink.h"

namespace cordon::platform {
namespace {

constexpr size_t kMostFindings = 32;
constexpr size_t kMaxQuotedRule = 160;
// linux/bpf.h of Debian 12 does not know them yet (Linux 6.6).
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);

struct LinkFacts {
  std::string name;
  bool xdp = false;
};

int TakeXdp(const nlattr* attribute, void* data) {
  const uint16_t type = mnl_attr_get_type(attribute) & NLA_TYPE_MASK;
  if (type == IFLA_XDP_ATTACHED && mnl_attr_get_payload_len(attribute) >= 1) {
    *static_cast<bool*>(data) = mnl_attr_get_u8(attribute) != XDP_ATTACHED_NONE;
  }
  return MNL_CB_OK;
}

int TakeLink(const nlattr* attribute, void* data) {
  auto* const link = static_cast<LinkFacts*>(data);
  const uint16_t type = mnl_attr_get_type(attribute) & NLA_TYPE_MASK;
  if (type == IFLA_IFNAME && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
    link->name = mnl_attr_get_str(attribute);
  }
  if (type == IFLA_XDP) mnl_attr_parse_nested(attribute, TakeXdp, &link->xdp);
  return MNL_CB_OK;
}

// Sockets of a protocol in this thread's network namespace, from /proc/thread-self/net/protocols.
int64_t SocketsOf(std::string_view protocol) {
  std::ifstream file("/proc/thread-self/net/protocols");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    int64_t size = 0;
    int64_t sockets = 0;
    if (words >> name >> size >> sockets && name == protocol) return sockets;
  }
  return 0;
}

class LinuxBypassScanner final : public BypassScanner {
 public:
  LinuxBypassScanner() : opened_(route_.Open()) {}

  std::vector<std::string> Scan() override {
    std::vector<std::string> found;
    const auto add_error = [&](const absl::Status& status) {
      if (!status.ok())
        found.push_back(StrCat("ways past the rules cannot be looked for: ", Message(status)));
    };
    add_error(opened_);
    if (!opened_.ok()) return found;
    std::map<uint32_t, LinkFacts> links;
    add_error(ListLinks(&links));
    AddPrograms(links, &found);
    add_error(AddTrafficFilters(links, &found));
    add_error(AddForeignRules(&found));
    if (SocketsOf("XDP") > 0) {
      found.emplace_back("a program has an AF_XDP socket open: it may send and receive past the rules");
    }
    if (found.size() > kMostFindings) {
      const size_t more = found.size() - kMostFindings;
      found.resize(kMostFindings);
      found.push_back(StrCat("and ", more, " more ways past the rules"));
    }
    return found;
  }

 private:
  absl::Status ListLinks(std::map<uint32_t, LinkFacts>* links) {
    std::array<char, 256> buffer{};
    nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = RTM_GETLINK;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    auto* const family = static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtgenmsg)));
    family->rtgen_family = AF_UNSPEC;
    return route_.Run(request, "list the network interfaces", [&](const nlmsghdr* message) {
      if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return;
      const auto* const info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
      LinkFacts& link = (*links)[static_cast<uint32_t>(info->ifi_index)];
      mnl_attr_parse(message, sizeof(ifinfomsg), TakeLink, &link);
    });
  }

  // XDP and tcx programs: what they do to packets is theirs to say.
  static void AddPrograms(const std::map<uint32_t, LinkFacts>& links, std::vector<std::string>* found) {
    for (const auto& [index, link] : links) {
      if (link.xdp) {
        found->push_back(StrCat("an XDP program on interface ", Printable(link.name),
                                " has packets before the rules, and may pass them on"));
      }
      for (const bpf_attach_type type : {kTcxIngress, kTcxEgress}) {
        std::array<uint32_t, 8> ids{};
        auto count = static_cast<uint32_t>(ids.size());
        const int queried = bpf_prog_query(static_cast<int>(index), type, 0, nullptr, ids.data(), &count);
        if (queried != 0 && queried != -ENOSPC) continue;  // this kernel has no tcx, or nothing is there
        if (count == 0) continue;
        found->push_back(StrCat("a BPF program of traffic control on interface ", Printable(link.name),
                                " may send packets past the rules"));
      }
    }
  }

  absl::Status AddTrafficFilters(const std::map<uint32_t, LinkFacts>& links,
                                 std::vector<std::string>* found) {
    // Interfaces with a queueing discipline that filters can hang on, and where.
    std::set<std::pair<uint32_t, uint32_t>> places;
    std::array<char, 256> buffer{};
    const auto dump = [&](uint16_t type, uint32_t index, uint32_t parent) {
      buffer.fill(0);
      nlmsghdr* const request = mnl_nlmsg_put_header(buffer.data());
      request->nlmsg_type = type;
      request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
      auto* const tc = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(tcmsg)));
      tc->tcm_family = AF_UNSPEC;
      tc->tcm_ifindex = static_cast<int>(index);
      tc->tcm_parent = parent;
      return request;
    };
    CORDON_RETURN_IF_ERROR(
        route_.Run(dump(RTM_GETQDISC, 0, 0), "list traffic control", [&](const nlmsghdr* message) {
          if (mnl_nlmsg_get_payload_len(message) < sizeof(tcmsg)) return;
          const auto* const tc = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
          const auto index = static_cast<uint32_t>(tc->tcm_ifindex);
          if (tc->tcm_parent == TC_H_INGRESS) {  // ingress or clsact
            places.insert({index, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)});
            places.insert({index, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)});
            places.insert({index, tc->tcm_handle});
          } else if (tc->tcm_handle != 0) {
            places.insert({index, tc->tcm_handle});
          }
        }));
    std::set<std::string> sentences;
    for (const auto& [index, parent] : places) {
      // A place without filters answers with an error on some kernels: nothing hangs there.
      const absl::Status listed =
          route_.Run(dump(RTM_GETTFILTER, index, parent), "list filters", [&](const nlmsghdr* message) {
            const auto filter =
                ParseTrafficFilter(mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message));
            if (!filter.has_value()) return;
            const auto link = links.find(filter->interface_index);
            sentences.insert(StrCat("traffic control on interface ",
                                    link == links.end() ? "?" : Printable(link->second.name),
                                    " may send packets past the rules or rewrite them (", filter->kind,
                                    " filter, ", filter->action, ")"));
          });
      if (absl::IsPermissionDenied(listed)) return listed;
    }
    found->insert(found->end(), sentences.begin(), sentences.end());
    return absl::OkStatus();
  }

  absl::Status AddForeignRules(std::vector<std::string>* found) {
    CORDON_ASSIGN_OR_RETURN(const std::string chains, nft_.Run("list chains"));
    std::set<std::pair<std::string, std::string>> tables;
    for (const BaseChain& chain : ParseBaseChains(chains)) {
      if (MayBypass(chain)) tables.insert({chain.family, chain.table});
    }
    for (const auto& [family, table] : tables) {
      const absl::StatusOr<std::string> text = nft_.Run(StrCat("list table ", family, " ", table));
      if (!text.ok()) continue;  // it went in the meantime
      for (const Rule& rule : ParseRules(*text)) {
        if (!Rewrites(rule.text)) continue;
        found->push_back(StrCat("a rule of somebody else may lead packets past Cordon's: table ", family, " ",
                                Printable(table), ", chain ", Printable(rule.chain), ": ",
                                Printable(rule.text.substr(0, kMaxQuotedRule))));
      }
    }
    return absl::OkStatus();
  }

  NetlinkSocket route_{NETLINK_ROUTE};
  absl::Status opened_;
  Nft nft_;
};

}  // namespace

std::unique_ptr<BypassScanner> MakeBypassScanner() {
  return std::make_unique<LinuxBypassScanner>();
}

}  // namespace cordon::platform
