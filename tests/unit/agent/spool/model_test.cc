// Random histories of the spool against a model in memory that says, to the last batch and byte, what must be
// in it. A history is its seed: run one alone with --gtest_filter and CORDON_SEED=N.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "agent/spool/batch_packer.h"
#include "agent/spool/spool.h"
#include "common/base/uuid.h"
#include "tests/support/fault_disk.h"
#include "tests/support/soak.h"
#include "tests/support/spool_box.h"

namespace cordon::agent {
namespace {

using testing::BulkyEvent;
using testing::ChainFault;
using testing::FakeClock;
using testing::FaultDisk;
using testing::Group;
using testing::StormCount;
using testing::TempFolder;

constexpr uint64_t kLimit = 60'000;
constexpr uint64_t kHeader = 256;  // what the spool counts for a header
constexpr int64_t kAgeLimit = 600 * kNanosPerSecond;
constexpr int64_t kLongestTimeOff = 24 * 3600 * kNanosPerSecond;

// One batch of one event, known by its pid; 0 = an event of the spool's own.
struct Entry {
  v1::EventClass event_class;
  uint32_t pid;
  uint64_t payload_bytes;
  int64_t written_age;
  v1::Gap::Cause dropped = v1::Gap::CAUSE_UNSPECIFIED;
  bool delivered = false;  // ahead of a hole

  bool HasPayload() const { return dropped == v1::Gap::CAUSE_UNSPECIFIED && !delivered; }
};

// What the spool must hold.
struct Model {
  std::vector<Entry> queue;
  uint64_t first = 1;         // sequence of the front
  uint64_t acknowledged = 0;  // told, and taken into account by the next write
  std::vector<std::pair<uint64_t, uint64_t>> ahead;
  int64_t age = 0;
  int64_t last_boot = 0;
  int64_t last_commit = 0;

  uint64_t Last() const { return first + queue.size() - 1; }

  uint64_t Bytes() const {
    uint64_t bytes = 0;
    for (const Entry& entry : queue) bytes += kHeader + (entry.HasPayload() ? entry.payload_bytes : 0);
    return bytes;
  }

  void Write(const FakeClock& clock, const std::vector<Entry>& added) {
    age += std::max<int64_t>(0, clock.BootNanos() - last_boot);
    last_boot = clock.BootNanos();
    last_commit = clock.WallNanos();
    for (; first <= acknowledged; ++first) queue.erase(queue.begin());
    for (const auto& [from, to] : ahead) {
      for (uint64_t i = std::max(from, first); i <= to; ++i) {
        Entry& entry = queue[i - first];
        if (entry.dropped == v1::Gap::CAUSE_UNSPECIFIED) entry.delivered = true;
      }
    }
    for (Entry entry : added) {
      entry.written_age = age;
      queue.push_back(entry);
    }
    KeepLimits();
  }

  void KeepLimits() {
    const auto droppable = [](const Entry& entry) {
      return entry.HasPayload() && entry.event_class != v1::EVENT_CLASS_CONTROL;
    };
    for (Entry& entry : queue) {
      if (droppable(entry) && entry.written_age < age - kAgeLimit) entry.dropped = v1::Gap::CAUSE_SPOOL_AGE;
    }
    while (Bytes() > kLimit) {
      Entry* least = nullptr;  // the oldest of the least important class
      for (Entry& entry : queue) {
        if (droppable(entry) && (least == nullptr || entry.event_class < least->event_class)) least = &entry;
      }
      if (least == nullptr) return;
      least->dropped = v1::Gap::CAUSE_SPOOL_FULL;
    }
  }

  // The queue begins a new chain above `highest`: what the controller has ahead stays behind.
  void BeginChain(uint64_t highest) {
    std::erase_if(queue, [](const Entry& entry) { return entry.delivered; });
    first = highest + 1;
    acknowledged = highest;
    ahead.clear();
  }
};

class History {
 public:
  explicit History(uint32_t seed) : random_(seed), disk_(folder_ / "agent", seed) {
    settings_.file = folder_ / "agent" / "agent.db";
    settings_.host_id = testing::kSpoolHost;
    settings_.limit_bytes = kLimit;
    settings_.limit_age_nanos = kAgeLimit;
    model_.last_boot = clock_.BootNanos();
    Open();
    model_.Write(clock_, {});
  }

  void Run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      clock_.Advance(static_cast<int64_t>(random_() % 20) * kNanosPerSecond);
      switch (random_() % 12) {
        case 0:
          Acknowledge();
          break;
        case 1:
          AcknowledgeAhead();
          break;
        case 2:
          CrashAndStart();
          break;
        case 3:
          CutPowerInAppend();
          break;
        case 4:
          FailInAppend();
          break;
        case 5:
          Setback();
          break;
        case 6:
          Maintain();
          break;
        case 7:
          if (random_() % 8 == 0) clock_.Advance(kAgeLimit / 2);
          break;
        default:
          Append();
      }
      Compare();
    }
  }

 private:
  void Open() {
    auto spool = Spool::Open(settings_, clock_);
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
  }

  static uint64_t PayloadBytes(const EventGroup& group) { return PackBatches({group})[0].payload().size(); }

  std::vector<EventGroup> MakeGroups(std::vector<Entry>* entries) {
    std::vector<EventGroup> groups;
    for (uint32_t i = 0; i <= random_() % 3; ++i) {
      const auto event_class = static_cast<v1::EventClass>(1 + random_() % 4);
      // CONTROL small: it is never dropped, and must not make up the limit by itself.
      const size_t bytes = event_class == v1::EVENT_CLASS_CONTROL ? 10 : random_() % 6'000;
      groups.push_back(Group(event_class, {BulkyEvent(++pid_, bytes)}));
      entries->push_back({event_class, pid_, PayloadBytes(groups.back()), 0});
    }
    return groups;
  }

  void Append() {
    std::vector<Entry> entries;
    ASSERT_TRUE(spool_->Append(MakeGroups(&entries)).ok());
    model_.Write(clock_, entries);
  }

  void Maintain() {
    ASSERT_TRUE(spool_->Maintain().ok());
    model_.Write(clock_, {});
  }

  void Acknowledge() {
    if (model_.queue.empty()) return;
    const uint64_t last = model_.first + random_() % model_.queue.size();
    ASSERT_TRUE(spool_->Acknowledge(spool_->ChainId(), 0, last).ok());
    model_.acknowledged = std::max(model_.acknowledged, last);
    std::erase_if(model_.ahead, [&](const auto& run) { return run.second <= model_.acknowledged; });
    Maintain();
  }

  void AcknowledgeAhead() {
    if (model_.queue.size() < 3) return;
    const uint64_t from = model_.first + 1 + random_() % (model_.queue.size() - 1);
    const uint64_t to = from + random_() % (model_.Last() - from + 1);
    ASSERT_TRUE(spool_->Acknowledge(spool_->ChainId(), from, to).ok());
    model_.ahead.emplace_back(from, to);
    Maintain();
  }

  // The spool's own event: its size is read from the queue, its place and class are the model's.
  void ExpectOwnEvent() {
    const std::vector<v1::Batch> last = *spool_->Next(spool_->Stats().last_sequence - 1, 1);
    ASSERT_EQ(last.size(), 1U);
    own_ = {v1::EVENT_CLASS_CONTROL, 0, last[0].payload().size(), 0};
  }

  void Start() {
    model_.age += std::clamp<int64_t>(clock_.WallNanos() - model_.last_commit, 0, kLongestTimeOff);
    model_.last_boot = clock_.BootNanos();
    model_.acknowledged = model_.first - 1;
    model_.ahead.clear();
    Open();
    if (!::testing::Test::HasFailure()) ExpectOwnEvent();
    model_.Write(clock_, {own_});
  }

  void CrashAndStart() {
    if (random_() % 2 == 0) disk_.CutPowerAt(1);
    spool_.reset();
    if (disk_.PowerIsOff()) disk_.PowerOn();
    Start();
  }

  // Power goes somewhere in a write: it is there afterwards as a whole or not at all.
  void CutPowerInAppend() {
    disk_.CutPowerAt(1 + random_() % 12);
    std::vector<Entry> entries;
    const Model before = model_;
    const bool taken = spool_->Append(MakeGroups(&entries)).ok();
    model_.Write(clock_, entries);
    disk_.CutPowerAt(1);
    spool_.reset();
    disk_.PowerOn();
    const Model with = model_;
    Start();
    if (taken || ::testing::Test::HasFailure() || spool_->Stats().last_sequence == model_.Last()) return;
    model_ = before;
    model_.age += std::clamp<int64_t>(clock_.WallNanos() - model_.last_commit, 0, kLongestTimeOff);
    model_.last_boot = clock_.BootNanos();
    model_.acknowledged = model_.first - 1;
    model_.ahead.clear();
    model_.Write(clock_, {own_});
  }

  // A call of the disk fails: the write is taken as a whole, or not at all and again when asked again.
  void FailInAppend() {
    disk_.FailAt(1 + random_() % 12);
    std::vector<Entry> entries;
    const std::vector<EventGroup> groups = MakeGroups(&entries);
    const bool taken = spool_->Append(groups).ok();
    disk_.FailAt(0, 0);
    if (!taken) {
      ASSERT_TRUE(spool_->Append(groups).ok());
    }
    model_.Write(clock_, entries);
  }

  // A controller that knows another chain of this host.
  void Setback() {
    if (model_.queue.empty() || random_() % 3 != 0) return;
    v1::TelemetryPosition position;
    position.set_chain_id(NewUuid());
    position.set_acknowledged_sequence(model_.Last() + random_() % 100);
    const uint64_t highest = position.acknowledged_sequence();
    const absl::StatusOr<uint64_t> after = spool_->Reconcile(position);
    ASSERT_TRUE(after.ok()) << after.status();
    ASSERT_EQ(*after, highest);
    ExpectOwnEvent();
    // What was told ahead and is not written down yet is not known for stored by a controller of another
    // chain.
    model_.ahead.clear();
    model_.acknowledged = model_.first - 1;
    for (Entry& entry : model_.queue) {
      if (!std::exchange(entry.delivered, false)) continue;
      entry.dropped = v1::Gap::CAUSE_STATE_DAMAGED;
    }
    model_.BeginChain(highest);
    model_.Write(clock_, {own_});
  }

  void Compare() {
    if (::testing::Test::HasFailure()) return;
    const std::vector<v1::Batch> batches = *spool_->Next(spool_->Stats().acknowledged_sequence, SIZE_MAX);
    ASSERT_EQ(ChainFault(batches), "");
    ASSERT_EQ(batches.size(), model_.queue.size());
    for (size_t i = 0; i < batches.size(); ++i) CompareBatch(batches[i], model_.queue[i], model_.first + i);
    const SpoolStats stats = spool_->Stats();
    ASSERT_EQ(stats.bytes, model_.Bytes());
    ASSERT_EQ(stats.last_sequence, model_.Last());
    ASSERT_EQ(stats.events, static_cast<uint64_t>(std::ranges::count_if(model_.queue, &Entry::HasPayload)));
  }

  static void CompareBatch(const v1::Batch& batch, const Entry& entry, uint64_t sequence) {
    ASSERT_EQ(batch.first_sequence(), sequence);
    ASSERT_EQ(batch.event_class(), entry.event_class) << sequence;
    // A delivered one that is asked for all the same has no content any more: a gap, as long as nobody has
    // it.
    const v1::Gap::Cause cause = entry.delivered ? v1::Gap::CAUSE_STATE_DAMAGED : entry.dropped;
    ASSERT_EQ(batch.dropped(), cause) << sequence;
    if (cause != v1::Gap::CAUSE_UNSPECIFIED) return;
    ASSERT_EQ(batch.payload().size(), entry.payload_bytes);
    const v1::Event event = DecodeEvents(batch.payload(), 1)->events(0);
    ASSERT_EQ(event.has_gap(), entry.pid == 0);
    if (entry.pid == 0) return;
    ASSERT_EQ(event.process_started().pid(), entry.pid);
  }

  std::mt19937 random_;
  TempFolder folder_;
  FaultDisk disk_;
  FakeClock clock_;
  SpoolSettings settings_;
  std::unique_ptr<Spool> spool_;
  Model model_;
  Entry own_{};
  uint32_t pid_ = 0;
};

TEST(SpoolModel, TEL2_HoldsWhatTheModelSaysThroughRandomHistories) {
  const char* one = std::getenv("CORDON_SEED");
  const uint32_t from = one != nullptr ? static_cast<uint32_t>(std::strtoul(one, nullptr, 10)) : 0;
  const uint32_t to = one != nullptr ? from + 1 : static_cast<uint32_t>(StormCount(2'000, 50'000));
  for (uint32_t seed = from; seed < to; ++seed) {
    // Most are short; some are long enough for the limits to press.
    History(seed).Run(seed % 25 == 0 ? 100 : 12);
    ASSERT_FALSE(HasFailure()) << "history with seed " << seed << ": CORDON_SEED=" << seed;
  }
  std::printf("%u histories\n", to - from);
}

}  // namespace
}  // namespace cordon::agent
