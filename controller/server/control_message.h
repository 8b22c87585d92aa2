#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cordon/v1/gateway.pb.h"

namespace cordon::controller {

// A message down the Control stream as it goes over the wire: encoded once, and in memory once however many
// hosts it is for, since a scan with rules is megabytes (AUT-6). Immutable.
class ControlMessage {
 public:
  explicit ControlMessage(const v1::ControlResponse& message)
      : is_order_(message.has_order()), encoded_(message.SerializeAsString()) {}

  bool IsOrder() const { return is_order_; }

  // What a stream writes: shares the bytes with `message`, which lives as long as gRPC needs them. With
  // `proof`, where there is one, beside an order.
  static grpc::ByteBuffer Buffer(const std::shared_ptr<const ControlMessage>& message,
                                 const v1::AuditProof* proof = nullptr);

 private:
  const bool is_order_;
  const std::string encoded_;
};

std::shared_ptr<const ControlMessage> MakeControlMessage(const v1::ControlResponse& message);

// The orders that streams are still writing, by order id, so that hosts that come back at the same time share
// one copy. Thread-safe.
class OrderMessages {
 public:
  // `order` is the same for every call with this id: stored orders do not change.
  std::shared_ptr<const ControlMessage> Of(const std::string& order_id, const v1::SignedOrder& order);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const ControlMessage>> by_id_;
};

}  // namespace cordon::controller
