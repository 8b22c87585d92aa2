#include "platform/linux/packet_filter/nft.h"

#include <algorithm>
#include <string_view>

#include "common/base/status.h"
#include "common/base/text.h"

namespace cordon::platform {
namespace {

constexpr size_t kMaxErrorText = 500;

}  // namespace

Nft::Nft() : context_(nft_ctx_new(NFT_CTX_DEFAULT)) {
  if (context_ == nullptr) return;
  nft_ctx_buffer_output(context_.get());
  nft_ctx_buffer_error(context_.get());
}

absl::StatusOr<std::string> Nft::Run(const std::string& commands) {
  if (context_ == nullptr) return absl::ResourceExhaustedError("libnftables cannot be started");
  const int result = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  std::string output = nft_ctx_get_output_buffer(context_.get());
  const std::string_view error = nft_ctx_get_error_buffer(context_.get());
  if (result == 0) return output;
  const std::string text = Printable(error.substr(0, std::min(error.find('\n'), kMaxErrorText)));
  if (error.find("Operation not permitted") != std::string_view::npos) {
    return absl::PermissionDeniedError(StrCat("nftables: ", text, " (needs CAP_NET_ADMIN)"));
  }
  return absl::InternalError(StrCat("nftables: ", text));
}

absl::StatusOr<std::string> Nft::RunTerse(const std::string& commands) {
  if (context_ == nullptr) return Run(commands);
  const unsigned flags = nft_ctx_output_get_flags(context_.get());
  nft_ctx_output_set_flags(context_.get(), flags | NFT_CTX_OUTPUT_TERSE);
  absl::StatusOr<std::string> listing = Run(commands);
  nft_ctx_output_set_flags(context_.get(), flags);
  return listing;
}

}  // namespace cordon::platform
