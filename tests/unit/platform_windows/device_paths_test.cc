#include "platform/windows/files/device_paths.h"

#include <gtest/gtest.h>

namespace cordon::platform {
namespace {

TEST(DevicePaths, AFolderOfTheKernelIsOneOfADrive) {
  const DevicePaths paths({{u"\\Device\\HarddiskVolume3\\Users", "C:/Users"}});
  EXPECT_EQ(paths.Find(u"\\Device\\HarddiskVolume3\\Users\\ann\\b\u00fccher.txt"),
            "C:/Users/ann/b\u00fccher.txt");
  EXPECT_EQ(paths.Find(u"\\Device\\HarddiskVolume3\\Users"), "C:/Users");
  EXPECT_EQ(paths.Find(u"\\device\\harddiskvolume3\\USERS\\Ann"), "C:/Users/Ann") << "capitals do not count";
}

TEST(DevicePaths, WhatIsElsewhereIsNot) {
  const DevicePaths paths({{u"\\Device\\HarddiskVolume3\\Users", "C:/Users"}});
  EXPECT_EQ(paths.Find(u"\\Device\\HarddiskVolume3\\Users2\\a"), std::nullopt);
  EXPECT_EQ(paths.Find(u"\\Device\\HarddiskVolume31\\Users\\a"), std::nullopt);
  EXPECT_EQ(paths.Find(u"\\Device\\Mup\\server\\share\\a"), std::nullopt);
  EXPECT_EQ(paths.Find(u"a.txt"), std::nullopt) << "below a folder that another handle names";
  EXPECT_EQ(paths.Find(u""), std::nullopt);
  EXPECT_EQ(DevicePaths().Find(u"\\Device\\HarddiskVolume3"), std::nullopt);
}

TEST(DevicePaths, AWholeVolumeIsAFolderToo) {
  const DevicePaths paths({{u"\\Device\\HarddiskVolume3\\", "D:/"}});
  EXPECT_EQ(paths.Find(u"\\Device\\HarddiskVolume3\\a\\b"), "D:/a/b");
}

TEST(DevicePaths, TheInnerFolderNamesIt) {
  const DevicePaths paths(
      {{u"\\Device\\HarddiskVolume3\\data", "C:/data"}, {u"\\Device\\HarddiskVolume3\\data\\pms", "P:/"}});
  EXPECT_EQ(paths.Find(u"\\Device\\HarddiskVolume3\\data\\pms\\a.db"), "P:/a.db");
  EXPECT_EQ(paths.Find(u"\\Device\\HarddiskVolume3\\data\\b"), "C:/data/b");
}

TEST(DevicePaths, AFolderThatIsNotThereNamesNothing) {
  const DevicePaths paths({{u"", "C:/gone"}});
  EXPECT_EQ(paths.Size(), 0U);
  EXPECT_EQ(paths.Find(u"\\Device\\HarddiskVolume3\\a"), std::nullopt);
}

TEST(WithoutCapitals, OfAsciiAlone) {
  EXPECT_EQ(WithoutCapitals("C:/Users/\u00c4RGER.TXT"), "c:/users/\u00c4rger.txt");
}

}  // namespace
}  // namespace cordon::platform
