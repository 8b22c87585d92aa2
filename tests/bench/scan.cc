// What a scan costs next to the least that would do, and what it costs people:
//   scan TREE ROUNDS [SECONDS [AGENT RULES]]
// Interleaved rounds over one tree, warm; one JSON object per way and round:
//   {"way":…,"seconds":…}  a first pass and a check of the unchanged tree at full speed, beside a bare read
//   and
//                          hash by two threads and `find -printf`
//   {"way":…,"steps":…,"p50_ms":…,"p99_ms":…}  SECONDS (default 10) of practice_work.h alone, and beside a
//   scan
//                          that reads everything anew with the usual manners; with 0 seconds neither
//   {"way":"rules",…}      with AGENT (a cordon-agent, for its child that searches) and RULES (a file of YARA
//                          rules): a search of all files for them, at full speed
// then a line with the ratios of the medians (budgets of design §10).

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "agent/app/commands.h"
#include "agent/scan/scan_runner.h"
#include "common/crypto/digest.h"
#include "platform/api/system.h"
#include "tests/bench/practice_work.h"
#include "tests/bench/statistics.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/temp_folder.h"

namespace {

namespace fs = std::filesystem;
using namespace cordon;  // NOLINT

// Paths first, then two threads that open, read and hash: nothing else.
void BareHash(const fs::path& tree) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(tree)) {
    if (entry.is_regular_file() && !entry.is_symlink()) files.push_back(entry.path().string());
  }
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    std::vector<char> piece(256 * 1024);
    Sha256Stream digest;
    for (size_t i = next++; i < files.size(); i = next++) {
      const int fd = open(files[i].c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0) continue;
      ssize_t got = 0;
      while ((got = read(fd, piece.data(), piece.size())) > 0) {
        digest.Update({piece.data(), static_cast<size_t>(got)});
      }
      digest.Finish();
      close(fd);
    }
  };
  std::jthread other(work);
  work();
}

void BareStat(const fs::path& tree) {
  const std::string command = "find '" + tree.string() + "' -printf '%i %s %T@ %C@ %p\\n' > /dev/null";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("find failed");
}

// The practice's work in a process and a session of its own, as people's programs are: priorities of threads
// count within a session (sched(7), autogroup) and say nothing to the others. To be made before there are
// threads.
class People {
 public:
  explicit People(std::chrono::seconds length) {
    if (pipe(ask_.data()) != 0 || pipe(answer_.data()) != 0) throw std::runtime_error("no pipe");
    child_ = fork();
    if (child_ < 0) throw std::runtime_error("no process");
    if (child_ == 0) Work(length);
    close(ask_[0]);
    close(answer_[1]);
  }
  ~People() {
    close(ask_[1]);
    waitpid(child_, nullptr, 0);
  }
  People(const People&) = delete;
  People& operator=(const People&) = delete;

  // Seconds of each step.
  std::vector<double> Once() {
    size_t count = 0;
    if (write(ask_[1], "w", 1) != 1) throw std::runtime_error("the practice is gone");
    Read(&count, sizeof count);
    std::vector<double> steps(count);
    Read(steps.data(), count * sizeof(double));
    return steps;
  }

 private:
  [[noreturn]] void Work(std::chrono::seconds length) {
    close(ask_[1]);
    setsid();
    {
      testing::TempFolder folder;
      testing::PracticeWork work(folder / "practice");
      for (char asked = 0; read(ask_[0], &asked, 1) == 1;) {
        const std::vector<double> steps = work.For(length);
        const size_t count = steps.size();
        const bool told = write(answer_[1], &count, sizeof count) == sizeof count &&
                          write(answer_[1], steps.data(), count * sizeof(double)) > 0;
        if (!told) break;
      }
    }
    _exit(0);
  }
  void Read(void* into, size_t bytes) {
    for (size_t have = 0; have < bytes;) {
      const ssize_t got = read(answer_[0], static_cast<char*>(into) + have, bytes - have);
      if (got <= 0) throw std::runtime_error("the practice is gone");
      have += static_cast<size_t>(got);
    }
  }

  std::array<int, 2> ask_{};
  std::array<int, 2> answer_{};
  pid_t child_ = -1;
};

class Scanner {
 public:
  Scanner(const fs::path& tree, const std::string& agent) : tree_(tree) {
    platform::SandboxCommand child;
    if (!agent.empty()) child = {.program = agent, .arguments = {agent::kScannerCommand}};
    auto runner =
        agent::ScanRunner::Open({.database = state_ / "baseline.db", .host_id = "bench", .scanner = child},
                                {.clock = *clock_,
                                 .sink = sink_,
                                 .flush_events = [] { return absl::OkStatus(); },
                                 .default_paths = [] { return std::vector<fs::path>(); },
                                 .on_progress = [this](const v1::ScanProgress& progress) { Heard(progress); },
                                 .on_refused = [](const std::string&, const absl::Status&) {}});
    if (!runner.ok()) throw std::runtime_error(runner.status().ToString());
    runner_ = *std::move(runner);
  }

  void Run(v1::IntegrityCheck::Mode mode) { RunWhole(Integrity(mode, true)); }
  void Search(const std::string& rules) {
    v1::ScanSpec spec = Whole(true);
    v1::RuleFile& file = *spec.mutable_indicators()->add_yara();
    file.set_name("bench");
    file.set_content(rules);
    RunWhole(spec);
  }

  // First passes with the usual manners, one after the other, from before `work` until it has returned.
  void Beside(const std::function<void()>& work) {
    const v1::ScanSpec spec = Integrity(v1::IntegrityCheck::MODE_CREATE, false);
    std::string id = Start(spec);
    std::jthread next([&](const std::stop_token& stop) {
      while (AwaitEnd(id, stop)) id = Start(spec);
    });
    work();
    next.request_stop();
    next.join();
    if (runner_->Cancel(id).ok()) AwaitEnd(id, {});
  }

 private:
  v1::ScanSpec Whole(bool full_speed) const {
    v1::ScanSpec spec;
    spec.add_paths(tree_.string());
    spec.set_full_speed(full_speed);
    return spec;
  }
  v1::ScanSpec Integrity(v1::IntegrityCheck::Mode mode, bool full_speed) const {
    v1::ScanSpec spec = Whole(full_speed);
    spec.mutable_integrity()->set_mode(mode);
    return spec;
  }

  void RunWhole(const v1::ScanSpec& spec) {
    AwaitEnd(Start(spec), {});
    const std::lock_guard lock(mutex_);
    if (last_.state() != v1::ScanProgress::STATE_DONE) throw std::runtime_error(last_.message());
  }

  std::string Start(const v1::ScanSpec& spec) {
    std::string id = std::to_string(++jobs_);
    absl::Status started = runner_->Start(id, spec);
    while (absl::IsResourceExhausted(started)) started = runner_->Start(id, spec);
    if (!started.ok()) throw std::runtime_error(started.ToString());
    return id;
  }

  // False when it was asked to stop before.
  bool AwaitEnd(const std::string& id, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [&] { return last_.order_id() == id && !last_.report().empty(); }))
      return false;
    lock.unlock();
    runner_->Forget(id);
    return true;
  }

  void Heard(const v1::ScanProgress& progress) {
    const std::lock_guard lock(mutex_);
    last_ = progress;
    changed_.notify_all();
  }

  const fs::path tree_;
  testing::TempFolder state_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  testing::RecordingSink sink_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  v1::ScanProgress last_;
  int jobs_ = 0;
  std::unique_ptr<agent::ScanRunner> runner_;
};

std::string ReadAll(const char* path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(std::string("cannot read ") + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 6 || argc == 5) {
    fmt::print(stderr, "usage: {} TREE ROUNDS [SECONDS [AGENT RULES]]\n", argv[0]);
    return 2;
  }
  const std::chrono::seconds length(argc > 3 ? std::atoi(argv[3]) : 10);
  const fs::path tree = argv[1];
  const std::string rules = argc > 5 ? ReadAll(argv[5]) : "";
  People practice(length);
  Scanner scanner(tree, argc > 4 ? argv[4] : "");
  std::map<std::string, std::vector<double>> seconds;
  const auto measure = [&](const std::string& way, const std::function<void()>& run) {
    const auto began = std::chrono::steady_clock::now();
    run();
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    fmt::print("{{\"way\":\"{}\",\"seconds\":{:.3f}}}\n", way, took);
    seconds[way].push_back(took);
  };
  std::map<std::string, std::vector<double>> p99;
  const auto people = [&](const std::string& way) {
    const std::vector<double> steps = practice.Once();
    const double worst = testing::At(steps, 0.99);
    fmt::print("{{\"way\":\"{}\",\"steps\":{},\"p50_ms\":{:.3f},\"p99_ms\":{:.3f}}}\n", way, steps.size(),
               testing::Median(steps) * 1e3, worst * 1e3);
    p99[way].push_back(worst);
  };
  BareHash(tree);  // warms it
  for (int round = 0; round < std::atoi(argv[2]); ++round) {
    measure("bare hash", [&] { BareHash(tree); });
    measure("first pass", [&] { scanner.Run(v1::IntegrityCheck::MODE_CREATE); });
    measure("find -printf", [&] { BareStat(tree); });
    measure("check", [&] { scanner.Run(v1::IntegrityCheck::MODE_CHECK); });
    if (!rules.empty()) measure("rules", [&] { scanner.Search(rules); });
    if (length.count() == 0) continue;
    people("people alone");
    scanner.Beside([&] { people("people beside a scan"); });
  }
  fmt::print(
      "first pass: {:.2f} of the bare hash's rate (budget: at least 0.85); check: {:.2f} times find (at most "
      "1.2)\n",
      testing::Median(seconds["bare hash"]) / testing::Median(seconds["first pass"]),
      testing::Median(seconds["check"]) / testing::Median(seconds["find -printf"]));
  if (length.count() == 0) return 0;
  fmt::print("people's p99 beside a scan: {:.2f} times alone (at most 1.05)\n",
             testing::Median(p99["people beside a scan"]) / testing::Median(p99["people alone"]));
  return 0;
}
