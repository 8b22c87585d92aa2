#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "controller/server/server_parts.h"

namespace cordon::controller {

// One thread for what time brings: deadlines of streams, orders that expire, heartbeats written in bulk, and
// whether the store still answers.
class Housekeeper {
 public:
  struct Health {
    bool store = false;  // it answers
    bool audit = false;  // no host has seen more of the audit log than there is, or another one

    friend bool operator==(const Health&, const Health&) = default;
  };
  // `report_health` is told after each look at the store.
  Housekeeper(ServerParts& parts, std::function<void(const Health&)> report_health);
  ~Housekeeper() { Stop(); }
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

  void Stop();  // idempotent

 private:
  void Run();
  bool WaitATick();  // false: stopping
  void ExpireOrders();
  void CheckStore();

  ServerParts& parts_;
  const std::function<void(const Health&)> report_health_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;  // last: starts when all of the above is there
};

}  // namespace cordon::controller
