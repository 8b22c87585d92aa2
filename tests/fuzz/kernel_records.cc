// What the kernel hands to the sensors: fanotify buffers, records of the BPF programs, the process
// connector's datagrams (AUT-6).

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

#include "platform/linux/files/fanotify_decode.h"
#include "platform/linux/flows/flow_decode.h"
#include "platform/linux/processes/connector_decode.h"
#include "platform/linux/processes/decode.h"

namespace {

void Fanotify(std::string_view bytes) {
  std::vector<cordon::platform::FanotifyRecord> records;
  const bool whole = cordon::platform::DecodeFanotify(bytes, &records);
  const uint64_t count = cordon::platform::CountFanotifyEvents(bytes);
  if (whole ? count != records.size() : count < records.size()) std::abort();
  for (const cordon::platform::FanotifyRecord& record : records) {
    // A name never leads out of its folder.
    for (const cordon::platform::NamedEntry& entry : {record.entry, record.new_entry}) {
      if (entry.name.find('/') != std::string_view::npos || entry.name == "..") std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint32_t kMark = 0x10;
  const std::span bytes(reinterpret_cast<const char*>(data), size);
  Fanotify({bytes.data(), bytes.size()});
  const auto record = cordon::platform::DecodeRecord(bytes);
  if (record.ok() && size < 48) std::abort();  // a head
  const auto events = cordon::platform::DecodeConnector(bytes);
  if (events.size() > size / 16) std::abort();  // a netlink header each
  static_cast<void>(cordon::platform::DecodeFlow(bytes, kMark));
  return 0;
}
