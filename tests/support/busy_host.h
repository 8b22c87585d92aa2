#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "tests/support/spool_box.h"

namespace cordon::testing {

// The events of five seconds on a host that is busy all day: 25 programs that come and go, eight files that
// they write.
inline std::vector<agent::EventGroup> FiveBusySeconds(std::mt19937& random, int64_t now) {
  static constexpr std::array kPrograms = {"/usr/bin/soffice", "/opt/practice/bin/records",    "/usr/bin/lp",
                                           "/usr/bin/python3", "/usr/lib/cups/filter/pdftops", "/bin/sh"};
  const auto guid = [&] {
    std::string bytes(16, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
  };
  const auto below = [&](int64_t end) { return static_cast<int64_t>(random() % static_cast<uint64_t>(end)); };
  std::vector<TimedEvent> processes;
  std::vector<TimedEvent> files;
  const std::string parent = guid();
  for (int i = 0; i < 25; ++i) {
    const char* const program = kPrograms[random() % kPrograms.size()];
    const int64_t began = now + i * 200'000'000LL + below(100'000'000);
    v1::Event start;
    v1::ProcessStarted& started = *start.mutable_process_started();
    started.set_process_guid(guid());
    started.set_parent_guid(parent);
    started.set_pid(static_cast<uint32_t>(below(4'000'000)));
    started.set_parent_pid(4711);
    started.set_executable(program);
    for (const std::string& argument :
         {std::string(program), std::string("--job"), std::to_string(random())}) {
      started.add_argv(argument);
    }
    started.set_cwd("/home/reception");
    started.set_uid(1000);
    started.set_cgroup("/user.slice/user-1000.slice/session-2.scope");
    started.set_start_boottime_nanos(now + i);
    const int64_t ended = began + below(100'000'000);
    v1::Event end;
    end.mutable_process_ended()->set_process_guid(started.process_guid());
    v1::Event change;
    v1::FileChanged& changed = *change.mutable_file_changed();
    changed.set_path(StrCat("/srv/practice/documents/client-", random() % 100'000, ".pdf"));
    changed.set_process_guid(started.process_guid());
    changed.mutable_state()->set_sha256(guid() + guid());
    changed.mutable_state()->set_size(random());
    if (i % 3 == 0) files.push_back(Serialise(ended, change));
    processes.push_back(Serialise(began, start));
    processes.push_back(Serialise(ended, end));
  }
  return {Group(v1::EVENT_CLASS_PROCESS, std::move(processes)),
          Group(v1::EVENT_CLASS_FILE, std::move(files))};
}

}  // namespace cordon::testing
