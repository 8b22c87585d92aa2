// What people see when their computer is isolated: the real agent, a pseudo-terminal and a desktop's bus, in
// a mount namespace whose /run says, as logind does, who sits where.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "platform/linux/system/fd.h"
#include "tests/integration/agent/agent_program.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kUser = 65'534;

class UserNoticeTest : public AgentProgram {
 protected:
  void SetUp() override {
    if (RunCommand({"sh", "-c", "command -v dbus-daemon setpriv"}).status != 0)
      GTEST_SKIP() << "dbus-daemon is not installed";
    ASSERT_EQ(Enroll().status, 0);
    terminal_ = platform::Fd(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    ASSERT_TRUE(terminal_.Valid() && grantpt(terminal_.Get()) == 0 && unlockpt(terminal_.Get()) == 0);
    const std::string tty = std::string(ptsname(terminal_.Get())).substr(std::string("/dev/").size());
    // 1: somebody by ssh; 2: a desktop; 3: the login screen; 4: a desktop that is gone
    world_ = std::make_unique<Subprocess>(std::vector<std::string>{
        "unshare", "-m", "sh", "-c",
        "set -e; mount -t tmpfs none /run; mkdir -p /run/systemd/sessions /run/user/$2; chown $2:$2 "
        "/run/user/$2; "
        "cd /run/systemd/sessions; "
        "printf 'UID=0\\nTYPE=tty\\nCLASS=user\\nTTY=%s\\nACTIVE=1\\n' $1 > 1; "
        "printf 'UID=%s\\nTYPE=wayland\\nCLASS=user\\nTTY=tty2\\nACTIVE=1\\n' $2 > 2; "
        "printf 'UID=0\\nTYPE=x11\\nCLASS=greeter\\nTTY=tty1\\nACTIVE=1\\n' > 3; "
        "printf 'UID=4242\\nTYPE=x11\\nCLASS=user\\nTTY=tty3\\nACTIVE=1\\n' > 4; "
        "exec setpriv --reuid $2 --regid $2 --clear-groups dbus-daemon --session --nofork --print-address "
        "--address=unix:path=/run/user/$2/bus",
        "sh", tty, std::to_string(kUser)});
    ASSERT_TRUE(world_->WaitForOutput("unix:path=")) << world_->Errors();
    desk_ = std::make_unique<Subprocess>(
        Inside({"setpriv", "--reuid", std::to_string(kUser), "--regid", std::to_string(kUser),
                "--clear-groups", std::string(kBinaryDir) + "/tests/notification_desk",
                "unix:path=/run/user/" + std::to_string(kUser) + "/bus"}));
    ASSERT_TRUE(desk_->WaitForOutput("ready")) << desk_->Errors();
  }

  std::vector<std::string> Inside(std::vector<std::string> args) const {
    args.insert(args.begin(), {"nsenter", "--mount=/proc/" + std::to_string(world_->Pid()) + "/ns/mnt"});
    return args;
  }
  void StartInside() {
    agent_ = std::make_unique<Subprocess>(Inside(Command({"run"})),
                                          SubprocessOptions{.net_namespace = host_.Name()});
    ASSERT_TRUE(Eventually([&] { return Run({"status"}).output.contains("\ncontroller    connected"); }))
        << agent_->Errors();
  }

  // What has come to the terminal since the last call.
  std::string Screen() const {
    std::string text;
    std::array<char, 4096> piece{};
    for (ssize_t got = 0; (got = read(terminal_.Get(), piece.data(), piece.size())) > 0;)
      text.append(piece.data(), static_cast<size_t>(got));
    return text;
  }
  void OrderWithWords(uint64_t sequence, const std::string& words) {
    Order(sequence, [&](v1::Order* order) {
      order->mutable_isolate()->set_level(v1::LEVEL_ESSENTIAL);
      order->mutable_isolate()->set_fallback(v1::FALLBACK_HOLD);
      order->mutable_isolate()->set_user_message(words);
    });
  }

  platform::Fd terminal_;
  std::unique_ptr<Subprocess> world_;
  std::unique_ptr<Subprocess> desk_;
};

TEST_F(UserNoticeTest, PeopleAreToldOnTerminalAndDesktopOncePerChange) {
  StartInside();
  OrderWithWords(1, "Please call <IT> on 0113 496 0000.");
  EXPECT_TRUE(desk_->WaitForOutput("Please call &lt;IT&gt; on 0113 496 0000.")) << agent_->Errors();
  EXPECT_THAT(desk_->Output(),
              HasSubstr("user 65534, Cordon, urgency 2: This computer's network has been restricted: "))
      << "as the user, not as root";
  EXPECT_TRUE(agent_->WaitForErrors("told on 1 terminals and 1 desktops")) << agent_->Errors();
  EXPECT_THAT(agent_->Errors(), HasSubstr("the desktop of user 4242")) << "what failed is in the log";
  const std::string screen = Screen();
  EXPECT_THAT(screen, HasSubstr("This computer's network has been restricted"));
  EXPECT_THAT(screen, HasSubstr("Please call <IT> on 0113 496 0000."));

  agent_->Kill();
  StartInside();  // nothing has changed
  Order(2, [](v1::Order* order) { order->mutable_release(); });
  EXPECT_TRUE(desk_->WaitForOutput("This computer is back on the network: ")) << agent_->Errors();
  EXPECT_THAT(Screen(), Not(HasSubstr("restricted")));
  const std::string all = desk_->Output();
  EXPECT_EQ(all.find("restricted"), all.rfind("restricted")) << all;
}

TEST_F(UserNoticeTest, AStoppedTerminalAndADeafDesktopHoldNothingUp) {
  desk_->Signal(SIGSTOP);
  StartInside();
  // A terminal that takes nothing: its buffer is full, nobody reads.
  const platform::Fd other_end(open(ptsname(terminal_.Get()), O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  for (int round = 0; round < 5; ++round) {  // the kernel moves bytes on between two of its buffers
    while (write(other_end.Get(), "x", 1) > 0) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  OrderWithWords(1, "words");
  EXPECT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_DONE)) << "the order does not wait for the screen";
  EXPECT_EQ(Run({"status"}).status, 0);
  EXPECT_TRUE(agent_->WaitForErrors("told on 0 terminals and 0 desktops", std::chrono::seconds(60)))
      << agent_->Errors();
  EXPECT_THAT(agent_->Errors(), HasSubstr("takes nothing"));
  desk_->Signal(SIGCONT);
}

}  // namespace
}  // namespace cordon::testing
