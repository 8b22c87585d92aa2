#include "agent/link/local_server.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <fstream>
#include <string>

#include "tests/support/raw_call.h"
#include "tests/support/temp_folder.h"

namespace cordon::agent {
namespace {

using testing::TempFolder;

v1::GetStatusResponse SomeStatus() {
  v1::GetStatusResponse status;
  status.set_host_name("front-desk");
  return status;
}

TEST(LocalServer, AnswersItsOwnerAndNobodyElse) {
  const TempFolder folder;
  const auto socket = folder / "agent.sock";
  const auto server = LocalServer::Start(socket, {.status = SomeStatus});
  ASSERT_TRUE(server.ok()) << server.status();
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(socket).permissions(), perms::owner_read | perms::owner_write);
  const auto status = AskLocalAgent(socket);
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->host_name(), "front-desk");
}

std::string AskHealth(const std::filesystem::path& socket, const std::string& part) {
  const std::string request =
      part.empty() ? "" : "\x0a" + std::string(1, static_cast<char>(part.size())) + part;
  return testing::CallByBytes(
      grpc::CreateChannel("unix:" + socket.string(), grpc::InsecureChannelCredentials()),
      "/grpc.health.v1.Health/Check", request, {}, std::chrono::seconds(10));
}

TEST(LocalServer, TellsTheHealthOfEachPartByTheStandardService) {
  const TempFolder folder;
  const auto socket = folder / "agent.sock";
  const auto server = LocalServer::Start(socket, {.status = SomeStatus});
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(AskHealth(socket, ""), "\x08\x02") << "nothing is proven yet";
  (*server)->SetServing("cordon.link", true);
  EXPECT_EQ(AskHealth(socket, ""), "\x08\x01");
  (*server)->SetServing("cordon.process", false);
  EXPECT_EQ(AskHealth(socket, "cordon.link"), "\x08\x01") << "SERVING";
  EXPECT_EQ(AskHealth(socket, "cordon.process"), "\x08\x02") << "NOT_SERVING";
  EXPECT_EQ(AskHealth(socket, "cordon.unknown"), "error 5");
  EXPECT_EQ(AskHealth(socket, ""), "\x08\x02") << "one part does not serve";
  (*server)->SetServing("cordon.link", false);
  EXPECT_EQ(AskHealth(socket, "cordon.link"), "\x08\x02");
}

TEST(LocalServer, LeavesNoSocketBehind) {
  const TempFolder folder;
  {
    const auto server = LocalServer::Start(folder / "agent.sock", {.status = SomeStatus});
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.Path()));
  EXPECT_TRUE(absl::IsUnavailable(AskLocalAgent(folder / "agent.sock").status()));
}

TEST(LocalServer, ReplacesAStaleSocketButNotALiveOneNorAFile) {
  const TempFolder folder;
  const auto socket = folder / "agent.sock";
  {  // a crashed agent's: bound, and nobody listens any more
    boost::asio::io_context loop;
    boost::asio::local::stream_protocol::acceptor crashed(loop, socket.string());
  }
  ASSERT_TRUE(std::filesystem::exists(socket));
  const auto first = LocalServer::Start(socket, {.status = SomeStatus});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(absl::IsAlreadyExists(LocalServer::Start(socket, {.status = SomeStatus}).status()));
  EXPECT_TRUE(AskLocalAgent(socket).ok());

  std::ofstream(folder / "precious") << "text";
  EXPECT_TRUE(
      absl::IsAlreadyExists(LocalServer::Start(folder / "precious", {.status = SomeStatus}).status()));
}

TEST(LocalServer, CarriesAChallengeAndItsAnswer) {
  const TempFolder folder;
  const auto socket = folder / "agent.sock";
  LocalCalls calls{.status = SomeStatus};
  calls.begin_unlock = [](const v1::BeginUnlockRequest& request, auto done) {
    v1::BeginUnlockResponse response;
    response.set_challenge(request.level() == v1::LEVEL_OBSERVE ? "J4KM-W2T9-X0VC" : "");
    done(response);
  };
  calls.answer_unlock = [](const v1::AnswerUnlockRequest& request, auto done) {
    if (request.code() != "right") return done(absl::PermissionDeniedError("wrong code (1 in a row)"));
    v1::AnswerUnlockResponse response;
    response.set_operator_name("alex");
    done(response);
  };
  const auto server = LocalServer::Start(socket, calls);
  ASSERT_TRUE(server.ok()) << server.status();
  v1::BeginUnlockRequest begin;
  begin.set_level(v1::LEVEL_OBSERVE);
  const auto begun = BeginUnlock(socket, begin);
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->challenge(), "J4KM-W2T9-X0VC");
  v1::AnswerUnlockRequest answer;
  answer.set_code("guess");
  EXPECT_EQ(AnswerUnlock(socket, answer).status(), absl::PermissionDeniedError("wrong code (1 in a row)"));
  answer.set_code("right");
  const auto answered = AnswerUnlock(socket, answer);
  ASSERT_TRUE(answered.ok()) << answered.status();
  EXPECT_EQ(answered->operator_name(), "alex");
}

}  // namespace
}  // namespace cordon::agent
