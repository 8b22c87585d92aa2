// Scans with the real programs: order → rules compiled → one walk in which hostile content is a child's
// business → signed report.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <fstream>
#include <set>

#include "common/base/hex.h"
#include "common/base/uuid.h"
#include "common/crypto/digest.h"
#include "common/sqlite/database.h"
#include "cordon/v1/baseline.pb.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class ScanRoundTest : public ::testing::Test {
 protected:
  ScanRoundTest() {
    fleet_.Enroll();
    fleet_.StartAgent();
    Write("rules.yar", "rule evil { strings: $a = \"" + evil_ + "\" condition: $a }\n",
          fleet_.Folder("rules.yar"));
  }

  void Write(const std::string& name, const std::string& content, const fs::path& at = {}) {
    const fs::path path = at.empty() ? fleet_.WatchedFolder() / name : at;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << content;
  }

  std::string Name() { return std::string(fleet_.CtlJson({"hosts"}).at(0).at("host").as_string()); }

  std::vector<std::string> Command(std::vector<std::string> args) {
    args.insert(args.begin() + 2, Name());
    // With manners it would wait for this machine's other work.
    args.insert(args.end(), {"--yes", "--full-speed", "--path", fleet_.WatchedFolder().string()});
    return args;
  }
  std::string Order(std::vector<std::string> args) {
    return std::string(fleet_.CtlJson(Command(std::move(args))).at(0).at("order_id").as_string());
  }
  boost::json::object OutcomeOf(const std::string& order_id) {
    return fleet_.CtlJson({"orders", "show", order_id}).at(0).at("outcomes").as_array().at(0).as_object();
  }
  bool Becomes(const std::string& order_id, const std::string& text) {
    return Eventually([&] { return boost::json::serialize(OutcomeOf(order_id)).contains(text); });
  }
  void Steer(const std::string& how, const std::string& order_id) {
    fleet_.Ctl({"scan", how, order_id, "--wait", "--yes"});
  }

  // "rule name", or "KIND name", of every finding of the order.
  std::multiset<std::string> FindingsOf(const std::string& order_id) {
    std::multiset<std::string> found;
    for (const auto& line : fleet_.CtlJson({"events", "--class", "finding", "--since", "10m"})) {
      const boost::json::object& finding = line.at("finding").as_object();
      if (finding.at("order_id").as_string() != order_id) continue;
      const std::string path(finding.at("path").as_string());
      const std::string kind(finding.at("kind").as_string());
      const std::string rule = finding.contains("rule") ? std::string(finding.at("rule").as_string()) : "";
      found.insert((kind == "indicator" ? rule : kind) + " " + fs::path(path).filename().string());
    }
    return found;
  }

  std::string Cursor() {
    auto database = Database::OpenReadOnly(fleet_.Folder("agent") / "baseline.db");
    if (!database.ok()) return std::string(database.status().message());
    auto row = database->Prepare("SELECT cursor FROM job");
    return row.ok() && row->Step().value_or(false) ? std::string(row->Bytes(0)) : "";
  }

  // Those that have worked for a while: 100 ticks are a second.
  static std::vector<pid_t> ScannersOf(pid_t agent, long least_ticks = 0) {
    std::vector<pid_t> scanners;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string name = entry.path().filename().string();
      pid_t pid = 0;
      if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
      std::ifstream stat(entry.path() / "stat");
      std::string number, program, state;
      pid_t parent = 0;
      stat >> number >> program >> state >> parent;
      long skipped = 0;
      for (int field = 5; field < 14; ++field) stat >> skipped;
      long ticks = 0;  // of CPU time in user space
      stat >> ticks;
      std::ifstream command(entry.path() / "cmdline");
      const std::string text((std::istreambuf_iterator<char>(command)), std::istreambuf_iterator<char>());
      if (parent == agent && text.contains("scan-files") && ticks >= least_ticks) scanners.push_back(pid);
    }
    return scanners;
  }

  // A file whose reading takes longer than any test waits, for it is just short enough to be read; last in
  // the walk.
  void MakeHuge() {
    Write("z/huge", "");
    ASSERT_EQ(truncate((fleet_.WatchedFolder() / "z/huge").c_str(), off_t{63} << 30), 0);
  }
  void MakeSmall() { ASSERT_EQ(truncate((fleet_.WatchedFolder() / "z/huge").c_str(), 0), 0); }

  Fleet fleet_;
  const std::string evil_ = NewUuid();  // stands in no program that runs, this one included
};

TEST_F(ScanRoundTest, FindsExactlyWhatWasPlantedAndTheHostSignsTheReport) {
  for (int i = 0; i < 50; ++i) Write("d" + std::to_string(i % 5) + "/f" + std::to_string(i), "good");
  Write("d1/by-hash", "known bad");
  Write("d2/x.locked", "");
  Write("d3/by-rule", "this is " + evil_);
  Write("", "# seen elsewhere\n" + HexEncode(Sha256("known bad")) + "  by-hash\n",
        fleet_.Folder("bad.sha256"));
  const std::string order =
      Order({"scan", "indicators", "--sha256-file", fleet_.Folder("bad.sha256").string(), "--path-pattern",
             "*.locked", "--yara", fleet_.Folder("rules.yar").string(), "--processes"});
  EXPECT_EQ(fleet_.TryCtl({"orders", "watch", order}).status, 0);
  EXPECT_TRUE(Eventually([&] { return FindingsOf(order).size() >= 3; }));
  EXPECT_THAT(FindingsOf(order),
              UnorderedElementsAre("sha256 by-hash", "path x.locked", "rules.yar:evil by-rule"));
  const std::string watched = fleet_.Ctl({"orders", "watch", order});
  EXPECT_THAT(watched, HasSubstr("3 findings"));
  EXPECT_THAT(watched, ::testing::Not(HasSubstr("not verified")));
}

TEST_F(ScanRoundTest, ACapabilityThatAFileWasGivenIsFoundAndNothingElse) {
  for (const char* name : {"program", "other"}) Write(name, "#!/bin/sh\n");
  const std::vector<std::string> check = {"scan", "integrity"};
  EXPECT_EQ(fleet_.TryCtl({"orders", "watch", Order(check)}).status, 0);  // makes the baseline
  const std::string unchanged = Order(check);
  EXPECT_EQ(fleet_.TryCtl({"orders", "watch", unchanged}).status, 0);
  // As `setcap cap_net_raw+ep` does: revision 2, effective, right 13.
  constexpr std::array<uint32_t, 5> kCapability = {0x02000001, 1U << 13U, 0, 0, 0};
  ASSERT_EQ(setxattr((fleet_.WatchedFolder() / "program").c_str(), "security.capability", kCapability.data(),
                     sizeof kCapability, 0),
            0);
  const std::string changed = Order(check);
  EXPECT_EQ(fleet_.TryCtl({"orders", "watch", changed}).status, 0);
  EXPECT_TRUE(Eventually([&] { return !FindingsOf(changed).empty(); }));
  EXPECT_THAT(FindingsOf(changed), UnorderedElementsAre("metadata program"));
  EXPECT_THAT(FindingsOf(unchanged), ::testing::IsEmpty());
}

TEST_F(ScanRoundTest, ABadRuleIsRefusedByTheToolWithFileAndLine) {
  Write("", "rule good { condition: true }\nrule bad {\n condition:\n  nonsense }\n",
        fleet_.Folder("bad.yar"));
  const CommandResult refused =
      fleet_.TryCtl(Command({"scan", "indicators", "--yara", fleet_.Folder("bad.yar").string()}));
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.errors, HasSubstr("bad.yar:4: "));
  EXPECT_EQ(fleet_.CtlJson({"orders"}).size(), 0U);
}

TEST_F(ScanRoundTest, WhoeverEndsTheScanningProcessLeavesOneFindingAndTheScanCompletes) {
  // A rule that takes its time on one file.
  Write("",
        "rule slow { condition: filesize > 900 and for all i in (0..filesize * 2000000) : (uint8(i % 1000) "
        "== 88) }\n",
        fleet_.Folder("slow.yar"));
  Write("a/slow", std::string(1000, 'X'));
  Write("b/by-rule", "this is " + evil_);
  const std::string order = Order({"scan", "indicators", "--yara", fleet_.Folder("rules.yar").string(),
                                   "--yara", fleet_.Folder("slow.yar").string()});
  ASSERT_TRUE(Eventually([&] { return FindingsOf(order).contains("rules.yar:evil by-rule"); }));
  // One of them is at that file, for 20 s if nothing happens. By a signal that is no fault of its own.
  ASSERT_TRUE(Eventually([&] {
    for (const pid_t scanner : ScannersOf(fleet_.Agent().Pid(), 50)) kill(scanner, SIGUSR1);
    return FindingsOf(order).contains("scanner slow");
  }));
  EXPECT_THAT(fleet_.Ctl({"-o", "json", "events", "--class", "finding", "--since", "10m"}),
              HasSubstr("ended by signal " + std::to_string(SIGUSR1)));
  EXPECT_EQ(fleet_.TryCtl({"orders", "watch", order}).status, 0);
  EXPECT_TRUE(Eventually([&] { return FindingsOf(order).size() >= 2; }));
  EXPECT_THAT(FindingsOf(order), UnorderedElementsAre("scanner slow", "rules.yar:evil by-rule"));
}

TEST_F(ScanRoundTest, IsPausedResumedAndCancelled) {
  Write("a/x.locked", "");
  MakeHuge();
  const std::string list = fleet_.Folder("bad.sha256").string();
  Write("", HexEncode(Sha256("known bad")) + "\n", list);
  const std::vector<std::string> scan = {"scan",     "indicators",    "--path-pattern",
                                         "*.locked", "--sha256-file", list};
  const std::string order = Order(scan);
  ASSERT_TRUE(Becomes(order, "\"state\":\"running\""));
  Steer("pause", order);
  const CommandResult other = fleet_.TryCtl({"orders", "watch", Order(scan)});
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.output, HasSubstr("resume or cancel it first"));
  MakeSmall();
  Steer("resume", order);
  EXPECT_EQ(fleet_.TryCtl({"orders", "watch", order}).status, 0);
  EXPECT_TRUE(Eventually([&] { return FindingsOf(order).size() == 1; }));
  MakeHuge();
  const std::string second = Order(scan);
  ASSERT_TRUE(Becomes(second, "\"state\":\"running\""));
  Steer("cancel", second);
  EXPECT_TRUE(Becomes(second, "\"state\":\"cancelled\""));
}

TEST_F(ScanRoundTest, GoesOnAfterTheAgentWasKilledAndTellsEachFindingOnce) {
  for (int i = 0; i < 30; ++i) Write("d" + std::to_string(i) + "/x" + std::to_string(i) + ".locked", "");
  MakeHuge();
  const std::string list = fleet_.Folder("bad.sha256").string();
  Write("", HexEncode(Sha256("known bad")) + "\n", list);
  const std::string order =
      Order({"scan", "indicators", "--path-pattern", "*.locked", "--sha256-file", list});
  ASSERT_TRUE(Eventually([&] { return FindingsOf(order).size() == 30; }));
  ASSERT_TRUE(Becomes(order, "\"state\":\"running\""));
  ASSERT_TRUE(Eventually([&] { return Cursor().ends_with("/d9"); })) << Cursor();
  fleet_.KillAgent();
  Write("z/late.locked", "");
  MakeSmall();
  fleet_.StartAgent();
  EXPECT_EQ(fleet_.TryCtl({"orders", "watch", order}).status, 0);
  // Had the kill come before the cursor moved, some would be told again and say so: see resume_test.
  std::multiset<std::string> expected = {"path late.locked"};
  for (int i = 0; i < 30; ++i) expected.insert("path x" + std::to_string(i) + ".locked");
  EXPECT_TRUE(Eventually([&] { return FindingsOf(order).size() >= expected.size(); }));
  EXPECT_EQ(FindingsOf(order), expected);
}

TEST_F(ScanRoundTest, AnEditedAndARolledBackBaselineAreNoticed) {
  Write("a", "1");
  Write("b", "1");
  const auto check = [&] { return fleet_.Ctl({"orders", "watch", Order({"scan", "integrity"})}); };
  EXPECT_THAT(check(), HasSubstr("done"));
  EXPECT_THAT(check(), ::testing::Not(HasSubstr("BASELINE")));
  const fs::path database = fleet_.Folder("agent") / "baseline.db";
  ASSERT_TRUE(fs::exists(database)) << database;
  fleet_.StopAgent();
  fs::copy_file(database, fleet_.Folder("old.db"));
  {
    // An implant makes itself part of what is expected.
    auto edited = Database::Open(database, Database::Durability::kFull);
    ASSERT_TRUE(edited.ok()) << edited.status();
    auto row = edited->Prepare("SELECT path, entries FROM folder WHERE files > 0");
    ASSERT_TRUE(row.ok() && *row->Step());
    v1::BaselineFolder folder;
    ASSERT_TRUE(folder.ParseFromString(std::string(row->Bytes(1))));
    ASSERT_EQ(folder.entries(0).name(), "a");
    folder.mutable_entries(0)->set_mtime_unix_nanos(1);
    auto put = edited->Prepare("UPDATE folder SET entries = ? WHERE path = ?");
    put->BindBlob(1, folder.SerializeAsString()).BindBlob(2, row->Bytes(0));
    row->Reset();
    ASSERT_TRUE(put->Run().ok());
  }
  fleet_.StartAgent();
  EXPECT_THAT(check(), HasSubstr("BASELINE NOT TRUSTWORTHY"));
  fleet_.Ctl({"audit", "export", fleet_.Folder("audit").string()});
  std::ifstream audit(fleet_.Folder("audit"));
  EXPECT_THAT(std::string((std::istreambuf_iterator<char>(audit)), std::istreambuf_iterator<char>()),
              HasSubstr("baseline.changed"));
  // A new one, by order, is trusted; the old one in its place is not.
  EXPECT_THAT(fleet_.Ctl({"orders", "watch", Order({"scan", "integrity", "--create"})}),
              HasSubstr("BASELINE WAS CHANGED"));
  Write("c", "1");
  EXPECT_THAT(fleet_.Ctl({"orders", "watch", Order({"scan", "integrity", "--create"})}),
              ::testing::Not(HasSubstr("BASELINE")));
  fleet_.StopAgent();
  fs::copy_file(fleet_.Folder("old.db"), database, fs::copy_options::overwrite_existing);
  fleet_.StartAgent();
  EXPECT_THAT(check(), HasSubstr("BASELINE NOT TRUSTWORTHY"));
}

}  // namespace
}  // namespace cordon::testing
