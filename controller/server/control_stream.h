#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/server/out_stream.h"
#include "controller/server/server_parts.h"
#include "controller/server/sessions.h"
#include "cordon/v1/gateway.pb.h"

namespace cordon::controller {

// One host's Control stream: Hello, Welcome, then reports up and orders down until a heartbeat stays away.
// The next message is read when the one before has been dealt with: a host cannot get ahead of the store.
class ControlStream final
    : public OutStream<grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>, grpc::ByteBuffer>,
      public SessionLink,
      public std::enable_shared_from_this<ControlStream> {
 public:
  ControlStream(grpc::CallbackServerContext& context, ServerParts& parts, std::string host_id);

  // Waits for Hello. Call once, after the stream was added to LiveStreams.
  void Start();

  bool Push(std::shared_ptr<const ControlMessage> message) override;
  void Drop(const std::string& reason) override;

 private:
  void OnReadDone(bool ok) override;
  void OnTick(int64_t now_boot_nanos) override;
  void OnEnded() override;

  void Read();
  void Begin();                    // in a worker, with Hello
  void Welcome();                  // in a worker, when what the host says of itself is stored
  bool LearnWhatTheHostHasSeen();  // false: the session has ended
  void EndWithoutAudit(const absl::Status& status);
  bool SendWelcome();
  // `order` with what the host needs to witness the log beside it (AUT-3); nothing when the session has
  // ended.
  std::optional<grpc::ByteBuffer> WithProof(const std::shared_ptr<const ControlMessage>& order);
  bool SendOrder(const std::shared_ptr<const ControlMessage>& order);  // under push_mutex_
  // The orders that the host missed, then those that came meanwhile: each is judged by the trust before it.
  void CatchUp();
  bool SendMessage(const v1::ControlResponse& message);
  void Handle();  // a message after Hello
  void HandleProgress();
  void HandleInboundProbe();
  void Record(absl::StatusOr<ReportToRecord>);  // goes on reading when it is stored

  ServerParts& parts_;
  std::string certificate_pem_;  // until Hello has come
  const std::string peer_;       // where the connection comes from
  grpc::ByteBuffer received_;    // the one read at a time
  v1::ControlRequest request_;   // the same
  std::atomic<int64_t> last_heard_boot_nanos_;
  std::atomic<bool> greeted_ = false;
  std::mutex read_mutex_;
  int64_t read_after_boot_nanos_ = 0;  // guarded by read_mutex_: the host's budget is spent until then
  bool held_back_ = false;             // the same: a read waits for that
  std::mutex push_mutex_;
  bool welcomed_ = false;                                     // guarded by push_mutex_
  std::vector<std::shared_ptr<const ControlMessage>> early_;  // the same: pushed before Welcome
  bool caught_up_ = false;  // the same: the orders that the host missed have been sent
  std::vector<std::shared_ptr<const ControlMessage>> early_orders_;  // the same: pushed before that
  uint64_t audit_size_seen_ = 0;  // the same: entries of the audit log that the host has been shown
  static constexpr size_t kMaxRunning = 64;
  std::set<std::string> running_;  // scans whose start the store took; touched by one read at a time
};

}  // namespace cordon::controller
