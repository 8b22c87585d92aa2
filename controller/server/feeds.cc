#include "controller/server/feeds.h"

#include <iterator>

namespace cordon::controller {
namespace {

// The listeners that still live; forgets the others.
template <typename T>
std::vector<std::shared_ptr<T>> Living(std::vector<std::weak_ptr<T>>& listeners) {
  std::vector<std::shared_ptr<T>> living;
  std::erase_if(listeners, [&](const std::weak_ptr<T>& listener) {
    std::shared_ptr<T> alive = listener.lock();
    if (!alive) return true;
    living.push_back(std::move(alive));
    return false;
  });
  return living;
}

}  // namespace

void OutcomeFeed::Subscribe(const std::string& order_id, const std::shared_ptr<OutcomeListener>& listener) {
  const std::lock_guard lock(mutex_);
  // Orders that nobody watches any more leave here, so that the map cannot grow with the number of orders.
  for (auto entry = by_order_.begin(); entry != by_order_.end();) {
    entry = Living(entry->second).empty() ? by_order_.erase(entry) : std::next(entry);
  }
  by_order_[order_id].push_back(listener);
}

void OutcomeFeed::Publish(const v1::OrderOutcome& outcome) {
  std::vector<std::shared_ptr<OutcomeListener>> living;
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_order_.find(outcome.order_id());
    if (found == by_order_.end()) return;
    living = Living(found->second);
    if (living.empty()) by_order_.erase(found);
  }
  for (const auto& listener : living) listener->OnOutcome(outcome);
}

void CommitFeed::Subscribe(const std::shared_ptr<CommitListener>& listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(listener);
}

void CommitFeed::Publish() {
  std::vector<std::shared_ptr<CommitListener>> living;
  {
    const std::lock_guard lock(mutex_);
    living = Living(listeners_);
  }
  for (const auto& listener : living) listener->OnCommit();
}

}  // namespace cordon::controller
