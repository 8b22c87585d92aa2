#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/event/event_sink.h"
#include "agent/event/part_health.h"
#include "common/base/clock.h"
#include "cordon/v1/health.pb.h"

namespace cordon::agent {

struct HealthSettings {
  std::chrono::milliseconds interval{15'000};       // between proofs of a part
  std::chrono::milliseconds answer_within{10'000};  // a proof that takes longer counts as no answer
  // How often states are compared with what was published, beside the end of each proof.
  std::chrono::milliseconds look_every{2'000};
};

// How long an operator who asks for proofs waits for those that take their time: a canary that does not come
// back is given up by then, and the report says what is missing. The controller waits longer than this for
// the answer (poll_health_stream.h).
inline constexpr std::chrono::seconds kProofDeadline{8};
static_assert(kProofDeadline >= kCanaryTimeout + std::chrono::seconds(2));

// A part that has gone blind is known within 30 s, also one that does not answer.
static_assert(HealthSettings().interval + HealthSettings().answer_within + HealthSettings().look_every <=
              std::chrono::seconds(30));

// Knows how every part is, by proofs: a part is SERVING only while its last canary came back in time. Each
// part proves itself on a thread of its own, so that one that hangs says nothing about the others.
// Thread-safe.
class HealthBoard {
 public:
  struct Parts {
    const Clock& clock;
    // A part_changed event on every change; at the start when a part is up, or has not come up in time
    // (answer_within).
    EventSink& events;
    std::vector<HealthPart*> parts;  // must outlive the board
    // On every change, first for all parts at Start: what grpc.health.v1 is to say. On the board's threads.
    std::function<void(const std::string& part, bool serving)> publish;
    // Adds to the report what parts do not know: losses, spool, receipt, certificate, boot id, notices. On
    // the caller's thread of Report.
    std::function<void(v1::HealthReport*)> complete;
    std::string agent_version;
  };
  HealthBoard(Parts parts, HealthSettings settings);
  // Waits for proofs that run.
  ~HealthBoard();

  // The first proofs begin. Until a part's first proof it is not serving.
  void Start();
  // No more proofs begin; no callback after it returns.
  void Stop();

  // Runs every canary now; `done` once, on a thread of the board, when all have answered or after `deadline`.
  // A part whose proof has not ended by then is not serving in that report, whatever it was before.
  void ProveAll(std::chrono::milliseconds deadline, std::function<void(v1::HealthReport)> done);

  // As it stands; never waits for a part.
  v1::HealthReport Report() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace cordon::agent
