#include "agent/app/link_channel_probe.h"

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "common/base/status.h"

namespace cordon::agent {
namespace {

constexpr std::chrono::seconds kOldConnection(4);
constexpr std::chrono::seconds kNewConnection(10);

}  // namespace

void LinkChannelProbe::Prove(std::function<void(absl::Status)> done) {
  if (link_ == nullptr) {
    boost::asio::post(
        loop_, [done = std::move(done)] { done(absl::UnavailableError("the link does not run yet")); });
    return;
  }
  link_->Probe(kOldConnection, [this, done = std::move(done)](bool answered) mutable {
    if (answered) {
      done(absl::OkStatus());
      return;
    }
    link_->Redial("no sign of life from the controller");
    link_->Probe(kNewConnection, [this, done = std::move(done)](bool answered_now) {
      done(answered_now ? absl::OkStatus()
                        : absl::UnavailableError(StrCat("no answer from ", link_->Status().controller, ": ",
                                                        link_->Status().last_error)));
    });
  });
}

}  // namespace cordon::agent
