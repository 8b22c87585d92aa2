#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "controller/server/answer_stream.h"
#include "controller/server/feeds.h"
#include "controller/server/server_parts.h"
#include "cordon/v1/operator.pb.h"

namespace cordon::controller {

// Outcomes of one order: as they are, then each change, until every host is done. A slow reader gets the
// newest state of a host rather than each state it went through, so what waits for it is bounded by the
// number of hosts.
class WatchOrderStream final : public AnswerStream<v1::WatchOrderResponse>,
                               public OutcomeListener,
                               public std::enable_shared_from_this<WatchOrderStream> {
 public:
  WatchOrderStream(grpc::CallbackServerContext& context, ServerParts& parts, std::string order_id);

  // Call once, after the stream was added to LiveStreams.
  void Start();

  void OnOutcome(const v1::OrderOutcome& outcome) override;

 private:
  static constexpr size_t kAtATime = 256;

  void Load();  // in a worker
  void OnDrained() override { SendSome(); }
  void SendSome();
  void Merge(const v1::OrderOutcome& outcome);  // under mutex_

  ServerParts& parts_;
  const std::string order_id_;

  std::mutex mutex_;
  std::string lane_;  // of the order, when it is loaded
  bool loaded_ = false;
  bool sending_ = false;  // messages are queued; OnDrained comes when they are gone
  std::map<std::string, v1::OrderOutcome> by_host_;
  std::set<std::string> unsent_;
  uint32_t finished_ = 0;
};

}  // namespace cordon::controller
