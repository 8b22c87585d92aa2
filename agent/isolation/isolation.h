#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/event/process_directory.h"
#include "agent/isolation/probes.h"
#include "agent/isolation/receipt_signer.h"
#include "agent/names/names.h"
#include "common/base/clock.h"
#include "common/base/network.h"
#include "cordon/v1/gateway.pb.h"
#include "cordon/v1/local.pb.h"
#include "cordon/v1/order.pb.h"
#include "platform/api/bypass_scanner.h"
#include "platform/api/connections.h"
#include "platform/api/leak_counter.h"
#include "platform/api/link_watcher.h"
#include "platform/api/packet_filter.h"
#include "platform/api/program_marks.h"
#include "platform/api/ruleset_watcher.h"

namespace cordon::agent {

// What Isolation works with. Nothing is owned; all must outlive it.
struct IsolationParts {
  platform::PacketFilter* filter = nullptr;
  platform::ConnectionTable* connections = nullptr;
  const Clock* clock = nullptr;
  EventSink* events = nullptr;
  EscapeProbe* escape = nullptr;
  ChannelProbe* channel = nullptr;
  platform::ProgramMarks* marks = nullptr;  // without it, rules for programs are refused
  Names* names = nullptr;                   // without it, profiles with host names are refused
  InboundProbe* inbound = nullptr;          // these may be missing: what they would show is not known then
  platform::BypassScanner* bypasses = nullptr;
  platform::LinkWatcher* links = nullptr;  // asked for interfaces that were moved away
  platform::LeakCounter* leaks = nullptr;
  ReceiptSigner* signer = nullptr;  // none: receipts go out unsigned, and are shown as unverified
};

struct IsolationOptions {
  std::filesystem::path state_file;  // "isolation.state" in the agent's state folder
  std::string boot_id;               // of SystemFacts: tells a restart of the agent from one of the machine
  bool hold =
      false;  // keep at least controller-only from Restore until EndHold, whatever was ordered (boot_hold.h)
  // Another process may write the state file meanwhile (isolation_lock.h): what this one has not read is
  // never replaced (ISO-9). A save that would do so is refused, and Overtaken from then on.
  bool others_write = false;
};

// Keeps the host at the level that the newest order of the isolation lane asks for.
//
// Single-threaded: every method, and every callback it is given, runs on the agent loop. Set, Release and
// Restore return when the kernel's rules are in force and read back (some milliseconds).
//
//   Isolation isolation(parts, {.state_file = state / "isolation.state", .boot_id = facts.boot_id});
//   isolation.OnReceipt(send it on the Control stream);
//   isolation.SetControllers(resolved endpoints)   // whenever they are known or change
//   isolation.Restore()                            // before sensors and link start
//   Tick() every second · OnLinksChanged() when the LinkWatcher calls
class Isolation {
 public:
  Isolation(IsolationParts parts, IsolationOptions options);
  Isolation(const Isolation&) = delete;
  Isolation& operator=(const Isolation&) = delete;
  ~Isolation();

  // Called with the receipt after every change: order, fallback, end of the lease, drift repaired.
  void OnReceipt(std::function<void(const v1::Receipt&)> listener);

  // Once, at start: makes the kernel match the state file (ISO-5). A damaged file never opens anything, nor
  // does a file that is missing while rules stand: what stands in the kernel is kept as long as it stands,
  // and where nothing stands, as after a boot, the host is closed but for its controllers (recovery.h). The
  // returned error, an event and the receipt say so.
  absl::Status Restore();

  // The addresses at which the agent's own sockets reach a controller. Kept in the state file, so that they
  // are open after a restart before any name can be resolved. Re-applies when they changed.
  void SetControllers(std::vector<Endpoint> controllers);

  // Takes the host to the ordered level: state on disk, kernel, forbidden connections reset, read back; then
  // proves the channel in the background and falls as the order says (ISO-1, 2, 4, 9). On an error nothing
  // has changed.
  //   INVALID_ARGUMENT     names the field
  //   FAILED_PRECONDITION  the sequence is not higher than that of the last order of the lane
  //   UNIMPLEMENTED        a rule needs a host name, or a program, and this system cannot enforce that; names
  //   the rule
  // The same order again is OK and changes nothing. The receipt may say less than `contained`: read it.
  absl::StatusOr<v1::Receipt> Set(const v1::IsolateAction& action, const std::string& order_id,
                                  uint64_t sequence);

  // Takes everything of Cordon's out of the packet filter. Errors as Set.
  absl::StatusOr<v1::Receipt> Release(const std::string& order_id, uint64_t sequence);

  // The rules that Set(action) would put in force now. Changes nothing; INVALID_ARGUMENT and UNIMPLEMENTED as
  // Set.
  absl::StatusOr<platform::FilterPolicy> Intended(const v1::IsolateAction& action) const;

  // What a signed policy lets the agent do without an order: takes the level for the lease, over what was
  // ordered, which goes on below it (lease, fallback, unlock) and is back after it; holds when the channel
  // cannot be proven. The lane's sequence stays, so that the next order of anybody takes its place. Where the
  // order stands as high it lowers nothing, and is there when the order's lease ends.
  //   ALREADY_EXISTS       the host has taken that level or a higher one by itself already
  //   FAILED_PRECONDITION  what stands in the kernel is kept, see Restore
  absl::StatusOr<v1::Receipt> TakeByItself(const v1::SelfIsolation& allowed, const std::string& cause);

  // As Release, by somebody on the host who takes the agent off it: no order, no higher sequence; the cause
  // is "local release".
  absl::StatusOr<v1::Receipt> ReleaseLocally();

  // OK when the host can be unlocked to `level` by phone (AUT-5). FAILED_PRECONDITION: it is not above it.
  absl::Status MayUnlock(v1::Level level) const;

  // Lets the host down to `unlock.level`, which an operator answered for, until its time is over on the
  // boot-time clock (ISO-8) or a newer order comes; then what was ordered is back. In the place of an earlier
  // unlock. Errors as MayUnlock, and those of disk and kernel: nothing has changed then.
  absl::StatusOr<v1::Receipt> Unlock(v1::Unlock unlock);

  // Covers interfaces that came (ISO-3). `moved_away`: those that were taken into another namespace.
  void OnLinksChanged(std::vector<std::string> moved_away = {});

  // Somebody changed the packet filter: puts Cordon's rules right, in one transaction, and tells who did it,
  // for how long it stood and what passed (ISO-6).
  void OnRulesChanged(std::vector<platform::RulesetChange> changes);

  // Who a pid was; for OnRulesChanged. May come later than the rest.
  void Know(const ProcessDirectory* processes);

  // Counts lease, unlock and TakeByItself down on the boot-time clock (ISO-8) and ends them; goes back to the
  // ordered level when a controller is reached again after a step down (ISO-4). Call about every second.
  void Tick();

  // True when another process has written the state file, so that this object knows of no newest order: make
  // another one, which reads it. Only with IsolationOptions::others_write.
  bool Overtaken() const;

  // After a time in which another process may have acted on this host, by an older state: what is meant is
  // on disk and in the kernel again.
  void TakeOver();

  // Ends IsolationOptions::hold; again: nothing.
  void EndHold(const std::string& why);

  // Reads the kernel back now.
  v1::Receipt ReadReceipt();

  // Sends forbidden packets and reads back: the canary of "cordon.isolation". OK when what is enforced is
  // what was ordered. Rules that somebody changed are put right, and the error says what was found.
  absl::Status Prove();

  // What the state asks for: the order's level, a lower one after a step down or while unlocked, what
  // followed a lease, what the host took by itself.
  v1::Level LevelMeant() const;

  // For Hello: the newest order of the isolation lane.
  v1::LaneState Lane() const;

  // How often the host has isolated itself under that order.
  uint64_t TimesByItself() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cordon::agent
