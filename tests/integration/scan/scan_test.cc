// Baseline and check on real trees.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "tests/integration/scan/scan_fixture.h"
#include "tests/support/capabilities.h"
#include "tests/support/lease.h"

namespace cordon::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_F(ScanTest, FindsExactlyWhatWasTamperedWith) {
  for (int i = 0; i < 300; ++i)
    Write("d" + std::to_string(i % 7) + "/f" + std::to_string(i), std::to_string(i));
  fs::create_symlink("f0", tree_ / "d0/link");
  Write("removed/a/b", "x");
  const v1::ScanProgress made = Scan(Spec());
  EXPECT_EQ(made.state(), v1::ScanProgress::STATE_DONE) << made.message();
  EXPECT_EQ(made.files_done(), 301U);
  EXPECT_EQ(made.files_total(), 301U);
  EXPECT_EQ(made.baseline_sha256().size(), 32U);

  const v1::ScanProgress unchanged = Scan(Spec());
  EXPECT_THAT(Findings(), IsEmpty());
  EXPECT_EQ(unchanged.baseline_sha256(), made.baseline_sha256());

  // Same size, and its time of change set back.
  const auto time = fs::last_write_time(tree_ / "d0/f7");
  Write("d0/f7", "X");
  fs::last_write_time(tree_ / "d0/f7", time);
  fs::permissions(tree_ / "d1/f8", fs::perms::owner_all | fs::perms::set_uid);
  fs::remove_all(tree_ / "removed");
  Write("d2/new/implant", "x");
  fs::remove(tree_ / "d0/link");
  fs::create_symlink("/tmp", tree_ / "d0/link");
  Write("d3/f10", "longer content than before");
  const v1::ScanProgress checked = Scan(Spec(v1::IntegrityCheck::MODE_CHECK));
  EXPECT_EQ(checked.state(), v1::ScanProgress::STATE_DONE) << checked.message();
  EXPECT_THAT(Findings(),
              UnorderedElementsAre("CONTENT /d0/f7", "METADATA /d1/f8", "REMOVED /removed",
                                   "REMOVED /removed/a", "REMOVED /removed/a/b", "ADDED /d2/new",
                                   "ADDED /d2/new/implant", "METADATA /d0/link", "CONTENT /d3/f10"));
  EXPECT_EQ(checked.findings(), 9U);
  EXPECT_EQ(sink_.Events().back().event_class, v1::EVENT_CLASS_FINDING);
}

TEST_F(ScanTest, ARereadFindsWhatOnlyTheContentTells) {
  Write("a", "1");
  Scan(Spec());
  v1::ScanSpec spec = Spec();
  spec.set_full_reread(true);
  const v1::ScanProgress progress = Scan(spec);
  EXPECT_EQ(progress.bytes_done(), 1U);
  EXPECT_THAT(Findings(), IsEmpty());
}

// The kernel gives a mapping a new time of change when it writes first, and none for what it writes soon
// after.
TEST_F(ScanTest, AFileThatAMappingChangesWithoutAnotherTimeIsFound) {
  Write("mapped", "content");
  const int file = open((tree_ / "mapped").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(file, 0);
  void* const at = mmap(nullptr, 7, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  ASSERT_TRUE(at != MAP_FAILED);
  std::memcpy(at, "CONTENT", 7);
  Scan(Spec());
  const int64_t changed = platform::ReadFileMetadata(tree_ / "mapped")->ctime_unix_nanos;
  std::memcpy(at, "another", 7);
  EXPECT_EQ(platform::ReadFileMetadata(tree_ / "mapped")->ctime_unix_nanos, changed)
      << "else it proves nothing";
  Scan(Spec(v1::IntegrityCheck::MODE_CHECK));
  EXPECT_THAT(Findings(), UnorderedElementsAre("CONTENT /mapped"));
  munmap(at, 7);
}

TEST_F(ScanTest, OddThingsNeitherStopItNorAreFollowed) {
  Write("ok", "1");
  Write("excluded/secret", "1");
  ASSERT_EQ(mkfifo((tree_ / "fifo").c_str(), 0600), 0);
  fs::create_directory_symlink("/usr", tree_ / "usr");
  fs::create_symlink("nowhere", tree_ / "dangling");
  Write(std::string("bad\xff\nname"), "1");
  const v1::ScanProgress progress = Scan(Spec());
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_DONE) << progress.message();
  EXPECT_EQ(progress.files_done(), 2U);
  EXPECT_EQ(progress.not_scanned_count(), 0U);
  Write("excluded/secret", "2");
  Write(std::string("bad\xff\nname"), "22");
  Scan(Spec());
  EXPECT_THAT(Findings(), UnorderedElementsAre("CONTENT /bad\\xff\nname"));
}

// As root without the capabilities that open everything, over what belongs to somebody else.
TEST_F(ScanTest, WhatBecomesUnreadableIsListedAndNotCalledRemoved) {
  if (geteuid() != 0) GTEST_SKIP() << "giving files away needs root";
  constexpr uid_t kNobody = 65534;
  for (const char* name : {"open/f", "shut/inner/f", "file", "removed"}) Write(name, name);
  for (const char* name : {"shut", "file"}) {
    ASSERT_EQ(chown((tree_ / name).c_str(), kNobody, kNobody), 0);
    ASSERT_EQ(chmod((tree_ / name).c_str(), name == std::string("shut") ? 0700 : 0600), 0);
  }
  Scan(Spec());
  fs::remove(tree_ / "removed");
  v1::ScanSpec spec = Spec(v1::IntegrityCheck::MODE_CHECK);
  spec.set_full_reread(true);
  EXPECT_EQ(Scan(spec).not_scanned_count(), 0U);
  EXPECT_THAT(Findings(), UnorderedElementsAre("REMOVED /removed"));  // the positive control
  v1::ScanProgress progress;
  std::thread([&] {
    testing::DropCapabilities({CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH});
    progress = Scan(spec);  // its threads are this one's
    runner_.reset();
  }).join();
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_DONE) << progress.message();
  EXPECT_THAT(Findings(), UnorderedElementsAre("REMOVED /removed"));
  std::vector<std::string> left_out;
  for (const v1::NotScanned& each : progress.not_scanned()) {
    left_out.push_back(each.path());
    EXPECT_THAT(each.reason(), HasSubstr("Permission denied"));
  }
  EXPECT_THAT(left_out, UnorderedElementsAre((tree_ / "shut").string(), (tree_ / "file").string()));
}

// It could hold anything when the baseline was made, and change afterwards.
TEST_F(ScanTest, WhatALeaseKeptOutOfTheBaselineIsNamedByTheBaselineAndByEachCheck) {
  Write("leased", "1");
  {
    const testing::Lease lease(tree_ / "leased");
    if (!lease.Held()) GTEST_SKIP() << "no leases on this file system";
    const v1::ScanProgress made = Scan(Spec());
    ASSERT_EQ(made.not_scanned_count(), 1U);
    EXPECT_THAT(made.not_scanned(0).reason(), HasSubstr("holds a lease"));
  }
  for (int i = 0; i < 2; ++i) {
    const v1::ScanProgress checked = Scan(Spec(v1::IntegrityCheck::MODE_CHECK));
    EXPECT_THAT(Findings(), IsEmpty());
    ASSERT_EQ(checked.not_scanned_count(), 1U);
    EXPECT_EQ(checked.not_scanned(0).path(), (tree_ / "leased").string());
    EXPECT_THAT(checked.not_scanned(0).reason(), HasSubstr("the baseline has no hash of it"));
    Write("leased", "2");
  }
}

TEST_F(ScanTest, ALeaseThatIsGivenUpWhenItIsAskedForHidesNothing) {
  Write("leased", "1");
  const testing::Lease lease(tree_ / "leased");
  if (!lease.Held()) GTEST_SKIP() << "no leases on this file system";
  const std::jthread holder([&](const std::stop_token& stop) {
    while (!lease.IsAskedFor() && !stop.stop_requested())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    lease.LetGo();
  });
  EXPECT_EQ(Scan(Spec()).not_scanned_count(), 0U);
}

TEST_F(ScanTest, APathThatIsNotThereIsListed) {
  Write("d/f", "1");
  Scan(Spec());
  v1::ScanSpec spec = Spec();
  spec.add_paths(tree_.Path().string());
  spec.add_paths("/does/not/exist");
  const v1::ScanProgress progress = Scan(spec);
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_DONE) << progress.message();
  ASSERT_EQ(progress.not_scanned_count(), 1U);
  EXPECT_EQ(progress.not_scanned(0).path(), "/does/not/exist");
  EXPECT_THAT(progress.not_scanned(0).reason(), HasSubstr("No such file"));
}

TEST_F(ScanTest, KernelFileSystemsBelowARootAreNotEntered) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  fs::create_directory(tree_ / "proc");
  ASSERT_EQ(mount("cordon-test", (tree_ / "proc").c_str(), "proc", MS_RDONLY, nullptr), 0);
  const v1::ScanProgress progress = Scan(Spec());
  EXPECT_EQ(umount2((tree_ / "proc").c_str(), MNT_DETACH), 0);
  EXPECT_EQ(progress.files_done(), 0U);
  ASSERT_EQ(progress.not_scanned_size(), 1);
  EXPECT_THAT(progress.not_scanned(0).reason(), HasSubstr("proc"));
}

constexpr const char* kCapability = "security.capability";

// What `setcap cap_net_raw+ep` writes: revision 2, effective, one right.
std::string NetRawCapability() {
  vfs_cap_data capability{};
  capability.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  capability.data[0].permitted = 1U << CAP_NET_RAW;
  return {reinterpret_cast<const char*>(&capability), sizeof capability};
}

TEST_F(ScanTest, AChangedCapabilityOrAttributeIsFoundAndNothingElse) {
  if (geteuid() != 0) GTEST_SKIP() << "capabilities of files need root";
  const auto set = [&](const char* file, const char* name, const std::string& value) {
    return setxattr((tree_ / file).c_str(), name, value.data(), value.size(), 0);
  };
  for (const char* name : {"gets", "had", "same", "labelled", "plain"}) Write(name, name);
  ASSERT_EQ(set("had", kCapability, NetRawCapability()), 0);
  ASSERT_EQ(set("same", kCapability, NetRawCapability()), 0);
  ASSERT_EQ(set("labelled", "trusted.label", "before"), 0);
  Scan(Spec());
  const v1::ScanSpec check = Spec(v1::IntegrityCheck::MODE_CHECK);
  Scan(check);
  EXPECT_THAT(Findings(), IsEmpty());
  ASSERT_EQ(set("gets", kCapability, NetRawCapability()), 0);
  ASSERT_EQ(removexattr((tree_ / "had").c_str(), kCapability), 0);
  ASSERT_EQ(set("labelled", "trusted.label", "after"), 0);
  Scan(check);
  EXPECT_THAT(Findings(), UnorderedElementsAre("METADATA /gets", "METADATA /had", "METADATA /labelled"));
}

TEST_F(ScanTest, ACheckWithoutABaselineIsRefusedAndASecondJobToo) {
  Write("a", "1");
  EXPECT_EQ(runner_->Start("x", Spec(v1::IntegrityCheck::MODE_CHECK)).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(runner_->Cancel("x").code(), absl::StatusCode::kNotFound);
}

TEST_F(ScanTest, ABaselineOfPartLeavesTheRestAsItWas) {
  Write("a/1", "1");
  Write("b/1", "1");
  Scan(Spec());
  Write("a/1", "22");
  Write("b/1", "22");
  v1::ScanSpec part = Spec(v1::IntegrityCheck::MODE_CREATE);
  part.add_paths((tree_ / "a").string());
  Scan(part);
  Scan(Spec());
  EXPECT_THAT(Findings(), UnorderedElementsAre("CONTENT /b/1"));
}

TEST_F(ScanTest, AHugeFileIsLeftWhenCancelledAndTheOldBaselineIsWhole) {
  Write("small", "1");
  Scan(Spec());
  ASSERT_EQ(truncate((tree_ / "small").c_str(), kTakesForEver), 0);
  v1::ScanSpec spec = Spec();
  spec.set_full_speed(false);
  ASSERT_TRUE(StartWhenFree("huge", spec).ok());
  EXPECT_EQ(runner_->Start("other", spec).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(runner_->Start("huge", spec).ok()) << "its own order again, after a crash";
  ASSERT_TRUE(WaitFor([](const auto& p) { return p.order_id() == "huge" && p.bytes_done() > 0; }));
  ASSERT_TRUE(runner_->Cancel("huge").ok());
  const v1::ScanProgress end = WaitForEnd("huge");  // how soon: manners_test.cc
  EXPECT_EQ(end.state(), v1::ScanProgress::STATE_CANCELLED);
  EXPECT_LT(end.bytes_done(), static_cast<uint64_t>(kTakesForEver)) << "it did not read to the end";
  Write("small", "1");
  Scan(Spec());
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(ScanTest, AFileThatIsAllHolesIsNamedAndNotRead) {
  Write("small", "1");
  Write("hollow", "1");
  Scan(Spec());
  ASSERT_EQ(truncate((tree_ / "hollow").c_str(), off_t{4} << 40), 0);
  const v1::ScanProgress progress = Scan(Spec(v1::IntegrityCheck::MODE_CHECK));
  EXPECT_EQ(progress.state(), v1::ScanProgress::STATE_DONE) << progress.message();
  EXPECT_THAT(Findings(), UnorderedElementsAre("CONTENT /hollow")) << "its size differs";
  ASSERT_EQ(progress.not_scanned_count(), 1U);
  EXPECT_EQ(progress.not_scanned(0).path(), (tree_ / "hollow").string());
  EXPECT_THAT(progress.not_scanned(0).reason(), HasSubstr("longer than 1.0 TiB"));
}

TEST_F(ScanTest, ADamagedBaselineIsSetAsideAndReported) {
  Write("a", "1");
  Scan(Spec());
  runner_.reset();
  std::ofstream(state_ / "baseline.db", std::ios::trunc) << std::string(8192, 'x');
  Open();
  EXPECT_THAT(runner_->SetAsideNotice(), HasSubstr("set aside"));
  EXPECT_TRUE(sink_.WaitFor([](const v1::Event& event) {
    return event.agent_lifecycle().state() == v1::AgentLifecycle::STATE_DATABASE_SET_ASIDE;
  }));
  EXPECT_EQ(runner_->Start("x", Spec(v1::IntegrityCheck::MODE_CHECK)).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Scan(Spec()).state(), v1::ScanProgress::STATE_DONE);
}

TEST_F(ScanTest, TheProofReadsAFileAndTheDatabase) {
  EXPECT_FALSE(runner_->State().serving);
  runner_->Prove();
  EXPECT_TRUE(runner_->State().serving) << runner_->State().detail;
}

}  // namespace
}  // namespace cordon::agent
