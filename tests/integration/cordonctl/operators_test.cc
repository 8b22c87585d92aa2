// How people become operators, and what their keys are good for, with a real controller between them (AUT-3).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/cordonctl/two_people.h"

namespace cordon::ctl {
namespace {

using ::testing::HasSubstr;
using testing::Must;
using testing::TestOperator;

TEST_F(TwoPeople, AUT3_AThirdJoinsWithKeysOfTheirOwnAndLeaves) {
  const std::vector<std::string> request = {
      "operator", "request", "--name", "casey", "--out", File("casey.request"), "--no-passphrase"};
  ASSERT_EQ(Call("casey", request).status, 0);
  EXPECT_EQ(Call("casey", request).status, 1) << "keys that wait are not overwritten";
  const std::vector<std::string> add = {"operator",      "add",   File("casey.request"), "--role",
                                        "isolate,trust", "--out", File("casey.welcome"), "--reason",
                                        "holidays"};
  EXPECT_EQ(Call("alex", add).status, 2) << "nobody to ask";
  const Result added = Call("alex", add, "y\n");
  ASSERT_EQ(added.status, 0) << added.err;
  EXPECT_THAT(added.err, HasSubstr("new operator casey"));
  EXPECT_THAT(added.err, HasSubstr("fingerprint of the request: "));
  ASSERT_EQ(Call("casey", {"operator", "accept", File("casey.welcome"), "--yes"}).status, 0);
  EXPECT_FALSE(std::filesystem::exists(File("casey.pending")));
  EXPECT_THAT(Call("casey", {"operator", "list"}).out, HasSubstr("casey"));

  const std::string id = Propose();
  EXPECT_EQ(Call("casey", {"orders", "approve", id, "--yes"}).status, 0);
  EXPECT_EQ(Due(), 2U) << "the change of trust, and dark";

  const std::string second = Propose();
  const std::vector<std::string> remove = {"operator", "remove", "casey", "--reason", "left", "--yes"};
  ASSERT_EQ(Call("blake", remove).status, 0);
  EXPECT_EQ(Call("blake", remove).status, 1) << "there is no such operator now";
  const Result late = Call("casey", {"orders", "approve", second, "--yes"});
  EXPECT_EQ(late.status, 1);
  EXPECT_THAT(late.err, HasSubstr("your signature would not count"));
  EXPECT_EQ(Call("casey", {"orders", "withdraw", second, "--reason", "no"}).status, 1);
}

TEST_F(TwoPeople, AUT3_AHigherThresholdForTrustIsAStepOfItsOwnAndThenNeedsBoth) {
  ASSERT_EQ(Call("alex", {"operator", "threshold", "trust=2", "--reason", "two people", "--yes"}).status, 4)
      << "the new bundle needs blake too";
  const std::string id = Newest();
  const Result approved = Call("blake", {"orders", "approve", id}, "y\n");
  EXPECT_EQ(approved.status, 0) << approved.err;
  EXPECT_THAT(approved.err, HasSubstr("signatures for trust: 1 becomes 2"));

  ASSERT_EQ(Call("casey", {"operator", "request", "--name", "casey", "--out", File("casey.request"),
                           "--no-passphrase"})
                .status,
            0);
  std::vector<std::string> add = {"operator", "add",   File("casey.request"), "--role",   "isolate,trust",
                                  "--yes",    "--out", File("casey.welcome"), "--reason", "holidays"};
  const Result both = Call("alex", With(add, {"--threshold", "trust=3"}));
  EXPECT_EQ(both.status, 1);
  EXPECT_THAT(both.err, HasSubstr("Go in two steps"));
  const Result proposed = Call("alex", add);
  EXPECT_EQ(proposed.status, 4) << proposed.err;
  EXPECT_THAT(proposed.err, HasSubstr("give this command again"));
  EXPECT_FALSE(std::filesystem::exists(File("casey.welcome")));
  EXPECT_EQ(Call("blake", {"orders", "approve", Newest(), "--yes"}).status, 0);
  EXPECT_EQ(Call("alex", add).status, 0);
  EXPECT_TRUE(std::filesystem::exists(File("casey.welcome")));
}

TEST_F(TwoPeople, AUT3_NewKeysOfOneWhoStaysTakeThePlaceOfTheOld) {
  std::filesystem::copy(File("blake"), File("stolen"));
  const std::vector<std::string> rotate = {"operator", "rotate",        "--no-passphrase",
                                           "--reason", "a lost laptop", "--yes"};
  const Result rotated = Call("blake", rotate);
  ASSERT_EQ(rotated.status, 0) << rotated.err;
  EXPECT_THAT(rotated.err, HasSubstr("another signing key"));
  EXPECT_FALSE(std::filesystem::exists(File("blake.pending")));
  const std::string id = Propose();
  const Result stolen = Call("stolen", {"orders", "approve", id, "--yes"});
  EXPECT_EQ(stolen.status, 1);
  EXPECT_THAT(stolen.err, HasSubstr("counts for nothing"));
  EXPECT_EQ(Call("blake", {"orders", "approve", id, "--yes"}).status, 0);

  // Where changes of trust need two, the new keys wait for the other person.
  ASSERT_EQ(Call("alex", {"operator", "threshold", "trust=2", "--reason", "two people", "--yes"}).status, 4);
  ASSERT_EQ(Call("blake", {"orders", "approve", Newest(), "--yes"}).status, 0);
  EXPECT_EQ(Call("blake", rotate).status, 4);
  EXPECT_EQ(Call("blake", rotate).status, 1) << "not yet";
  ASSERT_EQ(Call("alex", {"orders", "approve", Newest(), "--yes"}).status, 0);
  EXPECT_EQ(Call("blake", rotate).status, 0);
  EXPECT_EQ(Call("blake", {"orders", "approve", Propose(), "--yes"}).status, 0);
}

TEST_F(TwoPeople, AUT1_ANewCertificateIsForANewKeyAndTheSameOperator) {
  const auto read = [&] {
    std::ifstream file(File("blake"));
    std::stringstream text;
    text << file.rdbuf();
    return Must(ReadOperatorIdentity(text.str()));
  };
  const v1::OperatorIdentity before = read();
  ASSERT_EQ(Call("blake", {"operator", "renew"}).status, 0);
  const v1::OperatorIdentity after = read();
  EXPECT_NE(after.certificate_pem(), before.certificate_pem());
  EXPECT_NE(after.key_pem(), before.key_pem());
  EXPECT_EQ(after.signing_key_pem(), before.signing_key_pem());
  EXPECT_EQ(Call("blake", {"hosts"}).status, 0);
}

TEST_F(TwoPeople, AUT2_AStolenTlsKeyAloneRenewsNothing) {
  std::ofstream(File("new")) << "correct horse battery\n";
  ASSERT_EQ(Call("blake", {"operator", "passphrase", "--new-passphrase-file", File("new")}).status, 0);
  std::filesystem::copy(File("blake"), File("stolen"));
  const Result sealed = Call("stolen", {"operator", "renew"});
  EXPECT_EQ(sealed.status, 1);
  EXPECT_THAT(sealed.err, HasSubstr("is sealed"));
  // The thief puts a signing key of their own into the file.
  const TestOperator thief;
  WriteIdentity("stolen", blake_.id, *thief.key);
  EXPECT_EQ(Call("stolen", {"hosts"}).status, 0) << "looking goes on until the certificate ends";
  const Result swapped = Call("stolen", {"operator", "renew"});
  EXPECT_EQ(swapped.status, 1);
  EXPECT_THAT(swapped.err, HasSubstr("only the operator can ask"));
  const Result own = Call("blake", {"--passphrase-file", File("new"), "operator", "renew"});
  EXPECT_EQ(own.status, 0) << own.err;
}

// Nobody signs for a newcomer who would get no certificate afterwards.
TEST_F(TwoPeople, AUT3_ARequestOfAWrongClockMakesNoOperator) {
  const auto day_ahead = [] { return WallNowNanos() + 24 * testing::TestFleet::kHour; };
  ASSERT_EQ(testing::CallCtl(
                File("casey"),
                {"operator", "request", "--name", "casey", "--out", File("casey.request"), "--no-passphrase"},
                "", day_ahead)
                .status,
            0);
  const Result added = Call("alex", {"operator", "add", File("casey.request"), "--role", "isolate", "--out",
                                     File("casey.welcome"), "--reason", "holidays", "--yes"});
  EXPECT_EQ(added.status, 2);
  EXPECT_THAT(added.err, HasSubstr("set the clock where it was made"));
  EXPECT_EQ(Due(), 0U);
}

TEST_F(TwoPeople, AUT3_AnotherPassphraseSealsTheSameKeys) {
  std::ofstream(File("new")) << "correct horse battery\n";
  ASSERT_EQ(Call("blake", {"operator", "passphrase", "--new-passphrase-file", File("new")}).status, 0);
  const std::string id = Propose();
  EXPECT_EQ(Call("blake", {"orders", "approve", id, "--yes"}).status, 1) << "sealed, and nobody to ask";
  EXPECT_EQ(Call("blake", {"--passphrase-file", File("new"), "orders", "approve", id, "--yes"}).status, 0);
}

}  // namespace
}  // namespace cordon::ctl
