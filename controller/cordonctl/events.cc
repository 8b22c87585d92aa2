#include <absl/time/time.h>

#include <CLI/CLI.hpp>
#include <ostream>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/event_text.h"
#include "controller/cordonctl/follow_events.h"
#include "controller/cordonctl/since.h"
#include "controller/cordonctl/target.h"
#include "controller/export/ocsf.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kDefaultSinceNanos = 3600 * kNanosPerSecond;

struct EventsOptions {
  TargetOptions target;
  std::string since;
  std::vector<std::string> classes;
  bool follow = false;
  uint32_t limit = 0;
};

v1::EventClass ClassOf(const std::string& word) {
  if (word == "process") return v1::EVENT_CLASS_PROCESS;
  if (word == "file") return v1::EVENT_CLASS_FILE;
  return word == "finding" ? v1::EVENT_CLASS_FINDING : v1::EVENT_CLASS_CONTROL;
}

absl::StatusOr<v1::QueryEventsRequest> BuildRequest(const EventsOptions& options, const Tool& tool,
                                                    const Client& client) {
  v1::QueryEventsRequest request;
  request.set_since_unix_nanos(options.follow ? tool.Now() : tool.Now() - kDefaultSinceNanos);
  if (!options.since.empty()) {
    CORDON_ASSIGN_OR_RETURN(const int64_t since, ParseSince(options.since, tool.Now()));
    request.set_since_unix_nanos(since);
  }
  if (!options.target.Empty()) {
    CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Host> hosts, client.ListHosts());
    CORDON_ASSIGN_OR_RETURN(*request.mutable_target(), BuildTarget(options.target, hosts, tool.Now()));
  }
  for (const std::string& word : options.classes) request.add_classes(ClassOf(word));
  request.set_follow(options.follow);
  request.set_limit(options.limit);
  return request;
}

void Show(const Tool& tool, const v1::QueryEventsResponse& event) {
  if (tool.Json()) return tool.Print(EventJson(event));
  if (tool.Ocsf()) return tool.Print(controller::ToOcsf(event, CORDON_VERSION));
  tool.Print(StrCat(FormatTime(event.time_unix_nanos()), "  ", Printable(event.host_name()), "  ",
                    DescribeEvent(event.event()), "\n"));
}

absl::StatusOr<ExitCode> Events(Tool& tool, const EventsOptions& options) {
  if (!options.since.empty()) {  // bad usage is told before anybody is asked
    CORDON_RETURN_IF_ERROR(ParseSince(options.since, tool.Now()).status());
  }
  Interrupt interrupt;
  std::unique_ptr<void, void (*)(void*)> watching(nullptr, [](void* /*nothing*/) {});
  if (options.follow && tool.World().on_stop) {  // before gRPC has threads
    watching = tool.World().on_stop([&interrupt] { interrupt.Ask(); });
  }
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  CORDON_ASSIGN_OR_RETURN(const v1::QueryEventsRequest request, BuildRequest(options, tool, *client));
  if (options.follow) {
    CORDON_RETURN_IF_ERROR(
        FollowEvents(tool, *client, request, interrupt, [&](const v1::QueryEventsResponse& event) {
          Show(tool, event);
          // Nobody has them any more: better an end than a silence.
          if (!tool.World().out.good()) interrupt.Ask();
        }));
    return ExitCode::kDone;
  }
  CORDON_RETURN_IF_ERROR((client->Read<v1::QueryEventsRequest, v1::QueryEventsResponse>(
      &Client::Stub::QueryEvents, request, std::chrono::nanoseconds(0),
      [&](const v1::QueryEventsResponse& event) {
        Show(tool, event);
        return true;
      })));
  return ExitCode::kDone;
}

}  // namespace

absl::StatusOr<int64_t> ParseSince(const std::string& text, int64_t now_unix_nanos) {
  if (const absl::StatusOr<int64_t> length = ParseDuration(text); length.ok())
    return now_unix_nanos - *length;
  absl::Time time;
  std::string why;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &why)) return absl::ToUnixNanos(time);
  return absl::InvalidArgumentError(StrCat(
      "--since: '", Printable(text), "' is neither a length like 1h nor a time like 2026-11-24T03:55:01Z"));
}

void AddEvents(CLI::App* app, Command* chosen) {
  CLI::App* const events = app->add_subcommand("events", "What happened on hosts, oldest first");
  const auto options = std::make_shared<EventsOptions>();
  AddTarget(events, &options->target);
  events->add_option("--since", options->since,
                     "A length back (1h, the default) or a time (2026-11-24T03:55:01Z)");
  events->add_option("--class", options->classes, "process, file, finding or control; may be given again")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"process", "file", "finding", "control"}));
  events->add_flag("--follow", options->follow,
                   "Go on with new ones as they arrive, through restarts of the controller, until Ctrl-C");
  events->add_option("--limit", options->limit, "Only the newest N, up to 100000");
  events->callback([=] { *chosen = [=](Tool& tool) { return Events(tool, *options); }; });
}

}  // namespace cordon::ctl
