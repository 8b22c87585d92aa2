#include "controller/export/exporter.h"

#include <spdlog/spdlog.h>

#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <utility>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "controller/export/ocsf.h"
#include "platform/api/files.h"

namespace cordon::controller {
namespace {

constexpr size_t kLinesPerWrite = 1'000;
constexpr size_t kBytesPerWrite = 4 * 1024 * 1024;
constexpr int64_t kBatchesPerPass = 64;  // how far it came is saved after each: a crash repeats no more
constexpr int64_t kLookEveryNanos = kNanosPerSecond;
constexpr int64_t kLongestWaitNanos = 60 * kNanosPerSecond;
constexpr size_t kMaxPositionBytes = 32;

absl::StatusOr<int64_t> ReadPosition(const std::filesystem::path& file) {
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(file, kMaxPositionBytes);
  if (absl::IsNotFound(text.status())) return 0;
  if (!text.ok()) return text.status();
  int64_t position = -1;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), position);
  if (error == std::errc() && position >= 0 && *end == '\n') return position;
  return absl::DataLossError(
      StrCat(file.string(), " is damaged: it holds how far the export came. Remove it, and the export ",
             "begins at the first event; readers know repeats by metadata.uid"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Exporter>> Exporter::Start(Store& store, std::unique_ptr<ExportSink> sink,
                                                          std::filesystem::path position_file,
                                                          std::string product_version) {
  CORDON_ASSIGN_OR_RETURN(const int64_t position, ReadPosition(position_file));
  return std::unique_ptr<Exporter>(
      new Exporter(store, std::move(sink), std::move(position_file), std::move(product_version), position));
}

Exporter::Exporter(Store& store, std::unique_ptr<ExportSink> sink, std::filesystem::path position_file,
                   std::string product_version, int64_t position)
    : store_(store),
      sink_(std::move(sink)),
      position_file_(std::move(position_file)),
      product_version_(std::move(product_version)),
      position_(position),
      thread_([this] { Run(); }) {}

void Exporter::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Exporter::Run() {
  int64_t wait = kLookEveryNanos;
  do {
    const absl::Status carried = CarryOn();
    if (carried.ok()) {
      if (wait > kLookEveryNanos) spdlog::info("export: {} takes lines again", sink_->Name());
      wait = kLookEveryNanos;
      continue;
    }
    DropLines();  // read again from the position that is kept
    if (wait == kLookEveryNanos) spdlog::error("export: {}", Message(carried));
    wait = std::min(2 * wait, kLongestWaitNanos);
  } while (Pause(wait));
}

absl::Status Exporter::CarryOn() {
  CORDON_RETURN_IF_ERROR(BeginAgainIfSetBack());
  int64_t before = -1;
  while (position_ != before) {
    before = position_;
    CORDON_RETURN_IF_ERROR(CarrySome());
  }
  return absl::OkStatus();
}

// A store that was put back from a backup numbers anew what comes: its events are told again rather than
// never, and readers know repeats by metadata.uid.
absl::Status Exporter::BeginAgainIfSetBack() {
  CORDON_ASSIGN_OR_RETURN(const int64_t newest, store_.NewestPosition());
  if (newest >= position_) return absl::OkStatus();
  spdlog::warn(
      "export: the store ends at {}, before {} which was exported: it was set back, so the export to {} "
      "begins at the first event again",
      newest, position_.load(), sink_->Name());
  position_ = 0;
  return absl::OkStatus();
}

// Nothing moves when it is told to stop, or there is nothing left.
absl::Status Exporter::CarrySome() {
  absl::Status status;
  bool stopped = false;
  EventQuery query;
  query.until_position = position_ + kBatchesPerPass;
  CORDON_ASSIGN_OR_RETURN(const int64_t end,
                          store_.EventsAfter(position_, query, [&](v1::QueryEventsResponse&& event) {
                            lines_.push_back(boost::json::serialize(ToOcsf(event, product_version_)));
                            bytes_ += lines_.back().size();
                            if (lines_.size() < kLinesPerWrite && bytes_ < kBytesPerWrite) return true;
                            status = Flush();
                            stopped = Stopping();
                            return status.ok() && !stopped;
                          }));
  if (status.ok() && !stopped) status = Flush();
  if (!status.ok() || stopped || end == position_) return status;
  CORDON_RETURN_IF_ERROR(
      platform::WriteFileDurably(position_file_, StrCat(end, "\n"), platform::FileAccess::kOwnerOnly));
  position_ = end;
  return absl::OkStatus();
}

absl::Status Exporter::Flush() {
  if (lines_.empty()) return absl::OkStatus();
  CORDON_RETURN_IF_ERROR(sink_->Write(lines_));
  DropLines();
  return absl::OkStatus();
}

void Exporter::DropLines() {
  lines_.clear();
  bytes_ = 0;
}

bool Exporter::Pause(int64_t nanos) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::nanoseconds(nanos), [this] { return stopping_; });
  return !stopping_;
}

bool Exporter::Stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

}  // namespace cordon::controller
