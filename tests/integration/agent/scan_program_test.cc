// Rules that no cordonctl has looked at: the agent's own judgement.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/agent/agent_program.h"

namespace cordon::testing {
namespace {

class ScanProgramTest : public AgentProgram {
 protected:
  void SetUp() override {
    ASSERT_EQ(Enroll().status, 0);
    Start();
    std::ofstream(folder_ / "watched" / "x") << "an EVIL file";
  }

  void OrderScan(uint64_t sequence, const std::string& rules) {
    Order(sequence, [&](v1::Order* order) {
      v1::RuleFile& file = *order->mutable_scan()->mutable_spec()->mutable_indicators()->add_yara();
      file.set_name("a.yar");
      file.set_content(rules);
    });
  }
  bool Ends(v1::OrderOutcome::State state, const std::string& text) const {
    return gateway_->WaitForMessage([&](const v1::ControlRequest& message) {
      return message.has_outcome() && message.outcome().state() == state &&
             message.outcome().message().find(text) != std::string::npos;
    });
  }
};

TEST_F(ScanProgramTest, AUT6_BadRulesAreRefusedWithFileAndLineAndGoodOnesRun) {
  OrderScan(1, "rule a {\n condition:\n  nonsense }\n");
  EXPECT_TRUE(Ends(v1::OrderOutcome::STATE_REFUSED, "a.yar:3: "));
  OrderScan(2, "\nimport \"cuckoo\"\nrule a { condition: true }");
  EXPECT_TRUE(Ends(v1::OrderOutcome::STATE_REFUSED, "a.yar:2: "));
  OrderScan(3, "include \"/etc/passwd\"\nrule a { condition: true }");
  EXPECT_TRUE(Ends(v1::OrderOutcome::STATE_REFUSED, "a.yar:1: "));
  OrderScan(4, "rule evil { strings: $a = \"EVIL\" condition: $a }");
  EXPECT_TRUE(gateway_->WaitForMessage([](const v1::ControlRequest& message) {
    return message.outcome().state() == v1::OrderOutcome::STATE_DONE &&
           message.outcome().progress().findings() == 1 &&
           !message.outcome().progress().report_signature().empty();
  }));
}

// They use more of the system than a plain string does.
TEST_F(ScanProgramTest, RulesOfEveryModuleRunInTheScanningProcess) {
  std::filesystem::copy_file("/bin/true", folder_ / "watched" / "program");
  OrderScan(1, R"(
import "pe"
import "elf"
import "math"
import "hash"
import "time"
import "dotnet"
rule program {
  condition:
    elf.type == elf.ET_DYN and hash.md5(0, filesize) != "" and hash.sha256(0, filesize) != "" and
    math.entropy(0, filesize) > 1.0 and time.now() > 0 and not defined pe.machine
})");
  EXPECT_TRUE(gateway_->WaitForMessage([](const v1::ControlRequest& message) {
    return message.outcome().state() == v1::OrderOutcome::STATE_DONE &&
           message.outcome().progress().findings() == 1;
  }));
}

TEST_F(ScanProgramTest, AUT6_RulesThatExhaustTheCompilerAreRefusedAndTheAgentGoesOn) {
  OrderScan(1,
            "rule a { condition: " + std::string(100'000, '(') + "true" + std::string(100'000, ')') + " }");
  EXPECT_TRUE(Ends(v1::OrderOutcome::STATE_REFUSED, "a.yar:1: "));
  OrderScan(2, "rule evil { strings: $a = \"EVIL\" condition: $a }");
  EXPECT_TRUE(Ends(v1::OrderOutcome::STATE_DONE, ""));
}

}  // namespace
}  // namespace cordon::testing
