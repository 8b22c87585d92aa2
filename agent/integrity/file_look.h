#pragma once

// What is found at a path that has settled: metadata, hash, and what its content looks like.

#include <cstdint>
#include <filesystem>
#include <functional>

#include "agent/integrity/file_facts.h"
#include "agent/integrity/settler.h"

namespace cordon::agent {

struct LookOptions {
  uint64_t max_hash_bytes = 0;  // longer files are told without SHA-256
  bool judge = false;           // look at the content, for tripwires
  // Asked before every piece of a file that is hashed.
  std::function<bool()> keep_going;
};

// A file that is longer than this is judged by its first bytes at once, and hashed later (`hash_later`): what
// hashing costs must not delay what is told of others. One that a lease keeps shut is looked at once more
// then, and not judged.
inline constexpr uint64_t kLongFileBytes = 256 * 1024;

FoundFile LookAt(const SettledPath& settled, const LookOptions& options);

// Hashes what LookAt left for later.
void HashFound(const std::filesystem::path& path, const LookOptions& options, FoundFile* found);

}  // namespace cordon::agent
