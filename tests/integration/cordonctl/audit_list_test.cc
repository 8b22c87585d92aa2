// audit list, against a real controller.

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <sstream>

#include "tests/integration/cordonctl/two_people.h"

namespace cordon::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class AuditList : public TwoPeople {
 protected:
  void Note(const std::string& action, const std::string& subject, const std::string& detail = "by a test") {
    testing::Must(box_.Store().AppendAudit({"operator/alex", action, subject, detail}));
  }

  // The lines of `audit list -o json` with these flags.
  std::vector<boost::json::object> Lines(const std::vector<std::string>& flags) {
    const Result listed = Call("alex", With({"audit", "list", "-o", "json"}, flags));
    EXPECT_EQ(listed.status, 0) << listed.err;
    std::vector<boost::json::object> lines;
    std::istringstream text(listed.out);
    for (std::string line; std::getline(text, line);) lines.push_back(boost::json::parse(line).as_object());
    return lines;
  }

  std::vector<std::string> Actions(const std::vector<std::string>& flags) {
    std::vector<std::string> actions;
    for (const boost::json::object& line : Lines(flags))
      actions.emplace_back(line.at("action").as_string().c_str());
    return actions;
  }
};

TEST_F(AuditList, TheNewestComeFirstAndTheListingIsAmongThem) {
  Note("test.one", "it");
  Note("test.two", "it");
  EXPECT_THAT(Actions({"--limit", "3"}), ElementsAre("audit.list", "test.two", "test.one"));
  const std::vector<boost::json::object> all = Lines({});
  ASSERT_GT(all.size(), 5U);
  EXPECT_EQ(all.back().at("action"), "fleet.create");
  EXPECT_EQ(all.back().at("index"), 1);
  const Result table = Call("alex", {"audit", "list", "--limit", "20"});
  EXPECT_THAT(table.out, HasSubstr("KIND"));
  EXPECT_THAT(table.out, HasSubstr("test.two"));
  EXPECT_THAT(table.out, HasSubstr("by a test"));
}

TEST_F(AuditList, AHostIsFoundAsTheOneWhoActedAsTheSubjectAndInAnOrdersOutcome) {
  const testing::TestHost other = box_.AddHost("other");
  Note("test.about", host_.id);
  Note("test.within", "it", "2 hosts: " + other.id + ", " + host_.id);
  Note("test.other", other.id);
  Note("test.nobody", "it");
  const std::vector<std::string> of_host = Actions({"--host", "reception-1"});
  EXPECT_THAT(of_host, ElementsAre("audit.list", "test.within", "test.about", "host.enroll"))
      << "its id is in each";
  EXPECT_THAT(Actions({"--host", other.id, "--kind", "test."}), ElementsAre("test.other", "test.within"));
  const Result table = Call("alex", {"audit", "list", "--host", "other", "--kind", "test.other"});
  EXPECT_THAT(table.out, Not(HasSubstr(other.id))) << "hosts by the names that people know";
  EXPECT_THAT(table.out, HasSubstr("test.other  other"));
}

TEST_F(AuditList, AKindIsTheBeginningOfAnAction) {
  Note("session.second", host_.id);
  Note("sessions", "it");
  Note("test.session.", "it");
  EXPECT_THAT(Actions({"--kind", "session."}), ElementsAre("session.second"));
  EXPECT_THAT(Actions({"--kind", "session"}), ElementsAre("sessions", "session.second"));
  EXPECT_THAT(Actions({"--kind", "nothing"}), ElementsAre());
}

TEST_F(AuditList, ALongListComesInPagesWithoutHolesOrRepeats) {
  for (int i = 0; i < 1'050; ++i) Note("test.many", "it");
  const std::vector<boost::json::object> lines = Lines({"--kind", "test.many", "--limit", "1040"});
  ASSERT_EQ(lines.size(), 1'040U);
  for (size_t i = 1; i < lines.size(); ++i) {
    ASSERT_EQ(lines[i].at("index").to_number<uint64_t>() + 1, lines[i - 1].at("index").to_number<uint64_t>());
  }
  const std::vector<v1::AuditEntry> log = box_.Audit();
  EXPECT_EQ(std::ranges::count(log, "audit.list", &v1::AuditEntry::action), 1) << "once, whatever its pages";
}

TEST_F(AuditList, BadUsageIsRefused) {
  EXPECT_EQ(Call("alex", {"audit", "list", "--limit", "0"}).status, 2);
  EXPECT_NE(Call("alex", {"audit", "list", "--host", "nobody"}).status, 0);
  const Result kind = Call("alex", {"audit", "list", "--kind", "Session; DROP"});
  EXPECT_EQ(kind.status, 1);
  EXPECT_THAT(kind.err, HasSubstr("action_prefix"));
  v1::ListAuditRequest request;
  v1::ListAuditResponse response;
  request.set_page_token("17x");
  EXPECT_THAT(
      Message(testing::Call([&](auto* c) { return box_.Operator().ListAudit(c, request, &response); })),
      HasSubstr("page_token is not one of ours"));
  request.clear_page_token();
  request.set_limit(1'001);
  EXPECT_THAT(
      Message(testing::Call([&](auto* c) { return box_.Operator().ListAudit(c, request, &response); })),
      HasSubstr("limit is 1001"));
}

}  // namespace
}  // namespace cordon::ctl
