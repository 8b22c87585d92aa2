#include "controller/cordonctl/wait.h"

#include <algorithm>
#include <ostream>
#include <thread>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"
#include "controller/cordonctl/order_text.h"
#include "controller/cordonctl/receipt_check.h"
#include "controller/cordonctl/scan_report_check.h"
#include "controller/cordonctl/table.h"

namespace cordon::ctl {
namespace {

constexpr auto kPauseBeforeRetry = std::chrono::milliseconds(500);
// A host that said it goes dark, and then cannot, says so within this time.
constexpr auto kAfterLastWord = std::chrono::seconds(2);

bool IsGoingDark(const v1::OrderOutcome& outcome) {
  return outcome.state() == v1::OrderOutcome::STATE_GOING_DARK;
}

// One line on a terminal that is drawn again and again; nothing in a pipe.
class ProgressLine {
 public:
  explicit ProgressLine(const Environment& world) : world_(world) {}
  ~ProgressLine() { Draw(""); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Draw(const std::string& text) {
    if (!world_.error_is_terminal) return;
    std::string line = Printable(text);
    const auto columns = static_cast<size_t>(std::max(world_.columns - 1, 1));
    while (DisplayWidth(line) > columns) line.pop_back();
    world_.err << '\r' << line << "\x1b[K" << std::flush;  // to the start, and clear what is behind
  }

 private:
  const Environment& world_;
};

std::string Detail(const OrderProgress::HostOutcome& host) {
  const v1::OrderOutcome& outcome = host.outcome;
  std::string text = outcome.message();
  if (outcome.has_receipt()) StrAppend(&text, text.empty() ? "" : "; ", DescribeReceipt(outcome.receipt()));
  if (outcome.has_progress()) {
    const v1::ScanProgress& progress = outcome.progress();
    StrAppend(&text, text.empty() ? "" : "; ", progress.files_done(), " files, ",
              FormatBytes(progress.bytes_done()), ", ", progress.findings(), " findings, ",
              progress.not_scanned_count(), " not scanned");
    if (const std::string rate = host.rate.Text(); !rate.empty()) StrAppend(&text, ", ", rate);
    if (progress.state() == v1::ScanProgress::STATE_PAUSED) StrAppend(&text, ", paused");
  }
  return text;
}

bool NeedsReceipt(const v1::Order& order) {
  return order.has_isolate() || order.has_release();
}

// Why a DONE is not proven; empty: it is.
std::string WhatIsMissing(const v1::OrderOutcome& outcome, const CheckedReceipt& checked,
                          const v1::Order& order) {
  if (!outcome.has_receipt()) return "the host's receipt is missing";
  if (!checked.verified) return "";  // Believed says why
  const bool of_this_order =
      checked.receipt.order_id() == order.order_id() && checked.receipt.order_sequence() == order.sequence();
  return of_this_order ? "" : "the receipt is of another order";
}

// What the controller tells of a host, with no more than the host signed.
v1::WatchOrderResponse Checked(v1::WatchOrderResponse message, const v1::Order& order,
                               const std::map<std::string, v1::Host>& hosts, const std::string& ca_pem) {
  if (!message.has_outcome()) return message;
  const auto found = hosts.find(message.outcome().host_id());
  const v1::Host host = found == hosts.end() ? v1::Host() : found->second;
  v1::OrderOutcome outcome = WithSignedReport(std::move(*message.mutable_outcome()), host, ca_pem);
  *message.mutable_outcome() = WithProof(std::move(outcome), order, host, ca_pem);
  return message;
}

// DONE, and what is done is not proven by the host.
bool IsUnproven(const v1::OrderOutcome& outcome) {
  if (LacksReport(outcome)) return true;
  return outcome.state() == v1::OrderOutcome::STATE_DONE && outcome.has_receipt() &&
         outcome.receipt().containment() == v1::CONTAINMENT_UNSPECIFIED;
}

void ShowJson(const Tool& tool, const OrderProgress& progress, const std::string& order_id) {
  for (const auto& [id, host] : progress.Hosts()) {
    boost::json::object line = ToJson(host.outcome);
    line["order_id"] = order_id;
    line["host_id"] = id;
    line["host"] = host.name;
    if (host.outcome.state() == v1::OrderOutcome::STATE_UNSPECIFIED) line["state"] = "pending";
    if (host.outcome.has_progress()) {
      boost::json::object& scan = line["progress"].as_object();
      scan["bytes_per_second"] = host.rate.BytesPerSecond();
      scan["files_per_second"] = host.rate.FilesPerSecond();
    }
    if (IsUnproven(host.outcome) && host.outcome.has_receipt())
      line["receipt"].as_object()["containment"] = "unverified";
    tool.Print(line);
  }
}

// What a scan left out, and why; JSON has all that came.
void ShowNotScanned(const Tool& tool, const v1::ScanProgress& scan) {
  constexpr int kMostShown = 20;
  for (int i = 0; i < std::min(scan.not_scanned_size(), kMostShown); ++i) {
    tool.Print(StrCat("not scanned: ", Printable(scan.not_scanned(i).path()), ": ",
                      Printable(scan.not_scanned(i).reason()), "\n"));
  }
  const auto shown = static_cast<uint64_t>(std::min(scan.not_scanned_size(), kMostShown));
  if (scan.not_scanned_count() > shown) {
    tool.Print(StrCat("not scanned: ", scan.not_scanned_count() - shown, " more\n"));
  }
}

void ShowTable(const Tool& tool, const OrderProgress& progress) {
  tool.Print(progress.Line() + "\n");
  Table table({"HOST", "STATE", "DETAIL"});
  size_t rows = 0;
  for (const auto& [id, host] : progress.Hosts()) {
    const bool alone = progress.Hosts().size() == 1;  // then it is told in full
    if (progress.IsClean(host.outcome) && !alone) continue;
    const auto state = host.outcome.state();
    table.Add({host.name.empty() ? id : host.name,
               state == v1::OrderOutcome::STATE_UNSPECIFIED ? "pending" : WordOf(state), Detail(host)});
    ++rows;
  }
  if (rows > 0) tool.Print(table.Text());
  if (progress.Hosts().size() == 1) ShowNotScanned(tool, progress.Hosts().begin()->second.outcome.progress());
}

}  // namespace

v1::OrderOutcome WithProof(v1::OrderOutcome outcome, const v1::Order& order, const v1::Host& host,
                           const std::string& ca_pem) {
  const bool needed = outcome.state() == v1::OrderOutcome::STATE_DONE && NeedsReceipt(order);
  if (!outcome.has_receipt() && !needed) return outcome;
  const CheckedReceipt checked = CheckReceipt(outcome.receipt(), host, ca_pem);
  const std::string missing = needed ? WhatIsMissing(outcome, checked, order) : "";
  v1::Receipt believed = Believed(checked);
  if (!missing.empty()) {
    believed.Clear();
    believed.add_reasons(missing);
  }
  *outcome.mutable_receipt() = std::move(believed);
  return outcome;
}

bool IsFinal(v1::OrderOutcome::State state) {
  return state >= v1::OrderOutcome::STATE_DONE && state <= v1::OrderOutcome::STATE_CANCELLED;
}

OrderProgress::OrderProgress(const v1::Order& order, std::span<const v1::Host> hosts)
    : leaves_open_(order.has_release() || order.isolate().level() == v1::LEVEL_OBSERVE),
      expected_(static_cast<uint32_t>(hosts.size())) {
  for (const v1::Host& host : hosts) hosts_[host.host_id()].name = host.facts().host_name();
}

bool OrderProgress::StandsOpen(const v1::OrderOutcome& outcome) const {
  if (leaves_open_ || outcome.state() != v1::OrderOutcome::STATE_DONE || !outcome.has_receipt()) return false;
  const v1::Containment containment = outcome.receipt().containment();
  return containment == v1::CONTAINMENT_OPEN || containment == v1::CONTAINMENT_UNCERTAIN;
}

bool OrderProgress::IsClean(const v1::OrderOutcome& outcome) const {
  if (outcome.state() != v1::OrderOutcome::STATE_DONE) return false;
  const v1::Containment containment = outcome.receipt().containment();
  return !outcome.has_receipt() || containment == v1::CONTAINMENT_CONTAINED ||
         (containment == v1::CONTAINMENT_OPEN && leaves_open_);
}

void OrderProgress::Apply(const v1::WatchOrderResponse& message) {
  expected_ = std::max(expected_, message.hosts());
  if (!message.has_outcome() || message.outcome().host_id().empty()) return;
  HostOutcome& host = hosts_[message.outcome().host_id()];
  if (IsFinal(host.outcome.state())) return;
  host.outcome = message.outcome();
  if (host.outcome.has_progress()) host.rate.Add(host.outcome.progress());
}

bool OrderProgress::SomeWentDark() const {
  return std::ranges::any_of(hosts_, [](const auto& entry) { return IsGoingDark(entry.second.outcome); });
}

bool OrderProgress::Finished() const {
  const auto ended = std::ranges::count_if(hosts_, [](const auto& entry) {
    return IsFinal(entry.second.outcome.state()) || IsGoingDark(entry.second.outcome);
  });
  return std::cmp_greater_equal(ended, std::max<size_t>(expected_, hosts_.size()));
}

ExitCode OrderProgress::Result() const {
  const auto not_done = [this](const auto& entry) {
    const v1::OrderOutcome& outcome = entry.second.outcome;
    return (IsFinal(outcome.state()) && outcome.state() != v1::OrderOutcome::STATE_DONE) ||
           IsUnproven(outcome) || StandsOpen(outcome);
  };
  if (std::ranges::any_of(hosts_, not_done)) return ExitCode::kFailed;
  return Finished() ? ExitCode::kDone : ExitCode::kNotAllAnswered;
}

std::string OrderProgress::Line() const {
  std::map<v1::OrderOutcome::State, size_t> counts;
  std::map<v1::Containment, size_t> not_contained;  // of what is done
  size_t ended = 0;
  for (const auto& [id, host] : hosts_) {
    ++counts[host.outcome.state()];
    if (host.outcome.state() == v1::OrderOutcome::STATE_DONE && !IsClean(host.outcome))
      ++not_contained[host.outcome.receipt().containment()];
    if (IsFinal(host.outcome.state()) || IsGoingDark(host.outcome)) ++ended;
  }
  const size_t total = std::max<size_t>(expected_, hosts_.size());
  std::string line = StrCat(counts[v1::OrderOutcome::STATE_DONE], " of ", Count(total, "host"), " done");
  std::string_view before = " (";
  for (const auto& [containment, count] : not_contained) {
    StrAppend(&line, before, count, " ",
              containment == v1::CONTAINMENT_UNSPECIFIED ? std::string("unverified") : WordOf(containment));
    before = ", ";
  }
  if (!not_contained.empty()) line += ")";
  for (const auto& [state, count] : counts) {
    if (state == v1::OrderOutcome::STATE_GOING_DARK)
      StrAppend(&line, ", ", count, " going dark, not to be heard again");
    if (IsFinal(state) && state != v1::OrderOutcome::STATE_DONE)
      StrAppend(&line, ", ", count, " ", WordOf(state));
  }
  if (ended == total) return line;
  StrAppend(&line, ", ", total - ended, " waiting");
  if (const size_t running = counts[v1::OrderOutcome::STATE_RUNNING]; running > 0) {
    StrAppend(&line, " (", running, " running)");
  }
  return line + Slowest();
}

std::string OrderProgress::Slowest() const {
  const HostOutcome* slowest = nullptr;
  for (const auto& [id, host] : hosts_) {
    if (IsFinal(host.outcome.state()) || IsGoingDark(host.outcome)) continue;
    const auto left = [](const HostOutcome& each) { return each.outcome.progress().remaining_nanos(); };
    if (slowest == nullptr || left(host) > left(*slowest)) slowest = &host;
  }
  if (slowest == nullptr || slowest->name.empty()) return "";
  std::string text = StrCat("; slowest: ", slowest->name);
  const v1::ScanProgress& scan = slowest->outcome.progress();
  if (scan.state() == v1::ScanProgress::STATE_PAUSED) text += " (paused)";
  if (scan.bytes_total() > 0) {
    StrAppend(&text, " ",
              static_cast<int>(100.0 * static_cast<double>(scan.bytes_done()) /
                               static_cast<double>(scan.bytes_total())),
              " %");
  } else if (scan.files_done() > 0) {
    StrAppend(&text, " ", scan.files_done(), " files");
  }
  if (const std::string rate = slowest->rate.Text(); !rate.empty()) StrAppend(&text, ", ", rate);
  if (scan.remaining_nanos() > 0) StrAppend(&text, ", ", FormatDuration(scan.remaining_nanos()), " left");
  return text;
}

absl::StatusOr<ExitCode> WaitForOrder(const Tool& tool, const Client& client, const v1::Order& order,
                                      std::span<const v1::Host> hosts, int64_t timeout_nanos) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout_nanos);
  OrderProgress progress(order, hosts);
  std::map<std::string, v1::Host> by_id;
  for (const v1::Host& host : hosts) by_id[host.host_id()] = host;
  v1::WatchOrderRequest request;
  request.set_order_id(order.order_id());
  {
    ProgressLine line(tool.World());
    line.Draw(progress.Line());
    const auto watch = [&](std::chrono::nanoseconds left, auto&& enough) {
      return client.Read<v1::WatchOrderRequest, v1::WatchOrderResponse>(
          &Client::Stub::WatchOrder, request, left, [&](const v1::WatchOrderResponse& message) {
            progress.Apply(Checked(message, order, by_id, client.Identity().ca_pem()));
            line.Draw(progress.Line());
            return !enough();
          });
    };
    while (!progress.Finished()) {
      const std::chrono::nanoseconds left =
          timeout_nanos == 0 ? std::chrono::nanoseconds(0) : deadline - std::chrono::steady_clock::now();
      if (timeout_nanos != 0 && left.count() <= 0) break;
      const absl::Status watched = watch(left, [&] { return progress.Finished(); });
      if (absl::IsDeadlineExceeded(watched)) break;
      if (watched.ok()) {
        // The controller holds the order for ended.
        break;
      }
      if (!absl::IsUnavailable(watched)) return watched;
      line.Draw(StrCat(progress.Line(), " (the controller is away; trying again)"));
      std::this_thread::sleep_for(kPauseBeforeRetry);
    }
    // Whatever ends it, what has come by then is shown.
    if (progress.Finished() && progress.SomeWentDark())
      static_cast<void>(watch(kAfterLastWord, [&] { return !progress.SomeWentDark(); }));
  }
  if (tool.Json()) {
    ShowJson(tool, progress, order.order_id());
  } else {
    ShowTable(tool, progress);
  }
  return progress.Result();
}

}  // namespace cordon::ctl
