#include "agent/link/local_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <fstream>

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
  const auto server = LocalServer::Start(socket, SomeStatus);
  ASSERT_TRUE(server.ok()) << server.status();
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(socket).permissions(), perms::owner_read | perms::owner_write);
  const auto status = AskLocalAgent(socket);
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->host_name(), "front-desk");
}

TEST(LocalServer, LeavesNoSocketBehind) {
  const TempFolder folder;
  {
    const auto server = LocalServer::Start(folder / "agent.sock", SomeStatus);
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
  const auto first = LocalServer::Start(socket, SomeStatus);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(absl::IsAlreadyExists(LocalServer::Start(socket, SomeStatus).status()));
  EXPECT_TRUE(AskLocalAgent(socket).ok());

  std::ofstream(folder / "precious") << "text";
  EXPECT_TRUE(absl::IsAlreadyExists(LocalServer::Start(folder / "precious", SomeStatus).status()));
}

}  // namespace
}  // namespace cordon::agent
