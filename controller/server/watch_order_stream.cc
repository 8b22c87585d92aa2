#include "controller/server/watch_order_stream.h"

#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/rpc/status.h"
#include "controller/store/outcome.h"

namespace cordon::controller {

WatchOrderStream::WatchOrderStream(grpc::CallbackServerContext& context, ServerParts& parts,
                                   std::string order_id)
    : AnswerStream(context, parts.streams), parts_(parts), order_id_(std::move(order_id)) {}

void WatchOrderStream::Start() {
  parts_.outcomes.Subscribe(order_id_, shared_from_this());  // first: what changes while we load is merged
  parts_.operators.Post([self = shared_from_this()] { self->Load(); });
}

void WatchOrderStream::Load() {
  // An open proposal has no outcomes, which would look like an order that is done.
  const absl::StatusOr<OrderRecord> order = parts_.store.GetOrder(order_id_);
  if (order.ok() && order->proposal == v1::PROPOSAL_STATE_OPEN) {
    EndNow(ToGrpcStatus(absl::FailedPreconditionError(
        StrCat("order ", order_id_, " is a proposal that lacks signatures: there is nothing to watch yet"))));
    return;
  }
  const absl::StatusOr<std::vector<v1::OrderOutcome>> outcomes = parts_.store.OutcomesOf(order_id_);
  if (!outcomes.ok()) {
    EndNow(ToGrpcStatus(outcomes.status()));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (order.ok()) lane_ = order->lane;
    for (const v1::OrderOutcome& outcome : *outcomes) Merge(outcome);
    loaded_ = true;
  }
  SendSome();
}

void WatchOrderStream::OnOutcome(const v1::OrderOutcome& outcome) {
  {
    const std::lock_guard lock(mutex_);
    Merge(outcome);
    if (!loaded_ || sending_) return;
  }
  SendSome();
}

void WatchOrderStream::Merge(const v1::OrderOutcome& outcome) {
  const auto [entry, is_new] = by_host_.try_emplace(outcome.host_id(), outcome);
  v1::OrderOutcome& known = entry->second;
  const bool was_final = !is_new && IsFinal(known.state());
  if (!is_new) {
    if (!MayBecome(lane_, known.state(), outcome.state())) return;
    known = outcome;
  }
  // What the controller took for final may not be: an order that expired, and that the host runs after all.
  const bool is_final = IsFinal(known.state());
  if (is_final && !was_final) ++finished_;
  if (!is_final && was_final) --finished_;
  unsent_.insert(outcome.host_id());
}

// Sends under the lock: two threads that send one host's states must not pass each other.
void WatchOrderStream::SendSome() {
  const std::lock_guard lock(mutex_);
  size_t sent = 0;
  for (; !unsent_.empty() && sent < kAtATime; ++sent) {
    v1::WatchOrderResponse response;
    *response.mutable_outcome() = by_host_[*unsent_.begin()];
    response.set_hosts(static_cast<uint32_t>(by_host_.size()));
    response.set_finished(finished_);
    unsent_.erase(unsent_.begin());
    Send(response);
  }
  sending_ = sent > 0;
  if (unsent_.empty() && finished_ == by_host_.size()) End(grpc::Status::OK);
}

}  // namespace cordon::controller
