#include "tests/support/net_namespace.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/subprocess.h"

namespace cordon::testing {
namespace {

TEST(NetNamespace, TwoNamespacesReachEachOtherOverAVethPair) {
  const NetNamespace a("a");
  const NetNamespace b("b");
  ConnectByVeth({a, "eth0", {"192.0.2.1/24", "2001:db8::1/64"}},
                {b, "eth0", {"192.0.2.2/24", "2001:db8::2/64"}});
  EXPECT_NE(a.Run({"ping", "-c1", "-W5", "192.0.2.2"}).find("1 received"), std::string::npos);
  EXPECT_NE(a.Run({"ping", "-c1", "-W5", "2001:db8::2"}).find("1 received"), std::string::npos);
}

TEST(NetNamespace, LeavesNothingBehind) {
  std::string name;
  {
    const NetNamespace one;
    name = one.Name();
    EXPECT_TRUE(std::filesystem::exists("/run/netns/" + name));
  }
  EXPECT_FALSE(std::filesystem::exists("/run/netns/" + name));
}

TEST(NetNamespace, AThreadIsInsideOnlyForTheScope) {
  const NetNamespace one;
  one.Ip("link add mark0 type veth peer name mark1");
  const auto has_mark = [] { return RunCommand({"ip", "link", "show", "mark0"}).status == 0; };
  EXPECT_FALSE(has_mark());
  {
    const InNetNamespace inside(one);
    EXPECT_TRUE(has_mark());
  }
  EXPECT_FALSE(has_mark());
}

TEST(NetNamespace, MakesBridgesAndMacvlans) {
  const NetNamespace host("h");
  const NetNamespace peer("p");
  const NetNamespace guest("g");
  ConnectByVeth({host, "up0", {}}, {peer, "eth0", {"192.0.2.2/24"}});
  AddMacvlan(host, "up0", {guest, "mv0", {"192.0.2.3/24"}});
  EXPECT_NE(guest.Run({"ping", "-c1", "-W5", "192.0.2.2"}).find("1 received"), std::string::npos);
  const NetNamespace switched("s");
  const NetNamespace end("e");
  ConnectByVeth({switched, "port0", {}}, {end, "eth0", {"198.51.100.2/24"}});
  AddBridge({switched, "br0", {"198.51.100.1/24"}}, {"port0"});
  EXPECT_NE(end.Run({"ping", "-c1", "-W5", "198.51.100.1"}).find("1 received"), std::string::npos);
}

}  // namespace
}  // namespace cordon::testing
