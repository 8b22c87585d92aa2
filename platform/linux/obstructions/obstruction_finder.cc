#include "platform/api/obstruction_finder.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"
#include "platform/linux/bypasses/interface_programs.h"
#include "platform/linux/obstructions/blocking.h"
#include "platform/linux/obstructions/routes.h"
#include "platform/linux/packet_filter/nft.h"
#include "platform/linux/system/agent_mark.h"
#include "platform/shared/misleading_hosts.h"

namespace cordon::platform {
namespace {

constexpr size_t kMaxHostsFile = size_t{4} * 1024 * 1024;
constexpr size_t kMostFindings = 16;

class LinuxObstructionFinder final : public ObstructionFinder {
 public:
  explicit LinuxObstructionFinder(std::string hosts_file)
      : hosts_file_(std::move(hosts_file)), opened_(route_.Open()) {}

  std::vector<std::string> Find(const ChannelFacts& channel) override {
    std::vector<std::string> found;
    const auto add = [&](std::vector<std::string> more) {
      for (std::string& each : more) found.push_back(std::move(each));
    };
    if (opened_.ok()) add(Ways(channel));
    add(Rules(channel));
    if (const auto text = ReadFileBounded(hosts_file_, kMaxHostsFile); text.ok()) {
      add(MisleadingHosts(*text, hosts_file_, channel.names, channel.reached));
    }
    if (found.size() > kMostFindings) {
      const size_t more = found.size() - kMostFindings;
      found.resize(kMostFindings);
      found.push_back(StrCat("and ", more, " more"));
    }
    return found;
  }

 private:
  // Routes, and what sits on the interfaces that they lead out of.
  std::vector<std::string> Ways(const ChannelFacts& channel) {
    std::vector<std::string> found;
    std::set<uint32_t> interfaces;
    bool refused = false;
    for (const Endpoint& controller : channel.controllers) {
      const RouteAnswer answer = AskRoute(route_, controller, kAgentSocketMark);
      if (answer.obstruction.empty()) {
        interfaces.insert(answer.interface_index);
      } else {
        refused = true;
        found.push_back(answer.obstruction);
      }
    }
    if (refused) {
      for (std::string& rule : RefusingRules(route_)) found.push_back(std::move(rule));
    }
    const absl::StatusOr<std::vector<InterfaceProgram>> programs = ListInterfacePrograms(route_);
    if (!programs.ok()) return found;
    for (const InterfaceProgram& program : *programs) {
      if (!interfaces.contains(program.interface_index)) continue;
      found.push_back(StrCat(program.what, " on interface ", Printable(program.interface),
                             ", the way to the controller, may stop packets"));
    }
    return found;
  }

  std::vector<std::string> Rules(const ChannelFacts& channel) {
    const absl::StatusOr<std::string> listed = nft_.Run("list chains");
    if (!listed.ok()) return {};
    std::vector<std::string> found;
    const std::vector<BaseChain> all = ParseBaseChains(*listed);
    std::set<std::pair<std::string, std::string>> tables;
    for (const BaseChain& chain : all) tables.insert({chain.family, chain.table});
    for (const auto& [family, table] : tables) {
      std::vector<BaseChain> chains;
      for (const BaseChain& chain : all) {
        if (chain.family == family && chain.table == table) chains.push_back(chain);
      }
      const absl::StatusOr<std::string> text = nft_.Run(StrCat("list table ", family, " ", table));
      if (!text.ok()) continue;  // it went in the meantime
      for (std::string& each :
           BlockingRules(chains, ParseRules(*text), channel.controllers, kAgentSocketMark)) {
        found.push_back(std::move(each));
      }
    }
    return found;
  }

  const std::string hosts_file_;
  NetlinkSocket route_{NETLINK_ROUTE};
  absl::Status opened_;
  Nft nft_;
};

}  // namespace

std::unique_ptr<ObstructionFinder> MakeObstructionFinder(const std::string& hosts_file) {
  return std::make_unique<LinuxObstructionFinder>(hosts_file);
}

}  // namespace cordon::platform
