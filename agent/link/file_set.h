#pragma once

// Several small files that change together: after a power cut all hold their old content, or all their new
// one.

#include <absl/status/status.h>

#include <filesystem>
#include <string>
#include <vector>

namespace cordon::agent {

struct NamedContent {
  std::string name;  // a file name without folders
  std::string bytes;
};

// Writes each file beside its place, then one durable commit list, then renames. Every file is readable by
// its owner only. On an error before the commit nothing has changed; after it, FinishReplacingFiles completes
// the rest.
absl::Status ReplaceFilesTogether(const std::filesystem::path& folder,
                                  const std::vector<NamedContent>& files);

// To be called before such files are read: completes a replacement that was committed, and removes what one
// left that was not.
absl::Status FinishReplacingFiles(const std::filesystem::path& folder);

}  // namespace cordon::agent
