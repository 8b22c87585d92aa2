#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "platform/api/file_source.h"

namespace cordon::testing {

// Says what the test makes it say, as a kernel would. Thread-safe.
class FakeFileSource final : public platform::FileSource {
 public:
  using Event = platform::RawFileEvent;

  absl::Status Start(const platform::FileWatch& watch,
                     std::function<void(std::span<Event>)> deliver) override {
    const std::lock_guard lock(mutex_);
    if (!start_result_.ok()) return start_result_;
    watch_ = watch;
    deliver_ = std::move(deliver);
    return absl::OkStatus();
  }
  void Stop() override {
    const std::lock_guard lock(mutex_);
    deliver_ = nullptr;
  }
  platform::FileSourceInfo Info() const override { return {.name = "fake", .limitations = {}}; }

  // --- what the test says ---
  void StartFailsWith(absl::Status status) { start_result_ = std::move(status); }
  void Created(const std::string& path, uint32_t pid = 1) {
    Say({.kind = Event::kCreated, .path = path, .pid = pid});
  }
  void Modified(const std::string& path, uint32_t pid = 1) {
    Say({.kind = Event::kModified, .path = path, .pid = pid});
  }
  void ClosedWrite(const std::string& path, uint32_t pid = 1) {
    Say({.kind = Event::kClosedWrite, .path = path, .pid = pid});
  }
  void Deleted(const std::string& path, uint32_t pid = 1) {
    Say({.kind = Event::kDeleted, .path = path, .pid = pid});
  }
  void Renamed(const std::string& from, const std::string& to, uint32_t pid = 1) {
    Say({.kind = Event::kRenamed, .path = to, .old_path = from, .pid = pid});
  }
  void AttributesChanged(const std::string& path, uint32_t pid = 1) {
    Say({.kind = Event::kAttributes, .path = path, .pid = pid});
  }
  void Read(const std::string& path, uint32_t pid = 1) {
    Say({.kind = Event::kRead, .path = path, .pid = pid});
  }
  void Overflowed(const std::string& root = "", uint64_t lost = 0) {
    Say({.kind = Event::kOverflow, .path = root, .lost_count = lost});
  }
  void Say(Event event) {
    const std::lock_guard lock(mutex_);
    if (event.boottime_nanos == 0) event.boottime_nanos = now_;
    if (deliver_) deliver_({&event, 1});
  }
  void SetNow(int64_t boottime_nanos) { now_ = boottime_nanos; }

  platform::FileWatch Watch() const {
    const std::lock_guard lock(mutex_);
    return watch_;
  }
  bool Running() const {
    const std::lock_guard lock(mutex_);
    return deliver_ != nullptr;
  }

 private:
  mutable std::mutex mutex_;
  absl::Status start_result_;
  platform::FileWatch watch_;
  std::function<void(std::span<Event>)> deliver_;
  int64_t now_ = 1;
};

// Lends what takes its source over a fake that the test keeps.
class LentFileSource final : public platform::FileSource {
 public:
  explicit LentFileSource(FakeFileSource& fake) : fake_(fake) {}
  absl::Status Start(const platform::FileWatch& watch,
                     std::function<void(std::span<platform::RawFileEvent>)> deliver) override {
    return fake_.Start(watch, std::move(deliver));
  }
  void Stop() override { fake_.Stop(); }
  platform::FileSourceInfo Info() const override { return fake_.Info(); }

 private:
  FakeFileSource& fake_;
};

}  // namespace cordon::testing
