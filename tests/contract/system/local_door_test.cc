// The contract of LocalDoor (platform/api/places.h) on the native implementation.

#include <gtest/gtest.h>

#include <filesystem>

#include "platform/api/files.h"
#include "platform/api/places.h"
#include "tests/contract/system/listen.h"
#include "tests/support/temp_folder.h"

namespace cordon::platform {
namespace {

using cordon::testing::TempFolder;

TEST(LocalDoor, IsFoundWhileItIsOpen) {
  const TempFolder folder;
  const std::filesystem::path path = folder / "agent";
  EXPECT_EQ(FindLocalDoor(path).status().code(), absl::StatusCode::kUnavailable);
  {
    absl::StatusOr<std::unique_ptr<LocalDoor>> door = MakeLocalDoor(path);
    ASSERT_TRUE(door.ok()) << door.status();
    const int port = cordon::testing::ListenAt((*door)->Address());
    EXPECT_EQ(FindLocalDoor(path).status().code(), absl::StatusCode::kUnavailable) << "not before it is open";
    ASSERT_EQ((*door)->Open(port), absl::OkStatus());
    const absl::StatusOr<LocalAddress> found = FindLocalDoor(path);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->secret, (*door)->Address().secret);
    if (port != 0) {
      EXPECT_TRUE(found->address.ends_with(":" + std::to_string(port))) << found->address;
    }
  }
  EXPECT_EQ(FindLocalDoor(path).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(std::filesystem::is_empty(folder.Path()));
}

TEST(LocalDoor, TakesThePlaceOfAnOlderOneAndHasAnotherSecret) {
  const TempFolder folder;
  auto older = MakeLocalDoor(folder / "agent");
  ASSERT_TRUE(older.ok()) << older.status();
  ASSERT_EQ((*older)->Open(cordon::testing::ListenAt((*older)->Address())), absl::OkStatus());
  auto newer = MakeLocalDoor(folder / "agent");
  ASSERT_TRUE(newer.ok()) << newer.status();
  EXPECT_EQ(FindLocalDoor(folder / "agent")->secret, (*older)->Address().secret);
  ASSERT_EQ((*newer)->Open(cordon::testing::ListenAt((*newer)->Address())), absl::OkStatus());
  EXPECT_EQ(FindLocalDoor(folder / "agent")->secret, (*newer)->Address().secret);
  if (!(*newer)->Address().secret.empty()) {
    EXPECT_NE((*newer)->Address().secret, (*older)->Address().secret);
    EXPECT_EQ((*newer)->Address().secret.size(), 64U);
  }
}

TEST(LocalDoor, DoesNotTakeThePlaceOfAnotherFile) {
  const TempFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "precious", "mine", FileAccess::kOwnerOnly).ok());
  EXPECT_EQ(MakeLocalDoor(folder / "precious").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(*ReadFileBounded(folder / "precious", 9), "mine");
}

TEST(DefaultPlaces, AreAbsoluteAndThisProgramCanBeStartedAgain) {
  const Places places = DefaultPlaces();
  EXPECT_TRUE(places.config_file.is_absolute());
  EXPECT_TRUE(places.state_folder.is_absolute());
  EXPECT_TRUE(places.socket.is_absolute());
  EXPECT_TRUE(std::filesystem::exists(places.executable)) << places.executable;
}

}  // namespace
}  // namespace cordon::platform
