#pragma once

#include <absl/status/statusor.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/rehearsal/forecast.h"
#include "common/base/clock.h"
#include "cordon/v1/order.pb.h"
#include "cordon/v1/rehearsal.pb.h"
#include "platform/api/connections.h"
#include "platform/api/packet_filter.h"
#include "platform/api/program_marks.h"
#include "platform/api/socket_owners.h"

namespace cordon::agent {

// Foretells what an isolate action would do to the flows of this host; changes nothing. Has a thread of its
// own, because looking through the host's sockets takes longer than the agent loop may wait. Thread-safe.
class Rehearser {
 public:
  static constexpr size_t kMaxWaiting = 4;

  using Done = std::function<void(absl::StatusOr<v1::Rehearsal>)>;
  using OwnersOf =
      std::function<std::unordered_map<uint64_t, platform::SocketOwner>(const std::unordered_set<uint64_t>&)>;
  struct Parts {
    const Clock& clock;
    std::unique_ptr<platform::ConnectionTable> connections;  // for this thread alone
    FlowMemory* memory = nullptr;  // none: live connections only, and a note says so
    OwnersOf owners_of = platform::FindSocketOwners;
    std::function<absl::Status(const platform::ProgramIdentity&)> check_program = platform::CheckProgram;
  };

  explicit Rehearser(Parts parts);
  ~Rehearser();
  Rehearser(const Rehearser&) = delete;
  Rehearser& operator=(const Rehearser&) = delete;

  // `done` gets the answer on the rehearser's thread; RESOURCE_EXHAUSTED, at once, when kMaxWaiting wait
  // already. When the rehearser goes, what waits is dropped.
  void Rehearse(v1::IsolateAction action, platform::FilterPolicy policy, Done done);

 private:
  struct Question {
    v1::IsolateAction action;
    platform::FilterPolicy policy;
    Done done;
  };

  void Run(const std::stop_token& stop);
  absl::StatusOr<v1::Rehearsal> Answer(const Question& question);
  absl::StatusOr<std::vector<KnownFlow>> Live();
  void AddNames(std::vector<KnownFlow>* flows) const;
  void ShutOutOthers(platform::FilterPolicy* policy, v1::Rehearsal* rehearsal) const;

  Parts parts_;
  std::mutex mutex_;
  std::condition_variable_any asked_;
  std::deque<Question> waiting_;  // guarded by mutex_
  std::jthread thread_;           // last: uses all of the above
};

}  // namespace cordon::agent
