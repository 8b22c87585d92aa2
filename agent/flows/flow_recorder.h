#pragma once

#include <absl/status/statusor.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/event/part_health.h"
#include "agent/event/process_directory.h"
#include "agent/flows/connection_teller.h"
#include "agent/flows/flow_history.h"
#include "agent/flows/known_flow.h"
#include "agent/flows/name_book.h"
#include "common/base/clock.h"
#include "platform/api/dns_observer.h"
#include "platform/api/flow_source.h"

namespace cordon::agent {

// Keeps what a flow source tells: finds the program and the name of each flow, tells it as an event when it
// is of a new kind, sums them up in memory and writes them to the history every half minute, or sooner when
// there are many; and proves that the source tells (health part "cordon.flows"). Thread-safe after Start.
class FlowRecorder final : public FlowMemory, public HealthPart {
 public:
  static constexpr size_t kMaxQueued = 10'000;  // raw flows that wait for their program
  static constexpr size_t kWriteAtKinds = 500;
  static constexpr size_t kMaxUnwritten = 5'000;  // kinds in memory while the history cannot be written

  struct Parts {
    platform::FlowSource& source;
    const ProcessDirectory& processes;
    const Clock& clock;
    platform::DnsObserver& dns;
    EventSink* events = nullptr;  // connections are told there; nullptr: nowhere
  };

  // `history` may be an error: then only what is seen from now on, in memory, is known, and Notes says why.
  FlowRecorder(const Parts& parts, absl::StatusOr<FlowHistory> history);
  ~FlowRecorder() override;

  // A source or observer that cannot start is told by Notes; what is on disk stays readable.
  absl::Status Start();
  // Writes what is not written yet. Idempotent.
  void Stop();

  // FlowMemory. Past waits for the source's newest flows.
  std::vector<KnownFlow> Past() override;
  int64_t SinceUnixNanos() const override;
  std::vector<std::string> NamesOf(const boost::asio::ip::address& address) const override {
    return names_.NamesOf(address);
  }
  std::vector<std::string> Notes() const override;

  // HealthPart. Prove makes a TCP connection and a datagram with itself, and waits until the source has told
  // both.
  std::string Name() const override { return "cordon.flows"; }
  void Prove() override;
  PartState State() const override;

 private:
  using Kind = std::tuple<std::string, platform::FlowDirection, platform::FlowProtocol,
                          boost::asio::ip::address, uint16_t>;

  // The canary of a proof that runs: what the source has not told yet.
  struct Canary {
    std::optional<Endpoint> tcp;
    std::optional<Endpoint> udp;
  };

  bool IsCanary(const platform::Connection& flow);
  std::string WaitForCanary();
  void SetState(bool serving, std::string detail);
  void Take(std::span<platform::RawFlow> flows);
  void Overhear(std::string_view message);
  void Run(const std::stop_token& stop);
  void Identify();
  void Identify(platform::RawFlow raw);
  void TellLosses();
  KnownFlow Known(platform::RawFlow raw, const std::optional<ProcessRef>& process) const;
  void Sum(KnownFlow known);
  void Write();

  const Parts parts_;
  NameBook names_;

  mutable std::mutex queue_mutex_;
  std::condition_variable_any queued_;
  std::deque<platform::RawFlow> queue_;  // guarded by queue_mutex_
  uint64_t overflowed_ = 0;              // guarded by queue_mutex_

  Canary canary_;  // guarded by queue_mutex_
  std::condition_variable recognised_;
  PartState state_;  // guarded by queue_mutex_

  mutable std::mutex mutex_;  // of what follows; taken before queue_mutex_
  absl::Status source_error_;
  absl::Status dns_error_;
  absl::StatusOr<FlowHistory> history_;
  std::map<Kind, KnownFlow> unwritten_;
  uint64_t dropped_kinds_ = 0;
  std::optional<ConnectionTeller> teller_;
  absl::Status write_error_;
  std::jthread thread_;
};

}  // namespace cordon::agent
