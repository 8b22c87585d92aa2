#include "platform/windows/files/file_trace_decode.h"

#include <algorithm>
#include <array>

#include "platform/windows/system/record_reader.h"

namespace cordon::platform {
namespace {

using Record = FileTraceRecord;

struct EventKind {
  uint16_t event;
  Record::Kind kind;
};
constexpr std::array kEvents = {
    EventKind{10, Record::kName},           EventKind{11, Record::kNameGone},
    EventKind{12, Record::kOpen},           EventKind{13, Record::kClose},
    EventKind{16, Record::kWrite},          EventKind{17, Record::kSetInformation},
    EventKind{26, Record::kDelete},         EventKind{27, Record::kRename},
    EventKind{28, Record::kLink},           EventKind{30, Record::kMake},
    EventKind{31, Record::kSetInformation}, EventKind{33, Record::kSetInformation},
};
constexpr uint16_t kSetInformationEvent = 17;

constexpr size_t kPointerBytes = 8;
// The first version names the thread by a pointer in another place.
constexpr uint8_t kOldestVersion = 1;

// Of the first parameter of a create: options, and what to do with a file that is there.
constexpr uint32_t kDeleteOnClose = 0x1000;
constexpr int kDispositionShift = 24;
constexpr std::array<uint32_t, 3> kOverwriting = {0, 4, 5};  // FILE_SUPERSEDE, _OVERWRITE, _OVERWRITE_IF

// The memory manager writes what others wrote into memory, in nobody's name.
constexpr uint32_t kPagingIo = 0x2;

// FileBasicInformation, FileAllocationInformation, FileEndOfFileInformation, FileValidDataLengthInformation
constexpr std::array<uint32_t, 4> kChanging = {4, 19, 20, 39};

template <size_t size>
bool IsOneOf(const std::array<uint32_t, size>& numbers, uint32_t number) {
  return std::ranges::find(numbers, number) != numbers.end();
}

void TakeName(RecordReader& reader, Record* record) {
  record->key = reader.U64();
  record->path = reader.WideText();
}

void TakeOpen(RecordReader& reader, Record* record) {
  record->object = reader.U64();
  record->thread = reader.U32();
  const uint32_t options = reader.U32();
  record->overwrites = IsOneOf(kOverwriting, options >> kDispositionShift);
  record->deletes_on_close = (options & kDeleteOnClose) != 0;
  reader.Skip(2 * sizeof(uint32_t));  // attributes, sharing
  record->path = reader.WideText();
}

void TakeObject(RecordReader& reader, Record* record) {
  record->object = reader.U64();
  record->key = reader.U64();
}

bool TakeWrite(RecordReader& reader, Record* record) {
  TakeObject(reader, record);
  record->thread = reader.U32();
  reader.Skip(sizeof(uint32_t));  // bytes
  return (reader.U32() & kPagingIo) == 0;
}

// Behind the object: the information itself, or a part of it, and its class.
uint32_t TakeInformation(RecordReader& reader, Record* record) {
  TakeObject(reader, record);
  reader.Skip(kPointerBytes);
  record->thread = reader.U32();
  return reader.U32();
}

// False for what changes nothing that a watch tells.
bool TakeBody(uint16_t event, RecordReader& reader, Record* record) {
  switch (record->kind) {
    case Record::kName:
    case Record::kNameGone:
      TakeName(reader, record);
      return true;
    case Record::kOpen:
    case Record::kMake:
      TakeOpen(reader, record);
      return true;
    case Record::kClose:
      TakeObject(reader, record);
      record->thread = reader.U32();
      return true;
    case Record::kWrite:
      return TakeWrite(reader, record);
    case Record::kSetInformation: {
      const uint32_t what = TakeInformation(reader, record);
      return event != kSetInformationEvent || IsOneOf(kChanging, what);
    }
    case Record::kDelete:
    case Record::kRename:
    case Record::kLink:
      TakeInformation(reader, record);
      record->path = reader.WideText();
      return true;
  }
  return false;
}

}  // namespace

std::vector<uint16_t> FileTraceEvents() {
  std::vector<uint16_t> events;
  for (const EventKind& each : kEvents) events.push_back(each.event);
  return events;
}

std::optional<FileTraceRecord> DecodeFileTrace(uint16_t event, uint8_t version,
                                               std::span<const uint8_t> data) {
  const auto found = std::ranges::find(kEvents, event, &EventKind::event);
  if (found == kEvents.end()) return std::nullopt;
  FileTraceRecord record{.kind = found->kind};
  const bool names = record.kind == Record::kName || record.kind == Record::kNameGone;
  if (!names && version < kOldestVersion) return std::nullopt;
  RecordReader reader(data);
  if (record.kind == Record::kWrite) reader.Skip(sizeof(uint64_t));  // where in the file
  if (!names) reader.Skip(kPointerBytes);                            // the request
  const bool changes = TakeBody(event, reader, &record);
  if (!changes || !reader.Good()) return std::nullopt;
  return record;
}

}  // namespace cordon::platform
