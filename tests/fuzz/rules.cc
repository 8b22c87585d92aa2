// YARA rules, as they come with an order, and what they do to some content. The agent does this in a process
// of its own, with limits.

#include <chrono>
#include <cstdint>
#include <string>

#include "common/rules/rule_set.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const cordon::RuleText file{.file = "a.yar", .text = input};
  const auto rules = cordon::RuleSet::Compile({&file, 1});
  if (rules.ok()) static_cast<void>(rules->Scan("MZ an EVIL file", std::chrono::seconds(5)));
  return 0;
}
