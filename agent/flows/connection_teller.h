#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "agent/event/event_sink.h"
#include "agent/event/process_directory.h"
#include "agent/flows/known_flow.h"
#include "common/base/clock.h"

namespace cordon::agent {

// Which kinds of connection were told lately. Bounded: the ones that were not seen for the longest are
// forgotten, and told again when they come back. Pure; not thread-safe.
class ToldConnections {
 public:
  static constexpr size_t kMost = 4'096;
  static constexpr int64_t kAgainNanos = 3'600'000'000'000;

  struct Kind {
    std::string who;  // guid of the process, else its program
    platform::FlowDirection direction = platform::FlowDirection::kOut;
    platform::FlowProtocol protocol = platform::FlowProtocol::kTcp;
    boost::asio::ip::address remote;
    uint16_t port = 0;  // of the side that accepts
    friend bool operator<(const Kind& a, const Kind& b) {
      return std::tie(a.who, a.direction, a.protocol, a.remote, a.port) <
             std::tie(b.who, b.direction, b.protocol, b.remote, b.port);
    }
  };

  // `times` more of this kind; 0 = one that goes on. Returns how many to tell of now, these included; nothing
  // when it was told within the hour, or only goes on.
  std::optional<uint32_t> Note(const Kind& kind, uint32_t times, int64_t boottime_nanos);

 private:
  struct Entry {
    int64_t told_boottime_nanos = 0;
    uint32_t times_since = 0;
    std::list<Kind>::iterator age;
  };
  std::map<Kind, Entry> entries_;
  std::list<Kind> by_age_;  // not seen for the longest first
};

// Tells connections as events, of class PROCESS, and what of them was lost. One thread.
class ConnectionTeller {
 public:
  ConnectionTeller(EventSink& sink, const Clock& clock);

  // `process`: nothing when it is not known; then `pid` may still be.
  void Tell(const KnownFlow& known, const std::optional<ProcessRef>& process, uint32_t pid,
            int64_t boottime_nanos);

  // TEL-1. Totals since the start; what is new since the last call becomes a gap that covers the time between
  // the two.
  void TellLosses(uint64_t in_kernel, uint64_t in_queue);

 private:
  void EmitGap(v1::Gap::Cause cause, uint64_t count, int64_t until_unix_nanos);

  EventSink& sink_;
  const Clock& clock_;
  ToldConnections told_;
  uint64_t lost_in_kernel_ = 0;
  uint64_t lost_in_queue_ = 0;
  int64_t looked_unix_nanos_;
};

}  // namespace cordon::agent
