#include "agent/scan/walk.h"

#include <algorithm>
#include <utility>

#include "agent/event/file_state.h"

namespace cordon::agent {
namespace {

constexpr int kMaxNotScanned = 1000;
constexpr size_t kMaxNotScannedBytes = 100 * 1024;  // an outcome has it twice, and must fit in a batch

// '/' comes before every other byte, so that a folder's entries come before its next sibling.
int Rank(char c) {
  return c == '/' ? -1 : static_cast<unsigned char>(c);
}

// Once one was left out, all that come later are.
bool HasRoom(const v1::ScanProgress& progress, const v1::NotScanned& entry) {
  if (progress.not_scanned_size() >= kMaxNotScanned) return false;
  if (std::cmp_less(progress.not_scanned_size(), progress.not_scanned_count())) return false;
  size_t bytes = entry.ByteSizeLong();
  for (const v1::NotScanned& kept : progress.not_scanned()) bytes += kept.ByteSizeLong();
  return bytes <= kMaxNotScannedBytes;
}

void AddEntry(const v1::NotScanned& entry, v1::ScanProgress* progress) {
  if (HasRoom(*progress, entry)) *progress->add_not_scanned() = entry;
  progress->set_not_scanned_count(progress->not_scanned_count() + 1);
}

}  // namespace

bool WalksBefore(std::string_view a, std::string_view b) {
  return std::ranges::lexicographical_compare(a, b, {}, Rank, Rank);
}

std::vector<FolderPtr> Frontier::TakeDone() {
  std::vector<FolderPtr> done;
  while (!begun_.empty() && begun_.front()->listed && begun_.front()->unread == 0) {
    done.push_back(std::move(begun_.front()));
    begun_.pop_front();
  }
  return done;
}

void AddTo(const v1::ScanProgress& part, v1::ScanProgress* whole) {
  whole->set_files_done(whole->files_done() + part.files_done());
  whole->set_bytes_done(whole->bytes_done() + part.bytes_done());
  whole->set_findings(whole->findings() + part.findings());
  for (const v1::NotScanned& entry : part.not_scanned()) AddEntry(entry, whole);
  const auto listed = static_cast<uint64_t>(part.not_scanned_size());
  whole->set_not_scanned_count(whole->not_scanned_count() + part.not_scanned_count() - listed);
}

void AddNotScanned(const std::string& path, std::string_view reason, v1::ScanProgress* progress) {
  v1::NotScanned entry;
  entry.set_path(EventPath(path));
  entry.set_reason(std::string(reason));
  AddEntry(entry, progress);
}

}  // namespace cordon::agent
