#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "platform/windows/files/usn_volume.h"

namespace cordon::testing {

using platform::UsnFileId;
using platform::UsnRecord;

inline void PutNumber(std::vector<uint8_t>* to, uint64_t value, size_t bytes) {
  for (size_t at = 0; at < bytes; ++at) to->push_back(static_cast<uint8_t>(value >> (8 * at)));
}

// USN_RECORD_V2 or V3, filled up to a multiple of eight as the system does.
inline std::vector<uint8_t> UsnRecordBytes(const UsnRecord& record, int version = 2) {
  const size_t id_bytes = version == 3 ? 16 : 8;
  const size_t head = version == 3 ? 76 : 60;
  const size_t size = (head + record.name.size() * 2 + 7) / 8 * 8;
  std::vector<uint8_t> bytes;
  PutNumber(&bytes, size, 4);
  PutNumber(&bytes, static_cast<uint64_t>(version), 2);
  PutNumber(&bytes, 0, 2);
  for (const UsnFileId& id : {record.file, record.parent}) {
    PutNumber(&bytes, id.low, 8);
    if (id_bytes == 16) PutNumber(&bytes, id.high, 8);
  }
  PutNumber(&bytes, static_cast<uint64_t>(record.usn), 8);
  PutNumber(&bytes, record.file_time, 8);
  PutNumber(&bytes, record.reason, 4);
  PutNumber(&bytes, 0, 4);  // source
  PutNumber(&bytes, 0, 4);  // security id
  PutNumber(&bytes, record.is_directory ? 0x10 : 0x20, 4);
  PutNumber(&bytes, record.name.size() * 2, 2);
  PutNumber(&bytes, head, 2);
  for (const char16_t unit : record.name) PutNumber(&bytes, unit, 2);
  bytes.resize(size);
  return bytes;
}

inline std::vector<uint8_t> UsnPageBytes(int64_t next, const std::vector<UsnRecord>& records,
                                         int version = 2) {
  std::vector<uint8_t> bytes;
  PutNumber(&bytes, static_cast<uint64_t>(next), 8);
  for (const UsnRecord& record : records) {
    const std::vector<uint8_t> one = UsnRecordBytes(record, version);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  return bytes;
}

// A volume with a journal that the test writes; USNs count by 100.
class FakeUsnVolume final : public platform::UsnVolume {
 public:
  absl::StatusOr<platform::UsnJournal> Query() override {
    if (!works.ok()) return works;
    return platform::UsnJournal{.id = id, .first_usn = first, .next_usn = next};
  }
  absl::StatusOr<std::vector<uint8_t>> Read(uint64_t journal, int64_t from) override {
    ++reads;
    if (!works.ok()) return works;
    if (journal != id) return absl::UnavailableError("another journal");
    if (from < first) return absl::OutOfRangeError("gone");
    std::vector<UsnRecord> page;
    int64_t behind = next;
    for (const UsnRecord& record : records) {
      if (record.usn < from) continue;
      if (page.size() == page_records) {
        behind = record.usn;
        break;
      }
      page.push_back(record);
    }
    return UsnPageBytes(behind, page);
  }
  absl::StatusOr<std::u16string> PathOfFolder(const UsnFileId& folder) override {
    const auto found = folders.find(folder.low);
    if (found == folders.end()) return absl::NotFoundError("no such folder");
    return found->second;
  }

  // What happened, and a place behind it.
  int64_t Happens(uint64_t file, uint64_t folder, const std::u16string& name, uint32_t reason,
                  bool is_directory = false) {
    records.push_back({.file = {file, 0},
                       .parent = {folder, 0},
                       .usn = next,
                       .file_time = static_cast<uint64_t>(next) * 1'000,
                       .reason = reason,
                       .is_directory = is_directory,
                       .name = name});
    return next += 100;
  }
  void Forgets(int64_t before) {
    first = before;
    std::erase_if(records, [&](const UsnRecord& record) { return record.usn < before; });
  }

  uint64_t id = 7;
  int64_t first = 100;
  int64_t next = 100;
  size_t page_records = 2;
  int reads = 0;
  absl::Status works;
  std::vector<UsnRecord> records;
  std::map<uint64_t, std::u16string> folders = {{5, u"C:\\"}, {50, u"C:\\Users"}};
};

}  // namespace cordon::testing
