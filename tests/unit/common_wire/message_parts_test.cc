#include "common/wire/message_parts.h"

#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <string>

#include "cordon/v1/event.pb.h"

namespace cordon {
namespace {

bool Passes(const v1::Event& event, size_t most) {
  return CheckParts(*v1::Event::descriptor(), event.SerializeAsString(), most).ok();
}

// With as many empty probes.
v1::Event WithProbes(int probes) {
  v1::Event event;
  v1::Receipt& receipt = *event.mutable_isolation_changed()->mutable_receipt();
  for (int i = 0; i < probes; ++i) receipt.add_probes();
  return event;
}

TEST(MessageParts, AUT6_CountsEmptyMessagesAtAnyDepth) {
  EXPECT_TRUE(Passes(WithProbes(98), 100)) << "the change, its receipt and 98";
  EXPECT_FALSE(Passes(WithProbes(99), 100));
  EXPECT_FALSE(Passes(WithProbes(100'000), 100));
}

TEST(MessageParts, AUT6_CountsEmptyStrings) {
  v1::Event event;
  for (int i = 0; i < 99; ++i) event.mutable_process_started()->add_argv();
  event.mutable_process_started()->set_start_boottime_nanos(1'700'000'000'000'000'000);
  EXPECT_TRUE(Passes(event, 100));
  event.mutable_process_started()->add_argv();
  EXPECT_FALSE(Passes(event, 100));
}

TEST(MessageParts, AUT6_CountsWhatThisVersionDoesNotKnow) {
  v1::Event event;
  google::protobuf::UnknownFieldSet& unknown = *event.GetReflection()->MutableUnknownFields(&event);
  for (int i = 0; i < 100; ++i) unknown.AddVarint(1'000, 1);
  EXPECT_TRUE(Passes(event, 100));
  unknown.AddVarint(1'000, 1);
  EXPECT_FALSE(Passes(event, 100));
  v1::Event group;
  group.GetReflection()->MutableUnknownFields(&group)->AddGroup(1'000)->AddLengthDelimited(
      1, std::string(400, 'x'));
  EXPECT_FALSE(Passes(group, 100)) << "no version has groups";
}

TEST(MessageParts, TextThatReadsAsMessagesIsOnePart) {
  v1::Event event = WithProbes(0);
  std::string& text = *event.mutable_isolation_changed()->mutable_receipt()->add_reasons();
  for (int i = 0; i < 10'000; ++i) text += std::string("z\0", 2);  // an empty probe
  EXPECT_TRUE(Passes(event, 3));
}

TEST(MessageParts, WhatIsDamagedDoesNotPass) {
  v1::Event event = WithProbes(100);
  event.mutable_isolation_changed()->mutable_receipt()->add_reasons(std::string(1'000, 'x'));
  const std::string whole = event.SerializeAsString();
  EXPECT_TRUE(CheckParts(*v1::Event::descriptor(), whole, 200).ok());
  for (const std::string& damaged : {whole.substr(0, whole.size() - 1), whole + "\xff", whole + '\0'}) {
    EXPECT_FALSE(CheckParts(*v1::Event::descriptor(), damaged, 200).ok());
  }
}

}  // namespace
}  // namespace cordon
