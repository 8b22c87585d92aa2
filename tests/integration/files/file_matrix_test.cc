// What the file sensor sees on this kernel: a test for each line of docs/file-events.md, in its order and
// close to its words, but for the last two, which nothing on this host can see.

#include <sys/mount.h>

#include <algorithm>

#include "common/crypto/digest.h"
#include "tests/integration/files/watched_folder.h"

namespace cordon::agent {
namespace {

using Change = v1::FileChanged;

class FileMatrix : public WatchedFolder {};

TEST_F(FileMatrix, AFileThatIsCreatedWrittenAndDeleted) {
  Start();
  const pid_t creator = Shell("echo 1 > a");
  const auto by = [](pid_t pid, const std::string& executable = "/bin/sh") {
    return [=](const Change& told) {
      return told.pid() == static_cast<uint32_t>(pid) && told.executable() == executable &&
             !told.process_guid().empty();
    };
  };
  EXPECT_TRUE(Told(Change::CHANGE_CREATED, "a", [&](const Change& told) {
    return told.state().sha256() == Sha256("1\n") && told.state().size() == 2 && by(creator)(told);
  }));
  const pid_t writer = Shell("echo 22 >> a");
  EXPECT_TRUE(Told(Change::CHANGE_MODIFIED, "a", [&](const Change& told) {
    return told.state().sha256() == Sha256("1\n22\n") && by(writer)(told);
  }));
  EXPECT_TRUE(Told(Change::CHANGE_DELETED, "a", by(Run({"rm", (folder_ / "a").string()}), "rm")));
}

TEST_F(FileMatrix, AProgramThatWritesAFileOverAndOverIsOneEventWithTheCount) {
  Shell("echo 0 > a");
  Start();
  Python("for i in range(1, 21): open('a', 'w').write(str(i))");
  // Of the kernel's events, which folds equal ones itself while its reader is busy: so not always twenty.
  EXPECT_TRUE(Told(Change::CHANGE_MODIFIED, "a", [](const Change& told) {
    return told.state().sha256() == Sha256("20") && told.repeats() >= 2;
  }));
  sensor_.Stop();
  EXPECT_EQ(std::ranges::count_if(sink_.Events(),
                                  [&](const auto& recorded) {
                                    return recorded.event.file_changed().path() == (folder_ / "a").string();
                                  }),
            1);
}

TEST_F(FileMatrix, AFileThatIsWrittenThroughAMemoryMapping) {
  Shell("head -c 4096 /dev/zero > mapped");
  Start();
  Python(
      "import mmap\nf = open('mapped', 'r+b')\nm = mmap.mmap(f.fileno(), 0)\nm[:3] = "
      "b'abc'\nm.flush()\nm.close()\nf.close()");
  EXPECT_TRUE(Told(Change::CHANGE_MODIFIED, "mapped", [](const Change& told) {
    return told.state().sha256() == Sha256("abc" + std::string(4093, '\0')) && told.executable() == "python3";
  }));
}

TEST_F(FileMatrix, AHardLinkThatIsMade) {
  Shell("echo 1 > a");
  Start();
  Shell("ln a b");
  EXPECT_TRUE(Told(Change::CHANGE_CREATED, "b",
                   [](const Change& told) { return told.state().sha256() == Sha256("1\n"); }));
}

TEST_F(FileMatrix, WritingThroughAHardLinkIsToldUnderTheNameThatWasUsed) {
  Shell("echo 1 > a; ln a " + (elsewhere_ / "other").string() + " 2>/dev/null || true; ln a b");
  Start();
  Shell("echo 2 > b");
  EXPECT_TRUE(Told(Change::CHANGE_MODIFIED, "b",
                   [](const Change& told) { return told.state().sha256() == Sha256("2\n"); }));
  sensor_.Stop();
  for (const auto& recorded : sink_.Events()) {
    EXPECT_NE(recorded.event.file_changed().path(), (folder_ / "a").string())
        << "docs/file-events.md says it is not";
  }
}

TEST_F(FileMatrix, WritingThroughABindMountIsToldUnderThePathBelowTheRoot) {
  Shell("mkdir sub");
  ASSERT_EQ(mount((folder_ / "sub").c_str(), elsewhere_.Path().c_str(), nullptr, MS_BIND, nullptr), 0);
  Start();
  Shell("echo 1 > " + (elsewhere_ / "a").string());
  EXPECT_TRUE(
      Told(Change::CHANGE_CREATED, "sub/a", [](const Change& told) { return !told.executable().empty(); }));
  EXPECT_EQ(umount(elsewhere_.Path().c_str()), 0);
}

TEST_F(FileMatrix, AReplacedFileIsOneRename) {
  Shell("echo old > target");
  Start();
  Shell("echo new > .temp && mv .temp target");
  EXPECT_TRUE(Told(Change::CHANGE_RENAMED, "target", [&](const Change& told) {
    return told.old_path() == (folder_ / ".temp").string() && told.state().sha256() == Sha256("new\n");
  }));
}

TEST_F(FileMatrix, TwoFilesThatChangePlacesAreBothTold) {
  Shell("echo 1 > a; echo 2 > b");
  Start();
  Python(
      "import ctypes\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "assert libc.renameat2(-100, b'a', -100, b'b', 2) == 0\n");  // RENAME_EXCHANGE
  EXPECT_TRUE(Told(Change::CHANGE_RENAMED, "b",
                   [](const Change& told) { return told.state().sha256() == Sha256("1\n"); }));
  EXPECT_TRUE(Told(Change::CHANGE_RENAMED, "a",
                   [](const Change& told) { return told.state().sha256() == Sha256("2\n"); }));
}

TEST_F(FileMatrix, ATreeThatIsMovedInIsToldFileByFile) {
  Run({"/bin/sh", "-c",
       "mkdir -p " + (elsewhere_ / "tree/inner").string() + "; echo 1 > " +
           (elsewhere_ / "tree/inner/a").string()});
  Start();
  Run({"mv", (elsewhere_ / "tree").string(), folder_.Path().string()});
  EXPECT_TRUE(Told(Change::CHANGE_RENAMED, "tree"));
  EXPECT_TRUE(Told(Change::CHANGE_CREATED, "tree/inner/a", [](const Change& told) {
    return told.state().sha256() == Sha256("1\n") && told.executable() == "mv";
  }));
  Shell("echo 2 > tree/inner/b");
  EXPECT_TRUE(Told(Change::CHANGE_CREATED, "tree/inner/b"));
}

TEST_F(FileMatrix, ATreeThatIsMovedOutIsOneRenameToWhereItWent) {
  Shell("mkdir tree; echo 1 > tree/a");
  Start();
  const std::string target = (elsewhere_ / "tree").string();
  Shell("mv tree " + target);
  EXPECT_TRUE(sink_.WaitFor([&](const v1::Event& event) {
    const Change& told = event.file_changed();
    return told.change() == Change::CHANGE_RENAMED && told.path() == target &&
           told.old_path() == (folder_ / "tree").string();
  }));
}

TEST_F(FileMatrix, ATreeThatIsRenamedInsideIsOneRenameAndItsFilesGoOnUnderTheNewName) {
  Shell("mkdir tree; echo 1 > tree/a");
  Start();
  Shell("mv tree moved; echo 2 > moved/a");
  EXPECT_TRUE(Told(Change::CHANGE_RENAMED, "moved"));
  EXPECT_TRUE(Told(Change::CHANGE_MODIFIED, "moved/a"));
}

TEST_F(FileMatrix, ADeletedTreeIsToldFileByFile) {
  Shell("mkdir tree; echo 1 > tree/a");
  Start();
  Shell("rm -r tree");
  EXPECT_TRUE(Told(Change::CHANGE_DELETED, "tree/a"));
  EXPECT_TRUE(Told(Change::CHANGE_DELETED, "tree"));
}

TEST_F(FileMatrix, AFileWithoutANameThatIsGivenOne) {
  Start();
  Python(
      "fd = os.open('.', os.O_TMPFILE | os.O_WRONLY, 0o600)\n"
      "os.write(fd, b'1')\n"
      "import ctypes\n"
      "path = ('/proc/self/fd/%d' % fd).encode()\n"
      "assert ctypes.CDLL(None).linkat(-100, path, -100, b'named', 0x400) == 0\n");  // AT_SYMLINK_FOLLOW
  EXPECT_TRUE(Told(Change::CHANGE_CREATED, "named",
                   [](const Change& told) { return told.state().sha256() == Sha256("1"); }));
}

TEST_F(FileMatrix, ASymbolicLinkItselfAndNotWhatItLeadsTo) {
  Start();
  Shell("ln -s " + (elsewhere_ / "target").string() + " link");
  EXPECT_TRUE(Told(Change::CHANGE_CREATED, "link", [&](const Change& told) {
    return told.state().type() == v1::FileState::TYPE_SYMLINK &&
           told.state().link_target() == (elsewhere_ / "target").string();
  }));
  Shell("echo 1 > link");
  Shell("echo 1 > last");
  EXPECT_TRUE(Told(Change::CHANGE_CREATED, "last"));
  for (const auto& recorded : sink_.Events()) {
    EXPECT_NE(recorded.event.file_changed().path(), (elsewhere_ / "target").string());
  }
}

TEST_F(FileMatrix, OwnerModeTimesAndAttributes) {
  Shell("for name in owner mode times attributes; do echo 1 > $name; done");
  Start();
  const auto path = [&](const char* name) { return (folder_ / name).string(); };
  Run({"chown", "1234:5678", path("owner")});
  Run({"chmod", "4755", path("mode")});
  Python("os.utime('times', (1000000000, 1000000000))");
  Python("os.setxattr('attributes', 'trusted.label', b'x')");
  EXPECT_TRUE(Told(Change::CHANGE_ATTRIBUTES, "owner", [](const Change& told) {
    return told.state().uid() == 1234 && told.state().gid() == 5678 && told.executable() == "chown";
  }));
  EXPECT_TRUE(Told(Change::CHANGE_ATTRIBUTES, "mode",
                   [](const Change& told) { return told.state().mode() == 04755U; }));
  EXPECT_TRUE(Told(Change::CHANGE_ATTRIBUTES, "times", [](const Change& told) {
    return told.state().mtime_unix_nanos() == 1'000'000'000 * kNanosPerSecond;
  }));
  EXPECT_TRUE(Told(Change::CHANGE_ATTRIBUTES, "attributes",
                   [](const Change& told) { return told.executable() == "python3"; }));
}

// touch opens its file for writing, which tells no more than that it may have written.
TEST_F(FileMatrix, TimesSetByAProgramThatHadTheFileOpenForWriting) {
  Shell("echo 1 > times");
  Start();
  Run({"touch", "-d", "@1000000000", (folder_ / "times").string()});
  EXPECT_TRUE(Told(Change::CHANGE_MODIFIED, "times", [](const Change& told) {
    return told.state().mtime_unix_nanos() == 1'000'000'000 * kNanosPerSecond &&
           told.state().sha256() == Sha256("1\n");
  }));
}

TEST_F(FileMatrix, ReadsOfSensitivePathsByWhomAndHowOften) {
  Shell("mkdir clients; echo 1 > clients/a; echo 1 > other");
  policy_.add_sensitive_paths((folder_ / "clients").string());
  Start();
  Shell("cat other; mkdir clients/new; echo 2 > clients/new/b");
  Shell("for i in 1 2 3; do read line < clients/a; sleep 0.05; done");
  Shell("cat clients/new/b > /dev/null");
  EXPECT_TRUE(Told(Change::CHANGE_READ, "clients/a", [](const Change& told) {
    return told.executable() == "/bin/sh" && told.repeats() >= 3 && told.state().sha256().empty();
  }));
  EXPECT_TRUE(Told(Change::CHANGE_READ, "clients/new/b"));
  sensor_.Stop();
  for (const auto& recorded : sink_.Events()) {
    const Change& told = recorded.event.file_changed();
    EXPECT_FALSE(told.change() == Change::CHANGE_READ && told.path() == (folder_ / "other").string());
  }
}

TEST_F(FileMatrix, AFileThatIsReadThroughAMemoryMapping) {
  Shell("mkdir clients; head -c 4096 /dev/zero > clients/a");
  policy_.add_sensitive_paths((folder_ / "clients").string());
  Start();
  Python(
      "import mmap\nfd = os.open('clients/a', os.O_RDONLY)\nm = mmap.mmap(fd, 0, "
      "prot=mmap.PROT_READ)\nprint(m[0])\nm.close()\nos.close(fd)");
  EXPECT_TRUE(Told(Change::CHANGE_READ, "clients/a",
                   [](const Change& told) { return told.executable() == "python3"; }));
}

}  // namespace
}  // namespace cordon::agent
