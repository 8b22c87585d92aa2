// The Event Log, for the service: nobody reads its standard error.

#include <iterator>

#include "platform/api/service.h"
#include "platform/windows/system/service_control.h"
#include "platform/windows/system/text.h"
#include "platform/windows/system/windows.h"

namespace cordon::platform {
namespace {

// The message of this number is the text itself (service_setup.cc names its file).
constexpr DWORD kPlainText = 1;

class EventLog final : public SystemLog {
 public:
  explicit EventLog(HANDLE source) : source_(source) {}
  ~EventLog() override { DeregisterEventSource(source_); }
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  void Write(Severity severity, std::string_view line) override {
    const std::wstring text = Wide(line.substr(0, kMostBytes));
    const wchar_t* texts[] = {text.c_str()};
    const WORD type = severity == Severity::kError     ? EVENTLOG_ERROR_TYPE
                      : severity == Severity::kWarning ? EVENTLOG_WARNING_TYPE
                                                       : EVENTLOG_INFORMATION_TYPE;
    ReportEventW(source_, type, 0, kPlainText, nullptr, std::size(texts), 0, texts, nullptr);
  }

 private:
  static constexpr size_t kMostBytes = 30'000;  // the system takes 31,839 characters
  const HANDLE source_;
};

}  // namespace

std::unique_ptr<SystemLog> MakeSystemLog() {
  const HANDLE errors = GetStdHandle(STD_ERROR_HANDLE);
  const bool somebody_reads = errors != nullptr && errors != INVALID_HANDLE_VALUE;
  if (somebody_reads) return nullptr;
  const HANDLE source = RegisterEventSourceW(nullptr, kServiceName);
  return source == nullptr ? nullptr : std::make_unique<EventLog>(source);
}

}  // namespace cordon::platform
