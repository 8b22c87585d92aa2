// Changes of the registry as events, on a real registry.

#include "platform/windows/registry/registry_source.h"

#include <gtest/gtest.h>

#include "platform/api/file_names.h"
#include "platform/windows/system/windows.h"
#include "tests/wine/platform/wine.h"

namespace cordon::platform {
namespace {

using cordon::testing::Log;
using Kind = RawFileEvent::Kind;

constexpr wchar_t kRun[] = L"Software\\Microsoft\\Windows\\CurrentVersion\\Run";
constexpr wchar_t kPoliciesRun[] = L"Software\\Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer\\Run";
constexpr wchar_t kServices[] = L"SYSTEM\\CurrentControlSet\\Services";
constexpr wchar_t kInPlaceOf[] =
    L"Software\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options";

class WindowsRegistrySource : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(source_->Start({}, log_.Deliver()).ok()); }
  void TearDown() override {
    source_->Stop();
    for (const auto& [hive, key] : made_) RegDeleteTreeW(hive, key.c_str());
    for (const auto& [hive, key] : values_) RegDeleteKeyValueW(hive, key.c_str(), name_.c_str());
  }

  // The value of this test's own name, below an existing or a new key.
  void Set(HKEY hive, const std::wstring& key, const std::wstring& text) { Set(hive, key, name_, text); }
  void Set(HKEY hive, const std::wstring& key, const std::wstring& value, const std::wstring& text) {
    if (value == name_) values_.emplace_back(hive, key);
    ASSERT_EQ(RegSetKeyValueW(hive, key.c_str(), value.c_str(), REG_SZ, text.c_str(),
                              static_cast<DWORD>((text.size() + 1) * sizeof(wchar_t))),
              ERROR_SUCCESS);
  }
  void Make(HKEY hive, const std::wstring& key) {
    HKEY made = nullptr;
    ASSERT_EQ(RegCreateKeyExW(hive, key.c_str(), 0, nullptr, 0, KEY_ALL_ACCESS, nullptr, &made, nullptr),
              ERROR_SUCCESS);
    RegCloseKey(made);
    made_.emplace_back(hive, key);
  }
  // Keys differ in capitals by who made them.
  static std::string Lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  }
  bool Told(Kind kind, const std::string& end, const std::string& text = "") {
    return log_.WaitFor([&](const RawFileEvent& event) {
      return event.kind == kind && Lower(NameBytes(event.path)).ends_with(Lower(end)) &&
             (text.empty() || event.registry->text == text);
    });
  }
  std::string Name() const { return {name_.begin(), name_.end()}; }

  const std::string uuid_ = NewUuid();
  const std::wstring name_ = L"cordon-test-" + std::wstring(uuid_.begin(), uuid_.end());
  std::vector<std::pair<HKEY, std::wstring>> made_, values_;
  Log<RawFileEvent> log_;
  std::unique_ptr<FileSource> source_ = MakeRegistrySource();
};

TEST_F(WindowsRegistrySource, TellsWhenAValueOfRunComesChangesAndGoes) {
  Set(HKEY_LOCAL_MACHINE, kRun, L"C:\\first.exe");
  EXPECT_TRUE(Told(Kind::kCreated, StrCat("Run/", Name()), "C:\\first.exe"));
  Set(HKEY_LOCAL_MACHINE, kRun, L"C:\\second.exe");
  EXPECT_TRUE(Told(Kind::kModified, StrCat("Run/", Name()), "C:\\second.exe"));
  RegDeleteKeyValueW(HKEY_LOCAL_MACHINE, kRun, name_.c_str());
  EXPECT_TRUE(Told(Kind::kDeleted, StrCat("Run/", Name())));
  for (const RawFileEvent& event : log_.Events()) {
    EXPECT_TRUE(NameBytes(event.path).starts_with("registry:HKLM/SOFTWARE/")) << NameBytes(event.path);
    ASSERT_NE(event.registry, nullptr);
    EXPECT_EQ(event.registry->exists, event.kind != Kind::kDeleted);
    EXPECT_EQ(event.registry->sha256.size(), 32U);
    EXPECT_GT(event.boottime_nanos, 0);
  }
}

TEST_F(WindowsRegistrySource, TellsTheRunKeysOfUsers) {
  Set(HKEY_CURRENT_USER, kRun, L"C:\\mine.exe");
  EXPECT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return NameBytes(event.path).starts_with("registry:HKU/S-1-5-") &&
           NameBytes(event.path).ends_with(StrCat("Run/", Name()));
  }));
}

TEST_F(WindowsRegistrySource, TellsANewServiceItsProgramAndItsLibrary) {
  const std::wstring key = std::wstring(kServices) + L"\\" + name_;
  Make(HKEY_LOCAL_MACHINE, key);
  Set(HKEY_LOCAL_MACHINE, key, L"ImagePath", L"C:\\service.exe");
  Set(HKEY_LOCAL_MACHINE, key + L"\\Parameters", L"ServiceDll", L"C:\\service.dll");
  EXPECT_TRUE(Told(Kind::kCreated, StrCat("Services/", Name(), "/")));
  EXPECT_TRUE(Told(Kind::kCreated, StrCat(Name(), "/ImagePath"), "C:\\service.exe"));
  EXPECT_TRUE(Told(Kind::kCreated, StrCat(Name(), "/Parameters/ServiceDll"), "C:\\service.dll"));
}

TEST_F(WindowsRegistrySource, TellsADebuggerThatStartsInThePlaceOfAProgram) {
  const std::wstring key = std::wstring(kInPlaceOf) + L"\\" + name_ + L".exe";
  Make(HKEY_LOCAL_MACHINE, key);
  Set(HKEY_LOCAL_MACHINE, key, L"Debugger", L"C:\\evil.exe");
  EXPECT_TRUE(Told(Kind::kCreated, StrCat(Name(), ".exe/Debugger"), "C:\\evil.exe"));
}

TEST_F(WindowsRegistrySource, AKeyThatIsNotThereYetIsWatchedFor) {
  HKEY there = nullptr;
  if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, kPoliciesRun, 0, KEY_READ, &there) == ERROR_SUCCESS) {
    RegCloseKey(there);
    GTEST_SKIP() << "the key is there already";
  }
  Make(HKEY_LOCAL_MACHINE, kPoliciesRun);
  Set(HKEY_LOCAL_MACHINE, kPoliciesRun, L"C:\\late.exe");
  EXPECT_TRUE(Told(Kind::kCreated, StrCat("Explorer/Run/", Name()), "C:\\late.exe"));
}

TEST_F(WindowsRegistrySource, TellsWhatChangedWhileNoneRan) {
  source_->Stop();
  const cordon::testing::WindowsFolder memory;
  const FileWatch watch{.roots = {}, .excluded = {}, .canary = {}, .memory = memory.Path(), .catch_up = true};
  Set(HKEY_LOCAL_MACHINE, kRun, L"C:\\known.exe");
  source_ = MakeRegistrySource();
  ASSERT_TRUE(source_->Start(watch, log_.Deliver()).ok());
  source_->Stop();
  EXPECT_TRUE(log_.Events().empty()) << "the first look is compared with nothing";
  Set(HKEY_LOCAL_MACHINE, kRun, L"C:\\other.exe");
  source_ = MakeRegistrySource();
  ASSERT_TRUE(source_->Start(watch, log_.Deliver()).ok());
  EXPECT_TRUE(log_.WaitFor([&](const RawFileEvent& event) {
    return event.kind == Kind::kModified && event.while_away &&
           NameBytes(event.path).ends_with(StrCat("Run/", Name())) && event.registry->text == "C:\\other.exe";
  }));
  source_->Stop();  // before its folder goes
}

// With a positive control behind it: what comes later in the same look is told.
TEST_F(WindowsRegistrySource, SaysNothingOfOtherKeysAndOtherValues) {
  const std::wstring service = std::wstring(kServices) + L"\\" + name_;
  Make(HKEY_LOCAL_MACHINE, L"Software\\" + name_);
  Set(HKEY_LOCAL_MACHINE, L"Software\\" + name_, L"unwatched", L"1");
  Make(HKEY_LOCAL_MACHINE, service);
  Set(HKEY_LOCAL_MACHINE, service, L"unwatched", L"2");
  Set(HKEY_LOCAL_MACHINE, service, L"ImagePath", L"3");
  Set(HKEY_LOCAL_MACHINE, kRun, L"4");
  ASSERT_TRUE(Told(Kind::kCreated, StrCat(Name(), "/ImagePath"), "3"));
  ASSERT_TRUE(Told(Kind::kCreated, StrCat("Run/", Name()), "4"));
  for (const RawFileEvent& event : log_.Events())
    EXPECT_FALSE(NameBytes(event.path).ends_with("unwatched")) << NameBytes(event.path);
}

}  // namespace
}  // namespace cordon::platform
