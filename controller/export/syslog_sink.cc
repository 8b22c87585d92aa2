#include "controller/export/syslog_sink.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/host_name.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <chrono>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::controller {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kMostReads = 16;
constexpr int kPriority = 13 * 8 + 5;  // facility "log audit", severity "notice"

}  // namespace

// One TLS connection, and a loop that runs only while somebody waits for it.
class SyslogSink::Connection {
 public:
  // Gives up on a step that takes longer than `patience`.
  explicit Connection(std::chrono::milliseconds patience) : patience_(patience) {
    context_.set_verify_mode(asio::ssl::verify_peer);
  }

  absl::Status Trust(const std::string& ca_file) {
    error_code error;
    ca_file.empty() ? context_.set_default_verify_paths(error) : context_.load_verify_file(ca_file, error);
    if (!error) return absl::OkStatus();
    return absl::InvalidArgumentError(
        StrCat("--export-ca: cannot take certificates from ", ca_file, ": ", error.message()));
  }

  bool Open() const { return stream_ != nullptr; }
  void Close() { stream_.reset(); }

  absl::Status Connect(const HostPort& server) {
    stream_ = std::make_unique<Stream>(io_, context_);
    stream_->set_verify_callback(asio::ssl::host_name_verification(server.host));
    // SSL_set_tlsext_host_name, which is a macro with an old-style cast.
    if (SSL_ctrl(stream_->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 const_cast<char*>(server.host.c_str())) != 1) {
      return absl::InvalidArgumentError(StrCat(server.host, " cannot be named to a TLS server"));
    }
    tcp::resolver resolver(io_);
    tcp::resolver::results_type found;
    CORDON_RETURN_IF_ERROR(Wait("resolve", [&](auto done) {
      resolver.async_resolve(server.host, std::to_string(server.port),
                             [&found, done](error_code error, tcp::resolver::results_type results) {
                               found = std::move(results);
                               done(error);
                             });
    }));
    CORDON_RETURN_IF_ERROR(Wait("connect", [&](auto done) {
      asio::async_connect(stream_->lowest_layer(), found,
                          [done](error_code error, const tcp::endpoint&) { done(error); });
    }));
    return Wait("agree on TLS",
                [&](auto done) { stream_->async_handshake(asio::ssl::stream_base::client, done); });
  }

  // Whether the server has ended the connection, as far as that has arrived: what is sent into such a
  // connection is taken by the kernel and reaches nobody.
  bool EndedByServer() {
    error_code error;
    stream_->lowest_layer().non_blocking(true, error);
    std::array<char, 4096> said{};
    // A syslog server has nothing to say: it is passed over, as far as it is no flood.
    for (int i = 0; i < kMostReads && !error; ++i) stream_->read_some(asio::buffer(said), error);
    return error && error != asio::error::would_block && error != asio::error::try_again;
  }

  // A slow line is waited for, and one that takes nothing is not.
  absl::Status Send(const std::string& bytes) {
    for (size_t sent = 0; sent < bytes.size();) {
      CORDON_RETURN_IF_ERROR(Wait("send", [&](auto done) {
        stream_->async_write_some(asio::buffer(bytes.data() + sent, bytes.size() - sent),
                                  [&sent, done](error_code error, size_t some) {
                                    sent += some;
                                    done(error);
                                  });
      }));
    }
    return absl::OkStatus();
  }

 private:
  using Stream = asio::ssl::stream<tcp::socket>;

  // Runs one step to its end, or gives up on it and on the connection.
  template <typename Step>
  absl::Status Wait(std::string_view what, const Step& step) {
    error_code result = asio::error::timed_out;
    bool ended = false;
    io_.restart();
    step([&](error_code error) {
      result = error;
      ended = true;
    });
    io_.run_for(patience_);
    if (!ended) {
      error_code ignored;
      stream_->lowest_layer().close(ignored);
      io_.restart();
      io_.run();  // the step's own end, which is now near
      result = asio::error::timed_out;
    }
    if (!result) return absl::OkStatus();
    stream_.reset();
    return absl::UnavailableError(StrCat("cannot ", what, ": ", result.message()));
  }

  const std::chrono::milliseconds patience_;
  asio::io_context io_;
  asio::ssl::context context_{asio::ssl::context::tls_client};
  std::unique_ptr<Stream> stream_;
};

SyslogSink::SyslogSink(HostPort server, std::chrono::milliseconds patience, const Clock& clock)
    : server_(std::move(server)),
      clock_(clock),
      name_(StrCat("syslog-tls:", server_.host, ":", server_.port)),
      connection_(std::make_unique<Connection>(patience)) {
  error_code error;
  host_name_ = asio::ip::host_name(error);
  if (error || host_name_.empty()) host_name_ = "-";
}

SyslogSink::~SyslogSink() = default;

absl::StatusOr<std::unique_ptr<SyslogSink>> SyslogSink::Make(const HostPort& server,
                                                             const ExportOptions& options,
                                                             const Clock& clock) {
  std::unique_ptr<SyslogSink> sink(new SyslogSink(server, options.patience, clock));
  if (const absl::Status trusted = sink->connection_->Trust(options.ca_file); !trusted.ok()) return trusted;
  return sink;
}

absl::Status SyslogSink::Write(std::span<const std::string> lines) {
  std::string bytes;
  for (const std::string& line : lines) bytes += SyslogFrame(line, clock_.WallNanos(), host_name_);
  if (connection_->Open() && connection_->EndedByServer()) connection_->Close();
  absl::Status status = connection_->Open() ? absl::OkStatus() : connection_->Connect(server_);
  if (status.ok()) status = connection_->Send(bytes);
  if (status.ok()) return status;
  connection_->Close();
  return absl::Status(status.code(),
                      StrCat(name_, ": ", Message(status), "; nothing is lost, it is tried again"));
}

std::string SyslogFrame(std::string_view line, int64_t time_unix_nanos, std::string_view host_name) {
  const std::string message =
      StrCat("<", kPriority, ">1 ", FormatTime(time_unix_nanos), " ", host_name, " cordon - ocsf - ", line);
  return StrCat(message.size(), " ", message);
}

}  // namespace cordon::controller
