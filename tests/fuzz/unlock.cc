// What comes by phone and by file to free a host: challenges and codes as they are typed, key sheets, and the
// file that keeps the delay (AUT-5, AUT-6).

#include "common/wire/unlock.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/unlock/unlock_state.h"
#include "controller/cordonctl/key_sheet.h"
#include "controller/cordonctl/unlock_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto challenge = cordon::ReadUnlockChallenge(text); challenge.ok()) {
    const std::string written = cordon::WriteUnlockChallenge(*challenge);
    const auto again = cordon::ReadUnlockChallenge(cordon::InGroups(written));
    if (!again.ok() || *again != *challenge) std::abort();
    if (cordon::ctl::DescribeUnlock(*challenge, {}).empty()) std::abort();
  }
  if (const auto code = cordon::ReadUnlockCode(text); code.ok()) {
    const auto again = cordon::ReadUnlockCode(cordon::InGroups(*code));
    if (!again.ok() || *again != *code || code->size() != cordon::kUnlockLetters) std::abort();
    if (cordon::ctl::SpellOut(*code).contains('?')) std::abort();
  }
  if (const auto sheet = cordon::ctl::ReadKeySheet(text); sheet.ok()) {
    if (!cordon::ctl::ReadKeySheet(cordon::ctl::WriteKeySheet(*sheet)).ok()) std::abort();
    for (const auto& key : sheet->keys()) {
      if (!cordon::ctl::FindUnlockKey(*sheet, key.host_id()).ok()) std::abort();
    }
  }
  if (const auto state = cordon::agent::DecodeUnlockState(text); state.ok()) {
    if (!cordon::agent::DecodeUnlockState(cordon::agent::EncodeUnlockState(*state)).ok()) std::abort();
  }
  return 0;
}
