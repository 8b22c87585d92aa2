#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "platform/api/dns_observer.h"
#include "platform/api/flow_source.h"

namespace cordon::testing {

// Flows that a test makes, in memory. Delivers on the thread that calls Happen.
class FakeFlowSource final : public platform::FlowSource {
 public:
  // Verbs of a test.
  void Happen(std::vector<platform::RawFlow> flows) {
    if (deliver_) deliver_(flows);
  }
  void Happen(platform::RawFlow flow) { Happen(std::vector<platform::RawFlow>{std::move(flow)}); }
  void FailStart(absl::Status status) { start_error_ = std::move(status); }
  void Lose(uint64_t count) { lost_ += count; }

  absl::Status Start(std::function<void(std::span<platform::RawFlow>)> deliver) override {
    if (start_error_.ok()) deliver_ = std::move(deliver);
    return start_error_;
  }
  void Stop() override { deliver_ = nullptr; }
  void Flush() override {}
  uint64_t Lost() const override { return lost_; }
  platform::FlowSourceInfo Info() const override {
    return {.name = "fake", .limitations = {"It is a fake."}};
  }

 private:
  absl::Status start_error_;
  std::function<void(std::span<platform::RawFlow>)> deliver_;
  uint64_t lost_ = 0;
};

// DNS answers that a test sends.
class FakeDnsObserver final : public platform::DnsObserver {
 public:
  void Hear(std::string_view message) {
    if (deliver_) deliver_(message);
  }
  void FailStart(absl::Status status) { start_error_ = std::move(status); }

  absl::Status Start(std::function<void(std::string_view)> deliver) override {
    if (start_error_.ok()) deliver_ = std::move(deliver);
    return start_error_;
  }
  void Stop() override { deliver_ = nullptr; }

 private:
  absl::Status start_error_;
  std::function<void(std::string_view)> deliver_;
};

}  // namespace cordon::testing
