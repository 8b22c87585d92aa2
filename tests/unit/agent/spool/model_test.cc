// Random histories of the spool against a model in memory that says what must be in it.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "agent/spool/spool.h"
#include "tests/support/spool_box.h"

namespace cordon::agent {
namespace {

using testing::BulkyEvent;
using testing::ChainFault;
using testing::Group;
using testing::SpoolBox;

constexpr uint64_t kLimit = 60'000;

// What was put in and not acknowledged: one event per batch, known by its pid; 0 = an event of the spool's
// own.
struct Model {
  struct Entry {
    v1::EventClass event_class;
    uint32_t pid;
  };
  std::deque<Entry> queue;
  uint64_t first = 1;  // sequence of the front

  void Append(v1::EventClass event_class, uint32_t pid) { queue.push_back({event_class, pid}); }
  void Acknowledge(uint64_t last) {
    for (; first <= last; ++first) queue.pop_front();
  }
};

class History {
 public:
  explicit History(uint32_t seed) : random_(seed), box_(kLimit) {}

  void Run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      switch (random_() % 8) {
        case 0:
          Acknowledge();
          break;
        case 1:
          CrashAndStart();
          break;
        case 2:
          EXPECT_TRUE(box_->Maintain().ok());
          break;
        default:
          Append();
      }
      Compare();
    }
  }

 private:
  void Append() {
    std::vector<EventGroup> groups;
    for (uint32_t i = 0; i <= random_() % 3; ++i) {
      const auto event_class = static_cast<v1::EventClass>(1 + random_() % 4);
      // CONTROL small: it is never dropped, and must not make up the limit by itself.
      const size_t bytes = event_class == v1::EVENT_CLASS_CONTROL ? 10 : random_() % 6'000;
      groups.push_back(Group(event_class, {BulkyEvent(++pid_, bytes)}));
      model_.Append(event_class, pid_);
    }
    ASSERT_TRUE(box_->Append(groups).ok());
  }

  void Acknowledge() {
    if (model_.queue.empty()) return;
    const uint64_t last = model_.first + random_() % model_.queue.size();
    ASSERT_TRUE(box_->Acknowledge(box_->ChainId(), last).ok());
    ASSERT_TRUE(box_->Maintain().ok());
    model_.Acknowledge(last);
  }

  void CrashAndStart() {
    box_.CrashAndStart();
    model_.Append(v1::EVENT_CLASS_CONTROL, 0);  // the gap of the crash
  }

  void Compare() {
    const auto batches = box_.All();
    ASSERT_EQ(ChainFault(batches), "");
    ASSERT_EQ(batches.size(), model_.queue.size());
    for (size_t i = 0; i < batches.size(); ++i) {
      const Model::Entry& entry = model_.queue[i];
      ASSERT_EQ(batches[i].first_sequence(), model_.first + i);
      ASSERT_EQ(batches[i].event_class(), entry.event_class);
      if (batches[i].dropped() != v1::Gap::CAUSE_UNSPECIFIED) {
        ASSERT_NE(entry.event_class, v1::EVENT_CLASS_CONTROL);
        continue;
      }
      const v1::Event event = DecodeEvents(batches[i].payload(), 1)->events(0);
      ASSERT_EQ(event.has_gap(), entry.pid == 0);
      if (entry.pid != 0) {
        ASSERT_EQ(event.process_started().pid(), entry.pid);
      }
    }
    CompareStats(batches);
  }

  void CompareStats(const std::vector<v1::Batch>& batches) {
    const SpoolStats stats = box_->Stats();
    uint64_t events = 0;
    uint64_t droppable = 0;
    for (const v1::Batch& batch : batches) {
      if (batch.dropped() != v1::Gap::CAUSE_UNSPECIFIED) continue;
      ++events;
      if (batch.event_class() != v1::EVENT_CLASS_CONTROL) ++droppable;
    }
    ASSERT_EQ(stats.events, events);
    ASSERT_EQ(stats.last_sequence, model_.first + model_.queue.size() - 1);
    if (droppable > 0) {
      ASSERT_LE(stats.bytes, kLimit);
    }
  }

  std::mt19937 random_;
  SpoolBox box_;
  Model model_;
  uint32_t pid_ = 0;
};

class SpoolModel : public ::testing::TestWithParam<uint32_t> {};

TEST_P(SpoolModel, HoldsWhatTheModelSays) {
  History(GetParam()).Run(100);
}

INSTANTIATE_TEST_SUITE_P(Histories, SpoolModel, ::testing::Range(1U, 9U));

}  // namespace
}  // namespace cordon::agent
