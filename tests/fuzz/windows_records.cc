// What Windows hands to the sensors: buffers of directory changes, pages of a volume's journal, values of the
// registry, events of the kernel's traces of processes and files; and the files that keep how far they were
// (AUT-6).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

#include "platform/windows/files/file_deeds.h"
#include "platform/windows/files/file_trace_decode.h"
#include "platform/windows/files/notify_decode.h"
#include "platform/windows/files/usn_catch_up.h"
#include "platform/windows/files/usn_positions.h"
#include "platform/windows/processes/etw_decode.h"
#include "platform/windows/registry/registry_changes.h"
#include "platform/windows/registry/registry_memory.h"

namespace {

using namespace cordon::platform;

// A volume whose journal is the input: each page of it is read again for ever.
class Volume final : public UsnVolume {
 public:
  explicit Volume(std::span<const uint8_t> page) : page_(page.begin(), page.end()) {}
  absl::StatusOr<UsnJournal> Query() override {
    return UsnJournal{.id = 1, .first_usn = 0, .next_usn = 1 << 20};
  }
  absl::StatusOr<std::vector<uint8_t>> Read(uint64_t, int64_t) override { return page_; }
  absl::StatusOr<std::u16string> PathOfFolder(const UsnFileId& folder) override {
    if (folder.low % 2 == 0) return absl::NotFoundError("gone");
    return std::u16string(u"C:\\");
  }

 private:
  const std::vector<uint8_t> page_;
};

void Journal(std::span<const uint8_t> bytes) {
  constexpr size_t kShortestRecord = 60;
  const UsnPage page = DecodeUsnPage(bytes);
  if (page.records.size() > bytes.size() / kShortestRecord) std::abort();
  for (const UsnRecord& record : page.records)
    if (record.name.size() * sizeof(char16_t) > bytes.size()) std::abort();
  Volume volume(bytes);
  UsnCatchUp catch_up(volume, {.journal = 1, .next_usn = 0, .unix_nanos = 0}, *volume.Query());
  constexpr int kMostSteps = 8;  // a page that leads on by little makes many
  for (int step = 0; step < kMostSteps && !catch_up.Finished(); ++step) {
    for (const UsnTold& told : catch_up.Step())
      if (told.path.empty() && told.old_path.empty()) std::abort();
  }
}

// Records one behind the other: event, version, length, data; each may be of the file of another one.
void FileTraces(std::span<const uint8_t> bytes) {
  constexpr size_t kHead = 4;
  constexpr size_t kMost = 16;
  FileDeeds deeds({.paths = kMost, .open = kMost, .kept_nanos = 100});
  deeds.Watch(DevicePaths({{u"\\d", "C:"}}), {"C:/x"});
  for (int64_t now = 1; bytes.size() >= kHead; ++now) {
    const size_t length = std::min<size_t>(bytes[2] | (bytes[3] << 8), bytes.size() - kHead);
    const auto record = DecodeFileTrace(bytes[0], bytes[1], bytes.subspan(kHead, length));
    bytes = bytes.subspan(kHead + length);
    if (!record.has_value()) continue;
    if (record->path.size() * sizeof(char16_t) > length) std::abort();
    deeds.Take(*record, static_cast<uint32_t>(now % 3), now);
    const auto doer = deeds.Find({.kind = RawFileEvent::kModified, .path = "C:/a", .boottime_nanos = now});
    if (doer.has_value() && (doer->pid == 0 || doer->boottime_nanos > now)) std::abort();
    if (deeds.Paths() > kMost + 2 || deeds.Open() > 4 * kMost) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(data, size);
  Journal(bytes);
  FileTraces(bytes);
  bool whole = false;
  if (DecodeNotifications(bytes, &whole).size() > size / 12) std::abort();  // a head each
  const auto positions = ParseUsnPositions({reinterpret_cast<const char*>(data), size});
  if (positions.ok() && ParseUsnPositions(FormatUsnPositions(*positions)) != positions) std::abort();
  const auto memory = ParseRegistryMemory({reinterpret_cast<const char*>(data), size});
  if (memory.ok() && ParseRegistryMemory(FormatRegistryMemory(*memory)) != memory) std::abort();
  if (size > 0) {
    constexpr size_t kLongestText = 300;
    if (RegistryText(data[0] % 16, bytes.subspan(1)).size() > kLongestText) std::abort();
    static_cast<void>(DecodeEtwProcess(bytes.subspan(1), data[0]));
  }
  return 0;
}
