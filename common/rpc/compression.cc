#include "common/rpc/compression.h"

#include <grpc/compression.h>
#include <grpc/grpc.h>

namespace cordon {
namespace {

constexpr int kPlainOnly = 1 << GRPC_COMPRESS_NONE;

}  // namespace

void RefuseCompression(grpc::ServerBuilder& builder) {
  // The builder writes the set of algorithms by itself, over a channel argument of that name.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
}

void RefuseCompression(grpc::ChannelArguments& arguments) {
  arguments.SetInt(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, kPlainOnly);
  arguments.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
}

}  // namespace cordon
