#include "controller/cordonctl/indicator_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/base/hex.h"
#include "common/crypto/digest.h"
#include "tests/support/temp_folder.h"

namespace cordon::ctl {
namespace {

using ::testing::HasSubstr;

TEST(HashList, IsWhatSha256sumWritesAndEachOnce) {
  const std::string hex = HexEncode(Sha256("a"));
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(toupper(c));
  const auto list = ParseHashList("# from a bulletin\r\n\n  " + hex + "  /bin/a b\n" + upper + "\t x\n" + hex,
                                  "list", kSha256Bytes);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(*list, std::vector<std::string>{Sha256("a")});
}

TEST(HashList, WhatIsNoDigestIsNamedByItsLine) {
  const std::string good = HexEncode(Sha256("a"));
  for (const std::string& bad : {std::string("zz"), good + "00", good.substr(2), "x" + good.substr(1)}) {
    EXPECT_THAT(std::string(ParseHashList(good + "\n" + bad, "list", kSha256Bytes).status().message()),
                HasSubstr("list:2: "));
  }
  EXPECT_THAT(std::string(ParseHashList(good, "list", kMd5Bytes).status().message()),
              HasSubstr("32 hexadecimal"));
  EXPECT_THAT(std::string(ParseHashList("#\n", "list", kMd5Bytes).status().message()),
              HasSubstr("no digest"));
}

TEST(Indicators, BadRulesAreToldBeforeAnythingIsSigned) {
  const testing::TempFolder folder;
  std::ofstream(folder / "bad.yar") << "rule a {\n condition:\n  nonsense }\n";
  std::string note;
  const auto read = ReadIndicators({.rule_files = {(folder / "bad.yar").string()}}, &note);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("bad.yar:3: "));
  EXPECT_FALSE(ReadIndicators({}, &note).ok());
  EXPECT_FALSE(ReadIndicators({.sha256_files = {"/does/not/exist"}}, &note).ok());
}

}  // namespace
}  // namespace cordon::ctl
