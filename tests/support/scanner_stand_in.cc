// In place of the agent's scanning process, for tests: "rules" are refused when they have the word BAD, a
// file matches when it has the word EVIL, one that begins with CRASH is the end of the process, and one that
// begins with HANG keeps it busy for ever.

#include <cstdlib>

#include "agent/scan/scanner_wire.h"
#include "platform/api/sandboxed_child.h"

int main() {
  using namespace cordon;  // NOLINT
  using Kind = agent::ScannerAnswer::Kind;
  const auto channel = platform::EnterSandbox({.memory_bytes = 1 << 30, .file_bytes = 1 << 20});
  if (!channel.ok()) return 1;
  while (const auto request = (*channel)->Receive()) {
    agent::ScannerAnswer answer{.kind = Kind::kReady, .texts = {}};
    if (request->message.starts_with(agent::kUseRules)) {
      if (request->message.contains("BAD")) answer = {.kind = Kind::kRefused, .texts = {"a.yar:3: BAD"}};
    } else {
      if (!request->content.has_value()) return 2;
      if (request->content->starts_with("CRASH")) std::abort();
      for (volatile bool hangs = request->content->starts_with("HANG"); hangs;) continue;
      answer.kind = Kind::kMatches;
      if (request->content->contains("EVIL")) answer.texts.push_back("a.yar:evil");
    }
    if (!(*channel)->Send(agent::EncodeAnswer(answer)).ok()) return 1;
  }
  return 0;
}
