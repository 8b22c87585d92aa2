// events --follow, as the program that people run, against a controller that restarts.

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <csignal>
#include <memory>
#include <sstream>

#include "tests/integration/cordonctl/two_people.h"
#include "tests/support/build_paths.h"
#include "tests/support/subprocess.h"
#include "tests/support/test_batches.h"

namespace cordon::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StartedEvent;
using testing::Subprocess;

class FollowTest : public TwoPeople {
 protected:
  std::unique_ptr<Subprocess> Follow() {
    testing::SubprocessOptions options;
    options.without_our_files = true;  // the controller's port among them
    return std::make_unique<Subprocess>(
        std::vector<std::string>{StrCat(testing::kBinaryDir, "/bin/cordonctl"), "--identity", File("alex"),
                                 "events", "--follow", "--since", "2020-01-01T00:00:00Z", "-o", "json"},
        options);
  }

  v1::Batch Next(const std::vector<uint32_t>& pids) {
    std::vector<v1::Event> events;
    for (const uint32_t pid : pids) events.push_back(StartedEvent(pid));
    return chain_.Next(events);
  }

  // As a host sends it: who follows is woken.
  void Send(const std::vector<uint32_t>& pids) {
    v1::TelemetryRequest request;
    *request.mutable_batch() = Next(pids);
    for (int i = 0; i < 100; ++i) {  // after a restart the connection is made anew
      const auto stream = host_.Telemetry();
      if (stream->Read() && stream->Send(request) && stream->Read()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    FAIL() << "the controller took no batch";
  }

  // Into the store, while nobody serves.
  void Store(const std::vector<uint32_t>& pids) {
    const std::vector<controller::HostBatch> group = {{host_.id, Next(pids)}};
    ASSERT_EQ(testing::Must(box_.Store().CommitBatches(group)).batches.at(0).verdict,
              controller::BatchResult::Verdict::kCommitted);
  }

  static bool Shows(Subprocess& follow, uint32_t pid) {
    return follow.WaitForOutput(StrCat("\"pid\":", pid, ","));
  }

  static std::vector<uint32_t> PidsIn(const std::string& output) {
    std::vector<uint32_t> pids;
    std::istringstream text(output);
    for (std::string line; std::getline(text, line);) {
      pids.push_back(boost::json::parse(line).at("process_started").at("pid").to_number<uint32_t>());
    }
    return pids;
  }

  testing::BatchChain chain_{host_.id};
};

TEST_F(FollowTest, TellsEachEventOnceThroughRestartsAndEndsWithCtrlC) {
  Send({1, 2, 3});
  const auto follow = Follow();
  ASSERT_TRUE(Shows(*follow, 3)) << follow->Errors();
  box_.StopServer();  // nothing but history was told so far
  ASSERT_TRUE(follow->WaitForErrors("the controller is away, trying again"));
  Store({4});
  box_.StartServer();
  ASSERT_TRUE(follow->WaitForErrors("the controller is back")) << follow->Errors();
  ASSERT_TRUE(Shows(*follow, 4));
  Send({5, 6});
  ASSERT_TRUE(Shows(*follow, 6));
  box_.StopServer();  // and now in the midst of what comes
  Store({7, 8});
  box_.StartServer();
  ASSERT_TRUE(Shows(*follow, 8)) << follow->Errors();
  Send({9});
  ASSERT_TRUE(Shows(*follow, 9));
  follow->Signal(SIGINT);
  EXPECT_EQ(follow->Wait(), 0) << follow->Errors();
  EXPECT_THAT(PidsIn(follow->Output()), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  const std::string errors = follow->Errors();
  size_t back = 0;
  for (size_t at = 0; (at = errors.find("the controller is back", at)) != std::string::npos; ++at) ++back;
  EXPECT_EQ(back, 2U) << errors;
}

TEST_F(FollowTest, EndsWithCtrlCWhileTheControllerIsAway) {
  const auto follow = Follow();
  Send({1});
  ASSERT_TRUE(Shows(*follow, 1)) << follow->Errors();
  box_.StopServer();
  ASSERT_TRUE(follow->WaitForErrors("the controller is away, trying again"));
  follow->Signal(SIGINT);
  EXPECT_EQ(follow->Wait(), 0) << follow->Errors();
  box_.StartServer();
}

TEST_F(FollowTest, WithoutAControllerFromTheStartItFails) {
  box_.StopServer();
  const auto follow = Follow();
  EXPECT_EQ(follow->Wait(), 1);
  EXPECT_THAT(follow->Errors(), HasSubstr("cannot reach the controller"));
  box_.StartServer();
}

// A store that was put back ends before what was seen: events would be told twice, or never.
TEST_F(FollowTest, AStoreThatWasSetBackEndsItWithTheReason) {
  Send({1});
  const auto copy = [](const std::filesystem::path& from, const std::filesystem::path& to) {
    return [from, to] {  // with the log of what is not in the file itself yet
      for (const char* part : {"", "-wal"}) {
        std::filesystem::remove(StrCat(to.string(), part));
        if (std::filesystem::exists(StrCat(from.string(), part)))
          std::filesystem::copy_file(StrCat(from.string(), part), StrCat(to.string(), part));
      }
      std::filesystem::remove(StrCat(to.string(), "-shm"));
    };
  };
  const std::filesystem::path old = folder_ / "old.db";
  box_.StopServer();
  box_.StartServer(copy(box_.StoreFile(), old));
  const auto follow = Follow();
  Send({2});
  ASSERT_TRUE(Shows(*follow, 2)) << follow->Errors();
  box_.StopServer();
  box_.StartServer(copy(old, box_.StoreFile()));
  EXPECT_EQ(follow->Wait(), 1);
  EXPECT_THAT(follow->Errors(), HasSubstr("was put back from an older copy"));
}

}  // namespace
}  // namespace cordon::ctl
