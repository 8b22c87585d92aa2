#include <CLI/CLI.hpp>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "controller/cordonctl/commands.h"
#include "controller/cordonctl/receipt_check.h"
#include "controller/cordonctl/table.h"
#include "controller/cordonctl/target.h"

namespace cordon::ctl {
namespace {

constexpr int64_t kDefaultTimeoutNanos = 5 * kNanosPerSecond;
constexpr int64_t kDefaultProveTimeoutNanos = 12 * kNanosPerSecond;  // a part that is broken takes up to 8 s
constexpr int64_t kLongestTimeoutNanos = 60 * kNanosPerSecond;
// The controller ends the poll by itself; this is for when it does not.
constexpr int64_t kGraceNanos = 10 * kNanosPerSecond;

struct HealthOptions {
  TargetOptions target;
  std::string timeout;
  bool prove = false;
};

std::string PartsInWords(const v1::HealthReport& report) {
  int serving = 0;
  for (const v1::PartHealth& part : report.parts()) serving += part.serving() ? 1 : 0;
  return StrCat(serving, " of ", report.parts_size(), " serving");
}

uint64_t Lost(const v1::HealthReport& report) {
  const v1::LossCounters& losses = report.losses();
  return losses.kernel_buffer() + losses.queue_full() + losses.spool_dropped_events();
}

void AddNotes(const v1::HealthReport& report, const CheckedReceipt& receipt, int64_t now, bool in_full,
              Table* table) {
  for (const v1::PartHealth& part : report.parts()) {
    if (part.serving() && part.detail().empty() && !in_full) continue;
    table->AddNote(StrCat(part.part(), part.serving() ? ": ok, proven " : ": NOT SERVING, proven ",
                          Ago(part.last_proof_unix_nanos(), now), part.detail().empty() ? "" : ": ",
                          part.detail()));
  }
  for (const std::string& note : receipt.notes) table->AddNote(note);
  for (const std::string& notice : report.notices()) table->AddNote(notice);
}

void AddRow(const v1::PollHealthResponse& answer, const std::string& ca_pem, int64_t now, bool in_full,
            Table* table) {
  const std::string& name = answer.host().facts().host_name();
  if (!answer.answered()) {
    table->Add({name, answer.host().site(), "NO ANSWER", "", "", "", "", ""});
    table->AddNote(StrCat(answer.error(), ", seen ", Ago(answer.host().last_seen_unix_nanos(), now)));
    return;
  }
  const v1::HealthReport& report = answer.report();
  const CheckedReceipt receipt = CheckReceipt(report.receipt(), answer.host(), ca_pem);
  table->Add({name, answer.host().site(), FormatDuration(answer.round_trip_nanos()), PartsInWords(report),
              StrCat(LevelWord(receipt), ", ", ContainmentWord(receipt)),
              Count(report.spool().events(), "event"), StrCat(Lost(report)),
              StrCat(FormatBytes(report.resources().resident_bytes()), ", ",
                     FormatDuration(report.resources().cpu_nanos()), " CPU")});
  AddNotes(report, receipt, now, in_full, table);
}

boost::json::object AnswerJson(const v1::PollHealthResponse& answer, const std::string& ca_pem) {
  boost::json::object line = ToJson(answer);
  line["host_id"] = answer.host().host_id();
  line["host"] = answer.host().facts().host_name();
  line["site"] = answer.host().site();
  line.erase("hosts");
  if (answer.report().has_receipt()) {
    line["report"].as_object()["receipt"] =
        ReceiptJson(CheckReceipt(answer.report().receipt(), answer.host(), ca_pem));
  }
  return line;
}

absl::StatusOr<int64_t> Timeout(const HealthOptions& options) {
  if (options.timeout.empty()) return options.prove ? kDefaultProveTimeoutNanos : kDefaultTimeoutNanos;
  CORDON_ASSIGN_OR_RETURN(const int64_t nanos, ParseDuration(options.timeout));
  if (nanos > kLongestTimeoutNanos) return absl::InvalidArgumentError("--timeout: at most 60s");
  return nanos;
}

absl::StatusOr<ExitCode> Health(Tool& tool, const HealthOptions& options) {
  v1::PollHealthRequest request;
  CORDON_ASSIGN_OR_RETURN(const int64_t timeout, Timeout(options));
  CORDON_ASSIGN_OR_RETURN(const Client* const client, tool.Controller());
  const std::string& ca_pem = client->Identity().ca_pem();
  request.set_timeout_nanos(timeout);
  request.set_prove(options.prove);
  request.mutable_target()->set_all(true);
  if (!options.target.Empty()) {
    CORDON_ASSIGN_OR_RETURN(const std::vector<v1::Host> hosts, client->ListHosts());
    CORDON_ASSIGN_OR_RETURN(*request.mutable_target(), BuildTarget(options.target, hosts, tool.Now()));
    // A site that is typed wrong must not look like one where all is well.
    if (Matching(request.target(), hosts).empty())
      return absl::NotFoundError("no host matches the target; nobody was asked");
  }
  std::vector<v1::PollHealthResponse> answers;
  uint32_t asked = 0;
  const absl::Status polled = client->Read<v1::PollHealthRequest, v1::PollHealthResponse>(
      &Client::Stub::PollHealth, request, std::chrono::nanoseconds(timeout + kGraceNanos),
      [&](const v1::PollHealthResponse& answer) {
        asked = std::max(asked, answer.hosts());
        if (tool.Json()) tool.Print(AnswerJson(answer, ca_pem));
        answers.push_back(answer);
        return true;
      });
  if (!polled.ok() && !absl::IsDeadlineExceeded(polled)) return polled;
  Table table({"HOST", "SITE", "ROUND TRIP", "PARTS", "ISOLATION", "SPOOL", "LOST", "USES"});
  uint32_t answered = 0;
  for (const v1::PollHealthResponse& answer : answers) {
    answered += answer.answered() ? 1 : 0;
    AddRow(answer, ca_pem, tool.Now(), answers.size() == 1, &table);
  }
  if (!tool.Json()) {
    tool.Print(table.Text());
    if (answered < asked) tool.Print(StrCat(answered, " of ", Count(asked, "host"), " answered\n"));
  }
  if (!polled.ok()) tool.Say(Message(polled));
  // A controller that did not say how many it asks may have asked some that did not answer.
  const bool all = asked > 0 ? answered >= asked : polled.ok();
  return all ? ExitCode::kDone : ExitCode::kNotAllAnswered;
}

}  // namespace

void AddHealth(CLI::App* app, Command* chosen) {
  CLI::App* const health =
      app->add_subcommand("health", "Ask agents how they are, now (all hosts, or TARGET)");
  const auto options = std::make_shared<HealthOptions>();
  AddTarget(health, &options->target);
  health->add_flag("--prove", options->prove, "Have every part prove itself first");
  health->add_option(
      "--timeout", options->timeout,
      "How long to wait for answers (5s; with --prove 12s, since a part that is broken takes up to 8s)");
  health->callback([=] { *chosen = [=](Tool& tool) { return Health(tool, *options); }; });
}

}  // namespace cordon::ctl
