#include "controller/server/control_message.h"

#include <grpcpp/support/slice.h>

#include <array>
#include <cstdint>

namespace cordon::controller {
namespace {

using Shared = std::shared_ptr<const ControlMessage>;

// A slice of memory that stays `keeper`'s.
grpc::Slice SliceOf(const std::string& bytes, Shared keeper) {
  const auto release = [](void* held) { delete static_cast<Shared*>(held); };
  // gRPC takes a pointer to mutable bytes for both kinds of slice, and does not write to those that it sends.
  return {const_cast<char*>(bytes.data()), bytes.size(), release, new Shared(std::move(keeper))};
}

}  // namespace

grpc::ByteBuffer ControlMessage::Buffer(const std::shared_ptr<const ControlMessage>& message,
                                        const v1::AuditProof* proof) {
  if (proof == nullptr) {
    const grpc::Slice whole = SliceOf(message->encoded_, message);
    return {&whole, 1};
  }
  // Two encodings one behind the other are the encoding of both merged (protobuf, "last one wins").
  v1::ControlResponse beside;
  *beside.mutable_audit() = *proof;
  const std::array<grpc::Slice, 2> parts = {SliceOf(message->encoded_, message),
                                            grpc::Slice(beside.SerializeAsString())};
  return {parts.data(), parts.size()};
}

std::shared_ptr<const ControlMessage> MakeControlMessage(const v1::ControlResponse& message) {
  return std::make_shared<const ControlMessage>(message);
}

std::shared_ptr<const ControlMessage> OrderMessages::Of(const std::string& order_id,
                                                        const v1::SignedOrder& order) {
  const std::lock_guard lock(mutex_);
  if (const auto known = by_id_.find(order_id); known != by_id_.end()) {
    if (auto message = known->second.lock()) return message;
  }
  std::erase_if(by_id_, [](const auto& entry) { return entry.second.expired(); });
  v1::ControlResponse response;
  *response.mutable_order() = order;
  auto message = MakeControlMessage(response);
  by_id_[order_id] = message;
  return message;
}

}  // namespace cordon::controller
