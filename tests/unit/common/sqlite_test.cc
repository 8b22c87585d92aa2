#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "common/sqlite/database.h"
#include "tests/support/temp_folder.h"

namespace cordon {
namespace {

using testing::TempFolder;

TEST(Database, RollsBackWhenTheBodyFails) {
  const TempFolder folder;
  Database database = *Database::Open(folder / "a.db", Database::Durability::kFull);
  ASSERT_TRUE(database.Execute("CREATE TABLE t(x)").ok());
  EXPECT_FALSE(database
                   .Transaction([&]() -> absl::Status {
                     EXPECT_TRUE(database.Execute("INSERT INTO t VALUES(1)").ok());
                     return absl::AbortedError("no");
                   })
                   .ok());
  Statement count = *database.Prepare("SELECT count(*) FROM t");
  ASSERT_TRUE(*count.Step());
  EXPECT_EQ(count.Int(0), 0);
}

TEST(Database, RefusesValuesThatSqliteCannotHold) {
  const TempFolder folder;
  Database database = *Database::Open(folder / "a.db", Database::Durability::kNormal);
  ASSERT_TRUE(database.Execute("CREATE TABLE t(x)").ok());
  Statement insert = *database.Prepare("INSERT INTO t VALUES(?)");
  EXPECT_FALSE(insert.BindUnsigned(1, uint64_t{1} << 63).Run().ok());
  EXPECT_TRUE(insert.BindUnsigned(1, (uint64_t{1} << 63) - 1).Run().ok());
}

TEST(Database, MigratesOnceAndRefusesANewerFile) {
  const TempFolder folder;
  constexpr std::array<std::string_view, 2> kSteps = {"CREATE TABLE a(x)", "CREATE TABLE b(x)"};
  {
    Database database = *Database::Open(folder / "a.db", Database::Durability::kFull);
    ASSERT_TRUE(database.Migrate(std::span(kSteps).first(1)).ok());
    ASSERT_TRUE(database.Migrate(kSteps).ok());
    ASSERT_TRUE(database.Migrate(kSteps).ok());
  }
  Database database = *Database::Open(folder / "a.db", Database::Durability::kFull);
  EXPECT_EQ(database.Migrate(std::span(kSteps).first(1)).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(OpenOrSetAside, KeepsADamagedFileBesideANewOne) {
  const TempFolder folder;
  const std::filesystem::path path = folder / "a.db";
  std::ofstream(path) << "this is no database, and long enough to be looked at as one: "
                      << std::string(4096, 'x');
  OpenedDatabase opened = *OpenOrSetAside(path, Database::Durability::kFull);
  ASSERT_TRUE(opened.set_aside.has_value());
  EXPECT_TRUE(std::filesystem::exists(*opened.set_aside));
  EXPECT_TRUE(opened.database.Execute("CREATE TABLE t(x)").ok());
}

TEST(OpenOrSetAside, LeavesAHealthyFileAlone) {
  const TempFolder folder;
  ASSERT_TRUE(
      Database::Open(folder / "a.db", Database::Durability::kFull)->Execute("CREATE TABLE t(x)").ok());
  OpenedDatabase opened = *OpenOrSetAside(folder / "a.db", Database::Durability::kFull);
  EXPECT_FALSE(opened.set_aside.has_value());
  EXPECT_TRUE(opened.database.Execute("INSERT INTO t VALUES(1)").ok());
}

}  // namespace
}  // namespace cordon
