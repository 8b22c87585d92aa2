#include "controller/fleet_sim/fleet.h"

#include <mutex>
#include <thread>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/crypto/key.h"
#include "common/crypto/x509.h"
#include "common/rpc/status.h"

namespace cordon::fleet_sim {
namespace {

constexpr auto kEnrollTimeout = std::chrono::seconds(30);
constexpr auto kPause = std::chrono::milliseconds(20);

// The identities of all hosts, made by several threads.
class Enroller {
 public:
  Enroller(const v1::EnrollmentFile& file, const FleetOptions& options)
      : file_(file),
        options_(options),
        stub_(v1::AgentGateway::NewStub(grpc::CreateChannel(
            file.controllers(0), MakeChannelCredentials({file.ca_pem(), file.bootstrap_certificate_pem(),
                                                         file.bootstrap_key_pem()})))) {}

  absl::StatusOr<std::vector<AgentIdentity>> Run() {
    {
      std::vector<std::jthread> threads;
      threads.reserve(static_cast<size_t>(options_.threads));
      for (int i = 0; i < options_.threads; ++i) threads.emplace_back([this] { Work(); });
    }
    if (!error_.ok()) return error_;
    return std::move(identities_);
  }

 private:
  void Work() {
    while (true) {
      std::string name;
      {
        const std::lock_guard lock(mutex_);
        if (next_ > options_.hosts || !error_.ok()) return;
        name = StrCat(options_.name_prefix, "-", next_++);
      }
      absl::StatusOr<AgentIdentity> identity = EnrollOne(name);
      const std::lock_guard lock(mutex_);
      if (identity.ok()) {
        identities_.push_back(*std::move(identity));
      } else {
        error_ = Annotate(identity.status(), StrCat("cannot enrol ", name));
      }
    }
  }

  absl::StatusOr<AgentIdentity> EnrollOne(const std::string& name) {
    CORDON_ASSIGN_OR_RETURN(const KeyPtr key, NewTlsKey());
    v1::EnrollRequest request;
    request.set_enrollment_id(file_.enrollment_id());
    request.set_token(file_.token());
    CORDON_ASSIGN_OR_RETURN(*request.mutable_csr_der(), MakeCsrDer(*key));
    request.mutable_facts()->set_host_name(name);
    request.mutable_facts()->set_os("simulated");
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kEnrollTimeout);
    v1::EnrollResponse response;
    CORDON_RETURN_IF_ERROR(FromGrpcStatus(stub_->Enroll(&context, request, &response)));
    CORDON_ASSIGN_OR_RETURN(std::string key_pem, PrivateKeyToPem(*key));
    return AgentIdentity{response.host_id(),
                         name,
                         file_.fleet_id(),
                         {file_.ca_pem(), response.certificate_pem(), std::move(key_pem)}};
  }

  const v1::EnrollmentFile& file_;
  const FleetOptions& options_;
  std::unique_ptr<v1::AgentGateway::Stub> stub_;
  std::mutex mutex_;
  uint32_t next_ = 1;
  std::vector<AgentIdentity> identities_;
  absl::Status error_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Fleet>> Fleet::Enroll(const v1::EnrollmentFile& file,
                                                     const FleetOptions& options) {
  CORDON_ASSIGN_OR_RETURN(std::vector<AgentIdentity> identities, Enroller(file, options).Run());
  std::unique_ptr<Fleet> fleet(new Fleet);
  for (AgentIdentity& identity : identities) {
    fleet->agents_.push_back(
        std::make_unique<VirtualAgent>(std::move(identity), file.controllers(0), fleet->counters_));
  }
  return fleet;
}

absl::Status Fleet::Connect(std::chrono::seconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  started_ = true;
  for (const auto& agent : agents_) agent->Start();
  while (counters_.connected < agents_.size()) {
    if (std::chrono::steady_clock::now() > deadline || counters_.ended > 0) {
      return absl::DeadlineExceededError(StrCat(counters_.connected.load(), " of ", agents_.size(),
                                                " connected, ", counters_.ended.load(), " were ended"));
    }
    std::this_thread::sleep_for(kPause);
  }
  return absl::OkStatus();
}

void Fleet::Beat() {
  for (const auto& agent : agents_) agent->Beat();
}

Fleet::~Fleet() {
  if (!started_) return;
  for (const auto& agent : agents_) agent->Stop();
  for (const auto& agent : agents_) agent->Wait();
}

}  // namespace cordon::fleet_sim
