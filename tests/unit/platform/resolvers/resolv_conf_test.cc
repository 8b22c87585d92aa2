#include "platform/linux/resolvers/resolv_conf.h"

#include <gtest/gtest.h>

#include <string>

namespace cordon::platform {
namespace {

std::vector<std::string> Texts(std::string_view text) {
  std::vector<std::string> found;
  for (const Endpoint& resolver : ParseResolvConf(text)) found.push_back(FormatEndpoint(resolver));
  return found;
}

TEST(ResolvConf, NamesServersInTheirOrder) {
  EXPECT_EQ(
      Texts("# made by hand\nsearch leeds.example.vet\nnameserver 10.20.0.53\n\tnameserver\t2001:db8::53  \n"
            "options edns0\nnameserver 10.20.0.53\nnameserver 10.20.0.54"),
      (std::vector<std::string>{"10.20.0.53:53", "[2001:db8::53]:53", "10.20.0.54:53"}));
}

TEST(ResolvConf, LeavesOutThisHostAndWhatIsNoServer) {
  EXPECT_TRUE(
      Texts("nameserver 127.0.0.53\nnameserver ::1\nnameserver 0.0.0.0\nnameserver fe80::1%eth0\n"
            "nameserver fe80::1\nnameserver\nnameserver one\nnameservers 10.0.0.1\n;nameserver 10.0.0.1\n"
            "#nameserver 10.0.0.1\n224.0.0.1")
          .empty());
  EXPECT_TRUE(Texts("").empty());
}

TEST(ResolvConf, IsBounded) {
  std::string text;
  for (int i = 1; i < 100; ++i) text += "nameserver 10.0.0." + std::to_string(i) + "\n";
  EXPECT_EQ(Texts(text).size(), kMaxResolvers);
}

}  // namespace
}  // namespace cordon::platform
