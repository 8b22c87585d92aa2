#pragma once

// A host under isolation whose rules nobody repairs while they are looked at, and what somebody with the
// rights for it may do to rules, sets, marks, interfaces and traffic control.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "agent/isolation/isolation.h"
#include "platform/api/link_watcher.h"
#include "platform/api/system.h"
#include "tests/fakes/fake_names.h"
#include "tests/fakes/fake_probes.h"
#include "tests/fakes/recording_sink.h"
#include "tests/security/isolation/leak_judge.h"
#include "tests/support/caller.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {

struct RuleHandle {
  std::string family;
  std::string chain;
  std::string handle;
};

class MutatedHost : public ::testing::Test {
 protected:
  MutatedHost();
  ~MutatedHost() override { links_->Stop(); }

  static unsigned Seed() {
    const char* const given = std::getenv("CORDON_SEED");
    return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                            : std::random_device()();
  }

  uint32_t Below(size_t bound) { return static_cast<uint32_t>(random_() % bound); }
  template <typename T>
  const T& Pick(const std::vector<T>& of) {
    return of[Below(of.size())];
  }
  // False when it was refused, which changes nothing.
  bool Run(std::vector<std::string> args) {
    return RunCommand(std::move(args), {.net_namespace = lab_.host.Name()}).status == 0;
  }
  bool Nft(const std::string& change) { return Run({"nft", change}); }
  bool Shell(const std::string& script) { return Run({"sh", "-ec", script}); }

  // A profile with networks alone, or one with names and a program too. What a name opened is nobody's
  // address here.
  v1::IsolateAction Profile(v1::Level level, bool rich) const;
  // Its receipt.
  absl::StatusOr<v1::Receipt> Order(const v1::IsolateAction& action);

  // Cordon's own rules, or chains (with an empty handle); and its sets.
  std::vector<RuleHandle> Own(bool rules) const;
  std::vector<std::string> OwnSets() const;

  // What was changed, for messages.
  std::string Mutate();
  std::string MutateOwnRules();
  std::string MutateOwnTables();
  std::string MutateOwnSets();
  std::string MutateMarks();
  std::string AddForeignRules();
  std::string ChangeInterfaces();
  std::string ChangeTrafficControl();
  void Undo();

  const unsigned seed_;
  std::mt19937 random_;
  Lab lab_;
  NetNamespace elsewhere_{"else"};
  std::optional<InNetNamespace> inside_;
  MarksOf marks_{lab_.host};
  TempFolder folder_;
  const std::string pms_;
  FakeNames names_;
  std::unique_ptr<Clock> clock_ = platform::MakeSystemClock();
  RecordingSink events_;
  FakeChannelProbe channel_;
  std::unique_ptr<platform::LinkWatcher> links_ = platform::MakeLinkWatcher();
  std::unique_ptr<platform::ConnectionTable> connections_;
  std::unique_ptr<agent::EscapeProbe> escape_;
  std::unique_ptr<platform::BypassScanner> bypasses_;
  std::unique_ptr<agent::Isolation> isolation_;
  std::vector<std::string> undo_;  // shell commands, run in the host's namespace
  uint64_t sequence_ = 0;
};

}  // namespace cordon::testing
