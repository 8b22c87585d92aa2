#include "agent/names/client_turn.h"

#include <spdlog/spdlog.h>

#include "common/base/clock.h"
#include "common/base/status.h"

namespace cordon::agent {
namespace {

constexpr int64_t kLookEvery = 10 * kNanosPerSecond;

// Logged once for as long as it is so.
void Keep(std::string problem, std::string* kept) {
  if (!problem.empty() && problem != *kept) spdlog::error("names: {}", problem);
  *kept = std::move(problem);
}

}  // namespace

void ClientTurn::Listen() {
  if (client_ == nullptr) return;
  auto open = server_.OpenAt(client_->GuardAddresses(), client_->GuardPort());
  Keep(open.ok() ? "" : StrCat("programs cannot look up names: ", Message(open.status())),
       &listening_problem_);
  guards_ = open.ok() ? *std::move(open) : std::vector<boost::asio::ip::address>();
}

void ClientTurn::Settle(bool wanted, int64_t now_boot_nanos) {
  if (client_ == nullptr) return;
  settled_ = true;
  settled_at_ = now_boot_nanos;
  if (!wanted) guards_.clear();
  if (!wanted) listening_problem_.clear();
  const absl::Status done = guards_.empty() ? client_->TurnBack() : client_->Turn(guards_);
  Keep(std::string(Message(done)), &turning_problem_);
  obstacles_ = wanted ? client_->Obstacles() : std::vector<std::string>();
}

void ClientTurn::Tick(bool wanted, int64_t now_boot_nanos) {
  if (client_ == nullptr || (settled_ && now_boot_nanos - settled_at_ < kLookEvery)) return;
  if (wanted) Listen();
  Settle(wanted, now_boot_nanos);
}

std::vector<std::string> ClientTurn::Notes() const {
  std::vector<std::string> notes = obstacles_;
  for (const std::string& problem : {listening_problem_, turning_problem_})
    if (!problem.empty()) notes.push_back(problem);
  return notes;
}

}  // namespace cordon::agent
