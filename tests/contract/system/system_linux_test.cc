// platform/api/system.h where Linux has means of its own: its heap, its service manager, its signals.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "common/base/sanitizer.h"
#include "platform/api/system.h"
#include "platform/linux/system/fd.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

TEST(Memory, GoesBackToTheSystemWhenItIsFree) {
#if defined(CORDON_ADDRESS_SANITIZER) || defined(CORDON_THREAD_SANITIZER)
  GTEST_SKIP() << "a sanitizer brings its own allocator, which keeps what is free";
#endif
  constexpr size_t kBlock = 1000;  // below any threshold at which a block is mapped by itself
  constexpr size_t kBlocks = 32 * 1024;
  std::vector<std::unique_ptr<char[]>> blocks(kBlocks);
  for (auto& block : blocks) block = std::make_unique<char[]>(kBlock);
  // The last one stays and holds the end of the heap where it is.
  for (size_t at = 0; at + 1 < kBlocks; ++at) blocks[at] = nullptr;
  const uint64_t before = ReadOwnResourceUse().resident_bytes;
  ReleaseFreeMemory();
  EXPECT_LT(ReadOwnResourceUse().resident_bytes, before);
}

// What a service manager hears, at both kinds of address.
TEST(Service, NotifiesItsManager) {
  const cordon::testing::TempFolder folder;
  for (const std::string& name : {(folder / "notify").string(), std::string("@cordon-test-notify")}) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const Fd manager(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(bind(manager.Get(), reinterpret_cast<sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
              0);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    NotifyServiceReady();
    NotifyServiceStatus("all is well");
    unsetenv("NOTIFY_SOCKET");
    NotifyServiceStopping();  // to nobody
    std::vector<std::string> heard;
    std::array<char, 100> text;
    ssize_t got = 0;
    while ((got = recv(manager.Get(), text.data(), text.size(), 0)) > 0) {
      heard.emplace_back(text.data(), static_cast<size_t>(got));
    }
    EXPECT_EQ(heard, (std::vector<std::string>{"READY=1", "STATUS=all is well"})) << name;
  }
}

TEST(OnStopRequest, CallsOnceOnSigterm) {
  {
    std::promise<void> asked;
    const auto watch = OnStopRequest([&] { asked.set_value(); });
    kill(getpid(), SIGTERM);  // to the process, as a service manager does
    EXPECT_EQ(asked.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  }
  bool asked_again = false;
  OnStopRequest([&] { asked_again = true; }).reset();
  EXPECT_FALSE(asked_again) << "the signal has been taken";
}

}  // namespace
}  // namespace cordon::platform
