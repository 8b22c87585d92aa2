#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "common/sqlite/database.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_box.h"

namespace cordon::controller {
namespace {

namespace fs = std::filesystem;
using testing::Fails;
using testing::IsOk;
using testing::Note;
using testing::StoreBox;

absl::Status TryOpen(const StoreBox& box, const Clock& clock) {
  return OpenSqliteStore(box.File(), clock).status();
}

TEST(StoreFile, IsItsOwnersAloneAndKeepsTheFleet) {
  StoreBox box;
  EXPECT_EQ(fs::status(box.File()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const absl::StatusOr<Fleet> fleet = box->GetFleet();
  ASSERT_THAT(fleet, IsOk());
  EXPECT_EQ(fleet->fleet_id, box.Fleet().FleetId());
  EXPECT_EQ(fleet->organisation, box.Fleet().Organisation());
  EXPECT_EQ(fleet->trust_bundle.bundle(), box.Fleet().Trust().bundle());
}

TEST(StoreFile, IsMadeOnce) {
  StoreBox box;
  EXPECT_THAT(CreateSqliteStore(box.File(), {}, box.Time()),
              Fails(absl::StatusCode::kAlreadyExists, "is there already"));
}

TEST(StoreFile, IsNotMadeAnewWhenItIsMissing) {
  StoreBox box;
  box.Crash();
  fs::remove(box.File());
  EXPECT_THAT(TryOpen(box, box.Time()), Fails(absl::StatusCode::kNotFound, "cordon-controller init"));
  EXPECT_FALSE(fs::exists(box.File()));
}

TEST(StoreFile, IsOneControllersAtATime) {
  StoreBox box;
  EXPECT_THAT(TryOpen(box, box.Time()), Fails(absl::StatusCode::kAlreadyExists, "another controller"));
  box.Crash();
  EXPECT_THAT(TryOpen(box, box.Time()), IsOk());  // the positive control
}

TEST(StoreFile, DamageIsNamedWithTheWayToRestore) {
  StoreBox box;
  box.Crash();
  {
    std::fstream file(box.File(), std::ios::in | std::ios::out | std::ios::binary);
    file << std::string(64, 'x');
  }
  EXPECT_THAT(TryOpen(box, box.Time()), Fails(absl::StatusCode::kDataLoss, "put back the newest backup"));
}

TEST(StoreFile, AnEmptyFileIsNoStore) {
  StoreBox box;
  box.Crash();
  fs::resize_file(box.File(), 0);
  fs::remove(box.File().string() + "-wal");
  EXPECT_THAT(TryOpen(box, box.Time()), Fails(absl::StatusCode::kDataLoss, "no fleet"));
}

TEST(StoreFile, OfANewerVersionIsLeftAlone) {
  StoreBox box;
  box.Crash();
  testing::Must(testing::Must(Database::Open(box.File(), Database::Durability::kNormal))
                    .Execute("PRAGMA user_version=1000"));
  EXPECT_THAT(TryOpen(box, box.Time()), Fails(absl::StatusCode::kFailedPrecondition, "schema version 1000"));
}

TEST(StoreFile, AStoredMessageThatCannotBeReadIsDamage) {
  StoreBox box;
  const std::string host_id = box.AddHost("reception-1");
  box.Crash();
  testing::Must(testing::Must(Database::Open(box.File(), Database::Durability::kNormal))
                    .Execute("UPDATE hosts SET facts = x'ff'"));
  box.Start();
  EXPECT_THAT(box->GetHost(host_id), Fails(absl::StatusCode::kDataLoss, "HostFacts"));
  EXPECT_THAT(box->GetHost(host_id), Fails(absl::StatusCode::kDataLoss, box.File().string()));
}

TEST(StoreFile, KeepsWhatWasWrittenWhenItsProcessIsKilled) {
  StoreBox box;
  const std::string host_id = box.AddHost("reception-1");
  ASSERT_THAT(box->AppendAudit(Note("last.words")), IsOk());
  box.Crash();
  box.Start();
  EXPECT_THAT(box->GetHost(host_id), IsOk());
  EXPECT_EQ(box.Audit().back().action(), "last.words");
}

}  // namespace
}  // namespace cordon::controller
