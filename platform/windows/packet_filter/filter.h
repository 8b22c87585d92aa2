#pragma once

// A filter of the Windows Filtering Platform as plain data: what it matches, what it does, and when it is in
// force. No Windows header: compiled and tested on every system.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/network.h"
#include "platform/api/packet_filter.h"

namespace cordon::platform::wfp {

// Where the engine asks filters. A flow is asked for at kConnect or kAccept when it opens, and again when
// filters there change (reauthorisation); every packet of it at the transport layer of its way; a packet that
// is not this host's at kForward alone.
enum class Stage : uint8_t { kConnect, kAccept, kOutTransport, kInTransport, kForward };

struct Layer {
  Stage stage = Stage::kConnect;
  bool v6 = false;
  friend auto operator<=>(const Layer&, const Layer&) = default;
};
inline constexpr std::array<Stage, 5> kStages = {Stage::kConnect, Stage::kAccept, Stage::kOutTransport,
                                                 Stage::kInTransport, Stage::kForward};

enum class Field : uint8_t {
  kFlags,  // value: bits that must all be set
  kRemoteAddress,
  kSourceAddress,       // kForward only
  kDestinationAddress,  // kForward only
  kLocalPort,           // of ICMP: the type, which has the same identifier in WFP
  kRemotePort,
  kProtocol,
  kProgram,  // kConnect and kAccept only: the NT path of the executable, lower case
  kService,  // kConnect and kAccept only: a service SID that the program's token must hold
  kUnknown,  // read from the engine and not understood: matches nothing that Cordon intends
};

inline constexpr uint32_t kFlagLoopback = 0x1;

// Conditions on one field are alternatives; those on different fields must all hold.
struct Condition {
  Field field = Field::kUnknown;
  std::variant<uint32_t, Network, PortRange, std::string> value;  // flags or protocol, address, ports, text
  friend bool operator==(const Condition&, const Condition&) = default;
};

enum class Action : uint8_t {
  kPermit,      // a block of a sub-layer below still counts
  kHardPermit,  // with the action right cleared: no block of a sub-layer below counts
  kBlock,       // always final for those below
  kUnknown,     // a callout: not to be foretold
};

// WFP knows the two as flags that exclude each other, so what shall hold at all times is added twice.
enum class Lifetime : uint8_t {
  kPersistent,  // from the start of the filtering engine's service on
  kBootTime,    // from the start of the network stack until that service runs
};

struct Filter {
  std::string name;  // for people; no part of what it does
  Layer layer;
  Lifetime lifetime = Lifetime::kPersistent;
  Action action = Action::kBlock;
  uint64_t weight = 0;  // within the sub-layer; the highest that matches decides
  std::vector<Condition> conditions;
  friend bool operator==(const Filter&, const Filter&) = default;
};

// "connect-v4 persistent 60 hard-permit protocol=6 remote=192.0.2.7/32 …": equal texts do equal things.
std::string Describe(const Filter& filter);

// 16 bytes over Describe(): the filter's name in the engine, so that an unchanged filter stays untouched.
using FilterKey = std::array<uint8_t, 16>;
FilterKey KeyOf(const Filter& filter);

}  // namespace cordon::platform::wfp
