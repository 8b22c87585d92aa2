#include "controller/server/control_stream.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <set>
#include <utility>

#include "common/base/status.h"
#include "common/base/text.h"
#include "common/rpc/status.h"
#include "controller/server/bounds.h"
#include "controller/server/caller.h"
#include "controller/server/host_calls.h"
#include "controller/server/reports.h"

namespace cordon::controller {

ControlStream::ControlStream(grpc::CallbackServerContext& context, ServerParts& parts, std::string host_id)
    : OutStream(context, parts.streams, std::move(host_id)),
      parts_(parts),
      certificate_pem_(CertificatePemOf(context)),
      peer_(context.peer()),
      last_heard_boot_nanos_(parts.clock.BootNanos()) {}

void ControlStream::Start() {
  Read();
}

void ControlStream::Drop(const std::string& reason) {
  EndNow({grpc::StatusCode::ABORTED, reason});
}

// Unless the host's budget is spent: then OnTick comes back to it.
void ControlStream::Read() {
  {
    const std::lock_guard lock(read_mutex_);
    held_back_ = parts_.clock.BootNanos() < read_after_boot_nanos_;
    if (held_back_) return;
  }
  IfOpen([this] { StartRead(&received_); });
}

void ControlStream::OnReadDone(bool ok) {
  if (!ok) {
    End(grpc::Status::OK);  // the host has said all it had to say, or is gone
    return;
  }
  const int64_t now = parts_.clock.BootNanos();
  last_heard_boot_nanos_ = now;
  const int64_t wait = parts_.budgets.Spend(HostId(), received_.Length(), 0, now);
  if (wait > 0) {
    const std::lock_guard lock(read_mutex_);
    read_after_boot_nanos_ = now + wait;
  }
  if (const absl::Status may = CheckControlBytes(received_, greeted_); !may.ok()) {
    EndNow(ToGrpcStatus(may));
  } else if (const grpc::Status read =
                 grpc::SerializationTraits<v1::ControlRequest>::Deserialize(&received_, &request_);
             !read.ok()) {
    EndNow({grpc::StatusCode::INVALID_ARGUMENT, "a message of the Control stream cannot be read"});
  } else if (greeted_) {
    Handle();
  } else if (request_.has_hello()) {
    parts_.workers.Post([self = shared_from_this()] { self->Begin(); });
  } else {
    EndNow({grpc::StatusCode::FAILED_PRECONDITION, "the first message of a Control stream is Hello"});
  }
}

void ControlStream::Begin() {
  if (Ended()) return;  // it hung up while it waited for its turn
  absl::StatusOr<std::optional<ReportToRecord>> news =
      Greet(parts_, HostId(), std::exchange(certificate_pem_, {}), request_.hello());
  if (!news.ok()) {
    spdlog::warn("refused the Control stream of host {}: {}", HostId(), Printable(Message(news.status())));
    EndNow(ToGrpcStatus(news.status()));
    return;
  }
  if (!news->has_value()) return Welcome();
  (*news)->done = [self = shared_from_this()](const absl::Status& stored) {
    if (!stored.ok()) return self->EndNow(ToGrpcStatus(stored));
    self->parts_.workers.Post([self] { self->Welcome(); });
  };
  parts_.reports.Add(**std::move(news));
}

void ControlStream::Welcome() {
  if (Ended()) return;
  greeted_ = true;
  if (!LearnWhatTheHostHasSeen()) return;
  // Before Welcome: who was welcomed has the session, and who comes after takes it over.
  const Sessions::Opened opened = parts_.sessions.Open(HostId(), request_.hello().session_id(),
                                                       shared_from_this(), parts_.clock.WallNanos());
  if (opened.other_run || opened.cloned) ReportSecondSession(parts_, HostId(), opened.cloned);
  if (!SendWelcome()) {
    parts_.sessions.Close(HostId(), this);  // it ended meanwhile, perhaps before the session stood
    return;
  }
  CatchUp();
  Read();
}

// Orders are looked up after the session stands: one that is submitted meanwhile is sent twice rather than
// never, and the host gives the second one no effect (ISO-9).
void ControlStream::CatchUp() {
  std::set<std::shared_ptr<const ControlMessage>> sent;
  SendPendingOrders(parts_, HostId(), request_.hello(), *this, [&](const auto& order) {
    const std::lock_guard lock(push_mutex_);
    sent.insert(order);
    return SendOrder(order);
  });
  const std::lock_guard lock(push_mutex_);
  caught_up_ = true;
  for (const auto& order : std::exchange(early_orders_, {})) {
    if (!sent.contains(order)) SendOrder(order);
  }
}

bool ControlStream::LearnWhatTheHostHasSeen() {
  if (!request_.hello().has_audit_checkpoint()) return true;
  const bool news = parts_.audit.Whole();  // a log that was set back is noted once, not for each host
  const absl::StatusOr<uint64_t> seen = parts_.audit.SizeSeen(request_.hello().audit_checkpoint());
  if (seen.ok()) {
    const std::lock_guard lock(push_mutex_);
    audit_size_seen_ = *seen;
    return true;
  }
  if (!absl::IsDataLoss(seen.status())) {
    EndWithoutAudit(seen.status());
    return false;
  }
  spdlog::error("host {}: {}", HostId(), Message(seen.status()));
  if (!news) return true;
  const absl::Status noted = parts_.store.AppendAudit(
      {StrCat("host/", HostId()), "audit.not_continued", "audit", std::string(Message(seen.status()))});
  if (!noted.ok()) spdlog::error("cannot note it in the audit log: {}", Message(noted));
  return true;
}

// A host refuses an order without a proof for good, so one that only cannot be made at this moment is waited
// for: the host connects again, and gets its orders then.
void ControlStream::EndWithoutAudit(const absl::Status& status) {
  spdlog::error("host {} connects again, for the audit log cannot be read now: {}", HostId(),
                Message(status));
  EndNow({grpc::StatusCode::UNAVAILABLE, "the controller cannot read its audit log now: connect again"});
}

std::optional<grpc::ByteBuffer> ControlStream::WithProof(const std::shared_ptr<const ControlMessage>& order) {
  absl::StatusOr<v1::AuditProof> proof = parts_.audit.ProofBeside(order, audit_size_seen_);
  if (absl::IsDataLoss(proof.status())) {
    // It will not come back by itself. The host will say that it is missing; a change of trust it takes
    // without.
    spdlog::error("host {} gets an order without the state of the audit log: {}", HostId(),
                  Message(proof.status()));
    return ControlMessage::Buffer(order);
  }
  if (!proof.ok()) {
    EndWithoutAudit(proof.status());
    return std::nullopt;
  }
  v1::AuditCheckpoint shown;
  if (shown.ParseFromString(proof->checkpoint().checkpoint())) audit_size_seen_ = shown.size();
  return ControlMessage::Buffer(order, &*proof);
}

bool ControlStream::SendMessage(const v1::ControlResponse& message) {
  return Send(ControlMessage::Buffer(MakeControlMessage(message)));
}

// The first message down, whatever was pushed since the session stands.
bool ControlStream::SendWelcome() {
  v1::ControlResponse welcome;
  welcome.mutable_welcome()->set_heartbeat_interval_nanos(parts_.options.heartbeat_interval_nanos);
  welcome.mutable_welcome()->set_heartbeat_deadline_nanos(parts_.options.heartbeat_deadline_nanos);
  welcome.mutable_welcome()->set_controller_time_unix_nanos(parts_.clock.WallNanos());
  const std::lock_guard lock(push_mutex_);
  welcomed_ = true;
  bool sent = SendMessage(welcome);
  for (const auto& message : std::exchange(early_, {})) sent = sent && Send(ControlMessage::Buffer(message));
  return sent;
}

bool ControlStream::Push(std::shared_ptr<const ControlMessage> message) {
  const std::lock_guard lock(push_mutex_);
  if (message->IsOrder()) {
    if (caught_up_) return SendOrder(message);
    if (Ended()) return false;
    early_orders_.push_back(std::move(message));
    return true;
  }
  if (welcomed_) return Send(ControlMessage::Buffer(message));  // a reference to the bytes, not the bytes
  early_.push_back(std::move(message));
  return true;
}

bool ControlStream::SendOrder(const std::shared_ptr<const ControlMessage>& order) {
  const std::optional<grpc::ByteBuffer> bytes = WithProof(order);
  return bytes.has_value() && Send(*bytes);
}

void ControlStream::Handle() {
  switch (request_.kind_case()) {
    case v1::ControlRequest::kHeartbeat: {
      parts_.sessions.Beat(HostId(), this, request_.heartbeat(), parts_.clock.WallNanos());
      v1::ControlResponse answer;
      answer.mutable_heartbeat_ack()->set_id(request_.heartbeat().id());
      SendMessage(answer);
      Read();
      return;
    }
    case v1::ControlRequest::kHealth:
      parts_.polls.Publish(HostId(), request_.health().poll_id(), request_.health());
      Read();
      return;
    case v1::ControlRequest::kReceipt:
      Record(ReceiptReport(HostId(), request_.receipt()));
      return;
    case v1::ControlRequest::kOutcome:
      Record(OutcomeReport(HostId(), request_.outcome(), parts_.clock.WallNanos()));
      return;
    case v1::ControlRequest::kProgress:
      HandleProgress();
      return;
    case v1::ControlRequest::kInboundProbe:
      HandleInboundProbe();
      return;
    case v1::ControlRequest::kHello:
      EndNow({grpc::StatusCode::FAILED_PRECONDITION, "a second Hello in one Control stream"});
      return;
    case v1::ControlRequest::kRehearsal:
      parts_.rehearsals.Publish(HostId(), request_.rehearsal().rehearsal_id(), request_.rehearsal());
      Read();
      return;
    case v1::ControlRequest::KIND_NOT_SET:
      Read();  // of a newer agent: what this controller does not know it leaves alone
      return;
  }
}

void ControlStream::HandleInboundProbe() {
  const v1::InboundProbeRequest& request = request_.inbound_probe();
  const absl::Status sent = parts_.inbound.Send(HostId(), peer_, request, parts_.clock.BootNanos());
  v1::ControlResponse answer;
  answer.mutable_inbound_probe_sent()->set_probe_id(request.probe_id());
  answer.mutable_inbound_probe_sent()->set_error(std::string(Message(sent)));
  SendMessage(answer);
  Read();
}

// The first progress of a scan says that it runs, and is stored; the rest is for those who watch, once the
// store has found that the order is meant for this host (AUT-2).
void ControlStream::HandleProgress() {
  absl::StatusOr<ReportToRecord> report =
      ProgressReport(HostId(), request_.progress(), parts_.clock.WallNanos());
  const std::string& order_id = request_.progress().order_id();
  if (report.ok() && running_.contains(order_id)) {
    parts_.outcomes.Publish(report->outcome);
    Read();
    return;
  }
  if (running_.size() >= kMaxRunning)
    running_.clear();  // then they are recorded again, which changes nothing
  if (report.ok()) report->taken = [self = shared_from_this(), order_id] { self->running_.insert(order_id); };
  Record(std::move(report));
}

void ControlStream::Record(absl::StatusOr<ReportToRecord> report) {
  if (!report.ok()) {
    spdlog::warn("a report of host {} is out of bounds: {}", HostId(), Printable(Message(report.status())));
    EndNow(ToGrpcStatus(report.status()));
    return;
  }
  report->done = [self = shared_from_this()](const absl::Status& recorded) {
    if (recorded.ok()) {
      self->Read();
    } else {
      self->EndNow(ToGrpcStatus(recorded));
    }
  };
  parts_.reports.Add(*std::move(report));
}

void ControlStream::OnTick(int64_t now_boot_nanos) {
  bool read = false;
  {
    const std::lock_guard lock(read_mutex_);
    read = held_back_ && now_boot_nanos >= read_after_boot_nanos_;
    held_back_ = held_back_ && !read;
  }
  if (read) Read();
  if (now_boot_nanos - last_heard_boot_nanos_ <= parts_.options.heartbeat_deadline_nanos) return;
  const std::string waited = FormatDuration(parts_.options.heartbeat_deadline_nanos);
  spdlog::info("host {} was not heard for {}: its session ends", HostId(), waited);
  EndNow({grpc::StatusCode::DEADLINE_EXCEEDED,
          StrCat("no ", greeted_ ? "heartbeat" : "Hello", " for ", waited, ": connect again")});
}

void ControlStream::OnEnded() {
  parts_.sessions.Close(HostId(), this);
}

}  // namespace cordon::controller
