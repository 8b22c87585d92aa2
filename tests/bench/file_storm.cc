// What the file sensor costs when a tree is unpacked and deleted under watch, and whether all of it is told.
//   file_storm FILES ROUNDS   interleaves rounds with and without the sensor; prints the medians of wall and
//   CPU time of the
//                             work and of all, their ratios, and what was told
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/integrity/file_sensor.h"
#include "platform/api/system.h"
#include "tests/bench/statistics.h"
#include "tests/fakes/fake_process_directory.h"
#include "tests/support/exec_storm.h"
#include "tests/support/temp_folder.h"

namespace {

using cordon::testing::OwnCpuSeconds;

// Which files were told as created and as deleted, and what was lost.
class TellingSink final : public cordon::agent::EventSink {
 public:
  void Emit(cordon::v1::EventClass, int64_t, cordon::v1::Event event) override {
    const std::lock_guard lock(mutex_);
    if (event.has_gap()) ++gaps;
    const cordon::v1::FileChanged& change = event.file_changed();
    if (!event.has_file_changed()) return;
    (change.change() == cordon::v1::FileChanged::CHANGE_DELETED ? deleted : created).insert(change.path());
  }
  bool Holds(size_t files, size_t gone) const {
    const std::lock_guard lock(mutex_);
    return created.size() >= files && deleted.size() >= gone;
  }

  mutable std::mutex mutex_;
  std::unordered_set<std::string> created;
  std::unordered_set<std::string> deleted;
  int gaps = 0;
};

struct Round {
  double wall = 0;  // of unpacking and deleting
  double cpu = 0;   // until all is told
  size_t created = 0;
  size_t deleted = 0;
  int gaps = 0;
};

void Run(const std::string& command) {
  if (std::system(command.c_str()) != 0) {
    fmt::print(stderr, "file_storm: failed: {}\n", command);
    std::exit(1);
  }
}

// A tree of folders of 100 files of 1 to 16 KiB of text, as a source tree has them; and its archive.
void MakeArchive(const std::filesystem::path& folder, int files) {
  for (int i = 0; i < files; ++i) {
    const std::filesystem::path inner = folder / "tree" / std::to_string(i / 100);
    if (i % 100 == 0) std::filesystem::create_directories(inner);
    std::string text;
    while (text.size() < 1024 + static_cast<size_t>(i * 7919 % 15'000))
      text += fmt::format("line {} of {}\n", text.size(), i);
    std::ofstream(inner / fmt::format("file{}.txt", i)) << text;
  }
  Run(fmt::format("cd {} && tar -cf tree.tar tree && rm -rf tree", folder.string()));
}

double Work(const std::filesystem::path& archive, const std::filesystem::path& folder) {
  const auto began = std::chrono::steady_clock::now();
  Run(fmt::format("cd {} && tar -xf {} && rm -rf tree", folder.string(), archive.string()));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

Round WithSensor(const std::filesystem::path& archive, size_t names) {
  const cordon::testing::TempFolder folder, state;
  const auto clock = cordon::platform::MakeSystemClock();
  const cordon::testing::FakeProcessDirectory processes;
  TellingSink sink;
  cordon::agent::FileSensor sensor(
      {.state_folder = state.Path(), .process_wait = std::chrono::milliseconds(0)},
      cordon::platform::MakeFileSource, *clock, processes, sink);
  cordon::v1::Policy policy;
  policy.add_watched_paths(folder.Path().string());
  if (const absl::Status started = sensor.Start(policy); !started.ok()) {
    fmt::print(stderr, "file_storm: {}\n", std::string(started.message()));
    std::exit(1);
  }
  sensor.Prove();
  Round round;
  const double cpu_before = OwnCpuSeconds();
  round.wall = Work(archive, folder.Path());
  for (int i = 0; i < 300 && !sink.Holds(names, names); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  sensor.Stop();
  round.cpu = OwnCpuSeconds() - cpu_before;
  round.created = sink.created.size();
  round.deleted = sink.deleted.size();
  round.gaps = sink.gaps;
  return round;
}

Round Bare(const std::filesystem::path& archive) {
  const cordon::testing::TempFolder folder;
  Round round;
  const double cpu_before = OwnCpuSeconds();
  round.wall = Work(archive, folder.Path());
  round.cpu = OwnCpuSeconds() - cpu_before;
  return round;
}

}  // namespace

int main(int argc, char** argv) {
  const int files = argc > 1 ? std::atoi(argv[1]) : 0;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 0;
  if (argc != 3 || files <= 0 || rounds <= 0) {
    fmt::print(stderr, "usage: file_storm FILES ROUNDS\n");
    return 2;
  }
  const cordon::testing::TempFolder folder;
  MakeArchive(folder.Path(), files);
  const std::filesystem::path archive = folder / "tree.tar";
  const auto count = static_cast<size_t>(files);
  const size_t names = count + (count + 99) / 100 + 1;  // files, folders, the tree itself
  std::vector<double> wall, bare_wall, cpu, bare_cpu;
  size_t created = 0;
  size_t deleted = 0;
  int gaps = 0;
  Bare(archive);
  for (int i = 0; i < rounds; ++i) {
    const auto without = [&] {
      const Round round = Bare(archive);
      bare_wall.push_back(round.wall);
      bare_cpu.push_back(round.cpu);
    };
    if (i % 2 == 0) without();
    const Round round = WithSensor(archive, names);
    wall.push_back(round.wall);
    cpu.push_back(round.cpu);
    created += round.created;
    deleted += round.deleted;
    gaps += round.gaps;
    if (i % 2 != 0) without();
  }
  fmt::print("files {} rounds {} told-created {} told-deleted {} of {} gaps {}\n", files, rounds, created,
             deleted, names * static_cast<size_t>(rounds), gaps);
  fmt::print("wall without {:.3f} with {:.3f} ratio {:.3f}\n", cordon::testing::Median(bare_wall),
             cordon::testing::Median(wall),
             cordon::testing::Median(wall) / cordon::testing::Median(bare_wall));
  fmt::print("CPU without {:.3f} with {:.3f} ratio {:.3f}\n", cordon::testing::Median(bare_cpu),
             cordon::testing::Median(cpu), cordon::testing::Median(cpu) / cordon::testing::Median(bare_cpu));
  return 0;
}
