#include "controller/cordonctl/event_text.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "controller/cordonctl/table.h"

namespace cordon::ctl {
namespace {

TEST(EventText, NamesWhatStarted) {
  v1::Event event;
  v1::ProcessStarted& started = *event.mutable_process_started();
  started.set_executable("/usr/bin/curl");
  for (const char* arg : {"curl", "-H", "X: y", "http://10.0.0.1/\x1b[2J"}) started.add_argv(arg);
  started.set_pid(12);
  started.set_parent_pid(10);
  EXPECT_EQ(DescribeEvent(event),
            "process started: curl -H 'X: y' http://10.0.0.1/\\x1b[2J  [/usr/bin/curl] pid 12, by 10, uid 0");
}

TEST(EventText, NamesWhoChangedAFile) {
  v1::Event event;
  v1::FileChanged& changed = *event.mutable_file_changed();
  changed.set_change(v1::FileChanged::CHANGE_RENAMED);
  changed.set_old_path("/etc/a");
  changed.set_path("/etc/b");
  changed.set_process_unknown_reason("it ended before it was seen");
  EXPECT_EQ(DescribeEvent(event),
            "file renamed: /etc/a -> /etc/b  by an unknown process (it ended before it was seen)");
  changed.set_executable("/bin/mv");
  changed.set_pid(7);
  EXPECT_EQ(DescribeEvent(event), "file renamed: /etc/a -> /etc/b  by /bin/mv pid 7");
}

TEST(EventText, TellsGapsInPlainWords) {
  v1::Event event;
  v1::Gap& gap = *event.mutable_gap();
  gap.set_cause(v1::Gap::CAUSE_KERNEL_BUFFER_FULL);
  gap.set_event_class(v1::EVENT_CLASS_FILE);
  gap.set_count(3);
  EXPECT_EQ(DescribeEvent(event), "GAP: 3 file events lost, because the kernel's buffer was full");
  gap.set_count_is_bound(true);
  EXPECT_EQ(DescribeEvent(event), "GAP: at most 3 file events lost, because the kernel's buffer was full");
  gap.set_count_unknown(true);
  gap.clear_event_class();
  EXPECT_EQ(DescribeEvent(event),
            "GAP: an unknown number of events lost, because the kernel's buffer was full");
}

TEST(EventText, ISO6_NamesWhoChangedTheRules) {
  v1::Event event;
  v1::RulesDrift& drift = *event.mutable_rules_drift();
  drift.set_pid(77);
  drift.set_process_name("nft");
  drift.set_executable("/usr/sbin/nft");
  drift.add_differences("table inet cordon is missing");
  drift.add_differences("table netdev cordon is missing");
  drift.set_stood_nanos(12'000'000);
  drift.set_repaired(true);
  drift.set_packets_passed(3);
  EXPECT_EQ(
      DescribeEvent(event),
      "isolation rules changed by /usr/sbin/nft pid 77: table inet cordon is missing (and 1 more); put right "
      "after 12ms; 3 forbidden packets passed");
  drift.set_packets_unknown(true);
  drift.clear_repaired();
  drift.set_repair_error("no right to");
  EXPECT_NE(
      DescribeEvent(event).find("NOT put right: no right to; how many forbidden packets passed is not known"),
      std::string::npos)
      << DescribeEvent(event);
}

TEST(EventText, HasAWordForEveryKind) {
  const auto* const kinds = v1::Event::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) {
    v1::Event event;
    event.GetReflection()->MutableMessage(&event, kinds->field(i));
    EXPECT_EQ(DescribeEvent(event).find("does not know"), std::string::npos) << kinds->field(i)->name();
    EXPECT_EQ(EventKind(event), kinds->field(i)->name());
  }
  EXPECT_NE(DescribeEvent(v1::Event()).find("does not know"), std::string::npos);
}

TEST(EventJson, HasStableNamesHexadecimalAndWords) {
  v1::QueryEventsResponse event;
  event.set_host_id("id");
  event.set_host_name("front-desk");
  event.set_sequence(5);
  event.set_time_unix_nanos(1'000'000'000);
  event.set_event_class(v1::EVENT_CLASS_CONTROL);
  event.mutable_event()->mutable_gap()->set_cause(v1::Gap::CAUSE_STATE_DAMAGED);
  EXPECT_EQ(boost::json::serialize(EventJson(event)),
            R"({"host_id":"id","host":"front-desk","sequence":5,"time":"1970-01-01T00:00:01.000Z",)"
            R"("time_unix_nanos":1000000000,"class":"control","kind":"gap","gap":{"cause":"state-damaged",)"
            R"("event_class":"unspecified","count":0,"count_is_bound":false,"count_unknown":false,)"
            R"("first_time_unix_nanos":0,"last_time_unix_nanos":0,"detail":"","first_sequence":0}})");
  event.mutable_event()->mutable_process_ended()->set_process_guid(std::string("\x01\xff", 2));
  EXPECT_EQ(EventJson(event).at("process_ended").at("process_guid").as_string(), "01ff");
}

TEST(TableText, IsAlignedByCharactersAndShowsNoControlCharacters) {
  Table table({"HOST", "STATE"});
  table.Add({"büro", "a"});
  table.Add({"x\x1b", ""});
  table.AddNote("because\nof this");
  EXPECT_EQ(table.Text(), "HOST   STATE\nbüro   a\nx\\x1b  -\n    because\\x0aof this\n");
}

}  // namespace
}  // namespace cordon::ctl
