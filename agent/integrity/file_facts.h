#pragma once

// A settled path -> the FileChanged events that tell it. Pure.

#include <cstdint>
#include <string>
#include <vector>

#include "agent/integrity/content.h"
#include "agent/integrity/settler.h"
#include "cordon/v1/event.pb.h"

namespace cordon::agent {

// What was found at the path after it settled.
struct FoundFile {
  bool exists = false;
  v1::FileState state;       // when it exists
  std::string hash_skipped;  // why there is no SHA-256, for a file
  bool hash_later = false;   // it takes long: only judged so far
  Content content = Content::kTooShort;
};

struct FileFact {
  v1::FileChanged change;      // without the process, but why it cannot be told
  int64_t boottime_nanos = 0;  // when it happened
  Content content = Content::kTooShort;
  std::string parent_guid;  // of the process, once that is known
  bool moved_in = false;    // as FileDeed says
};

// What stands in the registry, with secrets in its text masked.
FoundFile FoundInRegistry(const platform::RegistryState& registry);

// In the order in which they happened as far as can be told. Every deed is told: a file that was created and
// deleted again within the settling time gives both facts; writing that belongs to a creation is folded into
// it.
std::vector<FileFact> TellFacts(const SettledPath& settled, const FoundFile& found);

}  // namespace cordon::agent
