#include "platform/api/bypass_scanner.h"

#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/linux/bypasses/foreign_rules.h"
#include "platform/linux/bypasses/interface_programs.h"
#include "platform/linux/packet_filter/nft.h"
#include "platform/linux/system/netlink.h"

namespace cordon::platform {
namespace {

constexpr size_t kMostFindings = 32;
constexpr size_t kMaxQuotedRule = 160;
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
    add_error(AddPrograms(&found));
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
  absl::Status AddPrograms(std::vector<std::string>* found) {
    CORDON_ASSIGN_OR_RETURN(const std::vector<InterfaceProgram> programs, ListInterfacePrograms(route_));
    for (const InterfaceProgram& program : programs) {
      if (!program.may_bypass) continue;
      found->push_back(StrCat(program.what, " on interface ", Printable(program.interface),
                              " may send packets past the rules, or change them"));
    }
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
