// The pure half of watching the registry: paths, values as text, two looks compared, what is watched.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "common/crypto/digest.h"
#include "platform/windows/registry/autostart.h"
#include "platform/windows/registry/registry_changes.h"
#include "platform/windows/registry/registry_memory.h"
#include "platform/windows/registry/registry_path.h"

namespace cordon::platform {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint32_t kSz = 1;
constexpr uint32_t kBinary = 3;
constexpr uint32_t kDword = 4;
constexpr uint32_t kMultiSz = 7;

std::vector<uint8_t> Units(std::u16string_view text) {
  std::vector<uint8_t> bytes;
  for (const char16_t unit : text) {
    bytes.push_back(static_cast<uint8_t>(unit & 0xff));
    bytes.push_back(static_cast<uint8_t>(unit >> 8));
  }
  return bytes;
}

TEST(RegistryPath, KeysHaveASlashAtTheirEndAndValuesNone) {
  const std::string key = RegistryKeyPath("HKLM", u"SOFTWARE\\Microsoft\\Run");
  EXPECT_EQ(key, "registry:HKLM/SOFTWARE/Microsoft/Run/");
  EXPECT_EQ(RegistryValuePath(key, u"Updater"), StrCat(key, "Updater"));
  EXPECT_EQ(RegistrySubkeyPath(key, u"Updater"), StrCat(key, "Updater/"));
}

// Whoever names a value does not choose which one it is taken for.
TEST(RegistryPath, DifferentNamesAreDifferentPaths) {
  const std::vector<std::u16string> names = {u"",  u"(Default)", u"%28Default)", u"a/b", u"a\\b",
                                             u"a", u"a%2Fb",     u"a%5Cb",       u"a%b", u"\xd800"};
  std::map<std::string, std::u16string> paths;
  for (const std::u16string& name : names) {
    const std::string path = RegistryValuePath("k/", name);
    EXPECT_TRUE(paths.emplace(path, name).second) << path;
    EXPECT_EQ(path.find('/', 2), std::string::npos) << path;
    EXPECT_EQ(path.find('\\'), std::string::npos) << path;
  }
}

TEST(RegistryText, SaysWhatAPersonWouldRead) {
  EXPECT_EQ(RegistryText(kSz, Units(std::u16string_view(u"C:\\evil.exe\0", 12))), "C:\\evil.exe");
  EXPECT_EQ(RegistryText(kSz, Units(std::u16string_view(u"cut\0behind", 10))), "cut");
  EXPECT_EQ(RegistryText(kMultiSz, Units(std::u16string_view(u"a\0b\0\0", 5))), "a | b");
  EXPECT_EQ(RegistryText(kDword, std::vector<uint8_t>{2, 1, 0, 0}), "258");
  EXPECT_EQ(RegistryText(kDword, std::vector<uint8_t>{2, 1, 0}), "020100") << "a number that is too short";
  EXPECT_EQ(RegistryText(kBinary, std::vector<uint8_t>{0xca, 0xfe}), "cafe");
  EXPECT_EQ(RegistryText(kSz, {}), "");
  EXPECT_EQ(RegistryText(kSz, std::vector<uint8_t>{'a', 0, 'b'}), "a") << "half a character";
}

TEST(RegistryText, IsShortAndCutBetweenCharacters) {
  const std::string text = RegistryText(kSz, Units(std::u16string(100'000, u'\u00e4')));
  EXPECT_EQ(text.size(), 256U + 3U);
  EXPECT_TRUE(text.ends_with("\u00e4\u2026")) << text;
  EXPECT_TRUE(RegistryText(kBinary, std::vector<uint8_t>(100'000)).ends_with("00\u2026"));
  EXPECT_EQ(RegistryText(kSz, Units(std::u16string(256, u'a'))), std::string(256, 'a'));
}

TEST(RegistryChanges, AreWhatDiffersBetweenTwoLooks) {
  const auto value = [](std::u16string_view text) { return EntryOfValue(kSz, Units(text)); };
  const RegistrySnapshot before = {{"same", value(u"1")}, {"other", value(u"1")}, {"gone", value(u"1")}};
  const RegistrySnapshot after = {{"same", value(u"1")}, {"other", value(u"2")}, {"new", value(u"3")}};
  std::vector<std::string> told;
  for (const RegistryChange& change : CompareSnapshots(before, after, true))
    told.push_back(StrCat(static_cast<int>(change.kind), " ", change.path, " ", change.entry.text));
  EXPECT_THAT(told, ElementsAre(StrCat(int{RawFileEvent::kCreated}, " new 3"),
                                StrCat(int{RawFileEvent::kModified}, " other 2"),
                                StrCat(int{RawFileEvent::kDeleted}, " gone 1")));
  EXPECT_EQ(value(u"1").sha256, Sha256(std::string_view("1\0", 2)));
  EXPECT_THAT(CompareSnapshots(before, before, true), IsEmpty());
}

// What was not looked at is not gone.
TEST(RegistryChanges, ALookThatIsNotWholeDeletesNothing) {
  const RegistrySnapshot before = {{"a", {}}, {"b", {}}};
  EXPECT_THAT(CompareSnapshots(before, {}, false), IsEmpty());
  EXPECT_EQ(CompareSnapshots(before, {}, true).size(), 2U);
}

TEST(RegistryChanges, ALongTextThatDiffersBehindTheCutIsAChange) {
  const std::u16string text(1'000, u'a');
  const RegistrySnapshot before = {{"v", EntryOfValue(kSz, Units(text + u"1"))}};
  const RegistrySnapshot after = {{"v", EntryOfValue(kSz, Units(text + u"2"))}};
  EXPECT_EQ(CompareSnapshots(before, after, true).size(), 1U);
}

TEST(RegistryMemory, ComesBackWithoutItsTexts) {
  RegistryMemory memory;
  memory["registry:HKLM/Run/"]["registry:HKLM/Run/a"] = EntryOfValue(kSz, Units(u"text"));
  memory["registry:HKLM/Run/"]["registry:HKLM/Run/long"].size = 5'000'000;
  memory["registry:HKLM/Services/"]["registry:HKLM/Services/s/"].is_key = true;
  memory["registry:HKU/S-1-5/Run/"];
  const auto parsed = ParseRegistryMemory(FormatRegistryMemory(memory));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, memory);
  EXPECT_EQ(parsed->at("registry:HKLM/Run/").at("registry:HKLM/Run/a").text, "");
}

// Whoever is logged on may fill his own keys: the others' looks are kept, and the file can be read again.
TEST(RegistryMemory, AUT6_LooksThatDoNotFitAreLeftOut) {
  RegistryMemory memory = {{"registry:HKLM/Run/", {{"registry:HKLM/Run/a", EntryOfValue(kSz, {})}}},
                           {"registry:HKU/S-1-5-21-9/Run/", {{"registry:HKU/b", EntryOfValue(kSz, {})}}}};
  RegistrySnapshot& full = memory["registry:HKU/S-1-5-21-1/Run/"];
  for (int at = 0; at < 2'000; ++at)
    full[StrCat("registry:HKU/S-1-5-21-1/Run/", std::string(10'000, 'x'), at)] = EntryOfValue(kSz, {});
  const std::string text = FormatRegistryMemory(memory);
  EXPECT_LE(text.size(), kMostRegistryMemoryBytes);
  const auto parsed = ParseRegistryMemory(text);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->size(), 2U);
  EXPECT_FALSE(parsed->contains("registry:HKU/S-1-5-21-1/Run/"));
}

TEST(RegistryMemory, AUT6_OtherTextIsRefused) {
  const std::string good =
      FormatRegistryMemory({{"registry:HKLM/Run/", {{"registry:HKLM/Run/a", EntryOfValue(kSz, {})}}}});
  ASSERT_TRUE(ParseRegistryMemory(good).ok());
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(ParseRegistryMemory(good.substr(0, length)).ok()) << length;
  for (const char* lines : {"path\t1\t-\n", "key\n\t1\t-\n", "key\npath\t-1\t-\n", "key\npath\t1\tabc\n",
                            "key\npath\t1\tabcd\n", "key\nkey\n", "key\npath\t1\t-\npath\t1\t-\n", "\n"}) {
    EXPECT_FALSE(ParseRegistryMemory(StrCat("cordon-registry 1\n", lines, "end\n")).ok()) << lines;
  }
}

TEST(Autostart, WatchesWhatStartsPrograms) {
  const std::vector<RegistryWatch> watches = AutostartWatches();
  const auto find = [&](std::u16string_view end, bool of_users) -> const RegistryWatch* {
    for (const RegistryWatch& watch : watches)
      if (watch.key.ends_with(end) && watch.of_users == of_users) return &watch;
    return nullptr;
  };
  for (const bool of_users : {false, true}) {
    ASSERT_NE(find(u"\\Run", of_users), nullptr);
    ASSERT_NE(find(u"\\RunOnce", of_users), nullptr);
    ASSERT_NE(find(u"\\Winlogon", of_users), nullptr);
    EXPECT_TRUE(WantsValue(*find(u"\\Run", of_users), u"anything"));
    EXPECT_TRUE(WantsValue(*find(u"\\Winlogon", of_users), u"USERINIT"));
    EXPECT_FALSE(WantsValue(*find(u"\\Winlogon", of_users), u"LastUsedUsername"));
  }
  ASSERT_NE(find(u"WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Run", false), nullptr);
  const RegistryWatch* const services = find(u"\\Services", false);
  ASSERT_NE(services, nullptr);
  EXPECT_TRUE(services->tell_keys);
  EXPECT_TRUE(WantsValue(*services, u"imagepath"));
  EXPECT_EQ(services->only_below, u"Parameters");
  ASSERT_NE(find(u"\\TaskCache\\Tree", false), nullptr);
  ASSERT_NE(find(u"\\Image File Execution Options", false), nullptr);
  EXPECT_FALSE(WantsValue(*find(u"\\Image File Execution Options", false), u"MitigationOptions"));
}

}  // namespace
}  // namespace cordon::platform
