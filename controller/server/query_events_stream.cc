#include "controller/server/query_events_stream.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "controller/server/authorize.h"
#include "controller/server/bounds.h"
#include "controller/server/operator_calls.h"
#include "controller/server/start_stream.h"

namespace cordon::controller {
namespace {

EventQuery QueryOf(const v1::QueryEventsRequest& request) {
  EventQuery query;
  query.target = request.target();
  query.every_host = !request.has_target() || request.target().all();
  query.since_unix_nanos = request.since_unix_nanos();
  query.until_unix_nanos = request.until_unix_nanos();
  for (const int event_class : request.classes())
    query.classes.push_back(static_cast<v1::EventClass>(event_class));
  query.limit = request.limit();
  return query;
}

}  // namespace

QueryEventsStream::QueryEventsStream(grpc::CallbackServerContext& context, ServerParts& parts,
                                     Identity caller, v1::QueryEventsRequest request)
    : AnswerStream(context, parts.streams),
      parts_(parts),
      caller_(std::move(caller)),
      request_(std::move(request)) {}

void QueryEventsStream::Start() {
  RunInReader(parts_.readers, caller_, shared_from_this(), [this] { return Run(); });
}

absl::Status QueryEventsStream::Run() {
  CORDON_RETURN_IF_ERROR(CheckQueryEvents(request_));
  CORDON_RETURN_IF_ERROR(parts_.store.AppendAudit(
      {ActorName(caller_), "events.query", "events",
       StrCat(request_.follow() ? "follow, " : "", "target ", ShortText(request_.target()))}));
  if (request_.follow()) parts_.commits.Subscribe(shared_from_this());
  EventQuery query = QueryOf(request_);
  query.goes_on = [this] { return !Ended(); };
  CORDON_ASSIGN_OR_RETURN(const int64_t position, Begin());
  if (request_.places()) {
    v1::QueryEventsResponse stands;
    stands.mutable_place()->set_batch(static_cast<uint64_t>(position));
    if (!SendWhenRoom(stands)) return absl::OkStatus();
  }
  // The batch of the last event that was seen is looked at again, for those behind it.
  if (request_.has_after()) return Follow(query, position - 1);
  CORDON_RETURN_IF_ERROR(parts_.store.QueryEvents(
      query, position, [this](v1::QueryEventsResponse&& event) { return SendWhenRoom(event); }));
  return request_.follow() ? Follow(query, position) : absl::OkStatus();
}

absl::StatusOr<int64_t> QueryEventsStream::Begin() {
  CORDON_ASSIGN_OR_RETURN(const int64_t newest, parts_.store.NewestPosition());
  const uint64_t asked = request_.has_after() ? request_.after().batch() : request_.history_position();
  if (asked == 0) return newest;
  if (std::cmp_less_equal(asked, newest)) return static_cast<int64_t>(asked);
  return absl::OutOfRangeError(StrCat("the store ends at batch ", newest, ", before batch ", asked,
                                      " that you have seen: it was put back from an older copy. Ask anew"));
}

absl::Status QueryEventsStream::Follow(const EventQuery& query, int64_t position) {
  const v1::EventPlace& after = request_.after();
  const auto seen = [&](const v1::EventPlace& place) {
    return place.batch() == after.batch() && place.index() <= after.index();
  };
  do {
    CORDON_ASSIGN_OR_RETURN(position,
                            parts_.store.EventsAfter(position, query, [&](v1::QueryEventsResponse&& event) {
                              return seen(event.place()) || SendWhenRoom(event);
                            }));
  } while (WaitUntil([this] { return std::exchange(news_, false); }));
  return absl::OkStatus();
}

void QueryEventsStream::OnCommit() {
  Wake([this] { news_ = true; });
}

}  // namespace cordon::controller
