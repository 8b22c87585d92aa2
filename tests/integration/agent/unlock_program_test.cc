// A host whose controller is gone is freed by phone (AUT-5), with the real programs: what somebody at the
// host types, what somebody with a key sheet answers, what is told when a controller is back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "common/wire/batch_codec.h"
#include "common/wire/operator_identity.h"
#include "controller/cordonctl/key_sheet.h"
#include "tests/integration/agent/agent_program.h"

namespace cordon::testing {
namespace {

using ::testing::HasSubstr;

class UnlockByPhone : public AgentProgram {
 protected:
  UnlockByPhone() {
    EXPECT_EQ(Enroll().status, 0);
    Start();
    WriteIdentity();
    WriteKeySheet();
    OrderEssential();
    EXPECT_TRUE(OutcomeComes(v1::OrderOutcome::STATE_DONE));
    EXPECT_FALSE(PingsPeer());
    gateway_->Stop();
  }

  // Of an operator whose certificate ended long ago, for a controller that is not there.
  void WriteIdentity() const {
    const TestFleet::Leaf leaf =
        fleet_.Issue(IdentityKind::kOperator, fleet_.OperatorId(), std::chrono::milliseconds(1));
    v1::OperatorIdentity identity;
    identity.set_format(1);
    identity.set_operator_id(fleet_.OperatorId());
    identity.set_name("alex");
    identity.set_fleet_id(fleet_.FleetId());
    identity.add_controllers(gateway_->Address());
    identity.set_ca_pem(fleet_.CaPem());
    identity.set_certificate_pem(leaf.certificate_pem);
    identity.set_key_pem(leaf.key_pem);
    identity.set_signing_key_pem(Must(PrivateKeyToPem(fleet_.OperatorKey())));
    identity.set_unlock_key_pem(Must(PrivateKeyToPem(fleet_.OperatorUnlockKey())));
    identity.set_trust_bundle_sha256(Sha256(fleet_.Trust().bundle()));
    std::ofstream(folder_ / "identity") << WriteOperatorIdentity(identity);
  }
  // From what the agent said in its Hello, as a controller would have kept it.
  void WriteKeySheet() const {
    v1::Host host;
    host.set_site("leeds");
    for (const v1::ControlRequest& message : gateway_->Received()) {
      if (message.has_hello()) *host.mutable_facts() = message.hello().facts();
    }
    host.set_host_id(HostId());
    std::ofstream(Sheet()) << ctl::WriteKeySheet(ctl::MakeKeySheet(fleet_.FleetId(), {host}, WallNowNanos()));
  }
  std::string Sheet() const { return (folder_ / "hosts.sheet").string(); }
  std::string HostId() const {
    const std::string status = Run({"status", "-o", "json"}).output;
    const std::string field = "\"host_id\":\"";
    return status.substr(status.find(field) + field.size(), 36);
  }

  std::unique_ptr<Subprocess> BeginUnlock(std::vector<std::string> args) const {
    args.insert(args.begin(), "unlock");
    auto unlock = std::make_unique<Subprocess>(Command(std::move(args)),
                                               SubprocessOptions{.net_namespace = host_.Name()});
    EXPECT_TRUE(unlock->WaitForOutput("Code: ")) << unlock->Output() << unlock->Errors();
    return unlock;
  }
  // What stands on the screen behind "challenge".
  static std::string ChallengeOf(const Subprocess& unlock) {
    const std::string text = unlock.Output();
    const size_t at = text.find("challenge  ");
    return at == std::string::npos ? "" : text.substr(at + 11, 14);
  }
  CommandResult Answer(const std::string& challenge, const std::string& host = "front-desk",
                       const std::string& consent = "--yes") const {
    std::vector<std::string> args = {std::string(kBinaryDir) + "/bin/cordonctl",
                                     "--identity",
                                     (folder_ / "identity").string(),
                                     "unlock-code",
                                     challenge,
                                     "--host",
                                     host,
                                     "--sheet",
                                     Sheet()};
    if (!consent.empty()) args.push_back(consent);
    return RunCommand(args, {.net_namespace = peer_.Name()});
  }
  static std::string CodeIn(const CommandResult& answer) { return answer.output.substr(0, 14); }
  std::string Status() const { return Run({"status"}).output; }
  // There is no controller that it could reach.
  void StartAlone(std::vector<std::string> before = {}) {
    std::vector<std::string> command = Command({"run"});
    command.insert(command.begin(), before.begin(), before.end());
    agent_ = std::make_unique<Subprocess>(command, SubprocessOptions{.net_namespace = host_.Name()});
    ASSERT_TRUE(Eventually([&] { return Run({"status"}).status == 0; })) << agent_->Errors();
  }
  // The unlock attempts among the events that the controller has stored.
  std::vector<v1::UnlockAttempt::Result> Told() const {
    std::vector<v1::UnlockAttempt::Result> told;
    for (const v1::Batch& batch : gateway_->Batches()) {
      const v1::EventList events = Must(DecodeEvents(batch.payload(), batch.event_count()));
      for (const v1::Event& event : events.events()) {
        if (event.has_unlock_attempt()) told.push_back(event.unlock_attempt().result());
      }
    }
    return told;
  }
};

TEST_F(UnlockByPhone, AUT5_OpensWithoutAControllerOutlivesAKillAndIsToldLater) {
  auto unlock = BeginUnlock({"--for", "1h"});
  EXPECT_THAT(unlock->Output(), HasSubstr("host       front-desk"));
  const std::string challenge = ChallengeOf(*unlock);

  // Somebody mishears a letter, and takes another host for this one.
  std::string misheard = challenge;
  misheard[0] = misheard[0] == '7' ? '8' : '7';
  EXPECT_EQ(Answer(misheard).status, 2);
  EXPECT_THAT(Answer(misheard).errors, HasSubstr("a letter is wrong"));
  EXPECT_THAT(Answer(challenge, "reception-2").errors, HasSubstr("no host with an unlock key is called"));
  EXPECT_THAT(Answer(challenge, "front-desk", "").errors, HasSubstr("no code was made"))
      << "nobody consented";

  unlock->Write("0000-0000-0000\n");
  EXPECT_TRUE(unlock->WaitForErrors("wrong code (1 in a row)"));
  const CommandResult answer = Answer(challenge);
  ASSERT_EQ(answer.status, 0) << answer.errors;
  EXPECT_THAT(answer.errors, HasSubstr("to observe (everything is open) for 1h, once"));
  std::this_thread::sleep_for(
      std::chrono::milliseconds(2'500));  // the delay after one wrong code is two seconds
  unlock->Write(CodeIn(answer) + "\n");
  EXPECT_EQ(unlock->Wait(), 0) << unlock->Output() << unlock->Errors();
  EXPECT_THAT(unlock->Output(), HasSubstr("unlocked to observe for 1h, with a code of alex"));
  EXPECT_TRUE(PingsPeer());
  EXPECT_THAT(Status(), HasSubstr("unlocked by phone to observe for another"));
  EXPECT_THAT(Status(), HasSubstr("ordered is essential"));
  EXPECT_THAT(Run({"unlock", "--code", CodeIn(answer)}).errors, HasSubstr("no challenge is open"));

  agent_->Kill();
  EXPECT_TRUE(PingsPeer());
  StartAlone();
  EXPECT_TRUE(PingsPeer());
  EXPECT_THAT(Status(), HasSubstr("unlocked by phone to observe for another"));
  agent_->Kill();

  // Two hours later by the boot-time clock, and by no other.
  StartAlone({"unshare", "--time", "--boottime", "7200", "--fork", "--kill-child"});
  EXPECT_FALSE(PingsPeer());
  EXPECT_THAT(Status(), HasSubstr("isolation     essential, contained"));
  agent_->Kill();
  // What was killed is unshare; the agent below it takes a moment longer.
  ASSERT_TRUE(Eventually([&] { return Run({"status"}).status != 0; }));
  std::filesystem::remove(State() / "agent.sock");

  {
    const InNetNamespace inside(host_);
    gateway_->Start();
  }
  Start();
  EXPECT_TRUE(Eventually([&] { return Told().size() >= 4; }));
  EXPECT_THAT(Told(), ::testing::ElementsAre(
                          v1::UnlockAttempt::RESULT_CHALLENGE_SHOWN, v1::UnlockAttempt::RESULT_WRONG_CODE,
                          v1::UnlockAttempt::RESULT_UNLOCKED, v1::UnlockAttempt::RESULT_ENDED));
}

TEST_F(UnlockByPhone, AUT5_SaysWhatItCannotDo) {
  EXPECT_THAT(Run({"unlock", "--level", "essential"}).errors, HasSubstr("not above essential"));
  const CommandResult length = Run({"unlock", "--for", "90m"});
  EXPECT_EQ(length.status, 2);
  EXPECT_THAT(length.errors, HasSubstr("15m, 30m, 1h, 2h"));
  EXPECT_EQ(Run({"unlock", "--level", "dark"}).status, 2);
  EXPECT_EQ(Run({"unlock", "--code", "123"}).status, 2);

  auto unlock = BeginUnlock({});
  unlock->CloseInput();
  EXPECT_EQ(unlock->Wait(), 1);
  EXPECT_THAT(unlock->Errors(), HasSubstr("the challenge stays open"));
  EXPECT_FALSE(PingsPeer());
  EXPECT_EQ(Run({"unlock", "--code", CodeIn(Answer(ChallengeOf(*unlock)))}).status, 0);
  EXPECT_TRUE(PingsPeer());
}

}  // namespace
}  // namespace cordon::testing
