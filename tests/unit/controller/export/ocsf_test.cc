// Every kind of event against what OCSF 1.8 demands (https://schema.ocsf.io/1.8.0): the required attributes
// of each class and object, the values of its enumerations, and its constraints, as the published schema
// states them.

#include "controller/export/ocsf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/strings.h"

namespace cordon::controller {
namespace {

using boost::json::object;
using boost::json::value;
using ::testing::IsEmpty;

struct ClassRules {
  std::vector<std::string> required;
  std::set<int64_t> activities;
  std::set<int64_t> statuses;
};

const std::set<int64_t> kStatus = {0, 1, 2, 99};
const std::map<int64_t, ClassRules> kClasses = {
    {1001, {{"actor", "device", "file"}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 99}, kStatus}},
    {1002, {{"actor", "device", "driver"}, {0, 1, 2, 99}, kStatus}},
    {1007, {{"actor", "device", "process"}, {0, 1, 2, 3, 4, 5, 99}, kStatus}},
    {2004, {{"finding_info"}, {0, 1, 2, 3, 99}, {0, 1, 2, 3, 4, 5, 6, 99}}},
    {4001, {{"dst_endpoint"}, {0, 1, 2, 3, 4, 5, 6, 7, 99}, kStatus}},
    {6002, {{"app"}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 99}, kStatus}},
    {6007, {{"scan"}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99}, kStatus}},
    {7001, {{"command_uid"}, {0, 1, 2, 3, 4, 99}, {0, 1, 2, 3, 4, 5, 6, 99}}},
};
// Objects by the name of the attribute that holds them: what is required, and of what at least one must be
// there.
struct ObjectRules {
  std::vector<std::string> required;
  std::vector<std::string> one_of;
};
const std::map<std::string, ObjectRules> kObjects = {
    {"metadata", {{"product", "version"}, {}}},
    {"product", {{}, {"name", "uid"}}},
    {"app", {{}, {"name", "uid"}}},
    {"device", {{"type_id"}, {"hostname", "ip", "uid", "name"}}},
    {"actor", {{}, {"process", "user", "session", "app_name", "app_uid"}}},
    {"process", {{}, {"pid", "uid"}}},
    {"parent_process", {{}, {"pid", "uid"}}},
    {"file", {{"name", "type_id"}, {}}},
    {"file_result", {{"name", "type_id"}, {}}},
    {"hashes", {{"algorithm_id", "value"}, {}}},
    {"finding_info", {{"uid", "title"}, {}}},
    {"scan", {{"type_id"}, {"name", "uid"}}},
    {"user", {{}, {"name", "uid"}}},
    {"container", {{}, {"name", "uid"}}},
    {"driver", {{"file"}, {}}},
    {"connection_info", {{"direction_id"}, {}}},
    {"src_endpoint", {{}, {"hostname", "ip", "name", "uid", "svc_name", "interface_uid"}}},
    {"dst_endpoint", {{}, {"hostname", "ip", "name", "uid", "svc_name", "interface_uid"}}},
};

class Validator {
 public:
  explicit Validator(const object& event) {
    Base(event);
    Nested(event);
  }
  std::vector<std::string> Complaints() const { return complaints_; }

 private:
  void Require(const object& where, const std::vector<std::string>& names, const std::string& what) {
    for (const std::string& name : names) {
      if (!where.contains(name)) complaints_.push_back(StrCat(what, " lacks ", name));
    }
  }

  static int64_t Number(const object& where, const std::string& name) {
    const value* const found = where.if_contains(name);
    return found == nullptr || !found->is_number() ? -1 : found->to_number<int64_t>();
  }

  void Base(const object& event) {
    Require(event,
            {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"},
            "the event");
    const int64_t class_uid = Number(event, "class_uid");
    const auto rules = kClasses.find(class_uid);
    if (rules == kClasses.end()) {
      complaints_.push_back(StrCat("class ", class_uid, " is none of the eight"));
      return;
    }
    Require(event, rules->second.required, StrCat("class ", class_uid));
    const int64_t activity = Number(event, "activity_id");
    if (!rules->second.activities.contains(activity)) {
      complaints_.push_back(StrCat("activity ", activity));
    }
    if (activity == 99 && !event.contains("activity_name")) {
      complaints_.push_back("Other has no activity_name");
    }
    if (event.contains("status_id") && !rules->second.statuses.contains(Number(event, "status_id"))) {
      complaints_.push_back("status_id");
    }
    if (Number(event, "category_uid") != class_uid / 1000) complaints_.push_back("category_uid");
    if (Number(event, "type_uid") != class_uid * 100 + activity) complaints_.push_back("type_uid");
    if (Number(event, "severity_id") < 0 || Number(event, "severity_id") > 6) {
      complaints_.push_back("severity_id");
    }
    if (Number(event, "time") < 0) complaints_.push_back("time");
  }

  void Nested(const object& where) {
    for (const auto& [key, held] : where) {
      if (key == "unmapped") continue;  // free by the schema
      if (held.is_object()) Check(key, held.as_object());
      if (!held.is_array()) continue;
      for (const value& item : held.as_array()) {
        if (item.is_object()) Check(key, item.as_object());
      }
    }
  }

  void Check(const std::string& name, const object& held) {
    if (name != "evidences") {
      const auto rules = kObjects.find(name);
      if (rules == kObjects.end()) {
        complaints_.push_back(StrCat("no rules for the object ", name));
        return;
      }
      Require(held, rules->second.required, name);
      const auto& one_of = rules->second.one_of;
      if (!one_of.empty() && std::none_of(one_of.begin(), one_of.end(),
                                          [&](const std::string& one) { return held.contains(one); })) {
        complaints_.push_back(StrCat(name, " identifies nobody"));
      }
    }
    Nested(held);
  }

  std::vector<std::string> complaints_;
};

v1::QueryEventsResponse Stored(const std::function<void(v1::Event&)>& fill) {
  v1::QueryEventsResponse stored;
  stored.set_host_id("6f1c1b1e-5a0e-4a53-9a53-0d7c7d6d7f01");
  stored.set_host_name("front-desk");
  stored.set_sequence(17);
  stored.set_time_unix_nanos(1'700'000'000'123'456'789);
  fill(*stored.mutable_event());
  return stored;
}

// One of every kind in event.proto, with nothing in it: the hardest to make valid.
std::vector<v1::QueryEventsResponse> EveryKindEmpty() {
  std::vector<v1::QueryEventsResponse> all = {Stored([](v1::Event&) {})};
  const auto* const kind = v1::Event::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kind->field_count(); ++i) {
    all.push_back(
        Stored([&](v1::Event& event) { event.GetReflection()->MutableMessage(&event, kind->field(i)); }));
  }
  return all;
}

TEST(Ocsf, EveryKindOfEventIsValidEvenWhenEmpty) {
  for (const v1::QueryEventsResponse& event : EveryKindEmpty()) {
    v1::QueryEventsResponse known = event;
    // An event of a process names it, by the contract of event.proto.
    if (known.event().has_process_forked()) known.mutable_event()->mutable_process_forked()->set_pid(1);
    if (known.event().has_process_started()) known.mutable_event()->mutable_process_started()->set_pid(1);
    if (known.event().has_privilege_changed()) {
      known.mutable_event()->mutable_privilege_changed()->set_pid(1);
    }
    if (known.event().has_process_traced()) {
      known.mutable_event()->mutable_process_traced()->set_target_pid(1);
    }
    if (known.event().has_connection()) {
      known.mutable_event()->mutable_connection()->set_remote_address("\x0a\x01\x01\x01");
    }
    if (known.event().has_process_ended()) known.mutable_event()->mutable_process_ended()->set_pid(1);
    const object line = ToOcsf(known, "1.0");
    EXPECT_THAT(Validator(line).Complaints(), IsEmpty()) << boost::json::serialize(line);
  }
}

TEST(Ocsf, WhatTheControllerFoundAboutAHostIsAFinding) {
  v1::AuditEntry entry;
  entry.set_index(12);
  entry.set_time_unix_nanos(1'700'000'000'123'456'789);
  entry.set_actor("host/6f1c1b1e-5a0e-4a53-9a53-0d7c7d6d7f01");
  entry.set_subject("6f1c1b1e-5a0e-4a53-9a53-0d7c7d6d7f01");
  entry.set_detail("two copies of this identity live");
  entry.set_hash("\x01\xff");
  const std::map<std::string, int> severities = {
      {"session.cloned", 4}, {"host.held_back", 3}, {"session.second", 2}};
  for (const auto& [action, severity] : severities) {
    entry.set_action(action);
    const object line = NoticeToOcsf(entry, "front-desk", "1.0");
    EXPECT_THAT(Validator(line).Complaints(), IsEmpty()) << boost::json::serialize(line);
    EXPECT_EQ(line.at("class_uid"), 2004);
    EXPECT_EQ(line.at("severity_id"), severity) << action;
    EXPECT_EQ(line.at("is_alert"), severity >= 3) << action;
    EXPECT_EQ(line.at("time"), 1'700'000'000'123);
    EXPECT_EQ(line.at("metadata").at("uid"), "01ff");
    EXPECT_EQ(line.at("device").at("hostname"), "front-desk");
    EXPECT_EQ(line.at("device").at("uid"), value(entry.subject()));
    EXPECT_EQ(line.at("finding_info").at("desc"), value(entry.detail()));
    EXPECT_EQ(line.at("unmapped").at("audit_entry").at("action"), value(action));
  }
}

TEST(Ocsf, TheValidatorFindsWhatIsMissing) {
  object line = ToOcsf(Stored([](v1::Event& event) { event.mutable_process_ended()->set_pid(4); }), "1.0");
  ASSERT_THAT(Validator(line).Complaints(), IsEmpty());
  line.erase("process");
  line["severity_id"] = 7;
  EXPECT_EQ(Validator(line).Complaints().size(), 2U);
}

TEST(Ocsf, AProcessStartIsALaunch) {
  const object line = ToOcsf(Stored([](v1::Event& event) {
                               v1::ProcessStarted& started = *event.mutable_process_started();
                               started.set_pid(12);
                               started.set_parent_pid(10);
                               started.set_process_guid("\x01\x02");
                               started.set_executable("/usr/bin/curl");
                               started.add_argv("curl");
                               started.add_argv("http://198.51.100.7/x");
                             }),
                             "1.0");
  EXPECT_EQ(line.at("class_uid"), 1007);
  EXPECT_EQ(line.at("type_uid"), 100701);
  EXPECT_EQ(line.at("time"), 1'700'000'000'123);
  EXPECT_EQ(line.at("process").at("cmd_line"), "curl http://198.51.100.7/x");
  EXPECT_EQ(line.at("process").at("uid"), "0102");
  EXPECT_EQ(line.at("process").at("file").at("name"), "curl");
  EXPECT_EQ(line.at("actor").at("process").at("pid"), 10);
  EXPECT_EQ(line.at("metadata").at("version"), "1.8.0");
  EXPECT_EQ(line.at("device").at("hostname"), "front-desk");
}

TEST(Ocsf, AConnectionSaysWhichEndIsTheHost) {
  const auto line = [](v1::Connection::Direction direction) {
    return ToOcsf(Stored([&](v1::Event& event) {
                    v1::Connection& connection = *event.mutable_connection();
                    connection.set_direction(direction);
                    connection.set_protocol(6);
                    connection.set_remote_address("\x0a\x02\x01\x09");
                    connection.set_port(443);
                    connection.set_remote_name("pms.example.vet");
                    connection.set_pid(12);
                    connection.set_executable("/opt/pms/client");
                    connection.set_times(3);
                  }),
                  "1.0");
  };
  const object out = line(v1::Connection::DIRECTION_OUT);
  EXPECT_THAT(Validator(out).Complaints(), IsEmpty()) << boost::json::serialize(out);
  EXPECT_EQ(out.at("type_uid"), 400101);
  EXPECT_EQ(out.at("dst_endpoint").at("ip"), "10.2.1.9");
  EXPECT_EQ(out.at("dst_endpoint").at("hostname"), "pms.example.vet");
  EXPECT_EQ(out.at("dst_endpoint").at("port"), 443);
  EXPECT_EQ(out.at("src_endpoint").at("hostname"), "front-desk");
  EXPECT_EQ(out.at("connection_info").at("direction_id"), 2);
  EXPECT_EQ(out.at("actor").at("process").at("file").at("name"), "client");
  EXPECT_EQ(out.at("count"), 3);
  const object in = line(v1::Connection::DIRECTION_IN);
  EXPECT_THAT(Validator(in).Complaints(), IsEmpty()) << boost::json::serialize(in);
  EXPECT_EQ(in.at("src_endpoint").at("ip"), "10.2.1.9");
  EXPECT_EQ(in.at("dst_endpoint").at("hostname"), "front-desk");
  EXPECT_EQ(in.at("dst_endpoint").at("port"), 443);
  EXPECT_EQ(in.at("connection_info").at("direction_id"), 1);
}

TEST(Ocsf, AnotherUserIsASetUserIdAndATracerOpensItsTarget) {
  const object user = ToOcsf(Stored([](v1::Event& event) {
                               event.mutable_privilege_changed()->set_pid(4);
                               event.mutable_privilege_changed()->set_uid_before(1000);
                             }),
                             "1.0");
  EXPECT_THAT(Validator(user).Complaints(), IsEmpty());
  EXPECT_EQ(user.at("type_uid"), 100705);
  EXPECT_EQ(user.at("process").at("user").at("uid"), "0");
  const object tracer = ToOcsf(Stored([](v1::Event& event) {
                                 event.mutable_process_traced()->set_pid(4);
                                 event.mutable_process_traced()->set_target_pid(5);
                               }),
                               "1.0");
  EXPECT_THAT(Validator(tracer).Complaints(), IsEmpty());
  EXPECT_EQ(tracer.at("type_uid"), 100703);
  EXPECT_EQ(tracer.at("actor").at("process").at("pid"), 4);
  EXPECT_EQ(tracer.at("process").at("pid"), 5);
}

TEST(Ocsf, ARenameHasBothNamesAndTheHash) {
  const object line = ToOcsf(Stored([](v1::Event& event) {
                               v1::FileChanged& changed = *event.mutable_file_changed();
                               changed.set_change(v1::FileChanged::CHANGE_RENAMED);
                               changed.set_old_path("/srv/records.db");
                               changed.set_path("/srv/records.db.locked");
                               changed.mutable_state()->set_type(v1::FileState::TYPE_FILE);
                               changed.mutable_state()->set_sha256(std::string(32, '\xab'));
                             }),
                             "1.0");
  EXPECT_THAT(Validator(line).Complaints(), IsEmpty());
  EXPECT_EQ(line.at("type_uid"), 100105);
  EXPECT_EQ(line.at("file").at("path"), "/srv/records.db");
  EXPECT_EQ(line.at("file_result").at("name"), "records.db.locked");
  EXPECT_EQ(line.at("file_result").at("hashes").at(0).at("value").as_string().subview(0, 4), "abab");
}

TEST(Ocsf, AnEntryOfTheRegistryIsAFileOfAnotherType) {
  const object line = ToOcsf(Stored([](v1::Event& event) {
                               v1::FileChanged& changed = *event.mutable_file_changed();
                               changed.set_change(v1::FileChanged::CHANGE_CREATED);
                               changed.set_path("registry:HKLM/SOFTWARE/Run/Updater");
                               changed.mutable_state()->set_type(v1::FileState::TYPE_REGISTRY_VALUE);
                             }),
                             "1.0");
  EXPECT_THAT(Validator(line).Complaints(), IsEmpty());
  EXPECT_EQ(line.at("file").at("name"), "Updater");
  EXPECT_EQ(line.at("file").at("type_id"), 99);
  EXPECT_EQ(line.at("file").at("type"), "Registry value");
}

TEST(Ocsf, IsolationSaysWhetherItHolds) {
  const auto line = [](v1::Level level, v1::Containment containment) {
    return ToOcsf(Stored([&](v1::Event& event) {
                    v1::Receipt& receipt = *event.mutable_isolation_changed()->mutable_receipt();
                    receipt.set_order_id("an-order");
                    receipt.set_intended_level(level);
                    receipt.set_containment(containment);
                  }),
                  "1.0");
  };
  const object contained = line(v1::LEVEL_ESSENTIAL, v1::CONTAINMENT_CONTAINED);
  EXPECT_EQ(contained.at("type_uid"), 700101);
  EXPECT_EQ(contained.at("status_id"), 1);
  EXPECT_EQ(contained.at("command_uid"), "an-order");
  EXPECT_EQ(line(v1::LEVEL_ESSENTIAL, v1::CONTAINMENT_PARTIAL).at("status_id"), 4);
  EXPECT_EQ(line(v1::LEVEL_ESSENTIAL, v1::CONTAINMENT_OPEN).at("status_id"), 2);
  const object released = line(v1::LEVEL_OBSERVE, v1::CONTAINMENT_OPEN);
  EXPECT_EQ(released.at("type_uid"), 700103);
  EXPECT_EQ(released.at("status_id"), 1);
}

TEST(Ocsf, TEL1_AGapIsInTheExportWithAllThatIsKnownOfIt) {
  const object line = ToOcsf(Stored([](v1::Event& event) {
                               event.mutable_gap()->set_cause(v1::Gap::CAUSE_SPOOL_FULL);
                               event.mutable_gap()->set_count(12);
                             }),
                             "1.0");
  EXPECT_EQ(line.at("class_uid"), 6002);
  EXPECT_EQ(line.at("activity_name"), "Events lost");
  EXPECT_EQ(line.at("unmapped").at("gap").at("count"), 12);
  EXPECT_EQ(line.at("unmapped").at("gap").at("cause"), "spool-full");
}

}  // namespace
}  // namespace cordon::controller
