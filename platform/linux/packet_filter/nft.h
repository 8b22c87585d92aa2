#pragma once

// libnftables in this process: no nft program is started, and the commands of one Run are one netlink
// transaction.

#include <absl/status/statusor.h>
#include <nftables/libnftables.h>

#include <memory>
#include <string>

namespace cordon::platform {

// Not thread-safe. Works in the network namespace in which the calling thread is at construction.
class Nft {
 public:
  Nft();

  // What the commands print. PERMISSION_DENIED without CAP_NET_ADMIN; on an error nothing has changed.
  absl::StatusOr<std::string> Run(const std::string& commands);

  // As Run, for listings: without the elements of named sets. For `list ruleset` alone libnftables does not
  // even read them.
  absl::StatusOr<std::string> RunTerse(const std::string& commands);

 private:
  struct Free {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
  };
  std::unique_ptr<nft_ctx, Free> context_;
};

}  // namespace cordon::platform
