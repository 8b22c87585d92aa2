// Ransomware tripwires against real programs on a real tree: what encrypts is found, what backs up or unpacks
// is not.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "common/base/strings.h"
#include "common/crypto/random.h"
#include "tests/integration/files/watched_folder.h"

namespace cordon::agent {
namespace {

// Encrypts as ransomware does, with one-time pads in the place of a cipher: to the tripwire both are noise.
constexpr const char* kLocker = R"(
import sys
def documents():
  for folder, _, names in os.walk('documents'):
    for name in names:
      yield os.path.join(folder, name)
for path in list(documents()):
  size = os.path.getsize(path)
  if mode == 'in place':
    with open(path, 'r+b') as f: f.write(os.urandom(size))
  elif mode == 'in place and renamed':
    with open(path, 'r+b') as f: f.write(os.urandom(size))
    os.rename(path, path + '.locked')
  elif mode == 'copied and deleted':
    with open(path + '.locked', 'wb') as f: f.write(os.urandom(size))
    os.unlink(path)
  elif mode == 'replaced':
    with open('temp', 'wb') as f: f.write(os.urandom(size))
    os.rename('temp', path)
)";

class TripwiresTest : public WatchedFolder {
 protected:
  void SetUp() override {
    WatchedFolder::SetUp();
    if (IsSkipped()) return;
    Python(R"(
import zipfile
os.makedirs('documents/2026')
for i in range(40):
  text = ('The patient was seen, number %d. ' % i) * 60
  open('documents/letter%d.txt' % i, 'w').write(text)
  with zipfile.ZipFile('documents/2026/invoice%d.docx' % i, 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('word/document.xml', text)
    z.writestr('media/image.bin', os.urandom(5000))
)");
    Start();
  }

  int Findings() {
    sensor_.Stop();
    int findings = 0;
    int changes = 0;
    for (const auto& recorded : sink_.Events()) {
      changes += recorded.event.has_file_changed() ? 1 : 0;
      findings += recorded.event.finding().kind() == v1::Finding::KIND_RANSOMWARE ? 1 : 0;
    }
    EXPECT_GE(changes, 40) << "the sensor saw what was done";
    return findings;
  }
};

class Locker : public TripwiresTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(Locker, IsFoundAndNamed) {
  const pid_t pid = Python("mode = '" + std::string(GetParam()) + "'\n" + kLocker);
  EXPECT_TRUE(sink_.WaitFor([&](const v1::Event& event) {
    const v1::Finding& finding = event.finding();
    return finding.kind() == v1::Finding::KIND_RANSOMWARE && finding.files() >= 8 &&
           finding.executable() == "python3" && finding.pid() == static_cast<uint32_t>(pid);
  }));
  EXPECT_EQ(Findings(), 1) << "told once for a process";
}

INSTANTIATE_TEST_SUITE_P(Ways, Locker,
                         ::testing::Values("in place", "in place and renamed", "copied and deleted",
                                           "replaced"));

// How long it takes, with the settings of the product: the sensor of the other tests settles sooner.
class TimeToFinding : public WatchedFolder {
 protected:
  // Encrypts eight documents, with what `before` did behind it. Seconds from the eighth to the finding.
  double Once(int round, const std::string& before) {
    const std::string folder = "round" + std::to_string(round);
    Python("os.mkdir('" + folder + "')\nfor i in range(8): open('" + folder +
           "/letter%d.txt' % i, 'w').write('The patient was seen. ' * 200)");
    std::this_thread::sleep_for(std::chrono::seconds(2));  // all of that has settled
    const std::filesystem::path stamp = elsewhere_ / "stamp";
    const pid_t pid = Python(before + R"(
import time
for i in range(8):
  with open(')" + folder + R"(/letter%d.txt' % i, 'r+b') as f: f.write(os.urandom(4400))
open(')" + stamp.string() + R"(', 'w').write(str(time.clock_gettime_ns(time.CLOCK_BOOTTIME)))
)");
    EXPECT_TRUE(sink_.WaitFor([&](const v1::Event& event) {
      return event.finding().kind() == v1::Finding::KIND_RANSOMWARE &&
             event.finding().pid() == static_cast<uint32_t>(pid);
    }));
    const int64_t found = clock_->BootNanos();
    int64_t spoiled = 0;
    std::ifstream(stamp) >> spoiled;
    return static_cast<double>(found - spoiled) / 1e9;
  }

  // The best of three: a machine that is busy with other things delays some, what is built in delays each.
  void ExpectWithinASecond(const std::string& what, const std::string& before) {
    ASSERT_TRUE(product_.Start(policy_).ok());
    double best = 1e9;
    for (int round = 0; round < 3; ++round) {
      const double took = Once(round, before);
      std::cout << what << ": " << took << " s from the eighth document to the finding\n";
      best = std::min(best, took);
    }
    EXPECT_LT(best, 1.0);
    product_.Stop();
  }

  FileSensor product_{{.state_folder = state_.Path()}, platform::MakeFileSource, *clock_, processes_, sink_};
};

TEST_F(TimeToFinding, IsLessThanASecond) {
  ExpectWithinASecond("alone", "");
}

TEST_F(TimeToFinding, IsLessThanASecondBehindLargeFiles) {
  ExpectWithinASecond("behind 16 files of 256 MiB", R"(
for i in range(16):
  with open('disk%d.img' % i, 'wb') as f: f.truncate(256 << 20)
)");
}

// Taken out of what is watched, and brought back: by a folder that the policy leaves out, or one that lies
// elsewhere on the same file system.
class OutAndBack : public TripwiresTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    policy_.add_excluded_paths((folder_ / "cache/*").string());
    TripwiresTest::SetUp();
    if (IsSkipped()) return;
    std::filesystem::create_directory(folder_ / "cache");
  }
  // The program that did it.
  pid_t MoveOutAndBack(const std::string& between) {
    const std::filesystem::path away = GetParam() ? folder_ / "cache/x" : elsewhere_ / "x";
    return Python(StrCat("away = '", away.string(), "'\nos.rename('documents', away)\n", between,
                         "\nos.rename(away, 'documents')"));
  }
};

INSTANTIATE_TEST_SUITE_P(Ways, OutAndBack, ::testing::Bool(), [](const auto& way) {
  return std::string(way.param ? "ThroughExcluded" : "ThroughUnwatched");
});

TEST_P(OutAndBack, EncryptedIsFound) {
  const pid_t pid = MoveOutAndBack(R"(
for folder, _, names in os.walk(away):
  for name in names:
    path = os.path.join(folder, name)
    size = os.path.getsize(path)
    with open(path, 'r+b') as f: f.write(os.urandom(size)))");
  EXPECT_TRUE(sink_.WaitFor([&](const v1::Event& event) {
    const v1::Finding& finding = event.finding();
    return finding.kind() == v1::Finding::KIND_RANSOMWARE && finding.files() >= 8 &&
           finding.pid() == static_cast<uint32_t>(pid);
  }));
}

TEST_P(OutAndBack, AsItWasDoesNotTripIt) {
  MoveOutAndBack("");
  const std::string one = (folder_ / "documents/letter39.txt").string();
  EXPECT_TRUE(sink_.WaitFor([&](const v1::Event& event) {
    const v1::FileChanged& change = event.file_changed();
    return change.path() == one && change.change() == v1::FileChanged::CHANGE_CREATED;
  }));
  EXPECT_EQ(Findings(), 0);
}

TEST_F(TripwiresTest, ABackupJobDoesNotTripIt) {
  Shell("tar -czf backup.tar.gz documents");
  Python(R"(
os.mkdir('repository')
for folder, _, names in os.walk('documents'):
  for name in names:
    data = open(os.path.join(folder, name), 'rb').read()
    open('repository/' + os.urandom(8).hex(), 'wb').write(os.urandom(len(data)))
)");
  EXPECT_EQ(Findings(), 0);
}

TEST_F(TripwiresTest, UnpackingAnArchiveDoesNotTripIt) {
  Shell("tar -czf archive.tar.gz documents && rm -r documents && tar -xzf archive.tar.gz");
  Python(
      "import zipfile\nfor i in range(40): zipfile.ZipFile('documents/2026/invoice%d.docx' % "
      "i).extractall('out%d' % i)");
  EXPECT_EQ(Findings(), 0);
}

TEST_F(TripwiresTest, SavingManyDocumentsDoesNotTripIt) {
  Python(R"(
import zipfile
for i in range(40):
  with zipfile.ZipFile('temp', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('word/document.xml', 'A new text. ' * 500)
    z.writestr('media/image.bin', os.urandom(9000))
  os.rename('temp', 'documents/2026/invoice%d.docx' % i)
)");
  EXPECT_EQ(Findings(), 0);
}

}  // namespace
}  // namespace cordon::agent
