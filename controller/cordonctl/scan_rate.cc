#include "controller/cordonctl/scan_rate.h"

#include "common/base/clock.h"
#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kLeastNanos = 400 * kNanosPerMilli;  // between two messages; hosts send about two a second

}  // namespace

void ScanRate::Add(const v1::ScanProgress& progress) {
  const Place now{.bytes = progress.bytes_done(),
                  .files = progress.files_done(),
                  .elapsed_nanos = progress.elapsed_nanos()};
  if (progress.state() != v1::ScanProgress::STATE_RUNNING) {
    last_.reset();
    Between(progress.state() == v1::ScanProgress::STATE_PAUSED ? now : Place(), now);
    return;
  }
  // A scan that goes on after a restart begins again at its cursor.
  const bool goes_on = last_.has_value() && now.bytes >= last_->bytes && now.files >= last_->files;
  if (goes_on && now.elapsed_nanos - last_->elapsed_nanos < kLeastNanos) return;
  if (goes_on) Between(*last_, now);
  last_ = now;
}

void ScanRate::Between(const Place& from, const Place& to) {
  const double seconds =
      static_cast<double>(to.elapsed_nanos - from.elapsed_nanos) / static_cast<double>(kNanosPerSecond);
  const auto rate = [&](uint64_t before, uint64_t after) {
    return seconds > 0 ? static_cast<uint64_t>(static_cast<double>(after - before) / seconds) : 0;
  };
  bytes_per_second_ = rate(from.bytes, to.bytes);
  files_per_second_ = rate(from.files, to.files);
}

std::string ScanRate::Text() const {
  if (bytes_per_second_ == 0 && files_per_second_ == 0) return "";
  return StrCat(FormatBytes(bytes_per_second_), "/s, ", files_per_second_, " files/s");
}

}  // namespace cordon::ctl
