#pragma once

#include <memory>

#include "common/crypto/x509.h"
#include "controller/server/answer_stream.h"
#include "controller/server/server_parts.h"
#include "cordon/v1/operator.pb.h"

namespace cordon::controller {

// The audit log from an entry on, its own export included. Holds one reader thread until it ends.
class ExportAuditStream final : public AnswerStream<v1::ExportAuditResponse>,
                                public std::enable_shared_from_this<ExportAuditStream> {
 public:
  ExportAuditStream(grpc::CallbackServerContext& context, ServerParts& parts, Identity caller,
                    uint64_t from_index);

  // Call once, after the stream was added to LiveStreams.
  void Start();

 private:
  absl::Status Run();  // in a reader thread

  ServerParts& parts_;
  const Identity caller_;
  const uint64_t from_index_;
};

}  // namespace cordon::controller
