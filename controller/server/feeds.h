#pragma once

// Who waits for news: watchers of an order, followers of events, questions to hosts. A listener is called
// without a lock held, from whichever thread has the news, and must not block; it is held weakly, so that a
// stream that has ended is simply gone.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/order.pb.h"

namespace cordon::controller {

class OutcomeListener {
 public:
  virtual ~OutcomeListener() = default;
  virtual void OnOutcome(const v1::OrderOutcome& outcome) = 0;
};

// Outcomes of orders as they become known. Thread-safe.
class OutcomeFeed {
 public:
  void Subscribe(const std::string& order_id, const std::shared_ptr<OutcomeListener>& listener);
  void Publish(const v1::OrderOutcome& outcome);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::vector<std::weak_ptr<OutcomeListener>>> by_order_;
};

class CommitListener {
 public:
  virtual ~CommitListener() = default;
  virtual void OnCommit() = 0;
};

// Says that events were committed; what and how many, the store tells. Thread-safe.
class CommitFeed {
 public:
  void Subscribe(const std::shared_ptr<CommitListener>& listener);
  void Publish();

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<CommitListener>> listeners_;
};

template <typename Answer>
class AnswerListener {
 public:
  virtual ~AnswerListener() = default;
  virtual void OnAnswer(const std::string& host_id, const Answer& answer) = 0;
};

// Questions to hosts under way, by the id that stands in question and answer. Thread-safe.
template <typename Answer>
class AnswerFeed {
 public:
  // The id of a new question, never 0; answers reach the listener for as long as it lives.
  uint64_t Start(const std::shared_ptr<AnswerListener<Answer>>& listener) {
    const std::lock_guard lock(mutex_);
    std::erase_if(by_id_, [](const auto& entry) { return entry.second.expired(); });
    by_id_[++last_id_] = listener;
    return last_id_;
  }

  void Publish(const std::string& host_id, uint64_t id, const Answer& answer) {
    std::shared_ptr<AnswerListener<Answer>> listener;
    {
      const std::lock_guard lock(mutex_);
      const auto found = by_id_.find(id);
      if (found == by_id_.end()) return;
      listener = found->second.lock();
    }
    if (listener) listener->OnAnswer(host_id, answer);
  }

 private:
  std::mutex mutex_;
  uint64_t last_id_ = 0;
  std::unordered_map<uint64_t, std::weak_ptr<AnswerListener<Answer>>> by_id_;
};

}  // namespace cordon::controller
