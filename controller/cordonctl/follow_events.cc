#include "controller/cordonctl/follow_events.h"

#include <chrono>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/wire/batch_codec.h"

namespace cordon::ctl {
namespace {

constexpr auto kPauseBeforeRetry = std::chrono::milliseconds(500);
constexpr auto kSayAgainEvery = std::chrono::minutes(1);

// Tells a person of a controller that is away, and of its return.
class Outage {
 public:
  explicit Outage(const Tool& tool) : tool_(tool) {}

  void Goes(const absl::Status& why) {
    const auto now = std::chrono::steady_clock::now();
    if (away_ && now - said_ < kSayAgainEvery) return;
    away_ = true;
    said_ = now;
    tool_.Say(StrCat("the controller is away, trying again: ", Message(why)));
  }

  void Ends() {
    if (away_) tool_.Say("the controller is back: going on after the last event");
    away_ = false;
  }

 private:
  const Tool& tool_;
  bool away_ = false;
  std::chrono::steady_clock::time_point said_;
};

bool IsTransient(const absl::Status& read, const Followed& followed) {
  if (!followed.CanGoOn()) return false;
  // A server that ends cancels what is under way.
  if (read.ok() || absl::IsUnavailable(read) || absl::IsCancelled(read)) return true;
  // Too many streams at once, or we were too slow. In the history it is an answer: too many events.
  return absl::IsResourceExhausted(read) && followed.PastHistory();
}

}  // namespace

void Followed::GoOn(v1::QueryEventsRequest* request) const {
  request->set_places(true);
  if (PastHistory()) {
    *request->mutable_after() = last_;
  } else if (history_) {
    request->set_history_position(*history_);
  }
}

bool Followed::IsNew(const v1::QueryEventsResponse& message) {
  if (!message.has_event()) {
    if (!history_ && message.has_place()) history_ = message.place().batch();
    return false;
  }
  if (!history_) return true;  // an older controller
  if (message.place().batch() <= *history_) return IsNewInHistory(message.place());
  told_.clear();
  last_ = message.place();
  return true;
}

bool Followed::IsNewInHistory(const v1::EventPlace& place) {
  if (place.index() >= kMaxBatchEvents) return true;  // no such batch: not worth memory
  std::vector<bool>& told = told_[place.batch()];
  if (told.size() <= place.index()) told.resize(place.index() + 1);
  if (told[place.index()]) return false;
  told[place.index()] = true;
  return true;
}

absl::Status FollowEvents(const Tool& tool, const Client& client, const v1::QueryEventsRequest& request,
                          Interrupt& interrupt,
                          const std::function<void(const v1::QueryEventsResponse&)>& show) {
  Followed followed;
  Outage outage(tool);
  while (true) {
    v1::QueryEventsRequest next = request;
    followed.GoOn(&next);
    const absl::Status read = client.Read<v1::QueryEventsRequest, v1::QueryEventsResponse>(
        &Client::Stub::QueryEvents, next, std::chrono::nanoseconds(0),
        [&](const v1::QueryEventsResponse& message) {
          outage.Ends();
          if (followed.IsNew(message)) show(message);
          return true;
        },
        &interrupt);
    if (interrupt.Asked()) return absl::OkStatus();
    if (!IsTransient(read, followed)) return read;
    outage.Goes(read.ok() ? absl::UnavailableError("it ended the stream") : read);
    if (interrupt.WaitFor(kPauseBeforeRetry)) return absl::OkStatus();
  }
}

}  // namespace cordon::ctl
