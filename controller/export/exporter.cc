#include "controller/export/exporter.h"

#include <spdlog/spdlog.h>

#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "controller/export/ocsf.h"
#include "controller/store/host_notice.h"
#include "platform/api/files.h"

namespace cordon::controller {
namespace {

constexpr size_t kLinesPerWrite = 1'000;
constexpr size_t kBytesPerWrite = 1024 * 1024;
constexpr size_t kMostLineBytes = 2 * 1024 * 1024;  // the longest outcome of a scan, with room
constexpr int64_t kBatchesPerPass = 64;  // how far it came is saved after each: a crash repeats no more
constexpr int64_t kLookEveryNanos = kNanosPerSecond;
constexpr int64_t kLongestWaitNanos = 60 * kNanosPerSecond;
constexpr size_t kMaxPositionBytes = 64;

// A number and its newline from the front of `text`. False: there is none.
template <typename Number>
bool TakeLine(std::string_view* text, Number* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  const auto used = static_cast<size_t>(end - text->data());
  if (error != std::errc() || used == text->size() || *end != '\n') return false;
  text->remove_prefix(used + 1);
  return true;
}

}  // namespace

absl::StatusOr<Exporter::Progress> Exporter::ReadProgress(const std::filesystem::path& file) {
  Progress progress;
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(file, kMaxPositionBytes);
  if (absl::IsNotFound(text.status())) return progress;
  if (!text.ok()) return text.status();
  std::string_view left = *text;
  // A file of an older version has one line: it has told no notices yet.
  if (TakeLine(&left, &progress.position) && progress.position >= 0 &&
      (left.empty() || (TakeLine(&left, &progress.audit_index) && left.empty()))) {
    return progress;
  }
  return absl::DataLossError(
      StrCat(file.string(), " is damaged: it holds how far the export came. Remove it, and the export ",
             "begins at the first event; readers know repeats by metadata.uid"));
}

absl::StatusOr<std::unique_ptr<Exporter>> Exporter::Start(Store& store, std::unique_ptr<ExportSink> sink,
                                                          std::filesystem::path position_file,
                                                          std::string product_version) {
  CORDON_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(position_file));
  return std::unique_ptr<Exporter>(
      new Exporter(store, std::move(sink), std::move(position_file), std::move(product_version), progress));
}

Exporter::Exporter(Store& store, std::unique_ptr<ExportSink> sink, std::filesystem::path position_file,
                   std::string product_version, const Progress& progress)
    : store_(store),
      sink_(std::move(sink)),
      position_file_(std::move(position_file)),
      product_version_(std::move(product_version)),
      position_(progress.position),
      audit_index_(progress.audit_index),
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
  const absl::Status notices = CarryNotices();  // first: they are few, and events may be many
  if (!notices.ok()) DropLines();               // an audit log that cannot be read holds up no events
  CORDON_RETURN_IF_ERROR(BeginAgainIfSetBack());
  int64_t before = -1;
  while (position_ != before) {
    before = position_;
    CORDON_RETURN_IF_ERROR(CarrySome());
  }
  return notices;
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
                            status = Add(ToOcsf(event, product_version_));
                            if (!lines_.empty()) return status.ok();
                            stopped = Stopping();
                            return status.ok() && !stopped;
                          }));
  if (status.ok() && !stopped) status = Flush();
  if (!status.ok() || stopped || end == position_) return status;
  return Save(end, audit_index_);
}

// The audit log's entries are looked at once each; most of them are no notices.
absl::Status Exporter::CarryNotices() {
  absl::Status status;
  uint64_t last = 0;
  bool told = false;
  CORDON_RETURN_IF_ERROR(store_.ReadAudit(std::max<uint64_t>(audit_index_, 1), [&](v1::AuditEntry&& entry) {
    if (entry.index() > audit_index_ && IsHostNotice(entry.action())) {
      status = AddNotice(entry);
      told = true;
    }
    if (status.ok()) last = entry.index();
    return status.ok() && !Stopping();
  }));
  CORDON_RETURN_IF_ERROR(status);
  CORDON_RETURN_IF_ERROR(Flush());
  if (last == 0 && audit_index_ > 0) {
    spdlog::warn(
        "export: the audit log ends before entry {}: it was set back, so what was found about hosts is "
        "told to {} from its beginning again",
        audit_index_, sink_->Name());
  }
  if (told) return Save(position_, last);
  audit_index_ = last;  // not worth a write: the next run looks at the same entries again
  return absl::OkStatus();
}

absl::Status Exporter::AddNotice(const v1::AuditEntry& entry) {
  const absl::StatusOr<HostRecord> host = store_.GetHost(entry.subject());
  if (!host.ok() && !absl::IsNotFound(host.status())) return host.status();
  return Add(NoticeToOcsf(entry, host.ok() ? host->facts.host_name() : "", product_version_));
}

// An event of a megabyte can make a line of fifty, which no reader takes and which would hold up all behind
// it: it is told without what has no attribute in OCSF.
absl::Status Exporter::Add(boost::json::object line) {
  std::string text = boost::json::serialize(line);
  if (text.size() > kMostLineBytes) {
    line["unmapped"] = boost::json::object{
        {"left_out", StrCat("the line would have ", text.size(), " bytes; cordonctl events tells all")}};
    text = boost::json::serialize(line);
  }
  lines_.push_back(std::move(text));
  bytes_ += lines_.back().size();
  return lines_.size() < kLinesPerWrite && bytes_ < kBytesPerWrite ? absl::OkStatus() : Flush();
}

absl::Status Exporter::Save(int64_t position, uint64_t audit_index) {
  CORDON_RETURN_IF_ERROR(platform::WriteFileDurably(position_file_, StrCat(position, "\n", audit_index, "\n"),
                                                    platform::FileAccess::kOwnerOnly));
  position_ = position;
  audit_index_ = audit_index;
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
