#include "agent/app/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>

#include "platform/api/service.h"

namespace cordon::agent {
namespace {

constexpr const char* kName = "cordon-agent";

class SystemSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit SystemSink(std::unique_ptr<platform::SystemLog> log) : log_(std::move(log)) {}

 private:
  using Severity = platform::SystemLog::Severity;

  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const Severity severity = message.level >= spdlog::level::err    ? Severity::kError
                              : message.level == spdlog::level::warn ? Severity::kWarning
                                                                     : Severity::kInformation;
    log_->Write(severity, {line.data(), line.size()});
  }
  void flush_() override {}

  const std::unique_ptr<platform::SystemLog> log_;
};

}  // namespace

void SetUpLog(const std::string& level) {
  if (std::unique_ptr<platform::SystemLog> log = platform::MakeSystemLog()) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>(kName, std::make_shared<SystemSink>(std::move(log))));
    spdlog::set_pattern("%v");  // time and severity are the log's own
  } else {
    spdlog::set_default_logger(spdlog::stderr_logger_mt(kName));
    // Under systemd the journal has the time already.
    spdlog::set_pattern(std::getenv("JOURNAL_STREAM") != nullptr ? "%l: %v" : "%Y-%m-%dT%H:%M:%S.%eZ %l: %v",
                        spdlog::pattern_time_type::utc);
  }
  spdlog::set_level(spdlog::level::from_str(level));
}

}  // namespace cordon::agent
