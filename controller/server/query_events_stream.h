#pragma once

#include <memory>

#include "common/crypto/x509.h"
#include "controller/server/answer_stream.h"
#include "controller/server/feeds.h"
#include "controller/server/server_parts.h"
#include "cordon/v1/operator.pb.h"

namespace cordon::controller {

// Stored events, then with follow those that are committed from then on: nothing twice, nothing missed. Holds
// one reader thread until it ends; a slow reader lags behind in the store and costs kAhead messages of
// memory.
class QueryEventsStream final : public AnswerStream<v1::QueryEventsResponse>,
                                public CommitListener,
                                public std::enable_shared_from_this<QueryEventsStream> {
 public:
  QueryEventsStream(grpc::CallbackServerContext& context, ServerParts& parts, Identity caller,
                    v1::QueryEventsRequest request);

  // Call once, after the stream was added to LiveStreams.
  void Start();

  void OnCommit() override;

 private:
  absl::Status Run();  // in a reader thread, to the end
  // The batch up to which the history goes, or after which a follow that broke goes on.
  absl::StatusOr<int64_t> Begin();
  absl::Status Follow(const EventQuery& query, int64_t position);

  ServerParts& parts_;
  const Identity caller_;
  const v1::QueryEventsRequest request_;
  bool news_ = false;  // committed since the last look; under the stream's lock
};

}  // namespace cordon::controller
