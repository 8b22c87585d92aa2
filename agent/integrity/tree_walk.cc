#include "agent/integrity/tree_walk.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/clock.h"
#include "common/base/paths.h"
#include "common/base/status.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxJobs = 64;
constexpr int64_t kClockGrain = kNanosPerSecond;  // ctime is taken from a coarse clock

bool IsExcluded(const TreeWalk::Job& job, const std::filesystem::path& path) {
  return std::ranges::any_of(job.excluded, [&](const std::filesystem::path& prefix) {
    return IsAtOrBelow(path.generic_string(), prefix.generic_string());
  });
}

bool IsInWindow(const TreeWalk::Job& job, const platform::FileMetadata& metadata) {
  return metadata.ctime_unix_nanos >= job.since_unix_nanos - kClockGrain;
}

}  // namespace

TreeWalk::~TreeWalk() {
  Stop();
}

void TreeWalk::Ask(Job job) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  if (jobs_.size() >= kMaxJobs) {
    Job& last = jobs_.back();
    std::ranges::move(job.roots, std::back_inserter(last.roots));
    last.since_unix_nanos = std::min(last.since_unix_nanos, job.since_unix_nanos);
  } else {
    jobs_.push_back(std::move(job));
  }
  if (running_) return;
  if (thread_.joinable()) thread_.join();  // it has ended, or is about to
  running_ = true;
  thread_ = std::thread([this] { Run(); });
}

void TreeWalk::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

bool TreeWalk::Stopped() {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

void TreeWalk::Run() {
  if (const absl::Status low = platform::LowerThreadPriority(); !low.ok()) spdlog::debug("{}", Message(low));
  while (true) {
    Job job;
    {
      const std::lock_guard lock(mutex_);
      if (stopped_ || jobs_.empty()) {
        running_ = false;
        return;
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    Walk(job);
  }
}

void TreeWalk::Walk(const Job& job) {
  std::deque<std::pair<std::filesystem::path, uint64_t>> folders;
  for (const std::filesystem::path& root : job.roots) {
    const absl::StatusOr<platform::FileMetadata> metadata = platform::ReadFileMetadata(root);
    if (metadata.ok() && metadata->type == platform::FileType::kDirectory) {
      folders.emplace_back(root, metadata->device);
    }
  }
  while (!folders.empty() && !Stopped()) {
    const auto [folder, device] = std::move(folders.back());
    folders.pop_back();
    WalkFolder(job, folder, device, &folders);
  }
}

// Another file system below is entered when it is a local one: events of the others are not told either.
void TreeWalk::WalkFolder(const Job& job, const std::filesystem::path& folder, uint64_t device,
                          std::deque<std::pair<std::filesystem::path, uint64_t>>* folders) {
  std::vector<platform::RawFileEvent> found;
  const absl::Status read = platform::ReadFolder(folder, [&](const platform::FolderEntry& entry) {
    const std::filesystem::path path = folder / entry.name;
    if (!entry.status.ok() || IsExcluded(job, path)) return true;
    const bool is_folder = entry.metadata.type == platform::FileType::kDirectory;
    if (IsInWindow(job, entry.metadata)) {
      found.push_back(job.event);
      found.back().path = path;
      found.back().is_directory = is_folder;
    }
    if (!is_folder) return true;
    bool enter = entry.metadata.device == device;
    if (!enter) {
      const absl::StatusOr<platform::Filesystem> other = platform::ReadFilesystem(path);
      enter = other.ok() && other->kind == platform::FilesystemKind::kLocal;
    }
    if (enter) folders->emplace_back(path, entry.metadata.device);
    return true;
  });
  if (!read.ok() && !absl::IsNotFound(read)) {
    spdlog::warn("walk after lost events: {} is not looked at: {}", folder.string(), Message(read));
  }
  for (platform::RawFileEvent& event : found) {
    if (Stopped()) return;
    found_(std::move(event));
  }
}

}  // namespace cordon::agent
