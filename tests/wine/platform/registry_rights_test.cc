// Who may change what Cordon makes in the registry. wine keeps these rights and does not judge by them: that
// they hold is scripts/windows-verify.ps1's to show.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/api/service.h"
#include "platform/windows/resolvers/nrpt_client.h"
#include "platform/windows/system/handle.h"
#include "platform/windows/system/registry.h"
#include "platform/windows/system/security.h"
#include "platform/windows/system/service_control.h"
#include "platform/windows/system/text.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

constexpr const wchar_t* kServices = L"SYSTEM\\CurrentControlSet\\Services\\";
constexpr const wchar_t* kTestKey = L"SOFTWARE\\cordon-test-rights";
constexpr const wchar_t* kTable =
    L"SYSTEM\\CurrentControlSet\\Services\\Dnscache\\Parameters\\DnsPolicyConfig";

std::string TextOf(PSECURITY_DESCRIPTOR descriptor) {
  LocalMemory<wchar_t*> text;
  if (ConvertSecurityDescriptorToStringSecurityDescriptorW(
          descriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, text.Out(), nullptr) == 0)
    return "no text";
  return Narrow(text.Get());
}

// Of a key of HKEY_LOCAL_MACHINE.
std::string RightsOf(const std::wstring& path) {
  HKEY key = nullptr;
  if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, path.c_str(), 0, READ_CONTROL, &key) != ERROR_SUCCESS)
    return "no key";
  DWORD size = 0;
  RegGetKeySecurity(key, DACL_SECURITY_INFORMATION, nullptr, &size);
  std::vector<BYTE> bytes(size);
  const LSTATUS read = RegGetKeySecurity(key, DACL_SECURITY_INFORMATION, bytes.data(), &size);
  RegCloseKey(key);
  return read == ERROR_SUCCESS ? TextOf(bytes.data()) : "not readable";
}

std::string Wanted() {
  return TextOf((*SecurityDescriptor::Parse(kMachineKeyRights))->Get());
}

class RegistryRights : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::UnderWine()) GTEST_SKIP() << "this machine's own keys are not for tests";
    CleanUp();
  }
  void TearDown() override {
    if (testing::UnderWine()) CleanUp();
  }
  static void CleanUp() {
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, kTestKey);
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, kTable);
  }
};

TEST_F(RegistryRights, AKeyThatExistsGetsThemAndNothingIsInherited) {
  EXPECT_THAT(Wanted(), ::testing::StartsWith("D:P"));
  HKEY key = nullptr;
  ASSERT_EQ(RegCreateKeyExW(HKEY_LOCAL_MACHINE, kTestKey, 0, nullptr, 0, KEY_WRITE, nullptr, &key, nullptr),
            ERROR_SUCCESS);
  RegCloseKey(key);
  EXPECT_NE(RightsOf(kTestKey), Wanted()) << "the positive control";
  const absl::Status set = ProtectMachineKey(kTestKey);
  EXPECT_TRUE(set.ok()) << set.message();
  EXPECT_EQ(RightsOf(kTestKey), Wanted());
  EXPECT_TRUE(absl::IsNotFound(ProtectMachineKey(L"SOFTWARE\\cordon-test-no-such-key")));
}

TEST_F(RegistryRights, TheRuleForNamesHasThem) {
  const auto table = nrpt::MakeRegistryTable();
  ASSERT_TRUE(table->Write(nrpt::MakeRule({boost::asio::ip::make_address("127.67.79.53")})).ok());
  EXPECT_EQ(RightsOf(std::wstring(kTable) + L"\\" + Wide(nrpt::kRuleName)), Wanted());
}

TEST_F(RegistryRights, TheServiceAndItsSourceInTheEventLogHaveThem) {
  std::string notes;
  const absl::Status installed = InstallService({.executable = "C:\\no-such\\cordon-agent.exe"}, &notes);
  ASSERT_TRUE(installed.ok()) << installed.message();
  EXPECT_EQ(RightsOf(std::wstring(kServices) + kServiceName), Wanted());
  EXPECT_EQ(RightsOf(std::wstring(kServices) + L"EventLog\\Application\\" + kServiceName), Wanted());
  const absl::Status removed = UninstallService();
  EXPECT_TRUE(removed.ok()) << removed.message();
}

}  // namespace
}  // namespace cordon::platform
