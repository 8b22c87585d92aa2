#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "cordon/v1/isolation.pb.h"
#include "platform/api/user_notice.h"

namespace cordon::agent {

// Tells the people at this host what has become of their network, once per change, also across restarts:
// which change was told last is on disk, in `told_file`, before it is shown. Shows on a thread of its own; a
// newer change takes the place of one that waits.
class UserTeller {
 public:
  using Show = std::function<void(const platform::UserNotice&)>;  // may block for some seconds

  UserTeller(std::filesystem::path told_file, Show show);
  // Waits for what is being shown.
  ~UserTeller();
  UserTeller(const UserTeller&) = delete;
  UserTeller& operator=(const UserTeller&) = delete;

  // The words of an order that is about to have its effect; empty: the level's own (NoticeFor). On the agent
  // loop.
  void Expect(const std::string& order_id, const std::string& user_message);

  // The words of `level`, which the host is about to take by itself over that order.
  void ExpectByItself(const std::string& order_id, v1::Level level, const std::string& user_message);

  // After every change of what is enforced, with the level that the isolation state asks for. Drift, and a
  // hold since boot, enforce another one: they pass, and nobody is told. On the agent loop; does not block
  // but for a small file.
  void OnReceipt(const v1::Receipt& receipt, v1::Level meant);

 private:
  struct Change {
    std::string order_id;
    v1::Level level = v1::LEVEL_OBSERVE;
    friend bool operator==(const Change&, const Change&) = default;
  };
  Change ReadTold() const;
  void Work();

  const std::filesystem::path told_file_;
  const Show show_;
  Change told_;
  std::string expected_order_;
  std::string expected_message_;
  std::optional<Change> by_itself_;  // expected, or told last
  std::string by_itself_message_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<platform::UserNotice> waiting_;
  bool stop_ = false;
  std::thread worker_;
};

// What stands on the screen at `level` when the order has no words of its own.
platform::UserNotice NoticeFor(v1::Level level, const std::string& user_message);

// Show for a host: by every way that the system has, with what failed in the log.
void ShowToUsers(const platform::UserNotice& notice);

}  // namespace cordon::agent
