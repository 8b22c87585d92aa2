#pragma once

#include <filesystem>
#include <string>

#include "agent/isolation/receipt_signer.h"
#include "common/crypto/key.h"
#include "cordon/v1/scan.pb.h"

namespace cordon::agent {

// Signs with the key of the certificate that the link shows. On the agent loop.
class HostReceiptSigner final : public ReceiptSigner {
 public:
  explicit HostReceiptSigner(std::string host_id) : host_id_(std::move(host_id)) {}

  absl::Status Use(const std::string& key_pem);
  // The key was renewed: takes the one on disk.
  absl::Status Reload(const std::filesystem::path& state_dir);

  absl::Status Sign(v1::Receipt* receipt) override;
  absl::Status Sign(v1::ScanProgress* progress);

 private:
  const std::string host_id_;
  KeyPtr key_;
};

}  // namespace cordon::agent
