#include "tests/wine/fleet/wine_prefix.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "common/base/strings.h"
#include "tests/support/build_paths.h"
#include "tests/wine/fleet/programs.h"

namespace cordon::testing {
namespace {

namespace fs = std::filesystem;

// Debian's `wine` complains that there is no wine for 32 bits.
constexpr const char* kWine = "/usr/lib/wine/wine64";
constexpr const char* kWineServer = "/usr/lib/wine/wineserver64";

// Making a prefix takes ten seconds and more, so one is made and the others are its copies.
const fs::path& Template() {
  static const fs::path path = [] {
    const char* const given = std::getenv("CORDON_WINEPREFIX");
    const fs::path prefix = given != nullptr ? fs::path(given) : fs::path(kSourceDir) / "build/windows/wine";
    // TMPDIR as in wine-run: that is where the two find each other.
    const std::vector<std::pair<std::string, std::string>> env = {{"CORDON_WINEPREFIX", prefix.string()},
                                                                  {"WINEPREFIX", prefix.string()},
                                                                  {"TMPDIR", (prefix / "unix-tmp").string()}};
    MustRun({StrCat(kSourceDir, "/scripts/lib/wine-run"), "cmd.exe", "/c", "exit"}, {.env = env});
    MustRun({kWineServer, "-w"}, {.env = env});  // what it keeps in memory is written when it ends
    return prefix;
  }();
  return path;
}

// Files are shared by hard links: nobody writes into those of the system. The registry is written in place.
void Copy(const fs::path& from, const fs::path& to) {
  if (RunCommand({"cp", "-al", from.string(), to.string()}).status != 0) {  // another file system
    fs::remove_all(to);
    MustRun({"cp", "-a", from.string(), to.string()});
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    if (entry.path().extension() != ".reg") continue;
    const fs::path copy = to / entry.path().filename();
    fs::remove(copy);
    fs::copy_file(entry.path(), copy);
  }
}

}  // namespace

std::string WindowsPath(const fs::path& path) {
  std::string text = StrCat("Z:", path.string());
  std::ranges::replace(text, '/', '\\');
  return text;
}

std::string WinePrefix::Missing() {
  if (!fs::exists(kWine)) return "wine is not installed: scripts/bootstrap --windows";
  if (!fs::exists(WindowsAgent()))
    return StrCat(WindowsAgent().string(), " is not built: scripts/test-windows does it");
  return "";
}

WinePrefix::WinePrefix() {
  Copy(Template(), prefix_);
  // wine ends its services together with the last ordinary program.
  keeper_ = Start({"cmd.exe"});
  if (!keeper_->WaitForOutput("C:\\", std::chrono::seconds(60)) &&
      !keeper_->WaitForOutput("Z:\\", std::chrono::seconds(1)))
    throw std::runtime_error(StrCat("wine does not start: ", keeper_->Errors()));
}

WinePrefix::~WinePrefix() {
  RunCommand({kWineServer, "-k"}, Options());
  RunCommand({kWineServer, "-w"}, Options());
  keeper_.reset();
}

std::vector<std::string> WinePrefix::Command(std::vector<std::string> args) const {
  // As in wine-run, which says why.
  args.insert(args.begin(), {"setarch", "--addr-no-randomize", kWine});
  return args;
}

SubprocessOptions WinePrefix::Options() const {
  // TMPDIR: wine's server has a folder there, which it leaves behind.
  return {.env = {{"WINEPREFIX", prefix_.string()}, {"WINEDEBUG", "-all"}, {"TMPDIR", prefix_.string()}},
          .working_dir = Drive()};
}

std::unique_ptr<Subprocess> WinePrefix::Start(std::vector<std::string> args) const {
  return std::make_unique<Subprocess>(Command(std::move(args)), Options());
}

CommandResult WinePrefix::Run(std::vector<std::string> args, std::chrono::milliseconds timeout) const {
  return RunCommand(Command(std::move(args)), Options(), timeout);
}

}  // namespace cordon::testing
