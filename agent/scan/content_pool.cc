#include "agent/scan/content_pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <system_error>
#include <utility>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "platform/api/file_names.h"
#include "platform/api/system.h"

namespace cordon::agent {
namespace {

// The walk may be this far ahead of reading: the nearer the end is known, the better the estimate. About 20
// MB.
constexpr size_t kMaxOutstanding = 65'536;
constexpr size_t kWorthTaking =
    256;  // results: being woken for each would cost more than a small file's hash

constexpr size_t kWorthKeeping = 4096;  // results, as memory for the next ones: about 2 MB

// A thread takes several small files at once: for each one alone, the threads would wait for each other about
// as long as it takes to read it.
constexpr size_t kMostAtOnce = 16;
constexpr uint64_t kBytesAtOnce = 256 * 1024;

// Of what a running program executes the size is not known.
uint64_t BytesToRead(const ContentPool::Job& job) {
  return job.running.empty() ? job.metadata.size : kBytesAtOnce;
}

// Who holds a lease on a file is asked by the first try to let go, and most do at once.
constexpr std::array kLeaseWaits = {std::chrono::milliseconds(20), std::chrono::milliseconds(200)};

absl::StatusOr<platform::OpenFile> Open(const ContentPool::Job& job) {
  if (job.running.empty()) return platform::OpenForReading(platform::PathOfBytes(job.path));
  absl::Status last;
  for (const platform::RunningProgram& program : job.running) {
    absl::StatusOr<platform::OpenFile> file = platform::OpenProgramOf(program);
    if (file.ok()) return file;
    last = file.status();
  }
  return last;
}

}  // namespace

ContentPool::ContentPool(Options options, std::function<bool()> keep_going, std::function<bool()> wanted,
                         std::vector<std::unique_ptr<RuleScanner>> scanners)
    : options_(options),
      keep_going_(std::move(keep_going)),
      wanted_(std::move(wanted)),
      scanners_(std::move(scanners)) {
  for (const std::unique_ptr<RuleScanner>& scanner : scanners_) {
    try {
      threads_.emplace_back([this, scanner = scanner.get()] { Run(scanner); });
    } catch (const std::system_error& error) {
      if (threads_.empty()) throw;
      spdlog::warn("a scan goes on with fewer threads: {}", error.what());
      return;
    }
  }
}

ContentPool::~ContentPool() {
  {
    const std::lock_guard lock(mutex_);
    jobs_.clear();  // nobody takes their results any more
    closed_ = true;
    work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

bool ContentPool::TrySubmit(Job* job) {
  if (outstanding_ >= kMaxOutstanding) return false;
  ++outstanding_;
  auto own = std::make_unique<Job>(std::move(*job));
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(own));
  work_.notify_one();
  return true;
}

void ContentPool::Take(std::chrono::milliseconds wait, std::vector<Result>* results) {
  results->clear();
  if (results->capacity() > kWorthKeeping) results->shrink_to_fit();
  std::unique_lock lock(mutex_);
  if (wait.count() > 0) done_.wait_for(lock, wait, [&] { return WorthTaking(); });
  results->swap(results_);
  outstanding_ -= results->size();
}

bool ContentPool::WorthTaking() const {
  return results_.size() >= kWorthTaking || (jobs_.empty() && reading_ == 0);
}

// Fewer when few are left, so that all threads have work until the end, and a long file by itself.
std::vector<std::unique_ptr<ContentPool::Job>> ContentPool::NextJobs(size_t most) {
  most = std::min(most, jobs_.size() / (2 * scanners_.size()) + 1);
  std::vector<std::unique_ptr<Job>> next;
  uint64_t bytes = 0;
  do {
    bytes += BytesToRead(*jobs_.front());
    next.push_back(std::move(jobs_.front()));
    jobs_.pop_front();
  } while (next.size() < most && bytes + BytesToRead(*jobs_.front()) <= kBytesAtOnce);
  return next;
}

void ContentPool::Run(RuleScanner* scanner) {
  if (options_.polite) {
    const absl::Status status = platform::LowerThreadPriority();
    if (!status.ok()) spdlog::warn("a scan runs at normal priority: {}", Message(status));
  }
  // A polite scan may rest, and rules take their time, while others would wait for the first one's result.
  const size_t most = options_.polite || scanner != nullptr ? 1 : kMostAtOnce;
  std::vector<Result> done;
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return closed_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::vector<std::unique_ptr<Job>> jobs = NextJobs(most);
    ++reading_;
    lock.unlock();
    done.clear();
    for (std::unique_ptr<Job>& job : jobs) {
      absl::StatusOr<Content> content = Read(*job, scanner);
      done.push_back({.job = std::move(job), .content = std::move(content)});
    }
    lock.lock();
    --reading_;
    std::ranges::move(done, std::back_inserter(results_));
    if (WorthTaking()) done_.notify_one();
  }
}

absl::StatusOr<platform::OpenFile> ContentPool::OpenPatiently(const Job& job) {
  for (const std::chrono::milliseconds wait : kLeaseWaits) {
    absl::StatusOr<platform::OpenFile> file = Open(job);
    if (!absl::IsAborted(file.status()) || lease_waits_-- <= 0) return file;
    std::this_thread::sleep_for(wait);
  }
  return Open(job);
}

absl::StatusOr<ContentPool::Content> ContentPool::Read(Job& job, RuleScanner* scanner) {
  // Others are taken with it: not even their leases may be waited for then.
  if (closed_ || !wanted_()) return absl::CancelledError("stopped before it was opened");
  CORDON_ASSIGN_OR_RETURN(const platform::OpenFile file, OpenPatiently(job));
  CORDON_RETURN_IF_ERROR(WorthReading(file.Metadata()));
  const int64_t read_at = WallNowNanos();
  CORDON_ASSIGN_OR_RETURN(platform::Digests digests,
                          platform::HashOpenFile(file, {.md5 = options_.md5}, keep_going_,
                                                 [this](uint64_t bytes) { bytes_read_ += bytes; }));
  Content content{.file = {.metadata = file.Metadata(), .sha256 = std::move(digests.sha256)},
                  .md5 = std::move(digests.md5)};
  int64_t& ctime = content.file.metadata.ctime_unix_nanos;
  ctime = SureChangeTime(ctime, read_at);
  // Whoever owns a file can give it more attributes than can be listed: that must not hide its content.
  absl::StatusOr<platform::FileAttributes> attributes = platform::ReadAttributes(file);
  if (attributes.ok()) {
    content.file.attributes = *std::move(attributes);
  } else {
    content.attributes = attributes.status();
  }
  if (scanner != nullptr) content.rules = scanner->Search(file, wanted_);
  if (absl::IsCancelled(content.rules.status())) return content.rules.status();
  content.file.path = std::move(job.path);
  return content;
}

}  // namespace cordon::agent
