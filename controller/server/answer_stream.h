#pragma once

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "controller/server/out_stream.h"

namespace cordon::controller {

// An operator's stream of answers. It is bytes for gRPC, so that the request is (see OperatorService).
template <typename Response>
class AnswerStream : public OutStream<grpc::ServerWriteReactor<grpc::ByteBuffer>, grpc::ByteBuffer> {
 public:
  using Bytes = OutStream<grpc::ServerWriteReactor<grpc::ByteBuffer>, grpc::ByteBuffer>;
  using Bytes::Bytes;

  // As those of OutStream.
  bool Send(const Response& message) { return Bytes::Send(BytesOf(message)); }
  bool SendWhenRoom(const Response& message) { return Bytes::SendWhenRoom(BytesOf(message)); }

 private:
  static grpc::ByteBuffer BytesOf(const Response& message) {
    grpc::ByteBuffer bytes;
    bool owned = false;
    // Fails for what has more than 2 GiB, which no answer comes near.
    static_cast<void>(grpc::SerializationTraits<Response>::Serialize(message, &bytes, &owned));
    return bytes;
  }
};

// A stream that has ended before it began.
class RefusedStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }

 private:
  void OnDone() override { delete this; }  // gRPC's way: nobody else has it
};

}  // namespace cordon::controller
