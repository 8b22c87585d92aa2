#include "controller/server/control_message.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <gtest/gtest.h>

#include <vector>

namespace cordon::controller {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::SizeIs;

v1::SignedOrder LargeOrder() {
  v1::SignedOrder order;
  order.set_order(std::string(1024 * 1024, 'r'));
  order.add_signatures()->set_ed25519(std::string(64, 's'));
  return order;
}

v1::ControlResponse Read(grpc::ByteBuffer buffer) {
  v1::ControlResponse message;
  EXPECT_TRUE(grpc::SerializationTraits<v1::ControlResponse>::Deserialize(&buffer, &message).ok());
  return message;
}

std::vector<grpc::Slice> SlicesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  return slices;
}

TEST(ControlMessage, AUT6_AnOrderIsInMemoryOnceForAllThatGetIt) {
  OrderMessages orders;
  const v1::SignedOrder order = LargeOrder();
  v1::AuditProof proof;
  proof.set_from_size(7);
  const grpc::ByteBuffer first = ControlMessage::Buffer(orders.Of("scan", order), &proof);
  const grpc::ByteBuffer second = ControlMessage::Buffer(orders.Of("scan", order));
  ASSERT_THAT(SlicesOf(first), SizeIs(2));
  ASSERT_THAT(SlicesOf(second), SizeIs(1));
  EXPECT_EQ(SlicesOf(first)[0].begin(), SlicesOf(second)[0].begin());
  EXPECT_NE(SlicesOf(ControlMessage::Buffer(orders.Of("another", order)))[0].begin(),
            SlicesOf(first)[0].begin());
}

TEST(ControlMessage, ReadsAsTheOrderWithTheProofBesideIt) {
  v1::ControlResponse whole;
  *whole.mutable_order() = LargeOrder();
  const auto message = MakeControlMessage(whole);
  EXPECT_TRUE(message->IsOrder());
  EXPECT_TRUE(MessageDifferencer::Equals(Read(ControlMessage::Buffer(message)), whole));
  whole.mutable_audit()->set_from_size(7);
  whole.mutable_audit()->add_consistency("a hash");
  EXPECT_TRUE(MessageDifferencer::Equals(Read(ControlMessage::Buffer(message, &whole.audit())), whole));
}

TEST(ControlMessage, LivesAsLongAsSomebodyWritesIt) {
  OrderMessages orders;
  const v1::SignedOrder order = LargeOrder();
  grpc::ByteBuffer written;
  std::weak_ptr<const ControlMessage> held;
  {
    const auto message = orders.Of("scan", order);
    held = message;
    written = ControlMessage::Buffer(message);
  }
  EXPECT_FALSE(held.expired());
  EXPECT_EQ(Read(written).order().order(), order.order());
  written.Clear();
  EXPECT_TRUE(held.expired());
}

}  // namespace
}  // namespace cordon::controller
