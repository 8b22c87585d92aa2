// Events leave as OCSF, with the real programs: `cordon-controller serve --export file:…` and
// `--export syslog-tls:…`, and `cordonctl events -o ocsf`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

#include "common/base/strings.h"
#include "tests/support/fleet.h"

namespace cordon::testing {
namespace {

using boost::json::object;

class ExportRound : public ::testing::Test {
 protected:
  // Every line is an object of its own; by what tells repeats apart.
  static std::map<std::string, object> Lines(std::istream& text) {
    std::map<std::string, object> lines;
    for (std::string line; std::getline(text, line) && !text.eof();) {  // the last one may not be whole yet
      object parsed = boost::json::parse(line).as_object();
      const object& metadata = parsed.at("metadata").as_object();
      EXPECT_EQ(metadata.at("version"), "1.8.0");
      const std::string uid(metadata.at("uid").as_string());
      EXPECT_TRUE(lines.emplace(uid, std::move(parsed)).second) << uid << " stands there twice";
    }
    return lines;
  }
  static bool IsOf(const object& line, int class_uid, const std::string& text) {
    return line.at("class_uid").to_number<int>() == class_uid &&
           boost::json::serialize(line).find(text) != std::string::npos;
  }
  static bool Has(const std::map<std::string, object>& lines, int class_uid, const std::string& text) {
    return std::ranges::any_of(lines, [&](const auto& line) { return IsOf(line.second, class_uid, text); });
  }
  void HappenOnTheHost() {
    fleet_.Host().Run({"sh", "-c", "echo patient > " + (fleet_.WatchedFolder() / "record.txt").string()});
  }
  void RestartControllerWith(const std::string& options) {
    EXPECT_EQ(fleet_.Controller().Running(), true);
    fleet_.Controller().Signal(SIGTERM);
    ASSERT_EQ(fleet_.Controller().Wait(), 0);
    fleet_.StartController({"sh", "-c", StrCat("exec \"$@\" ", options), "sh"});
  }

  static constexpr int kFileActivity = 1001;
  static constexpr int kProcessActivity = 1007;
  Fleet fleet_;
};

TEST_F(ExportRound, TheToolPrintsEventsAsOcsf) {
  fleet_.Enroll();
  fleet_.StartAgent();
  HappenOnTheHost();
  std::map<std::string, object> lines;
  EXPECT_TRUE(Eventually([&] {
    std::istringstream text(fleet_.Ctl({"-o", "ocsf", "events", "--since", "10m"}));
    lines = Lines(text);
    return Has(lines, kFileActivity, "/record.txt") && Has(lines, kProcessActivity, "echo patient");
  }));
  std::istringstream files(fleet_.Ctl({"-o", "ocsf", "events", "--since", "10m", "--class", "file"}));
  for (const auto& [uid, line] : Lines(files))
    EXPECT_EQ(line.at("class_uid").to_number<int>(), kFileActivity);
}

TEST_F(ExportRound, TheControllerAppendsEachEventToAFileOnceAlsoThroughARestart) {
  const std::filesystem::path file = fleet_.Folder("cordon.ocsf");
  const std::string exporting = StrCat("--export file:", file.string());
  const auto exported = [&] {
    std::ifstream text(file);
    return Lines(text);
  };
  RestartControllerWith(exporting);
  fleet_.Enroll();
  fleet_.StartAgent();
  HappenOnTheHost();
  EXPECT_TRUE(Eventually([&] {
    const auto lines = exported();
    return Has(lines, kFileActivity, "/record.txt") && Has(lines, kProcessActivity, "echo patient");
  }));
  fleet_.Controller().Signal(SIGTERM);
  ASSERT_EQ(fleet_.Controller().Wait(), 0);
  fleet_.Host().Run({"touch", (fleet_.WatchedFolder() / "later.txt").string()});
  fleet_.StartController({"sh", "-c", StrCat("exec \"$@\" ", exporting), "sh"});
  EXPECT_TRUE(Eventually([&] { return Has(exported(), kFileActivity, "/later.txt"); }));
  // Both ways say the same.
  std::istringstream text(fleet_.Ctl({"-o", "ocsf", "events", "--since", "10m", "--class", "file"}));
  const std::map<std::string, object> in_file = exported();
  for (const auto& [uid, line] : Lines(text)) {
    ASSERT_TRUE(in_file.contains(uid)) << uid;
    EXPECT_EQ(in_file.at(uid), line);
  }
}

// A syslog server of others: OpenSSL's own, which prints what it is sent.
class SyslogRound : public ExportRound {
 protected:
  SyslogRound() {
    const std::string key = fleet_.Folder("siem.key").string();
    fleet_.Outside().Run({"openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "1", "-subj",
                          "/CN=siem", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                          certificate_.string()});
    server_command_ = {
        "openssl", "s_server", "-accept", "127.0.0.1:6514", "-quiet", "-cert", certificate_.string(),
        "-key",    key};
    StartServer();
  }
  void StartServer() {
    server_.reset();
    server_ = std::make_unique<Subprocess>(server_command_,
                                           SubprocessOptions{.net_namespace = fleet_.Outside().Name()});
  }
  // The messages of the whole frames (RFC 6587 octet counting) that this server has.
  std::map<std::string, object> Received() const {
    const std::string text = server_->Output();
    std::ostringstream lines;
    for (size_t at = 0; at < text.size();) {
      const size_t space = text.find(' ', at);
      if (space == std::string::npos) break;
      const size_t length = std::stoul(text.substr(at, space - at));
      if (text.size() - space - 1 < length) break;
      const std::string frame = text.substr(space + 1, length);
      EXPECT_THAT(frame, ::testing::StartsWith("<109>1 "));
      lines << frame.substr(frame.find(" - ocsf - ") + 10) << "\n";
      at = space + 1 + length;
    }
    std::istringstream whole(lines.str());
    return Lines(whole);
  }

  const std::filesystem::path certificate_ = fleet_.Folder("siem.pem");
  std::vector<std::string> server_command_;
  std::unique_ptr<Subprocess> server_;
};

TEST_F(SyslogRound, TheControllerSendsEventsToAServerThatItsCertificateVouchesFor) {
  RestartControllerWith(StrCat("--export syslog-tls:127.0.0.1:6514 --export-ca ", certificate_.string()));
  fleet_.Enroll();
  fleet_.StartAgent();
  HappenOnTheHost();
  EXPECT_TRUE(Eventually([&] {
    const auto lines = Received();
    return Has(lines, kFileActivity, "/record.txt") && Has(lines, kProcessActivity, "echo patient");
  })) << fleet_.Controller().Errors();
  server_->Kill();  // what happens meanwhile waits in the controller
  fleet_.Host().Run({"touch", (fleet_.WatchedFolder() / "later.txt").string()});
  EXPECT_TRUE(Eventually([&] {
    return fleet_.Ctl({"-o", "ocsf", "events", "--since", "10m"}).find("/later.txt") != std::string::npos;
  }));
  StartServer();
  EXPECT_TRUE(Eventually([&] { return Has(Received(), kFileActivity, "/later.txt"); }))
      << fleet_.Controller().Errors();
}

TEST_F(SyslogRound, NothingIsSentToAServerOfAnother) {
  const std::filesystem::path other = fleet_.Folder("other.pem");
  fleet_.Outside().Run({"openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "1", "-subj",
                        "/CN=other", "-keyout", fleet_.Folder("other.key").string(), "-out", other.string()});
  RestartControllerWith(StrCat("--export syslog-tls:127.0.0.1:6514 --export-ca ", other.string()));
  fleet_.Enroll();
  fleet_.StartAgent();
  HappenOnTheHost();
  EXPECT_TRUE(fleet_.Controller().WaitForErrors("certificate verify failed"));
  EXPECT_EQ(server_->Output(), "");
}

}  // namespace
}  // namespace cordon::testing
