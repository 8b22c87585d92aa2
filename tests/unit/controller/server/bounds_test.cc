#include "controller/server/bounds.h"

#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "controller/server/reports.h"

namespace cordon::controller {
namespace {

using ::testing::HasSubstr;

constexpr const char* kOrderId = "11111111-2222-4333-8444-555555555555";

v1::HostFacts GoodFacts() {
  v1::HostFacts facts;
  facts.set_host_name("reception-1");
  facts.set_os("Debian GNU/Linux 12 (bookworm)");
  return facts;
}

v1::EnrollRequest GoodEnroll() {
  v1::EnrollRequest request;
  request.set_enrollment_id(kOrderId);
  request.set_token(std::string(32, 't'));
  request.set_csr_der("csr");
  *request.mutable_facts() = GoodFacts();
  return request;
}

std::string Refusal(const absl::Status& status) {
  return std::string(Message(status));
}

TEST(Bounds, AnEnrolmentWithinThemPasses) {
  EXPECT_TRUE(CheckEnroll(GoodEnroll()).ok());
}

TEST(Bounds, NameTheFieldOfAnEnrolmentThatIsWrong) {
  const auto refusal_after = [](const std::function<void(v1::EnrollRequest&)>& spoil) {
    v1::EnrollRequest request = GoodEnroll();
    spoil(request);
    return Refusal(CheckEnroll(request));
  };
  EXPECT_THAT(refusal_after([](auto& r) { r.set_enrollment_id("x"); }), HasSubstr("enrollment_id"));
  EXPECT_THAT(refusal_after([](auto& r) { r.set_token("short"); }), HasSubstr("token"));
  EXPECT_THAT(refusal_after([](auto& r) { r.set_csr_der(std::string(16 * 1024 + 1, 'x')); }),
              HasSubstr("csr_der"));
  EXPECT_THAT(refusal_after([](auto& r) { r.mutable_facts()->clear_host_name(); }),
              HasSubstr("facts.host_name"));
  EXPECT_THAT(refusal_after([](auto& r) { r.mutable_facts()->set_host_name(std::string(254, 'h')); }),
              HasSubstr("facts.host_name"));
  EXPECT_THAT(refusal_after([](auto& r) { r.mutable_facts()->set_os("a\nb"); }), HasSubstr("facts.os"));
  EXPECT_THAT(refusal_after([](auto& r) { r.mutable_facts()->set_unlock_public_key(std::string(31, 'k')); }),
              HasSubstr("facts.unlock_public_key"));
  EXPECT_EQ(refusal_after([](auto& r) { r.mutable_facts()->set_unlock_public_key(std::string(32, 'k')); }),
            "");
  // A newer agent may say more than this controller knows, within the bound of the whole (AUT-6).
  const auto say_more = [](v1::EnrollRequest& request, size_t bytes) {
    v1::HostFacts& facts = *request.mutable_facts();
    facts.GetReflection()->MutableUnknownFields(&facts)->AddLengthDelimited(1'000)->assign(bytes, 'x');
  };
  EXPECT_EQ(refusal_after([&](auto& r) { say_more(r, 1'024); }), "");
  EXPECT_THAT(refusal_after([&](auto& r) { say_more(r, 1024 * 1024); }), HasSubstr("facts has "));
  EXPECT_THAT(refusal_after([](auto& r) {
                for (int i = 0; i < 65; ++i) r.mutable_facts()->add_addresses("10.0.0.1");
              }),
              HasSubstr("facts.addresses"));
}

TEST(Bounds, OfAnEnrolmentFileAreThoseOfTheContract) {
  v1::CreateEnrollmentRequest request;
  request.set_site("leeds");
  request.set_uses(40);
  request.set_length_nanos(7 * 24 * 3600 * kNanosPerSecond);
  EXPECT_TRUE(CheckCreateEnrollment(request).ok());
  request.set_uses(0);
  EXPECT_THAT(Refusal(CheckCreateEnrollment(request)), HasSubstr("uses is 0"));
  request.set_uses(1);
  request.set_length_nanos(kNanosPerSecond);
  EXPECT_THAT(Refusal(CheckCreateEnrollment(request)), HasSubstr("length_nanos"));
  request.set_site("Leeds!");
  EXPECT_THAT(Refusal(CheckCreateEnrollment(request)), HasSubstr("site"));
}

TEST(Bounds, APollWaitsAMinuteAtMost) {
  v1::PollHealthRequest request;
  EXPECT_TRUE(CheckPollHealth(request).ok());
  request.set_timeout_nanos(61 * kNanosPerSecond);
  EXPECT_THAT(Refusal(CheckPollHealth(request)), HasSubstr("timeout_nanos"));
}

TEST(Bounds, AUT6_TheNewestEventsAreNotAsManyAsOneLikes) {
  v1::QueryEventsRequest request;
  request.set_limit(100'000);
  EXPECT_TRUE(CheckQueryEvents(request).ok());
  request.set_limit(100'001);
  EXPECT_THAT(Refusal(CheckQueryEvents(request)), HasSubstr("limit is 100001, not 0 to 100000"));
}

grpc::ByteBuffer BytesOf(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

TEST(Bounds, AUT6_OfARequestsBytesAndPartsAreJudgedBeforeItIsParsed) {
  const google::protobuf::Descriptor& type = *v1::PollHealthRequest::descriptor();
  v1::PollHealthRequest request;
  // The longest that is good: as many hosts as one may name, each by id and name.
  for (int i = 0; i < kMaxTargetHosts; ++i) {
    request.mutable_target()->add_hosts()->set_host_id(kOrderId);
    request.mutable_target()->mutable_hosts(i)->set_name("a");
  }
  EXPECT_TRUE(CheckPollHealth(request).ok());
  EXPECT_EQ(Refusal(CheckRequestBytes(type, BytesOf(request), kTargetRequest)), "");
  request.mutable_target()->clear_hosts();
  for (int i = 0; i < 4 * kMaxTargetHosts; ++i) request.mutable_target()->add_hosts();
  EXPECT_THAT(Refusal(CheckRequestBytes(type, BytesOf(request), kTargetRequest)), HasSubstr("parts"));
  EXPECT_THAT(Refusal(CheckRequestBytes(type, BytesOf(request), kSmallRequest)),
              HasSubstr("the request has "));
  // An order of 4 MiB is one part of it.
  v1::SubmitOrderRequest submit;
  submit.mutable_order()->set_order(std::string(4 * 1024 * 1024, 'x'));
  submit.mutable_order()->add_signatures()->set_ed25519(std::string(64, 's'));
  EXPECT_EQ(Refusal(CheckRequestBytes(*submit.GetDescriptor(), BytesOf(submit), kOrderRequest)), "");
  for (int i = 0; i < 5'000; ++i) submit.mutable_order()->add_signatures();
  EXPECT_THAT(Refusal(CheckRequestBytes(*submit.GetDescriptor(), BytesOf(submit), kOrderRequest)),
              HasSubstr("parts"));
}

TEST(Bounds, ASelectionMayNameHostsByIdOrName) {
  v1::Target target;
  target.add_hosts()->set_name("reception-1");
  target.add_hosts()->set_host_id(kOrderId);
  EXPECT_TRUE(CheckSelection(target).ok());
  target.add_hosts();
  EXPECT_THAT(Refusal(CheckSelection(target)), HasSubstr("neither id nor name"));
}

TEST(Reports, AUT2_AReportIsOfTheCertificatesHostWhateverItSays) {
  v1::OrderOutcome outcome;
  outcome.set_order_id(kOrderId);
  outcome.set_host_id("another host");
  outcome.set_state(v1::OrderOutcome::STATE_DONE);
  const absl::StatusOr<ReportToRecord> report = OutcomeReport("this host", outcome, 1);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->outcome.host_id(), "this host");
}

TEST(Reports, ProgressIsAnOrderThatRuns) {
  v1::ScanProgress progress;
  progress.set_order_id(kOrderId);
  progress.set_files_done(3);
  const absl::StatusOr<ReportToRecord> report = ProgressReport("host", progress, 42);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->outcome.state(), v1::OrderOutcome::STATE_RUNNING);
  EXPECT_EQ(report->outcome.progress().files_done(), 3U);
  EXPECT_EQ(report->outcome.time_unix_nanos(), 42);
}

TEST(Bounds, OfARehearsal) {
  v1::RehearseRequest request;
  request.mutable_target()->set_all(true);
  request.mutable_action()->set_level(v1::LEVEL_ESSENTIAL);
  request.mutable_action()->set_fallback(v1::FALLBACK_HOLD);
  EXPECT_TRUE(CheckRehearse(request).ok()) << CheckRehearse(request);
  v1::RehearseRequest spoiled = request;
  spoiled.clear_target();
  EXPECT_THAT(Refusal(CheckRehearse(spoiled)), HasSubstr("target"));
  spoiled = request;
  spoiled.mutable_action()->set_level(v1::LEVEL_OBSERVE);
  EXPECT_THAT(Refusal(CheckRehearse(spoiled)), HasSubstr("level"));
  spoiled = request;
  spoiled.set_timeout_nanos(61 * kNanosPerSecond);
  EXPECT_THAT(Refusal(CheckRehearse(spoiled)), HasSubstr("timeout_nanos"));

  v1::RehearsalAnswer answer;
  for (int i = 0; i < 5'000; ++i) answer.mutable_rehearsal()->add_flows()->set_port(1);
  EXPECT_TRUE(CheckRehearsalAnswer(answer).ok());
  answer.mutable_rehearsal()->add_flows();
  EXPECT_THAT(Refusal(CheckRehearsalAnswer(answer)), HasSubstr("rehearsal.flows"));
  answer.Clear();
  answer.set_error(std::string(4 * 1024 * 1024, 'x'));
  EXPECT_THAT(Refusal(CheckRehearsalAnswer(answer)), HasSubstr("a rehearsal"));
}

}  // namespace
}  // namespace cordon::controller
