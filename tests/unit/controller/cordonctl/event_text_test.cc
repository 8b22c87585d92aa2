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

TEST(EventText, SaysWhichPrivilegesChanged) {
  v1::Event event;
  v1::PrivilegeChanged& changed = *event.mutable_privilege_changed();
  changed.set_pid(7);
  changed.set_uid_before(1000);
  changed.set_gid_before(100);
  changed.set_gid_after(100);
  changed.set_capabilities_after(0b111);
  EXPECT_EQ(DescribeEvent(event), "privileges changed: pid 7, uid from 1000 to 0, gained 3 capabilities");
  changed.set_uid_after(1000);
  changed.set_capabilities_before(0b1111);
  EXPECT_EQ(DescribeEvent(event), "privileges changed: pid 7, gave up 1 capability");
}

TEST(EventText, NamesBothEndsOfAConnection) {
  v1::Event event;
  v1::Connection& connection = *event.mutable_connection();
  connection.set_direction(v1::Connection::DIRECTION_OUT);
  connection.set_protocol(6);
  connection.set_remote_address("\x0a\x02\x01\x09");
  connection.set_port(443);
  connection.set_remote_name("pms.example.vet");
  connection.set_executable("/opt/pms/client");
  connection.set_pid(12);
  connection.set_times(3);
  EXPECT_EQ(DescribeEvent(event),
            "connection to pms.example.vet (10.2.1.9) port 443 TCP, /opt/pms/client pid 12, 3 times");
  event.Clear();
  event.mutable_connection()->set_direction(v1::Connection::DIRECTION_IN);
  event.mutable_connection()->set_protocol(17);
  event.mutable_connection()->set_remote_address("bad");
  EXPECT_EQ(DescribeEvent(event), "connection from an unknown address to port 0 UDP, by an unknown program");
}

TEST(EventText, CountsABurst) {
  v1::Event event;
  v1::ProcessBurst& burst = *event.mutable_process_burst();
  burst.set_cgroup("/system.slice/build.service");
  burst.set_started(5000);
  burst.set_ended(5002);
  burst.set_forked(2);
  burst.set_failed(1);
  burst.add_programs()->set_executable("/usr/bin/cc1");
  burst.mutable_programs(0)->set_started(5000);
  EXPECT_EQ(
      DescribeEvent(event),
      "burst of processes in /system.slice/build.service: 5000 started, 2 only forked, 5002 ended, 1 of "
      "them with an error, from 1970-01-01T00:00:00.000Z to 1970-01-01T00:00:00.000Z: /usr/bin/cc1 "
      "(5000)");
}

TEST(EventText, NamesTracersModulesAndProgramsOutOfMemory) {
  v1::Event event;
  event.mutable_process_traced()->set_pid(5);
  event.mutable_process_traced()->set_target_pid(6);
  EXPECT_EQ(DescribeEvent(event), "process traced: pid 6 by pid 5");
  event.mutable_module_loaded()->set_name("nf_tables");
  event.mutable_module_loaded()->set_pid(5);
  EXPECT_EQ(DescribeEvent(event), "kernel module loaded: nf_tables by pid 5");
  event.mutable_process_started()->set_executable("/memfd:x");
  event.mutable_process_started()->set_from_memory(true);
  EXPECT_NE(DescribeEvent(event).find(", its file has no name on any disk"), std::string::npos);
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

TEST(EventText, TellsWhatStandsInTheRegistry) {
  v1::Event event;
  v1::FileChanged& changed = *event.mutable_file_changed();
  changed.set_change(v1::FileChanged::CHANGE_CREATED);
  changed.set_path("registry:HKLM/SOFTWARE/Run/Updater");
  changed.mutable_state()->set_type(v1::FileState::TYPE_REGISTRY_VALUE);
  changed.mutable_state()->set_link_target("C:\\u.exe /quiet");
  EXPECT_EQ(DescribeEvent(event),
            "file created: registry:HKLM/SOFTWARE/Run/Updater = C:\\u.exe /quiet  by an unknown process");
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
