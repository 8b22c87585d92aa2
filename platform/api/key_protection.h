#pragma once

// Keys in files, protected from whoever gets the file without this machine: a copied disk, a backup. Whoever
// has the rights of the agent on this machine can open them.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace cordon::platform {

// What to write in the place of the key. Linux: the key itself, its file being root's alone; Windows: sealed
// by the machine's TPM, or else by DPAPI for this machine. May take seconds.
absl::StatusOr<std::string> SealKey(std::string_view key);

// The key of what a file holds. One that was written unsealed is given as it is. DATA_LOSS when it was sealed
// by another machine, is damaged, or what sealed it is gone; UNAVAILABLE when that does not answer now.
absl::StatusOr<std::string> OpenKey(std::string_view bytes);

// By what such bytes are protected, to follow "protected by".
std::string_view WhatProtects(std::string_view bytes);

}  // namespace cordon::platform
