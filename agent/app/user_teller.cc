#include "agent/app/user_teller.h"

#include <spdlog/spdlog.h>

#include <sstream>
#include <utility>

#include "common/base/status.h"
#include "platform/api/files.h"
#include "platform/api/places.h"

namespace cordon::agent {
namespace {

constexpr std::string_view kMagic = "cordon-told-v1";
constexpr size_t kMaxFileBytes = 1024;

std::string DefaultText(v1::Level level) {
  switch (level) {
    case v1::LEVEL_NO_LATERAL:
      return "The security team has closed some connections between this computer and others here. You can "
             "go on working. "
             "If something that you need does not work, please call them.";
    case v1::LEVEL_ESSENTIAL:
      return "The security team has closed all connections of this computer that are not needed for your "
             "work here. The "
             "practice system goes on working; the internet and e-mail may not. Please leave the computer "
             "switched on, and "
             "call them if something that you need does not work.";
    case v1::LEVEL_CONTROLLER_ONLY:
    case v1::LEVEL_DARK:
      return "The security team has taken this computer off the network. Please do not use it for now, leave "
             "it switched on, "
             "and call them.";
    default:
      return "The security team has given this computer its network back. You can work as usual.";
  }
}

}  // namespace

platform::UserNotice NoticeFor(v1::Level level, const std::string& user_message) {
  return {.title = level == v1::LEVEL_OBSERVE ? "This computer is back on the network"
                                              : "This computer's network has been restricted",
          .text = user_message.empty() ? DefaultText(level) : user_message};
}

UserTeller::UserTeller(std::filesystem::path told_file, Show show)
    : told_file_(std::move(told_file)),
      show_(std::move(show)),
      told_(ReadTold()),
      worker_([this] { Work(); }) {}

UserTeller::~UserTeller() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  worker_.join();
}

UserTeller::Change UserTeller::ReadTold() const {
  const absl::StatusOr<std::string> text = platform::ReadFileBounded(told_file_, kMaxFileBytes);
  if (!text.ok()) return {};  // a host that was never restricted
  std::istringstream words(*text);
  std::string magic;
  int level = 0;
  Change told;
  if (!(words >> magic >> level) || magic != kMagic || !v1::Level_IsValid(level)) return {};
  words >> told.order_id;  // none: without an order
  told.level = static_cast<v1::Level>(level);
  return told;
}

void UserTeller::Expect(const std::string& order_id, const std::string& user_message) {
  expected_order_ = order_id;
  expected_message_ = user_message;
}

void UserTeller::ExpectByItself(const std::string& order_id, v1::Level level,
                                const std::string& user_message) {
  by_itself_ = Change{.order_id = order_id, .level = level};
  by_itself_message_ = user_message;
}

void UserTeller::OnReceipt(const v1::Receipt& receipt, v1::Level meant) {
  if (receipt.enforced_level() != meant) return;
  Change change{.order_id = receipt.order_id(), .level = receipt.enforced_level()};
  const bool same_level_free = change.level == v1::LEVEL_OBSERVE && told_.level == v1::LEVEL_OBSERVE;
  if (change == told_ || same_level_free) return;
  const bool as_ordered = change.level == receipt.intended_level() && change.order_id == expected_order_;
  const bool by_itself = by_itself_ == change;
  if (!by_itself) by_itself_.reset();  // it is over: the same level is the order's then
  told_ = std::move(change);
  const std::string text = StrCat(kMagic, " ", static_cast<int>(told_.level), " ", told_.order_id, "\n");
  const absl::Status saved = platform::WriteFileDurably(told_file_, text, platform::FileAccess::kOwnerOnly);
  if (!saved.ok()) spdlog::warn("users may be told again: {}", Message(saved));
  {
    const std::lock_guard lock(mutex_);
    waiting_ = NoticeFor(told_.level, by_itself ? by_itself_message_ : as_ordered ? expected_message_ : "");
  }
  wake_.notify_one();
}

void UserTeller::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || waiting_.has_value(); });
    if (!waiting_.has_value()) return;
    const platform::UserNotice notice = *std::exchange(waiting_, std::nullopt);
    lock.unlock();
    show_(notice);
    lock.lock();
  }
}

void ShowToUsers(const platform::UserNotice& notice) {
  const platform::NoticeReport report = platform::TellUsers(notice, platform::DefaultPlaces().executable);
  spdlog::info("users: told on {} terminals and {} desktops: {}", report.terminals, report.desktops,
               notice.title);
  for (const std::string& failure : report.failures) spdlog::warn("users: not told: {}", failure);
}

}  // namespace cordon::agent
