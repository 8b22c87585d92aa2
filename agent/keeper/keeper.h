#pragma once

#include <absl/status/status.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/isolation/boot_hold.h"
#include "agent/isolation/isolation.h"
#include "agent/names/names.h"
#include "common/base/clock.h"
#include "platform/api/connections.h"
#include "platform/api/files.h"
#include "platform/api/leak_counter.h"
#include "platform/api/link_watcher.h"
#include "platform/api/packet_filter.h"
#include "platform/api/ruleset_watcher.h"

namespace cordon::agent {

// What the keeper says of an event of isolation in the log.
std::string InWords(const v1::Event& event);

// Keeps the saved isolation in force while no agent does (ISO-5): from boot until the agent runs, between its
// death and its restart, and for as long as it cannot start. Needs isolation.state and nothing else of the
// agent's: no daemon, certificate, spool or controller. Does what the agent's own Isolation does at a start:
// rules, then interfaces that appear (ISO-3), the end of a lease (ISO-8), drift; all in the log, for it has
// no spool.
//
// Agent and keeper never act at once, and the keeper notices the agent's death, by the lock of
// isolation_lock.h.
class Keeper {
 public:
  // In the network namespace of the calling thread.
  Keeper(std::filesystem::path state_dir, std::string boot_id, const Clock& clock);

  // One look: puts the saved state in force unless an agent does. An error says that the rules are not what
  // they should be, or that the state is damaged and the closed side was taken.
  absl::Status Restore();

  // Restore, then again for every change of interfaces, for every change of the rules by others (ISO-6) and
  // about every second, until Stop. `ready` runs after the first look.
  absl::Status Run(const std::function<void()>& ready);

  // Thread-safe.
  void Stop();

 private:
  // What happened since the last look.
  struct News {
    bool links_changed = false;
    std::vector<platform::RulesetChange> rules;
    bool Any() const { return links_changed || !rules.empty(); }
  };

  void Look(News news);
  void Begin();
  absl::Status Watch();
  void OnRules(std::vector<platform::RulesetChange> changes);

  const std::filesystem::path state_dir_;
  const std::string boot_id_;
  const Clock& clock_;
  std::unique_ptr<EventSink> log_;
  std::unique_ptr<platform::PacketFilter> filter_;
  std::unique_ptr<platform::ConnectionTable> connections_;
  std::unique_ptr<platform::LeakCounter> leaks_;
  std::unique_ptr<Names> names_;
  std::unique_ptr<platform::LinkWatcher> links_;
  std::unique_ptr<platform::RulesetWatcher> rules_;
  BootHold hold_;

  std::unique_ptr<Isolation> isolation_;  // since the keeper has the host; none while an agent has it
  absl::Status restored_;
  int64_t checked_boot_nanos_ = 0;
  bool warned_ = false;  // of a lock that cannot be had

  std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  bool stop_ = false;
  bool has_the_host_ = false;  // else the rules are an agent's business, and so is who changes them
  News news_;
};

}  // namespace cordon::agent
