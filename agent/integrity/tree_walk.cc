#include "agent/integrity/tree_walk.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/clock.h"
#include "common/base/paths.h"
#include "common/base/status.h"
#include "platform/api/file_names.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

constexpr size_t kMaxJobs = 64;
constexpr size_t kMaxRoots = 1'000;               // of a job: more than a policy has
constexpr size_t kFoundAtOnce = 1'000;            // of a folder, which may hold millions
constexpr int64_t kClockGrain = kNanosPerSecond;  // ctime is taken from a coarse clock

bool IsExcluded(const TreeWalk::Job& job, const std::filesystem::path& path) {
  return std::ranges::any_of(job.excluded, [&](const std::filesystem::path& prefix) {
    return IsAtOrBelow(platform::NameBytes(path), platform::NameBytes(prefix));
  });
}

bool IsInWindow(const TreeWalk::Job& job, const platform::FileMetadata& metadata) {
  return metadata.ctime_unix_nanos >= job.since_unix_nanos - kClockGrain;
}

}  // namespace

TreeWalk::~TreeWalk() {
  Stop();
}

bool TreeWalk::Ask(Job job) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return true;
  const auto same = [&](const Job& waiting) {
    return waiting.event.kind == job.event.kind && waiting.event.pid == job.event.pid;
  };
  auto waiting = std::ranges::find_if(jobs_, same);
  if (waiting == jobs_.end() && jobs_.size() >= kMaxJobs) {
    job.event.pid = 0;
    waiting = std::ranges::find_if(jobs_, same);
  }
  if (waiting != jobs_.end()) return Merge(job, &*waiting);
  jobs_.push_back(std::move(job));
  if (running_) return true;
  if (thread_.joinable()) thread_.join();  // it has ended, or is about to
  running_ = true;
  thread_ = std::thread([this] { Run(); });
  return true;
}

bool TreeWalk::Merge(const Job& job, Job* waiting) {
  waiting->excluded = job.excluded;  // the policy's of now
  waiting->since_unix_nanos = std::min(waiting->since_unix_nanos, job.since_unix_nanos);
  for (const std::filesystem::path& root : job.roots) {
    const auto holds = [&](const std::filesystem::path& other) {
      return IsAtOrBelow(platform::NameBytes(root), platform::NameBytes(other));
    };
    if (std::ranges::any_of(waiting->roots, holds)) continue;
    if (waiting->roots.size() >= kMaxRoots) return false;
    waiting->roots.push_back(root);
  }
  return true;
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
  const platform::MountTable mounts = platform::MountTable::Now();
  for (const std::filesystem::path& root : job.roots) {
    if (mounts.MayNotAnswer(root)) continue;
    const absl::StatusOr<platform::FileMetadata> metadata = platform::ReadFileMetadata(root);
    if (metadata.ok() && metadata->type == platform::FileType::kDirectory) {
      folders.emplace_back(root, metadata->device);
    }
  }
  while (!folders.empty() && !Stopped()) {
    const auto [folder, device] = std::move(folders.back());
    folders.pop_back();
    WalkFolder(job, mounts, folder, device, &folders);
  }
}

// Another file system below is entered when it is a local one: events of the others are not told either, and
// one on a network may not answer.
void TreeWalk::WalkFolder(const Job& job, const platform::MountTable& mounts,
                          const std::filesystem::path& folder, uint64_t device,
                          std::deque<std::pair<std::filesystem::path, uint64_t>>* folders) {
  std::vector<platform::RawFileEvent> found;
  const absl::Status read = platform::ReadFolderHere(folder, mounts, [&](const platform::FolderEntry& entry) {
    const std::filesystem::path path = folder / platform::PathOfBytes(entry.name);
    if (!entry.status.ok() || IsExcluded(job, path)) return true;
    const bool is_folder = entry.metadata.type == platform::FileType::kDirectory;
    if (IsInWindow(job, entry.metadata)) {
      found.push_back(job.event);
      found.back().path = path;
      found.back().is_directory = is_folder;
    }
    if (found.size() >= kFoundAtOnce) Deliver(&found);
    if (!is_folder) return true;
    bool enter = entry.metadata.device == device;
    if (!enter) {
      const absl::StatusOr<platform::Filesystem> other = platform::ReadFilesystem(path);
      enter = other.ok() && other->kind == platform::FilesystemKind::kLocal;
    }
    if (enter) folders->emplace_back(path, entry.metadata.device);
    return !Stopped();
  });
  if (!read.ok() && !absl::IsNotFound(read)) {
    spdlog::warn("walk after lost events: {} is not looked at: {}", platform::NameBytes(folder),
                 Message(read));
  }
  Deliver(&found);
}

void TreeWalk::Deliver(std::vector<platform::RawFileEvent>* found) {
  for (platform::RawFileEvent& event : *found) {
    if (Stopped()) break;
    found_(std::move(event));
  }
  found->clear();
}

}  // namespace cordon::agent
