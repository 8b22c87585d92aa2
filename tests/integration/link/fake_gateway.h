#pragma once

#include <grpcpp/server.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cordon/v1/gateway.grpc.pb.h"
#include "tests/support/test_fleet.h"

namespace cordon::testing {

// A controller's agent side in the test's own process: real gRPC, real mutual TLS 1.3, no store. Verbs for
// what controllers do, and for what befalls them. Thread-safe.
class FakeGateway {
 public:
  explicit FakeGateway(const TestFleet& fleet);
  ~FakeGateway();

  // Listens on 127.0.0.1; the port stays the same from Start to Start.
  void Start();
  // As if killed: connections drop.
  void Stop();
  int Port() const { return port_; }
  std::string Address() const { return "127.0.0.1:" + std::to_string(port_); }

  // What the next answers are like.
  void TamperWithEnrollment(std::function<void(v1::EnrollResponse&)> tamper);
  void SetCertificateLife(std::chrono::nanoseconds life);
  void SetHeartbeat(std::chrono::nanoseconds interval, std::chrono::nanoseconds deadline);
  void AnswerHeartbeats(bool answer);
  void CompressAnswers(bool compress);  // from the next Start on

  // To every connected host.
  void Send(const v1::ControlResponse& message);

  // What the last host that enrolled said of itself.
  v1::HostFacts FactsEnrolled() const;
  // What came, over all connections.
  std::vector<v1::ControlRequest> Received() const;
  std::vector<v1::Batch> Batches() const;
  // Serial numbers (hex) of the certificates that opened Control streams.
  std::vector<std::string> CertificatesSeen() const;
  int Connections() const;  // Control streams that are open now

  // Acknowledge batches as they come, or let them pile up.
  void Acknowledge(bool acknowledge);
  void RefuseBatches(bool refuse);

  // True as soon as `wanted` is true of this object; false after ten seconds. It is asked again on every
  // change.
  bool WaitUntil(const std::function<bool(const FakeGateway&)>& wanted) const;
  bool WaitForMessage(const std::function<bool(const v1::ControlRequest&)>& wanted) const;

 private:
  class Service;

  const TestFleet& fleet_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  bool compress_ = false;
};

}  // namespace cordon::testing
