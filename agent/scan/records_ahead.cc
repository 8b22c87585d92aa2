#include "agent/scan/records_ahead.h"

#include <spdlog/spdlog.h>

#include <system_error>
#include <utility>

#include "agent/scan/walk.h"
#include "common/base/status.h"

namespace cordon::agent {
namespace {

constexpr size_t kMostFolders = 128;
constexpr int kMostEntries = 16'384;  // some 4 MB; one folder more may be above it

}  // namespace

RecordsAhead::RecordsAhead(Database database, std::string root) : database_(std::move(database)) {
  to_load_.push_back(std::move(root));
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    spdlog::warn("a scan goes on with fewer threads: {}", error.what());
    ended_ = true;
  }
}

RecordsAhead::~RecordsAhead() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool RecordsAhead::Take(const std::string& folder, v1::BaselineFolder* entries) {
  std::unique_lock lock(mutex_);
  while (true) {
    came_.wait(lock, [&] { return ended_ || !loaded_.empty(); });
    if (loaded_.empty()) return false;
    Loaded& next = loaded_.front();
    if (WalksBefore(folder, next.folder)) return false;  // it is new: nothing is recorded of it
    const bool is_it = next.folder == folder;            // else that one is gone, or is not entered
    if (is_it) entries->Swap(&next.entries);
    DropFront();
    if (is_it) return true;
  }
}

// The thread is woken when there is room for many, so that neither waits for the other at each folder.
void RecordsAhead::DropFront() {
  Loaded& front = loaded_.front();
  entries_ -= front.count;
  if (spare_.size() < kMostFolders) spare_.push_back(std::move(front.entries));
  loaded_.pop_front();
  if (loaded_.size() <= kMostFolders / 2 && entries_ <= kMostEntries / 2) room_.notify_one();
}

// Where it fails, the walk asks the baseline itself, and is told why.
void RecordsAhead::Run() {
  while (WaitForRoom() && LoadUntilFull()) continue;
  const std::lock_guard lock(mutex_);
  ended_ = true;
  came_.notify_all();
}

bool RecordsAhead::WaitForRoom() {
  std::unique_lock lock(mutex_);
  room_.wait(lock,
             [&] { return closed_ || (loaded_.size() <= kMostFolders / 2 && entries_ <= kMostEntries / 2); });
  return !closed_;
}

// In one read transaction, which does not last: as long as one does, what others write stays in the log.
bool RecordsAhead::LoadUntilFull() {
  if (!database_.Execute("BEGIN").ok()) return false;
  bool room = true;
  bool loaded = true;
  while (room && loaded && !to_load_.empty()) {
    Loaded next{.entries = TakeSpare()};
    loaded = Load(&next);
    if (loaded) room = Put(std::move(next));
  }
  return database_.Execute("COMMIT").ok() && loaded && !to_load_.empty();
}

bool RecordsAhead::Load(Loaded* next) {
  next->folder = std::move(to_load_.back());
  to_load_.pop_back();
  if (!baseline_.Children(next->folder, &next->entries).ok()) return false;
  next->count = next->entries.entries_size();
  const std::string prefix = next->folder.ends_with('/') ? next->folder : next->folder + "/";
  for (int i = next->count - 1; i >= 0; --i) {
    const v1::BaselineEntry& entry = next->entries.entries(i);
    const bool is_folder = static_cast<platform::FileType>(entry.type()) == platform::FileType::kDirectory;
    if (is_folder) to_load_.push_back(prefix + entry.name());
  }
  return true;
}

// False: there is no room for another one.
bool RecordsAhead::Put(Loaded loaded) {
  const std::lock_guard lock(mutex_);
  entries_ += loaded.count;
  loaded_.push_back(std::move(loaded));
  if (loaded_.size() == 1) came_.notify_one();
  return !closed_ && loaded_.size() < kMostFolders && entries_ < kMostEntries;
}

v1::BaselineFolder RecordsAhead::TakeSpare() {
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) return {};
  v1::BaselineFolder spare = std::move(spare_.back());
  spare_.pop_back();
  return spare;
}

}  // namespace cordon::agent
