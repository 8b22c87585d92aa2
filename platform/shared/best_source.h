#pragma once

#include <absl/status/status.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "common/base/status.h"

namespace cordon::platform {

// The first of two sources that can be started here. `Source` is the contract, `Raw` what it delivers,
// `InfoType` what it says of itself.
template <typename Source, typename Raw, typename InfoType>
class BestSource : public Source {
 public:
  using Deliver = std::function<void(std::span<Raw>)>;

  BestSource(std::unique_ptr<Source> best, std::unique_ptr<Source> plain)
      : best_(std::move(best)), plain_(std::move(plain)) {}

  absl::Status Start(Deliver deliver) override {
    const absl::Status no_best = best_->Start(deliver);
    if (no_best.ok()) {
      chosen_ = best_.get();
      plain_.reset();
      return absl::OkStatus();
    }
    spdlog::warn("{}; trying {}", Message(no_best), plain_->Info().name);
    if (const absl::Status no_plain = plain_->Start(std::move(deliver)); !no_plain.ok()) {
      return absl::Status(no_best.code(), StrCat(Message(no_best), "; and ", Message(no_plain)));
    }
    chosen_ = plain_.get();
    reason_ = Message(no_best);
    best_.reset();  // it may hold what it had loaded
    return absl::OkStatus();
  }

  void Stop() override {
    if (Source* const chosen = chosen_) chosen->Stop();
  }

  void Flush() override {
    if (Source* const chosen = chosen_) chosen->Flush();
  }

  InfoType Info() const override {
    const Source* const chosen = chosen_;
    if (chosen == nullptr) return {.name = "none", .fallback = false, .limitations = {"It is not started."}};
    InfoType info = chosen->Info();
    if (!reason_.empty()) info.limitations.push_back(StrCat("In use because of: ", reason_, "."));
    return info;
  }

 protected:
  const Source* Chosen() const { return chosen_; }

 private:
  std::unique_ptr<Source> best_;
  std::unique_ptr<Source> plain_;
  std::atomic<Source*> chosen_ = nullptr;  // a source delivers, and is asked, before its Start has returned
  std::string reason_;
};

}  // namespace cordon::platform
