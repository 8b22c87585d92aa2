#include "common/wire/batch_codec.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "common/base/status.h"

namespace cordon {
namespace {

// Level 6 costs about 2 µs per process event and keeps it well below 40 bytes; higher levels gain little.
constexpr int kCompressionLevel = 6;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// The level's own tables for a large batch take 3 MB, which a host that is idle again keeps resident. These
// take a third of it and make such a batch 0.3 % longer, and a small one not at all.
constexpr int kWindowLog = 19;
constexpr int kHashLog = 17;
constexpr int kChainLog = 16;

ZSTD_CCtx* NewCompressor() {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kCompressionLevel);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, kWindowLog);
  ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, kHashLog);
  ZSTD_CCtx_setParameter(context, ZSTD_c_chainLog, kChainLog);
  return context;
}

// Making a context costs more than a small batch; each thread keeps one.
ZSTD_CCtx* Compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(NewCompressor());
  return context.get();
}

ZSTD_DCtx* Decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return context.get();
}

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(StrCat("batch payload: ", what));
}

absl::StatusOr<std::string> Unpack(std::string_view payload) {
  const unsigned long long size = ZSTD_getFrameContentSize(payload.data(), payload.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return Bad("not a zstd frame that states its size");
  }
  if (size > kMaxUnpackedBytes) return Bad(StrCat("more than ", kMaxUnpackedBytes, " bytes unpacked"));
  std::string bytes(static_cast<size_t>(size), '\0');
  const size_t got =
      ZSTD_decompressDCtx(Decompressor(), bytes.data(), bytes.size(), payload.data(), payload.size());
  if (ZSTD_isError(got) != 0) return Bad(StrCat("damaged: ", ZSTD_getErrorName(got)));
  if (got != bytes.size()) return Bad("shorter than it states");
  return bytes;
}

absl::Status CheckEventSize(size_t index, size_t bytes) {
  if (bytes <= kMaxEventBytes) return absl::OkStatus();
  return Bad(StrCat("event ", index + 1, " has ", bytes, " bytes, more than ", kMaxEventBytes));
}

// A serialised EventList. Protobuf allows a message's fields in any order, so an event's offset is put behind
// what was serialised of it before.
absl::StatusOr<std::string> SerialiseList(int64_t base_time_unix_nanos, std::span<const TimedEvent> events) {
  using google::protobuf::internal::WireFormatLite;
  constexpr uint32_t kEventTag =
      WireFormatLite::MakeTag(v1::EventList::kEventsFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  v1::EventList head;
  head.set_base_time_unix_nanos(base_time_unix_nanos);
  std::string bytes = head.SerializeAsString();
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  v1::Event offset;
  for (size_t i = 0; i < events.size(); ++i) {
    offset.set_time_offset_nanos(events[i].time_unix_nanos - base_time_unix_nanos);
    const size_t size = events[i].bytes.size() + offset.ByteSizeLong();
    CORDON_RETURN_IF_ERROR(CheckEventSize(i, size));
    out.WriteTag(kEventTag);
    out.WriteVarint32(static_cast<uint32_t>(size));
    out.WriteString(events[i].bytes);
    offset.SerializeWithCachedSizes(&out);
  }
  out.Trim();
  return bytes;
}

}  // namespace

TimedEvent Serialise(int64_t time_unix_nanos, const v1::Event& event) {
  // No event is older than 1970, whatever a clock says: offsets then fit in their field.
  return {.time_unix_nanos = std::max<int64_t>(0, time_unix_nanos), .bytes = event.SerializeAsString()};
}

absl::StatusOr<std::string> EncodeEvents(int64_t base_time_unix_nanos, std::span<const TimedEvent> events) {
  if (events.empty() || events.size() > kMaxBatchEvents) {
    return Bad(StrCat(events.size(), " events; 1 to ", kMaxBatchEvents, " are allowed"));
  }
  CORDON_ASSIGN_OR_RETURN(const std::string bytes, SerialiseList(base_time_unix_nanos, events));
  if (bytes.size() > kMaxUnpackedBytes)
    return Bad(StrCat("more than ", kMaxUnpackedBytes, " bytes before compression"));
  std::string payload(ZSTD_compressBound(bytes.size()), '\0');
  const size_t packed =
      ZSTD_compress2(Compressor(), payload.data(), payload.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(packed) != 0) {
    return absl::InternalError(StrCat("cannot compress a batch: ", ZSTD_getErrorName(packed)));
  }
  if (packed > kMaxPackedBytes) return Bad(StrCat("more than ", kMaxPackedBytes, " bytes packed"));
  payload.resize(packed);
  return payload;
}

size_t UnpackedSize(std::string_view payload) {
  const unsigned long long size = ZSTD_getFrameContentSize(payload.data(), payload.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) return 0;
  return std::min<unsigned long long>(size, kMaxUnpackedBytes);
}

absl::Status CheckEventSizes(const v1::EventList& events) {
  for (int i = 0; i < events.events_size(); ++i) {
    CORDON_RETURN_IF_ERROR(CheckEventSize(static_cast<size_t>(i), events.events(i).ByteSizeLong()));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::EventList> DecodeEvents(std::string_view payload, uint32_t event_count) {
  if (event_count == 0 || event_count > kMaxBatchEvents) {
    return Bad(StrCat("event count ", event_count, "; 1 to ", kMaxBatchEvents, " are allowed"));
  }
  if (payload.size() > kMaxPackedBytes) return Bad(StrCat("more than ", kMaxPackedBytes, " bytes packed"));
  CORDON_ASSIGN_OR_RETURN(const std::string bytes, Unpack(payload));
  v1::EventList events;
  if (!events.ParseFromString(bytes)) return Bad("not a list of events");
  if (static_cast<uint32_t>(events.events_size()) != event_count) {
    return Bad(StrCat(events.events_size(), " events where the batch states ", event_count));
  }
  return events;
}

}  // namespace cordon
