#pragma once

// The pure half of the ruleset watcher: messages of the kernel's group NFNLGRP_NFTABLES to facts.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace cordon::platform {

// The end of one transaction, as NFT_MSG_NEWGEN tells it.
struct GenerationNotice {
  uint32_t pid = 0;  // of the thread that made it, in the first pid namespace; 0 = this kernel does not say
  std::string process_name;
  bool of_cordon = false;  // a message of the transaction named a table of Cordon's
  friend bool operator==(const GenerationNotice&, const GenerationNotice&) = default;
};

// Follows the messages of transactions: those of one stand before the notice of its generation.
class NotificationReader {
 public:
  // One datagram of the kernel: messages, then perhaps the notice. Calls `each` for every notice in it. Bytes
  // that are no such messages are passed over.
  template <typename Each>
  void Read(const void* bytes, size_t size, Each each) {
    size_t at = 0;
    while (true) {
      std::optional<GenerationNotice> notice;
      const size_t step = ReadOne(static_cast<const char*>(bytes) + at, size - at, &notice);
      if (step == 0) return;
      if (notice.has_value()) each(*notice);
      at += step;
    }
  }

 private:
  // Bytes that the first message takes; 0 at the end.
  size_t ReadOne(const char* bytes, size_t size, std::optional<GenerationNotice>* notice);

  bool of_cordon_ = false;  // of the transaction whose messages are being read
};

}  // namespace cordon::platform
