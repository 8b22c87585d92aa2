// The registry's half of turning the DNS client, and a port that is held alone. wine has no DNS client: that
// names reach the guard is scripts/windows-verify.ps1's to show.

#include "platform/api/dns_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "platform/api/held_port.h"
#include "platform/windows/resolvers/nrpt_client.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const wchar_t* kLocal =
    L"SYSTEM\\CurrentControlSet\\Services\\Dnscache\\Parameters\\DnsPolicyConfig";
constexpr const wchar_t* kPolicies = L"SOFTWARE\\Policies\\Microsoft\\Windows NT\\DNSClient";

void MakeKey(const std::wstring& path, const wchar_t* value = nullptr, DWORD type = REG_NONE,
             const std::wstring& data = {}) {
  HKEY key = nullptr;
  ASSERT_EQ(
      RegCreateKeyExW(HKEY_LOCAL_MACHINE, path.c_str(), 0, nullptr, 0, KEY_WRITE, nullptr, &key, nullptr),
      ERROR_SUCCESS);
  if (value != nullptr) {
    EXPECT_EQ(RegSetValueExW(key, value, 0, type, reinterpret_cast<const BYTE*>(data.data()),
                             static_cast<DWORD>(data.size() * sizeof(wchar_t))),
              ERROR_SUCCESS);
  }
  RegCloseKey(key);
}

std::wstring OurKey() {
  const std::string name = nrpt::kRuleName;
  return std::wstring(kLocal) + L"\\" + std::wstring(name.begin(), name.end());
}

// Writes to the real table: only where nothing of it is somebody's.
class WindowsDnsClient : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::UnderWine()) GTEST_SKIP() << "this machine's own table is not for tests";
    CleanUp();
  }
  void TearDown() override {
    if (testing::UnderWine()) CleanUp();
  }
  static void CleanUp() {
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, kLocal);
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, kPolicies);
  }
  static nrpt::Rule Wanted() {
    return nrpt::MakeRule(
        {boost::asio::ip::make_address("127.67.79.53"), boost::asio::ip::make_address("::1")});
  }

  std::unique_ptr<nrpt::Table> table_ = nrpt::MakeRegistryTable();
};

TEST_F(WindowsDnsClient, TheRuleIsReadAsItWasWrittenAndGoes) {
  ASSERT_TRUE(table_->Read().ok());
  EXPECT_FALSE(table_->Read()->has_value());
  ASSERT_TRUE(table_->Write(Wanted()).ok());
  const auto read = table_->Read();
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_TRUE(read->has_value());
  EXPECT_TRUE(nrpt::Same(**read, Wanted())) << nrpt::Describe(**read);
  EXPECT_TRUE(table_->Delete().ok());
  EXPECT_FALSE(table_->Read()->has_value());
  EXPECT_TRUE(table_->Delete().ok()) << "there is none any more";
}

// As another program reads them, byte for byte.
TEST_F(WindowsDnsClient, ValuesHaveTheTypesThatWindowsReads) {
  ASSERT_TRUE(table_->Write(Wanted()).ok());
  const auto value = [](const wchar_t* name, DWORD allowed) {
    std::wstring data(64, L'?');
    auto bytes = static_cast<DWORD>(data.size() * sizeof(wchar_t));
    const LSTATUS read =
        RegGetValueW(HKEY_LOCAL_MACHINE, OurKey().c_str(), name, allowed, nullptr, data.data(), &bytes);
    data.resize(read == ERROR_SUCCESS ? bytes / sizeof(wchar_t) : 0);
    return data;
  };
  EXPECT_EQ(value(L"Name", RRF_RT_REG_MULTI_SZ), std::wstring(L".\0\0", 3));
  EXPECT_EQ(value(L"GenericDNSServers", RRF_RT_REG_SZ), std::wstring(L"127.67.79.53; ::1\0", 18));
  EXPECT_EQ(value(L"ConfigOptions", RRF_RT_REG_DWORD), std::wstring(L"\x08\0", 2));
  EXPECT_EQ(value(L"Version", RRF_RT_REG_DWORD), std::wstring(L"\x02\0", 2));
}

TEST_F(WindowsDnsClient, WhatSomebodyAddedIsSeenAndGoesWithTheNextWrite) {
  ASSERT_TRUE(table_->Write(Wanted()).ok());
  MakeKey(OurKey(), L"DirectAccessDNSServers", REG_SZ, L"192.0.2.1");
  MakeKey(OurKey(), L"Odd", REG_BINARY, std::wstring(40'000, L'x'));
  EXPECT_FALSE(nrpt::Same(**table_->Read(), Wanted()));
  ASSERT_TRUE(table_->Write(Wanted()).ok());
  EXPECT_TRUE(nrpt::Same(**table_->Read(), Wanted()));
}

TEST_F(WindowsDnsClient, TurnsAndTurnsBackWithoutAService) {
  const auto client = MakeDnsClient();
  ASSERT_NE(client, nullptr);
  EXPECT_TRUE(client->Turn(client->GuardAddresses()).ok());
  EXPECT_TRUE(nrpt::Same(**table_->Read(), nrpt::MakeRule(client->GuardAddresses())));
  EXPECT_THAT(client->Obstacles(), Contains(HasSubstr("Dnscache")));
  EXPECT_TRUE(client->TurnBack().ok());
  EXPECT_FALSE(table_->Read()->has_value());
}

TEST_F(WindowsDnsClient, GroupPolicysTableIsFoundAlsoWhenItIsEmpty) {
  EXPECT_FALSE(table_->Look().group_policy);
  MakeKey(std::wstring(kPolicies) + L"\\DnsPolicyConfig");
  EXPECT_TRUE(table_->Look().group_policy);
  EXPECT_EQ(table_->Look().doh_policy, 0U);
  MakeKey(kPolicies, L"DoHPolicy", REG_DWORD, std::wstring(L"\x03\0", 2));
  EXPECT_EQ(table_->Look().doh_policy, 3U);
}

TEST_F(WindowsDnsClient, RulesOfOthersAreNamedAndCordonsIsNot) {
  ASSERT_TRUE(table_->Write(Wanted()).ok());
  // As it may be left by a program that forgets the second null.
  MakeKey(std::wstring(kLocal) + L"\\{11111111-1111-1111-1111-111111111111}", L"Name", REG_MULTI_SZ,
          std::wstring(L".corp.example\0pms.example", 25));
  EXPECT_THAT(table_->Look().foreign_names, ElementsAre(".corp.example", "pms.example"));
}

SOCKET Bound(uint16_t* port, bool alone, bool shares) {
  const SOCKET made = socket(AF_INET, SOCK_DGRAM, 0);
  if (alone) {
    EXPECT_TRUE(HoldPortAlone(static_cast<int>(made)).ok());
  }
  const BOOL yes = TRUE;
  if (shares) setsockopt(made, SOL_SOCKET, SO_REUSEADDR, reinterpret_cast<const char*>(&yes), sizeof(yes));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  address.sin_addr.s_addr = htonl(0x7f434f35);  // 127.67.79.53
  int size = sizeof(address);
  if (bind(made, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    closesocket(made);
    return INVALID_SOCKET;
  }
  getsockname(made, reinterpret_cast<sockaddr*>(&address), &size);
  *port = ntohs(address.sin_port);
  return made;
}

TEST(WindowsHeldPort, IsOnTheGuardsAddressAndNotForWhoAsksToShareIt) {
  WSADATA data{};
  WSAStartup(MAKEWORD(2, 2), &data);
  uint16_t port = 0;
  const SOCKET guard = Bound(&port, true, false);
  ASSERT_NE(guard, INVALID_SOCKET) << "127.67.79.53 is an address of every host";
  EXPECT_EQ(Bound(&port, false, false), INVALID_SOCKET);
  EXPECT_EQ(Bound(&port, false, true), INVALID_SOCKET);
  closesocket(guard);
  const SOCKET next = Bound(&port, true, false);
  EXPECT_NE(next, INVALID_SOCKET) << "free again for the next agent";
  closesocket(next);
  WSACleanup();
}

}  // namespace
}  // namespace cordon::platform
