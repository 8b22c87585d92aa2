#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/streambuf.hpp>
#include <csignal>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "common/base/strings.h"
#include "controller/export/export_sink.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_fleet.h"

namespace cordon::controller {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::Fails;
using testing::IsOk;
using testing::Must;

std::string Content(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(ExportSinks, ATargetThatIsNoneIsRefused) {
  const testing::FakeClock clock(0);
  for (const char* bad : {"", "file:", "file:relative", "syslog-tls:", "syslog-tls:host", "udp:host:514"}) {
    EXPECT_THAT(MakeExportSink({.target = bad, .ca_file = ""}, clock),
                Fails(absl::StatusCode::kInvalidArgument, "--export"))
        << bad;
  }
  EXPECT_THAT(MakeExportSink({.target = "syslog-tls:siem.example:6514", .ca_file = "/does/not/exist"}, clock),
              Fails(absl::StatusCode::kInvalidArgument, "--export-ca"));
}

TEST(ExportSinks, AFileIsAppendedToAndMayBeMovedAway) {
  const testing::FakeClock clock(0);
  const testing::TempFolder folder;
  const std::filesystem::path file = folder / "cordon.ocsf";
  const auto sink = Must(MakeExportSink({.target = StrCat("file:", file.string()), .ca_file = ""}, clock));
  EXPECT_THAT(sink->Write(std::vector<std::string>{"{1}", "{2}"}), IsOk());
  std::filesystem::rename(file, folder / "rotated");
  EXPECT_THAT(sink->Write(std::vector<std::string>{"{3}"}), IsOk());
  EXPECT_EQ(Content(folder / "rotated"), "{1}\n{2}\n");
  EXPECT_EQ(Content(file), "{3}\n");
}

TEST(ExportSinks, ALineThatACrashTornStandsByItself) {
  const testing::FakeClock clock(0);
  const testing::TempFolder folder;
  const std::filesystem::path file = folder / "cordon.ocsf";
  std::ofstream(file) << "{0}\n{torn";
  const auto sink = Must(MakeExportSink({.target = StrCat("file:", file.string()), .ca_file = ""}, clock));
  EXPECT_THAT(sink->Write(std::vector<std::string>{"{1}"}), IsOk());
  EXPECT_THAT(sink->Write(std::vector<std::string>{"{2}"}), IsOk());
  EXPECT_EQ(Content(file), "{0}\n{torn\n{1}\n{2}\n");
}

TEST(ExportSinks, AWriteThatFailsHalfwayLeavesNothingOfItself) {
  const testing::FakeClock clock(0);
  const testing::TempFolder folder;
  const std::filesystem::path file = folder / "cordon.ocsf";
  const auto sink = Must(MakeExportSink({.target = StrCat("file:", file.string()), .ca_file = ""}, clock));
  EXPECT_THAT(sink->Write(std::vector<std::string>{"{1}"}), IsOk());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{10'000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::vector<std::string> lines = {std::string(6'000, 'a'), std::string(6'000, 'b')};
  EXPECT_THAT(sink->Write(lines), Fails(absl::StatusCode::kUnavailable, "tried again"));
  EXPECT_EQ(Content(file), "{1}\n");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  EXPECT_THAT(sink->Write(lines), IsOk());
  EXPECT_EQ(Content(file), StrCat("{1}\n", lines[0], "\n", lines[1], "\n"));
}

TEST(ExportSinks, AFileThatCannotBeWrittenIsNamed) {
  const testing::FakeClock clock(0);
  const auto sink =
      Must(MakeExportSink({.target = "file:/does/not/exist/cordon.ocsf", .ca_file = ""}, clock));
  EXPECT_THAT(sink->Write(std::vector<std::string>{"{}"}),
              Fails(absl::StatusCode::kUnavailable, "/does/not/exist/cordon.ocsf: No such file"));
  const auto full = Must(MakeExportSink({.target = "file:/dev/full", .ca_file = ""}, clock));
  EXPECT_THAT(full->Write(std::vector<std::string>{"{}"}), Fails(absl::StatusCode::kUnavailable, "No space"));
}

TEST(ExportSinks, ASyslogFrameSaysItsLength) {
  const std::string frame = SyslogFrame("{\"a\":1}", 1'700'000'000'000'000'000, "hub");
  const size_t space = frame.find(' ');
  EXPECT_EQ(std::stoul(frame.substr(0, space)), frame.size() - space - 1);
  EXPECT_THAT(frame, ::testing::HasSubstr("<109>1 2023-11-14T22:13:20"));
  EXPECT_TRUE(frame.ends_with(" hub cordon - ocsf - {\"a\":1}"));
}

// A syslog server that is restarted after each "END": it tells what came on each connection when that is
// closed.
class Server {
 public:
  enum class Ends { kAbruptly, kByTls };  // the socket alone, or with a close_notify before

  explicit Server(const testing::TestFleet& fleet, size_t connections = 1, Ends ends = Ends::kAbruptly)
      : ends_(ends), received_(connections) {
    const testing::TestFleet::Leaf leaf = fleet.Issue(IdentityKind::kController, NewUuid());
    context_.use_certificate_chain(asio::buffer(leaf.certificate_pem));
    context_.use_private_key(asio::buffer(leaf.key_pem), asio::ssl::context::pem);
    for (std::promise<std::string>& each : received_) told_.push_back(each.get_future());
    thread_ = std::thread([this] {
      for (std::promise<std::string>& each : received_) each.set_value(TakeOne());
    });
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    shutdown(acceptor_.native_handle(), SHUT_RDWR);  // nobody may come any more
    thread_.join();
  }

  uint16_t Port() const { return acceptor_.local_endpoint().port(); }
  // On the connection of that number, after it was closed.
  std::string Received(size_t connection = 0) { return told_.at(connection).get(); }

 private:
  std::string TakeOne() {
    asio::ssl::stream<tcp::socket> stream(io_, context_);
    boost::system::error_code error;
    acceptor_.accept(stream.lowest_layer(), error);
    if (error) return "nobody came";
    stream.handshake(asio::ssl::stream_base::server, error);
    if (error) return StrCat("handshake: ", error.message());
    std::string text;
    asio::read_until(stream, asio::dynamic_buffer(text), "END", error);
    if (ends_ == Ends::kByTls) {
      stream.lowest_layer().non_blocking(true, error);  // does not wait for the other side's
      stream.shutdown(error);
    }
    return text;
  }

  asio::io_context io_;
  asio::ssl::context context_{asio::ssl::context::tls_server};
  tcp::acceptor acceptor_{io_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)};
  const Ends ends_;
  std::vector<std::promise<std::string>> received_;
  std::vector<std::future<std::string>> told_;
  std::thread thread_;
};

struct SyslogFixture {
  testing::TestFleet fleet;
  testing::TempFolder folder;
  testing::FakeClock clock{WallNowNanos()};
  Server server{fleet};

  std::unique_ptr<ExportSink> Sink(const std::string& host, const std::string& ca_pem) {
    std::ofstream(folder / "ca.pem") << ca_pem;
    return Must(MakeExportSink(
        {.target = StrCat("syslog-tls:", host, ":", server.Port()), .ca_file = (folder / "ca.pem").string()},
        clock));
  }
};

TEST(ExportSinks, SyslogOverTlsReachesACertifiedServer) {
  SyslogFixture f;
  EXPECT_THAT(f.Sink("127.0.0.1", f.fleet.CaPem())->Write(std::vector<std::string>{"{1}", "{2}END"}), IsOk());
  const std::string received = f.server.Received();
  EXPECT_THAT(received, ::testing::HasSubstr(" cordon - ocsf - {1}"));
  EXPECT_THAT(received, ::testing::HasSubstr(" cordon - ocsf - {2}END"));
}

// Takes a few kilobytes at a time, for so many times, and then nothing more.
class SlowServer {
 public:
  SlowServer(const testing::TestFleet& fleet, size_t times) : times_(times) {
    const testing::TestFleet::Leaf leaf = fleet.Issue(IdentityKind::kController, NewUuid());
    context_.use_certificate_chain(asio::buffer(leaf.certificate_pem));
    context_.use_private_key(asio::buffer(leaf.key_pem), asio::ssl::context::pem);
    thread_ = std::thread([this] { Take(); });
  }
  SlowServer(const SlowServer&) = delete;
  SlowServer& operator=(const SlowServer&) = delete;
  ~SlowServer() {
    shutdown(acceptor_.native_handle(), SHUT_RDWR);  // nobody may come any more
    end_.set_value();
    thread_.join();
  }
  uint16_t Port() const { return acceptor_.local_endpoint().port(); }

 private:
  void Take() {
    asio::ssl::stream<tcp::socket> stream(io_, context_);
    boost::system::error_code error;
    acceptor_.accept(stream.lowest_layer(), error);
    if (!error) stream.handshake(asio::ssl::stream_base::server, error);
    std::array<char, 16 * 1024> some{};
    for (size_t i = 0; i < times_ && !error; ++i) {
      stream.read_some(asio::buffer(some), error);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    end_.get_future().wait();
  }

  const size_t times_;
  asio::io_context io_;
  asio::ssl::context context_{asio::ssl::context::tls_server};
  tcp::acceptor acceptor_{io_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)};
  std::promise<void> end_;
  std::thread thread_;
};

// A long line over a slow network takes its time. It must not be given up on again and again.
TEST(ExportSinks, ASyslogServerIsGivenUpWhenItTakesNothingAndNotWhenItTakesItsTime) {
  constexpr std::chrono::milliseconds kPatience{1'000};
  constexpr size_t kMany = 1'000'000;
  const testing::TestFleet fleet;
  const testing::TempFolder folder;
  const testing::FakeClock clock(WallNowNanos());
  std::ofstream(folder / "ca.pem") << fleet.CaPem();
  const std::vector<std::string> line = {std::string(32 * 1024 * 1024, 'x')};  // more than kernels hold
  for (const size_t times : {kMany, size_t{10}}) {
    SlowServer server(fleet, times);
    const auto sink = Must(MakeExportSink({.target = StrCat("syslog-tls:127.0.0.1:", server.Port()),
                                           .ca_file = (folder / "ca.pem").string(),
                                           .patience = kPatience},
                                          clock));
    const auto began = std::chrono::steady_clock::now();
    const absl::Status written = sink->Write(line);
    if (times == kMany) {
      EXPECT_THAT(written, IsOk());
      EXPECT_GT(std::chrono::steady_clock::now() - began, kPatience) << "it was slow";
    } else {
      EXPECT_THAT(written, Fails(absl::StatusCode::kUnavailable, "cannot send"));
    }
  }
}

TEST(ExportSinks, NothingIsSentToAServerOfAnotherCa) {
  SyslogFixture f;
  const testing::TestFleet other;
  EXPECT_THAT(f.Sink("127.0.0.1", other.CaPem())->Write(std::vector<std::string>{"{1}END"}),
              Fails(absl::StatusCode::kUnavailable, "cannot agree on TLS"));
  EXPECT_THAT(f.server.Received(), ::testing::StartsWith("handshake: "));
}

TEST(ExportSinks, NothingIsSentToAServerOfAnotherName) {
  SyslogFixture f;
  // The certificate is for 127.0.0.1 and controller.test.
  EXPECT_THAT(f.Sink("localhost", f.fleet.CaPem())->Write(std::vector<std::string>{"{1}END"}),
              Fails(absl::StatusCode::kUnavailable, "cannot agree on TLS"));
  EXPECT_THAT(f.server.Received(), ::testing::StartsWith("handshake: "));
}

class SyslogRestarts : public ::testing::TestWithParam<Server::Ends> {};

TEST_P(SyslogRestarts, LoseNothingThatIsWrittenAfterTheEndHasArrived) {
  constexpr size_t kConnections = 5;
  const testing::TestFleet fleet;
  const testing::TempFolder folder;
  const testing::FakeClock clock(WallNowNanos());
  Server server(fleet, kConnections, GetParam());
  std::ofstream(folder / "ca.pem") << fleet.CaPem();
  const auto sink = Must(MakeExportSink(
      {.target = StrCat("syslog-tls:127.0.0.1:", server.Port()), .ca_file = (folder / "ca.pem").string()},
      clock));
  for (size_t i = 0; i < kConnections; ++i) {
    // Two writes: a connection that stands is used again.
    ASSERT_THAT(sink->Write(std::vector<std::string>{StrCat("{\"first\":", i, "}")}), IsOk());
    ASSERT_THAT(sink->Write(std::vector<std::string>{StrCat("{\"second\":", i, "}END")}), IsOk());
    const std::string received = server.Received(i);  // and the server is restarted
    EXPECT_THAT(received, ::testing::HasSubstr(StrCat("{\"first\":", i, "}")));
    EXPECT_THAT(received, ::testing::HasSubstr(StrCat("{\"second\":", i, "}END")));
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, SyslogRestarts,
                         ::testing::Values(Server::Ends::kAbruptly, Server::Ends::kByTls));

}  // namespace
}  // namespace cordon::controller
