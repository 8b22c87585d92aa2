#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "agent/isolation/program_binding.h"
#include "cordon/v1/isolation.pb.h"
#include "cordon/v1/local.pb.h"
#include "platform/api/packet_filter.h"

namespace cordon::agent {

// What is known besides the kernel's rules.
struct ReceiptFacts {
  int64_t now_unix_nanos = 0;
  int64_t apply_nanos = 0;
  uint64_t dropped_before = 0;      // counted by rules that have been replaced at the same level
  std::vector<v1::Probe> probes;    // what live probes have shown
  std::vector<std::string> holes;   // forbidden packets that passed, and ways past the rules: sentences
  std::vector<std::string> doubts;  // what is open and stayed silent, or is stopped by others: no hole
  std::vector<std::string>
      notes;                  // what an operator should know and what is no leak: names that lead nowhere
  std::string state_problem;  // what is wrong with isolation.state; empty: nothing
  std::string unlocked;       // by phone, to what and for how long (AUT-5); empty: it is not
  ProgramFacts programs;
};

// What may be said of the host (ISO-7): `contained` only when the kernel holds exactly what the order asks
// for, no probe passed that must not, and no way past the rules is known. Pure.
v1::Receipt MakeReceipt(const v1::IsolationState& state,
                        const absl::StatusOr<platform::FilterReadback>& readback, const ReceiptFacts& facts);

}  // namespace cordon::agent
