#include "common/wire/batch_codec.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "common/base/status.h"
#include "common/wire/message_parts.h"

namespace cordon {
namespace {

using google::protobuf::internal::WireFormatLite;

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

constexpr std::string_view kNoList = "not a list of events";
constexpr uint32_t kEventTag =
    WireFormatLite::MakeTag(v1::EventList::kEventsFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
constexpr uint32_t kBaseTimeTag =
    WireFormatLite::MakeTag(v1::EventList::kBaseTimeUnixNanosFieldNumber, WireFormatLite::WIRETYPE_VARINT);

// A serialised EventList, its events not yet parsed.
struct SplitList {
  int64_t base_time_unix_nanos = 0;
  std::vector<std::string_view> events;
};

// What stands behind `tag`. False: it is damaged.
bool TakeField(uint32_t tag, std::string_view bytes, google::protobuf::io::CodedInputStream* in,
               SplitList* list) {
  if (tag == kEventTag) {
    uint32_t size = 0;
    if (!in->ReadVarint32(&size)) return false;
    const auto at = static_cast<size_t>(in->CurrentPosition());
    if (size > bytes.size() - at || list->events.size() == kMaxBatchEvents) return false;
    list->events.push_back(bytes.substr(at, size));
    return in->Skip(static_cast<int>(size));
  }
  if (tag == kBaseTimeTag) {
    uint64_t time = 0;
    if (!in->ReadVarint64(&time)) return false;
    list->base_time_unix_nanos = static_cast<int64_t>(time);
    return true;
  }
  return WireFormatLite::SkipField(in, tag);  // of a newer agent
}

absl::StatusOr<SplitList> Split(std::string_view bytes) {
  SplitList list;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  while (in.CurrentPosition() < static_cast<int>(bytes.size())) {
    const uint32_t tag = in.ReadTag();
    if (tag == 0 || !TakeField(tag, bytes, &in, &list)) return Bad(kNoList);
  }
  return list;
}

absl::Status CheckEventSize(size_t index, size_t bytes) {
  if (bytes <= kMaxEventBytes) return absl::OkStatus();
  return Bad(StrCat("event ", index + 1, " has ", bytes, " bytes, more than ", kMaxEventBytes));
}

// A serialised EventList. Protobuf allows a message's fields in any order, so an event's offset is put behind
// what was serialised of it before.
absl::StatusOr<std::string> SerialiseList(int64_t base_time_unix_nanos, std::span<const TimedEvent> events) {
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

absl::Status CheckEvent(size_t index, std::string_view bytes) {
  CORDON_RETURN_IF_ERROR(CheckEventSize(index, bytes.size()));
  const absl::Status parts = CheckParts(*v1::Event::descriptor(), bytes, kMaxEventParts);
  return parts.ok() ? parts : Bad(StrCat("event ", index + 1, ": ", Message(parts)));
}

absl::Status ParseEvent(std::string_view bytes, v1::Event* event) {
  if (event->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  return Bad(kNoList);
}

absl::Status ForEachEvent(std::string_view payload, uint32_t event_count,
                          const EventBytesCallback& callback) {
  if (event_count == 0 || event_count > kMaxBatchEvents) {
    return Bad(StrCat("event count ", event_count, "; 1 to ", kMaxBatchEvents, " are allowed"));
  }
  if (payload.size() > kMaxPackedBytes) return Bad(StrCat("more than ", kMaxPackedBytes, " bytes packed"));
  CORDON_ASSIGN_OR_RETURN(const std::string bytes, Unpack(payload));
  CORDON_ASSIGN_OR_RETURN(const SplitList list, Split(bytes));
  if (list.events.size() != event_count) {
    return Bad(StrCat(list.events.size(), " events where the batch states ", event_count));
  }
  for (const std::string_view event : list.events) {
    CORDON_RETURN_IF_ERROR(callback(list.base_time_unix_nanos, event));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::EventList> DecodeEvents(std::string_view payload, uint32_t event_count) {
  v1::EventList events;
  CORDON_RETURN_IF_ERROR(
      ForEachEvent(payload, event_count, [&](int64_t base_time_unix_nanos, std::string_view bytes) {
        events.set_base_time_unix_nanos(base_time_unix_nanos);
        return ParseEvent(bytes, events.add_events());
      }));
  return events;
}

}  // namespace cordon
