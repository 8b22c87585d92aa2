#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/link/enroll.h"
#include "agent/link/link.h"
#include "common/base/uuid.h"
#include "common/wire/enrollment_file.h"
#include "platform/api/files.h"
#include "platform/api/system.h"
#include "tests/integration/link/fake_gateway.h"
#include "tests/support/temp_folder.h"

namespace cordon::testing {

// The agent loop on a thread of its own.
class AgentLoop {
 public:
  AgentLoop() : work_(boost::asio::make_work_guard(loop_)), thread_([this] { loop_.run(); }) {}
  ~AgentLoop() {
    work_.reset();
    thread_.join();
  }
  boost::asio::io_context& Get() { return loop_; }

 private:
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

// The rest of the agent, as the link sees it: remembers what came.
class RecordingHandler final : public agent::LinkHandler {
 public:
  // The host's address from now on.
  void MovesTo(std::string address) {
    const std::lock_guard lock(mutex_);
    address_ = std::move(address);
  }

  v1::Hello MakeHello() override {
    const std::lock_guard lock(mutex_);
    v1::Hello hello;
    if (!address_.empty()) hello.mutable_facts()->add_addresses(address_);
    return hello;
  }
  v1::Heartbeat MakeHeartbeat() override { return {}; }
  void OnOrder(const v1::SignedOrder& order, const v1::AuditProof& audit) override {
    Add(&proofs_, audit);
    Add(&orders_, order);
  }
  void OnHealthPoll(const v1::HealthPoll& poll) override { Add(&polls_, poll); }
  void OnRehearsal(const v1::RehearsalRequest& request) override { Add(&rehearsals_, request); }
  void OnControllerEndpoints(const std::vector<Endpoint>& endpoints) override { Add(&endpoints_, endpoints); }
  void OnCertificateRenewed(int64_t not_after) override { Add(&renewals_, not_after); }

  std::vector<v1::SignedOrder> Orders() const { return Copy(orders_); }
  std::vector<v1::AuditProof> Proofs() const { return Copy(proofs_); }  // one beside each order
  std::vector<v1::HealthPoll> Polls() const { return Copy(polls_); }
  std::vector<v1::RehearsalRequest> Rehearsals() const { return Copy(rehearsals_); }
  std::vector<std::vector<Endpoint>> Endpoints() const { return Copy(endpoints_); }
  std::vector<int64_t> Renewals() const { return Copy(renewals_); }

 private:
  template <typename T>
  void Add(std::vector<T>* to, const T& what) {
    const std::lock_guard lock(mutex_);
    to->push_back(what);
  }
  template <typename T>
  std::vector<T> Copy(const std::vector<T>& from) const {
    const std::lock_guard lock(mutex_);
    return from;
  }

  mutable std::mutex mutex_;
  std::string address_;
  std::vector<v1::SignedOrder> orders_;
  std::vector<v1::AuditProof> proofs_;
  std::vector<v1::HealthPoll> polls_;
  std::vector<v1::RehearsalRequest> rehearsals_;
  std::vector<std::vector<Endpoint>> endpoints_;
  std::vector<int64_t> renewals_;
};

// True as soon as `wanted` is; false after ten seconds.
inline bool Eventually(const std::function<bool()>& wanted) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!wanted()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace cordon::testing
