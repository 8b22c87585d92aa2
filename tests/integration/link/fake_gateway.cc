#include "tests/integration/link/fake_gateway.h"

#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <set>
#include <stdexcept>

#include "common/rpc/tls.h"
#include "common/wire/batch_hash.h"

namespace cordon::testing {
namespace {

constexpr std::chrono::seconds kPatience(10);

std::string PeerPem(const grpc::ServerContext& context) {
  const auto pem = context.auth_context()->FindPropertyValues("x509_pem_cert");
  return pem.empty() ? std::string() : std::string(pem.front().data(), pem.front().size());
}

}  // namespace

class FakeGateway::Service final : public v1::AgentGateway::Service {
 public:
  explicit Service(const TestFleet& fleet) : fleet_(fleet) {}

  grpc::Status Enroll(grpc::ServerContext* /*context*/, const v1::EnrollRequest* request,
                      v1::EnrollResponse* response) override {
    const std::lock_guard lock(mutex);
    facts_enrolled = request->facts();
    response->set_host_id(NewUuid());
    response->set_organisation(fleet_.Organisation());
    response->set_certificate_pem(fleet_.IssueHost(request->csr_der(), response->host_id(), life));
    *response->mutable_trust_bundle() = fleet_.Trust();
    if (tamper) tamper(*response);
    return grpc::Status::OK;
  }

  grpc::Status Renew(grpc::ServerContext* context, const v1::RenewRequest* request,
                     v1::RenewResponse* response) override {
    const std::string host_id = Must(ReadCertificate(PeerPem(*context))).identity.id;
    const std::lock_guard lock(mutex);
    response->set_certificate_pem(fleet_.IssueHost(request->csr_der(), host_id, life));
    return grpc::Status::OK;
  }

  using ControlStream = grpc::ServerReaderWriter<v1::ControlResponse, v1::ControlRequest>;
  grpc::Status Control(grpc::ServerContext* context, ControlStream* stream) override {
    {
      const std::lock_guard lock(mutex);
      streams.insert(stream);
      serials.push_back(Must(ReadCertificate(PeerPem(*context))).serial_hex);
      changed.notify_all();
    }
    for (v1::ControlRequest request; stream->Read(&request);) {
      const std::lock_guard lock(mutex);
      received.push_back(request);
      Answer(request, stream);
      changed.notify_all();
    }
    const std::lock_guard lock(mutex);
    streams.erase(stream);
    changed.notify_all();
    return grpc::Status::OK;
  }

  using TelemetryStream = grpc::ServerReaderWriter<v1::TelemetryResponse, v1::TelemetryRequest>;
  grpc::Status Telemetry(grpc::ServerContext* /*context*/, TelemetryStream* stream) override {
    {
      const std::lock_guard lock(mutex);
      v1::TelemetryResponse first;
      *first.mutable_position() = position;
      stream->Write(first);
    }
    for (v1::TelemetryRequest request; stream->Read(&request);) {
      const std::lock_guard lock(mutex);
      batches.push_back(request.batch());
      changed.notify_all();
      if (refuse) {
        v1::TelemetryResponse refusal;
        refusal.mutable_refused()->set_first_sequence(request.batch().first_sequence());
        refusal.mutable_refused()->set_reason("the test says so");
        stream->Write(refusal);
        return grpc::Status::OK;
      }
      if (acknowledge) Commit(request.batch(), stream);
    }
    return grpc::Status::OK;
  }

  const TestFleet& fleet_;
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::set<ControlStream*> streams;
  std::vector<v1::ControlRequest> received;
  std::vector<v1::Batch> batches;
  std::vector<std::string> serials;
  v1::TelemetryPosition position;
  v1::HostFacts facts_enrolled;
  std::function<void(v1::EnrollResponse&)> tamper;
  std::chrono::nanoseconds life = std::chrono::hours(10);
  std::chrono::nanoseconds interval = std::chrono::milliseconds(200);
  std::chrono::nanoseconds deadline = std::chrono::milliseconds(1500);
  bool answer_heartbeats = true;
  bool acknowledge = true;
  bool refuse = false;

 private:
  void Answer(const v1::ControlRequest& request, ControlStream* stream) {
    v1::ControlResponse response;
    if (request.has_hello()) {
      response.mutable_welcome()->set_heartbeat_interval_nanos(interval.count());
      response.mutable_welcome()->set_heartbeat_deadline_nanos(deadline.count());
      stream->Write(response);
    } else if (request.has_heartbeat() && answer_heartbeats) {
      response.mutable_heartbeat_ack()->set_id(request.heartbeat().id());
      stream->Write(response);
    }
  }

  void Commit(const v1::Batch& batch, TelemetryStream* stream) {
    if (!batch.chain_id().empty()) position.set_chain_id(batch.chain_id());
    position.set_acknowledged_sequence(batch.first_sequence() + batch.event_count() - 1);
    v1::TelemetryResponse response;
    response.mutable_acknowledgement()->set_chain_id(position.chain_id());
    response.mutable_acknowledgement()->set_last_sequence(position.acknowledged_sequence());
    stream->Write(response);
  }
};

FakeGateway::FakeGateway(const TestFleet& fleet) : fleet_(fleet), service_(std::make_unique<Service>(fleet)) {
  Must(RequireTls13());
  Start();
}

FakeGateway::~FakeGateway() {
  Stop();
}

void FakeGateway::Start() {
  const TestFleet::Leaf leaf = fleet_.Issue(IdentityKind::kController, NewUuid());
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port_),
                           MakeServerCredentials({fleet_.CaPem(), leaf.certificate_pem, leaf.key_pem}),
                           &port);
  builder.RegisterService(service_.get());
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  if (compress_) builder.SetDefaultCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  server_ = builder.BuildAndStart();
  if (!server_ || port == 0) throw std::runtime_error("the fake gateway cannot listen");
  port_ = port;
}

void FakeGateway::Stop() {
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

v1::HostFacts FakeGateway::FactsEnrolled() const {
  const std::lock_guard lock(service_->mutex);
  return service_->facts_enrolled;
}

void FakeGateway::TamperWithEnrollment(std::function<void(v1::EnrollResponse&)> tamper) {
  const std::lock_guard lock(service_->mutex);
  service_->tamper = std::move(tamper);
}

void FakeGateway::SetCertificateLife(std::chrono::nanoseconds life) {
  const std::lock_guard lock(service_->mutex);
  service_->life = life;
}

void FakeGateway::SetHeartbeat(std::chrono::nanoseconds interval, std::chrono::nanoseconds deadline) {
  const std::lock_guard lock(service_->mutex);
  service_->interval = interval;
  service_->deadline = deadline;
}

void FakeGateway::AnswerHeartbeats(bool answer) {
  const std::lock_guard lock(service_->mutex);
  service_->answer_heartbeats = answer;
}

void FakeGateway::CompressAnswers(bool compress) {
  compress_ = compress;
}

void FakeGateway::Acknowledge(bool acknowledge) {
  const std::lock_guard lock(service_->mutex);
  service_->acknowledge = acknowledge;
}

void FakeGateway::RefuseBatches(bool refuse) {
  const std::lock_guard lock(service_->mutex);
  service_->refuse = refuse;
}

void FakeGateway::Send(const v1::ControlResponse& message) {
  const std::lock_guard lock(service_->mutex);
  for (auto* stream : service_->streams) stream->Write(message);
}

std::vector<v1::ControlRequest> FakeGateway::Received() const {
  const std::lock_guard lock(service_->mutex);
  return service_->received;
}

std::vector<v1::Batch> FakeGateway::Batches() const {
  const std::lock_guard lock(service_->mutex);
  return service_->batches;
}

std::vector<std::string> FakeGateway::CertificatesSeen() const {
  const std::lock_guard lock(service_->mutex);
  return service_->serials;
}

int FakeGateway::Connections() const {
  const std::lock_guard lock(service_->mutex);
  return static_cast<int>(service_->streams.size());
}

bool FakeGateway::WaitUntil(const std::function<bool(const FakeGateway&)>& wanted) const {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!wanted(*this)) {
    std::unique_lock lock(service_->mutex);
    if (service_->changed.wait_for(lock, std::chrono::milliseconds(20)) == std::cv_status::timeout &&
        std::chrono::steady_clock::now() > deadline) {
      return false;
    }
  }
  return true;
}

bool FakeGateway::WaitForMessage(const std::function<bool(const v1::ControlRequest&)>& wanted) const {
  return WaitUntil([&](const FakeGateway& gateway) {
    const auto received = gateway.Received();
    return std::any_of(received.begin(), received.end(), wanted);
  });
}

}  // namespace cordon::testing
