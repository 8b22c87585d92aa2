// What every ProgramMarks keeps, see platform/api/program_marks.h.

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <memory>

#include "common/crypto/digest.h"
#include "tests/fakes/fake_program_marks.h"
#include "tests/support/caller.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {
namespace {

using platform::ProgramIdentity;
using platform::ProgramReadback;
using platform::ProgramTag;

std::string Content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Marks, and ways to install a program, to take it away, and to see what it opens.
struct Subject {
  virtual ~Subject() = default;
  virtual platform::ProgramMarks& Marks() = 0;
  virtual std::string Path(const std::string& name) = 0;
  virtual std::string Install(const std::string& name) = 0;  // returns its SHA-256
  virtual void Remove(const std::string& name) = 0;
  virtual uint32_t Mark(const std::string& name) = 0;
};

struct FakeSubject final : Subject {
  platform::ProgramMarks& Marks() override { return marks; }
  std::string Path(const std::string& name) override { return "/opt/" + name; }
  std::string Install(const std::string& name) override {
    marks.Install(Path(name), Sha256(name));
    return Sha256(name);
  }
  void Remove(const std::string& name) override { marks.Remove(Path(name)); }
  uint32_t Mark(const std::string& name) override { return marks.MarkOf(Path(name)); }
  FakeProgramMarks marks;
};

struct NativeSubject final : Subject {
  platform::ProgramMarks& Marks() override { return *marks.Get(); }
  std::string Path(const std::string& name) override { return (folder / name).string(); }
  std::string Install(const std::string& name) override {
    return Sha256(Content(InstallCaller(folder / name)));
  }
  void Remove(const std::string& name) override { std::filesystem::remove(folder / name); }
  uint32_t Mark(const std::string& name) override { return MarkAfter(host, Path(name), "tcp4"); }
  TempFolder folder;
  NetNamespace host{"pm"};
  MarksOf marks{host};
};

struct Kind {
  const char* name;
  std::function<std::unique_ptr<Subject>()> make;
};

class ProgramMarksContract : public ::testing::TestWithParam<Kind> {
 protected:
  ProgramIdentity Program(const std::string& name, const std::string& sha256 = {}) {
    return {.path = subject_->Path(name), .sha256 = sha256};
  }
  void Apply(const std::vector<ProgramIdentity>& programs) {
    const absl::Status status = subject_->Marks().Apply(programs);
    ASSERT_TRUE(status.ok()) << status;
  }
  ProgramReadback ReadBack(const std::vector<ProgramIdentity>& programs) {
    const auto readback = subject_->Marks().ReadBack(programs);
    EXPECT_TRUE(readback.ok()) << readback.status();
    return readback.value_or(ProgramReadback{});
  }

  std::unique_ptr<Subject> subject_ = GetParam().make();
};

TEST_P(ProgramMarksContract, MarksNothingAtFirst) {
  subject_->Install("pms");
  EXPECT_TRUE(ReadBack({}).matches);
  EXPECT_EQ(subject_->Mark("pms"), 0U);
}

TEST_P(ProgramMarksContract, MarksWhatANamedProgramOpensAndNoOther) {
  subject_->Install("pms");
  subject_->Install("other");
  Apply({Program("pms")});
  EXPECT_TRUE(ReadBack({Program("pms")}).matches);
  EXPECT_EQ(subject_->Mark("pms"), ProgramTag(Program("pms")));
  EXPECT_EQ(subject_->Mark("other"), 0U);
}

TEST_P(ProgramMarksContract, TellsProgramsApart) {
  subject_->Install("pms");
  subject_->Install("phone");
  Apply({Program("pms"), Program("phone")});
  EXPECT_EQ(subject_->Mark("pms"), ProgramTag(Program("pms")));
  EXPECT_EQ(subject_->Mark("phone"), ProgramTag(Program("phone")));
  EXPECT_NE(subject_->Mark("pms"), subject_->Mark("phone"));
}

TEST_P(ProgramMarksContract, HoldsExactlyTheLastListHoweverOftenItComes) {
  subject_->Install("pms");
  subject_->Install("phone");
  Apply({Program("pms")});
  Apply({Program("phone")});
  Apply({Program("phone")});
  EXPECT_EQ(subject_->Mark("pms"), 0U);
  EXPECT_NE(subject_->Mark("phone"), 0U);
  EXPECT_TRUE(ReadBack({Program("phone")}).matches);
  EXPECT_FALSE(ReadBack({Program("pms")}).matches);
  Apply({});
  EXPECT_EQ(subject_->Mark("phone"), 0U);
  EXPECT_TRUE(ReadBack({}).matches);
}

TEST_P(ProgramMarksContract, BindsByContentWhenTheHashIsGivenAndSaysWhenItIsAnother) {
  const std::string hash = subject_->Install("pms");
  Apply({Program("pms", hash)});
  EXPECT_NE(subject_->Mark("pms"), 0U) << "the positive control";
  EXPECT_TRUE(ReadBack({Program("pms", hash)}).unbound.empty());
  const ProgramIdentity another = Program("pms", Sha256("another content"));
  Apply({another});
  EXPECT_EQ(subject_->Mark("pms"), 0U);
  const ProgramReadback readback = ReadBack({another});
  EXPECT_TRUE(readback.matches) << "nothing is wrong in the kernel";
  ASSERT_EQ(readback.unbound.size(), 1U);
  EXPECT_NE(readback.unbound[0].find(another.path), std::string::npos);
  EXPECT_NE(readback.unbound[0].find("SHA-256"), std::string::npos);
}

TEST_P(ProgramMarksContract, NamesAProgramThatIsNotThereAndBindsItWhenItComes) {
  const std::vector<ProgramIdentity> programs = {Program("pms")};
  Apply(programs);
  ASSERT_EQ(ReadBack(programs).unbound.size(), 1U);
  EXPECT_TRUE(ReadBack(programs).matches);
  subject_->Install("pms");
  EXPECT_FALSE(ReadBack(programs).matches) << "something is to be done";
  EXPECT_TRUE(ReadBack(programs).differences.empty()) << "nobody has tampered";
  Apply(programs);
  EXPECT_NE(subject_->Mark("pms"), 0U);
  EXPECT_TRUE(ReadBack(programs).unbound.empty());
}

TEST_P(ProgramMarksContract, AChangedFileHasNoMarkUntilItIsLookedAtAgain) {
  subject_->Install("pms");
  const std::vector<ProgramIdentity> programs = {Program("pms")};
  Apply(programs);
  ASSERT_NE(subject_->Mark("pms"), 0U) << "the positive control";
  subject_->Remove("pms");
  subject_->Install("pms");
  EXPECT_EQ(subject_->Mark("pms"), 0U);
  EXPECT_FALSE(ReadBack(programs).matches);
  Apply(programs);
  EXPECT_NE(subject_->Mark("pms"), 0U);
  EXPECT_TRUE(ReadBack(programs).matches);
}

INSTANTIATE_TEST_SUITE_P(All, ProgramMarksContract,
                         ::testing::Values(Kind{"Fake", [] { return std::make_unique<FakeSubject>(); }},
                                           Kind{"Native", [] { return std::make_unique<NativeSubject>(); }}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace cordon::testing
