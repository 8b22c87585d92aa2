#include "agent/isolation/boot_hold.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

constexpr std::string_view kMagic = "cordon-boot-hold-v1";
constexpr size_t kMaxFileBytes = 1024;

}  // namespace

BootHold::BootHold(std::filesystem::path file, std::string boot_id, const Clock& clock)
    : file_(std::move(file)), boot_id_(std::move(boot_id)), clock_(clock) {}

bool BootHold::Read() {
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(file_, kMaxFileBytes);
  if (absl::IsNotFound(text.status())) return false;
  Record read{.boot_id = {}, .length_nanos = kDefaultBootHoldNanos};
  if (text.ok()) {
    std::istringstream words(*text);
    std::string magic;
    Record found;
    if (words >> magic >> found.boot_id >> found.began_boot_nanos >> found.over >> found.length_nanos &&
        magic == kMagic) {
      read = std::move(found);
    }
  }
  read.length_nanos = std::clamp<int64_t>(read.length_nanos, 0, kMaxBootHoldNanos);
  record_ = std::move(read);
  return true;
}

// Without a disk there is no hold to remember: it then begins anew at the next start, and still ends in time.
void BootHold::Write() const {
  const std::string text = StrCat(kMagic, " ", record_.boot_id, " ", record_.began_boot_nanos, " ",
                                  record_.over ? 1 : 0, " ", record_.length_nanos, "\n");
  const absl::Status saved = platform::WriteFileDurably(file_, text, platform::FileAccess::kOwnerOnly);
  if (!saved.ok()) spdlog::warn("isolation: {}", Message(saved));
}

bool BootHold::Begin() {
  if (!Read()) return false;
  if (record_.boot_id != boot_id_) {
    record_.boot_id = boot_id_;
    record_.began_boot_nanos = clock_.BootNanos();
    record_.over = record_.length_nanos == 0;
    Write();
  }
  return RemainingNanos() > 0;
}

void BootHold::End(int64_t length_nanos) {
  const bool known = Read();
  Record ended{.boot_id = boot_id_,
               .began_boot_nanos = known && record_.boot_id == boot_id_ ? record_.began_boot_nanos : 0,
               .over = true,
               .length_nanos = length_nanos};
  if (known && ended == record_) return;
  record_ = std::move(ended);
  Write();
}

int64_t BootHold::RemainingNanos() const {
  if (record_.boot_id != boot_id_ || record_.over) return 0;
  const int64_t now = clock_.BootNanos();
  if (now < record_.began_boot_nanos) return 0;  // nothing of this boot
  return std::max<int64_t>(record_.length_nanos - (now - record_.began_boot_nanos), 0);
}

}  // namespace cordon::agent
