#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/server/control_message.h"
#include "controller/store/records.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::controller {

// A live Control stream, seen from those who have something for the host. Thread-safe.
class SessionLink {
 public:
  virtual ~SessionLink() = default;

  // Queues the message; false when the session has ended.
  virtual bool Push(std::shared_ptr<const ControlMessage> message) = 0;
  // Ends the session; `reason` is for the host's log.
  virtual void Drop(const std::string& reason) = 0;
};

// What a host says with each heartbeat. Kept in memory, never written per beat.
struct SessionBeat {
  int64_t time_unix_nanos = 0;
  v1::Heartbeat beat;
};

// The one live session per host (design.md §8). Thread-safe; no lock is held while a session is called.
class Sessions {
 public:
  struct Opened {
    std::shared_ptr<SessionLink> older;  // ended already; null when there was none
    bool other_run = false;  // the older one was of another run of the agent: a restart, or a clone
    // A run that another one had replaced is back. An agent that restarts is a new run, so two copies of the
    // identity live.
    bool cloned = false;
  };

  // `link` becomes the host's session; an older one is dropped.
  Opened Open(const std::string& host_id, const std::string& session_id, std::shared_ptr<SessionLink> link,
              int64_t now_unix_nanos);
  // Forgets the session if it is still this one. True when it was.
  bool Close(const std::string& host_id, const SessionLink* link);

  void Beat(const std::string& host_id, const SessionLink* link, const v1::Heartbeat& beat,
            int64_t now_unix_nanos);

  // Sends one message to every connected host of `host_ids`; the ids that were reached. O(n) of host_ids.
  std::vector<std::string> Push(std::span<const std::string> host_ids,
                                const std::shared_ptr<const ControlMessage>& message);

  // Nothing: the host is not connected.
  std::optional<SessionBeat> LastBeat(const std::string& host_id) const;
  // When each connected host was last heard; those that left since the last call, too.
  std::vector<HostSeen> Seen();

 private:
  struct Session {
    std::string session_id;
    std::shared_ptr<SessionLink> link;
    SessionBeat beat;
  };

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Session> by_host_;
  std::unordered_map<std::string, std::deque<std::string>>
      replaced_;                // session ids, the newest last, by host
  std::vector<HostSeen> left_;  // since the last Seen
};

}  // namespace cordon::controller
