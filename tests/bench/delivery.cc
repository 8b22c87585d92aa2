// What it costs that no event is lost: events a second that an agent puts on disk and a controller commits,
// the time until each is back after a kill, and what chain and signatures take. On the disk of TMPDIR.
//   delivery [SECONDS]     how many times five seconds of a busy host are made (default 4,000); one JSON
//   object per line:
//   {"what":…,"events":…,"seconds":…,"per_second":…}   {"what":…,"bytes":…,"ms":…}
//   {"what":…,"count":…,"ns_each":…}
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "agent/telemetry/batcher.h"
#include "common/wire/batch_hash.h"
#include "common/wire/order.h"
#include "platform/api/system.h"
#include "tests/support/busy_host.h"
#include "tests/support/store_box.h"

namespace {

using namespace cordon;           // NOLINT: a program of the bench speaks of nothing else
using namespace cordon::testing;  // NOLINT: the same

double SecondsOf(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

void TellRate(const char* what, uint64_t events, double seconds) {
  fmt::print(R"({{"what":"{}","events":{},"seconds":{:.2f},"per_second":{:.0f}}})"
             "\n",
             what, events, seconds, static_cast<double>(events) / seconds);
}
void TellTime(const char* what, uint64_t bytes, double seconds) {
  fmt::print(R"({{"what":"{}","bytes":{},"ms":{:.1f}}})"
             "\n",
             what, bytes, seconds * 1e3);
}
void TellEach(const char* what, uint64_t count, double seconds) {
  fmt::print(R"({{"what":"{}","count":{},"ns_each":{:.0f}}})"
             "\n",
             what, count, seconds * 1e9 / static_cast<double>(count));
}

// From the sensors' hands to the disk, by way of the batcher. What is there is given back.
std::vector<v1::Batch> Agent(int rounds) {
  const std::unique_ptr<Clock> clock = platform::MakeSystemClock();
  SpoolBox box(4ULL << 30);
  std::mt19937 random(1);
  struct Emitted {
    v1::EventClass event_class;
    int64_t time;
    v1::Event event;
  };
  std::vector<Emitted> events;  // as sensors have them
  for (int i = 0; i < rounds; ++i) {
    for (const agent::EventGroup& group : FiveBusySeconds(random, clock->WallNanos())) {
      for (const TimedEvent& timed : group.events) {
        events.push_back({group.event_class, timed.time_unix_nanos, {}});
        events.back().event.ParseFromString(timed.bytes);
      }
    }
  }
  {
    agent::BatcherSettings settings;
    settings.longest_block = std::chrono::seconds(30);  // hold the sensors back rather than count
    agent::Batcher batcher(*box, *clock, settings, [] {});
    TellRate("agent: sensors to disk", events.size(), SecondsOf([&] {
               for (Emitted& one : events) batcher.Emit(one.event_class, one.time, std::move(one.event));
               Must(batcher.Flush(std::chrono::minutes(1)));
             }));
    if (batcher.QueueFullLosses() > 0) throw std::runtime_error("events were lost: this measures nothing");
  }
  box.Crash();
  TellTime("agent: open after a kill", std::filesystem::file_size(box.Settings().file),
           SecondsOf([&] { box.Start(); }));
  return box.All();
}

// From batches in memory to the commit, in groups as the server makes them: of 16 hosts, one batch each.
void Controller(const std::vector<v1::Batch>& batches) {
  constexpr size_t kHosts = 16;
  StoreBox box;
  controller::NewEnrollment enrollment = box.Enrolment(kHosts);
  Must(box->CreateEnrollment(enrollment, Note()));
  std::vector<std::string> host_ids;
  for (size_t i = 0; i < kHosts; ++i) {
    host_ids.push_back(Must(box->EnrollHost(enrollment.enrollment_id, enrollment.token,
                                            StoreBox::HostNamed("host-" + std::to_string(i))))
                           .host_id);
  }
  std::vector<std::vector<controller::HostBatch>> groups;
  std::vector<v1::Batch> before(kHosts);
  uint64_t events = 0;
  uint64_t bytes = 0;
  for (const v1::Batch& batch : batches) {
    std::vector<controller::HostBatch>& group = groups.emplace_back();
    for (size_t i = 0; i < kHosts; ++i) {  // the same payloads, on each host's own chain
      v1::Batch own = batch;
      own.set_previous_hash(before[i].event_count() == 0 ? FirstPreviousHash()
                                                         : BatchHash(host_ids[i], before[i]));
      before[i] = own;
      events += own.event_count();
      bytes += own.ByteSizeLong();
      group.push_back({host_ids[i], std::move(own)});
    }
  }
  TellRate("controller: batches to commit", events, SecondsOf([&] {
             for (const auto& group : groups) {
               for (const auto& result : Must(box->CommitBatches(group)).batches) {
                 if (result.verdict != controller::BatchResult::Verdict::kCommitted)
                   throw std::runtime_error(result.reason);
               }
             }
           }));
  fmt::print(R"({{"what":"wire","bytes":{},"events":{},"bytes_per_event":{:.1f}}})"
             "\n",
             bytes, events, static_cast<double>(bytes) / static_cast<double>(events));
  box.Crash();
  TellTime("controller: open after a kill", std::filesystem::file_size(box.File()),
           SecondsOf([&] { box.Start(); }));
}

void Crypto(const std::vector<v1::Batch>& batches) {
  uint64_t events = 0;
  const double chain = SecondsOf([&] {
    for (const v1::Batch& batch : batches) {
      Sha256(batch.payload());
      BatchHash(kSpoolHost, batch);
      events += batch.event_count();
    }
  });
  TellEach("chain: per event", events, chain);
  constexpr int kOrders = 2'000;
  const TestFleet fleet;
  const std::string order = IsolateOrder(fleet.FleetId()).SerializeAsString();
  v1::SignedOrder signed_order;
  signed_order.set_order(order);
  TellEach("order: sign", kOrders, SecondsOf([&] {
             for (int i = 0; i < kOrders; ++i) {
               signed_order.clear_signatures();
               *signed_order.add_signatures() =
                   Must(SignOrder(order, fleet.OperatorId(), fleet.OperatorKey()));
             }
           }));
  v1::TrustBundle bundle;
  bundle.ParseFromString(fleet.Trust().bundle());
  TellEach("order: verify", kOrders, SecondsOf([&] {
             for (int i = 0; i < kOrders; ++i) Must(VerifyOrder(signed_order, bundle));
           }));
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 4'000;
  if (rounds <= 0 || argc > 2) {
    fmt::print(stderr, "usage: delivery [SECONDS]\n");
    return 2;
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt("bench"));  // the figures alone are on the output
  spdlog::set_level(spdlog::level::warn);
  try {
    const std::vector<v1::Batch> batches = Agent(rounds);
    Controller(batches);
    Crypto(batches);
  } catch (const std::exception& error) {
    fmt::print(stderr, "delivery: {}\n", error.what());
    return 1;
  }
  return 0;
}
