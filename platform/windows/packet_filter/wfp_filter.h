#pragma once

#include <functional>
#include <memory>
#include <string>

#include "platform/api/packet_filter.h"
#include "platform/windows/packet_filter/filter_engine.h"
#include "platform/windows/packet_filter/filter_list.h"

namespace cordon::platform::wfp {

// Who the agent is to WFP.
struct AgentNames {
  std::string executable;   // path
  std::string service_sid;  // "S-1-5-80-…", or what SidOfAgent says
  std::string note{};       // what is wrong with that, a sentence; empty: nothing
};

inline constexpr const char* kSystemSid = "S-1-5-18";  // LocalSystem

// The SID that the way to the controller asks for beside the agent's program (ISO-4). A service that was set
// up before its SID was, or whose SID was taken away, runs without it: its own filters would shut it out.
std::string SidOfAgent(const std::string& service_sid, bool token_has_it, bool runs_as_system);

using OpenEngine = std::function<absl::StatusOr<std::unique_ptr<FilterEngine>>()>;

// The packet filter over an engine. Opens it at the first call, and anew after one that failed: the engine's
// service may have been restarted.
std::unique_ptr<PacketFilter> MakeWfpFilter(OpenEngine open, AgentNames agent);

// Foreign filters that keep the agent from `controllers`, one sentence each: what so-called EDR silencers
// add.
std::vector<std::string> FindObstructingFilters(const std::vector<HeldFilter>& held,
                                                const std::vector<Endpoint>& controllers,
                                                const std::string& agent_program,
                                                const std::string& agent_service);

}  // namespace cordon::platform::wfp
