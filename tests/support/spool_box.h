#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/spool/spool.h"
#include "common/base/strings.h"
#include "common/wire/batch_codec.h"
#include "common/wire/batch_hash.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {

inline constexpr const char* kSpoolHost = "6f1c2f8e-52a4-4c2f-9d58-0a1a3f5b7c9d";

// A process event that can be told from others by its pid.
inline TimedEvent ProcessEvent(uint32_t pid, int64_t time = 1'700'000'000 * kNanosPerSecond,
                               const std::string& executable = "") {
  v1::Event event;
  event.mutable_process_started()->set_pid(pid);
  event.mutable_process_started()->set_executable(executable);
  return Serialise(time, event);
}

// One that does not compress.
inline TimedEvent BulkyEvent(uint32_t pid, size_t bytes) {
  uint64_t noise = pid * 0x9e3779b97f4a7c15ULL + 1;
  std::string text;
  while (text.size() < bytes) {
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    text.push_back(static_cast<char>('!' + noise % 90));
  }
  return ProcessEvent(pid, 1'700'000'000 * kNanosPerSecond, text);
}

inline agent::EventGroup Group(v1::EventClass event_class, std::vector<TimedEvent> events) {
  return {.event_class = event_class, .events = std::move(events)};
}

// A spool in a folder of its own, which can crash.
class SpoolBox {
 public:
  explicit SpoolBox(uint64_t limit_bytes = 64 * 1024 * 1024) {
    settings_.file = folder_ / "agent.db";
    settings_.host_id = kSpoolHost;
    settings_.limit_bytes = limit_bytes;
    Start();
  }

  agent::Spool& operator*() { return *spool_; }
  agent::Spool* operator->() { return spool_.get(); }
  FakeClock& Time() { return clock_; }
  agent::SpoolSettings& Settings() { return settings_; }

  void Start() { spool_ = *agent::Spool::Open(settings_, clock_); }
  // What a kill leaves: the object goes without a word.
  void Crash() { spool_.reset(); }
  void CrashAndStart() {
    Crash();
    Start();
  }

  std::vector<v1::Batch> All() { return *spool_->Next(spool_->Stats().acknowledged_sequence, SIZE_MAX); }

  // All events in the queue, in order.
  std::vector<v1::Event> Events() {
    std::vector<v1::Event> events;
    for (const v1::Batch& batch : All()) {
      if (batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED) continue;
      const v1::EventList list = *DecodeEvents(batch.payload(), batch.event_count());
      events.insert(events.end(), list.events().begin(), list.events().end());
    }
    return events;
  }

  std::vector<v1::Gap> Gaps() {
    std::vector<v1::Gap> gaps;
    for (const v1::Event& event : Events()) {
      if (event.has_gap()) gaps.push_back(event.gap());
    }
    return gaps;
  }

 private:
  TempFolder folder_;
  FakeClock clock_;
  agent::SpoolSettings settings_;
  std::unique_ptr<agent::Spool> spool_;
};

// Empty when the batches follow each other; else the first fault.
inline std::string ChainFault(const std::vector<v1::Batch>& batches) {
  for (size_t i = 1; i < batches.size(); ++i) {
    const v1::Batch& before = batches[i - 1];
    const v1::Batch& batch = batches[i];
    if (batch.first_sequence() != before.first_sequence() + before.event_count()) {
      return StrCat("batch ", batch.first_sequence(), " leaves a hole");
    }
    if (batch.previous_hash() != BatchHash(kSpoolHost, before)) {
      return StrCat("batch ", batch.first_sequence(), " does not name the one before it");
    }
  }
  return "";
}

}  // namespace cordon::testing
