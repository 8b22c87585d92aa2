#include "agent/app/link_channel_probe.h"

#include <chrono>
#include <utility>

#include "common/base/status.h"

namespace cordon::agent {
namespace {

constexpr std::chrono::seconds kOldConnection(4);
constexpr std::chrono::seconds kNewConnection(10);

}  // namespace

void LinkChannelProbe::Use(Link* link) {
  link_ = link;
  for (auto& done : std::exchange(waiting_, {})) Prove(std::move(done));
}

void LinkChannelProbe::Prove(std::function<void(absl::Status)> done) {
  if (stopped_) return;
  if (link_ == nullptr) {
    waiting_.push_back(std::move(done));
    return;
  }
  link_->Probe(kOldConnection, [this, done = std::move(done)](bool answered) mutable {
    if (stopped_) return;
    if (answered) {
      done(absl::OkStatus());
      return;
    }
    link_->Redial("no sign of life from the controller");
    link_->Probe(kNewConnection, [this, done = std::move(done)](bool answered_now) {
      if (stopped_) return;
      done(answered_now ? absl::OkStatus()
                        : absl::UnavailableError(StrCat("no answer from ", link_->Status().controller, ": ",
                                                        link_->Status().last_error)));
    });
  });
}

}  // namespace cordon::agent
