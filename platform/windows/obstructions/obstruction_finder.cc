#include "platform/api/obstruction_finder.h"

#include <algorithm>

#include "common/base/status.h"
#include "platform/api/files.h"
#include "platform/api/places.h"
#include "platform/shared/misleading_hosts.h"
#include "platform/windows/packet_filter/own_identity.h"
#include "platform/windows/packet_filter/wfp_filter.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr size_t kMostHostsBytes = 1024 * 1024;

std::filesystem::path SystemHostsFile() {
  wchar_t system[MAX_PATH + 1] = {};
  GetSystemDirectoryW(system, MAX_PATH);
  return std::filesystem::path(system) / "drivers" / "etc" / "hosts";
}

class WindowsObstructionFinder final : public ObstructionFinder {
 public:
  explicit WindowsObstructionFinder(std::filesystem::path hosts_file) : hosts_file_(std::move(hosts_file)) {}

  std::vector<std::string> Find(const ChannelFacts& channel) override {
    std::vector<std::string> found;
    if (const auto text = ReadFileBounded(hosts_file_, kMostHostsBytes); text.ok())
      found = MisleadingHosts(*text, Shown(hosts_file_), channel.names, channel.reached);
    absl::StatusOr<std::unique_ptr<wfp::FilterEngine>> engine = wfp::OpenFilterEngine();
    if (!engine.ok()) return found;
    const absl::StatusOr<std::string> program = (*engine)->ProgramOf(DefaultPlaces().executable);
    const absl::StatusOr<std::vector<wfp::HeldFilter>> held = (*engine)->ListFilters();
    if (!program.ok() || !held.ok()) return found;
    std::ranges::move(wfp::FindObstructingFilters(*held, channel.controllers, *program, OwnSid()),
                      std::back_inserter(found));
    return found;
  }

 private:
  const std::filesystem::path hosts_file_;
};

}  // namespace

std::unique_ptr<ObstructionFinder> MakeObstructionFinder(const std::string& hosts_file) {
  // The contract's default is that of Unix.
  return std::make_unique<WindowsObstructionFinder>(
      hosts_file == "/etc/hosts" ? SystemHostsFile() : std::filesystem::path(hosts_file));
}

}  // namespace cordon::platform
