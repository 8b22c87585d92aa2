#pragma once

// The runner on a real tree.

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/scan/scan_runner.h"
#include "platform/api/system.h"
#include "tests/fakes/recording_sink.h"
#include "tests/support/build_paths.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {

using cordon::testing::kBinaryDir;
using cordon::testing::RecordingSink;
using cordon::testing::TempFolder;
namespace fs = std::filesystem;

// A hole that is just short enough to be read: longer than any test waits for it.
inline constexpr off_t kTakesForEver = off_t{63} << 30;

// The runner, with a stand-in for the agent's scanning process.
class ScanTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  void Open() {
    runner_.reset();
    auto runner =
        ScanRunner::Open({.database = state_ / "baseline.db",
                          .excluded = {tree_ / "excluded"},
                          .host_id = "host",
                          .scanner = {.program = std::string(kBinaryDir) + "/tests/scanner_stand_in"}},
                         {.clock = *clock_,
                          .sink = sink_,
                          .flush_events = [] { return absl::OkStatus(); },
                          .default_paths = [this] { return std::vector<fs::path>{tree_.Path()}; },
                          .on_progress = [this](const v1::ScanProgress& progress) { Heard(progress); },
                          .on_refused =
                              [this](const std::string& order_id, const absl::Status& why) {
                                v1::ScanProgress refused;
                                refused.set_order_id(order_id);
                                refused.set_message("refused: " + std::string(why.message()));
                                Heard(refused);
                              },
                          .make_meter = [this] { return MakeMeter(); }});
    ASSERT_TRUE(runner.ok()) << runner.status();
    runner_ = *std::move(runner);
  }

  // For a scan that is not at full speed.
  virtual std::unique_ptr<platform::LoadMeter> MakeMeter() { return platform::MakeLoadMeter(); }

  void Heard(const v1::ScanProgress& progress) {
    const std::lock_guard lock(mutex_);
    ++heard_;
    last_ = progress;
    changed_.notify_all();
  }

  v1::ScanProgress WaitForEnd(const std::string& order_id) {
    std::unique_lock lock(mutex_);
    const bool ended = changed_.wait_for(lock, std::chrono::seconds(60), [&] {
      return last_.order_id() == order_id && last_.state() != v1::ScanProgress::STATE_RUNNING &&
             last_.state() != v1::ScanProgress::STATE_PAUSED;
    });
    EXPECT_TRUE(ended);
    v1::ScanProgress end = last_;
    lock.unlock();
    if (recorded_) runner_->Forget(order_id);
    return end;
  }

  static v1::ScanSpec Spec(v1::IntegrityCheck::Mode mode = v1::IntegrityCheck::MODE_UNSPECIFIED) {
    v1::ScanSpec spec;
    spec.mutable_integrity()->set_mode(mode);
    spec.set_full_speed(true);
    return spec;
  }

  v1::ScanProgress Scan(const v1::ScanSpec& spec) {
    const std::string order_id = "order" + std::to_string(++orders_);
    const absl::Status started = StartWhenFree(order_id, spec);
    EXPECT_TRUE(started.ok()) << started;
    return WaitForEnd(order_id);
  }

  absl::Status StartWhenFree(const std::string& order_id, const v1::ScanSpec& spec) {
    findings_before_ = sink_.Events().size();
    absl::Status started = runner_->Start(order_id, spec);
    // The one before may have told its end and not yet be gone.
    while (absl::IsResourceExhausted(started)) started = runner_->Start(order_id, spec);
    return started;
  }

  bool WaitFor(const std::function<bool(const v1::ScanProgress&)>& wanted) {
    std::unique_lock lock(mutex_);
    // Looks by itself too: not all that is waited for comes with a message.
    for (int i = 0; i < 600; ++i) {
      if (wanted(last_)) return true;
      changed_.wait_for(lock, std::chrono::milliseconds(100));
    }
    return false;
  }

  // "CONTENT name" per finding of the last scan.
  std::vector<std::string> Findings() {
    std::vector<std::string> found;
    const auto events = sink_.Events();
    for (size_t i = findings_before_; i < events.size(); ++i) {
      const v1::Finding& finding = events[i].event.finding();
      found.push_back(v1::Finding::Kind_Name(finding.kind()).substr(5) + " " +
                      finding.path().substr(tree_.Path().string().size()));
    }
    return found;
  }

  void Write(const std::string& name, const std::string& content) {
    fs::create_directories((tree_ / name).parent_path());
    std::ofstream(tree_ / name) << content;
  }

  TempFolder tree_, state_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  RecordingSink sink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  v1::ScanProgress last_;
  int heard_ = 0;
  bool recorded_ = true;  // ends are, so that the runner may forget the job
  int orders_ = 0;
  size_t findings_before_ = 0;
  std::unique_ptr<ScanRunner> runner_;
};

}  // namespace cordon::agent
