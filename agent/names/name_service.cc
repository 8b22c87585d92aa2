#include "agent/names/name_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "agent/names/answer_cache.h"
#include "agent/names/client_turn.h"
#include "agent/names/guard_question.h"
#include "agent/names/guard_rules.h"
#include "agent/names/guard_server.h"
#include "agent/names/lookups.h"
#include "agent/names/name_list.h"
#include "agent/names/opened_table.h"
#include "agent/names/upstream.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "platform/api/files.h"

namespace cordon::agent {
namespace {

using boost::asio::ip::address;
using platform::Level;

constexpr uint16_t kDnsPort = 53;
constexpr uint32_t kRestoredSeconds = 60;  // until the names have been looked up anew
constexpr uint32_t kStaleSeconds = 300;    // while no resolver answers, what was open stays so
constexpr uint32_t kStaleTtlSeconds = 30;  // what clients are told then
constexpr size_t kMaxUnderWay = 128;
constexpr size_t kMaxWaiting = 64;  // for one question
constexpr int64_t kLookForResolversEvery = 10 * kNanosPerSecond;
constexpr size_t kMaxPortFile = 16;

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return text;
}

class NameService final : public Names {
 public:
  explicit NameService(NameServiceParts parts)
      : parts_(std::move(parts)),
        upstream_(parts_.loop),
        server_(parts_.loop,
                [this](std::string query, bool datagram, GuardServer::Reply reply) {
                  OnQuery(query, datagram, std::move(reply));
                }),
        client_(parts_.client, server_) {}

  void Begin(const v1::IsolationState& state) override;
  void Settle() override;
  void Record(v1::IsolationState* state) const override;
  std::vector<platform::NameSet> Sets() const override { return table_.Sets(list_); }
  std::optional<platform::DnsRedirect> Redirect() const override;
  std::vector<Endpoint> OwnResolvers() const override;
  void LookUpController(const std::string& name, std::function<void(Addresses)> done) override;
  void AskGuard(std::function<void(absl::Status)> done) override;
  std::vector<std::string> Notes() const override;
  void OnChange(std::function<absl::Status(Change)> listener) override { listener_ = std::move(listener); }
  void Tick() override;

 private:
  struct Waiting {
    DnsQuery query;
    bool datagram = false;
    GuardServer::Reply reply;
  };
  struct UnderWay {
    NameList::Match match;
    bool own_lookup = false;
    std::vector<Waiting> waiting;
  };

  bool WantsGuard() const { return level_ == Level::kEssential && !list_.Empty(); }
  bool WantsLookups() const { return WantsGuard() || (level_ == Level::kNoLateral && !list_.Empty()); }

  // Where the level keeps the controller's way and shuts port 53, and a controller goes by a name.
  bool WantsController() const {
    return (level_ == Level::kEssential || level_ == Level::kControllerOnly) && !parts_.other_names.empty();
  }
  bool WantsResolvers() const { return WantsLookups() || WantsController(); }

  void OpenGuard();
  bool ReadResolvers();
  void OnQuery(const std::string& bytes, bool datagram, GuardServer::Reply reply);
  void Ask(const DnsQuestion& question, NameList::Match match, std::optional<Waiting> waiting);
  void OnAnswer(const DnsQuestion& question, absl::StatusOr<DnsAnswer> answer);
  DnsAnswer Deliver(const DnsQuestion& question, const NameList::Match& match, DnsAnswer answer);
  DnsAnswer WithoutResolver(const DnsQuestion& question, const NameList::Match& match);
  absl::Status OpenAll(const NameList::Match& match, const DnsAnswer& answer);
  absl::Status Told(Change change);
  void LookUp();
  void CloseWhatLapsed();
  static void Send(const Waiting& to, const DnsAnswer& answer);

  const NameServiceParts parts_;
  std::function<absl::Status(Change)> listener_;
  NameList list_;
  Level level_ = Level::kObserve;
  OpenedTable table_;
  AnswerCache cache_;
  WildcardBudget budget_;
  Lookups lookups_;
  std::map<DnsQuestion, UnderWay> under_way_;
  std::vector<Endpoint> resolvers_;
  std::set<address> own_addresses_;
  std::string guard_problem_;
  bool kernel_lags_ = false;                    // the table holds what the kernel does not
  bool resolvers_lag_ = false;                  // and the kernel has the resolvers of before
  std::optional<int64_t> flows_unknown_since_;  // boot nanos
  int64_t looked_for_resolvers_ = 0;
  uint64_t generation_ = 0;  // answers to questions of an earlier list count for nothing
  Upstream upstream_;
  GuardServer server_;
  ClientTurn client_;
};

void NameService::Begin(const v1::IsolationState& state) {
  list_ = NameList(state.action().profile(), parts_.other_names);
  level_ = static_cast<Level>(state.level());
  table_.Retain(list_);
  cache_.Clear();
  under_way_.clear();
  ++generation_;
  const int64_t now = parts_.clock.BootNanos();
  for (const v1::OpenedAddress& opened : state.opened()) {
    boost::system::error_code error;
    const address parsed = boost::asio::ip::make_address(opened.address(), error);
    if (error || list_.SetsOf(opened.name()).empty()) continue;
    if (const auto kept = table_.Open(opened.name(), {parsed}, kRestoredSeconds, now); !kept.ok())
      spdlog::warn("names: {}", Message(kept.status()));
  }
  guard_problem_.clear();
  lookups_.Set(WantsLookups() ? list_.ExactNames() : std::vector<std::string>());
  if (!WantsResolvers()) return;
  own_addresses_ = parts_.own_addresses();
  if (!ReadResolvers() && resolvers_.empty()) {
    for (const std::string& text : state.resolvers()) {
      if (const auto parsed = ParseNetwork(text); parsed.ok())
        resolvers_.push_back({parsed->address, kDnsPort});
    }
  }
  looked_for_resolvers_ = now;
  if (WantsGuard()) OpenGuard();
}

void NameService::OpenGuard() {
  if (client_.Exists()) return client_.Listen();
  uint16_t preferred = 0;
  const auto text = platform::ReadFileBounded(parts_.port_file, kMaxPortFile);
  if (text.ok()) std::from_chars(text->data(), text->data() + text->size(), preferred);
  const absl::StatusOr<uint16_t> port = server_.Open(preferred);
  if (!port.ok()) {
    guard_problem_ = StrCat("programs cannot look up names: ", Message(port.status()));
    return spdlog::error("names: {}", guard_problem_);
  }
  if (*port == preferred) return;
  const absl::Status saved =
      platform::WriteFileDurably(parts_.port_file, StrCat(*port, "\n"), platform::FileAccess::kOwnerOnly);
  if (!saved.ok()) spdlog::warn("names: {}", Message(saved));
}

// True when there are some.
bool NameService::ReadResolvers() {
  absl::StatusOr<std::vector<Endpoint>> read = parts_.resolvers();
  if (!read.ok()) spdlog::debug("names: {}", Message(read.status()));
  if (!read.ok()) return false;
  // A resolver on this host would ask the guard in its turn.
  std::erase_if(*read, [this](const Endpoint& at) { return own_addresses_.contains(at.address); });
  if (read->empty()) return false;
  resolvers_ = *std::move(read);
  return true;
}

void NameService::Settle() {
  if (!WantsGuard()) server_.Close();
  client_.Settle(WantsGuard(), parts_.clock.BootNanos());
  if (!WantsLookups()) return;
  lookups_.AllDue();
  LookUp();
}

void NameService::Record(v1::IsolationState* state) const {
  state->clear_opened();
  state->clear_resolvers();
  for (const OpenedTable::Entry& entry : table_.Entries()) {
    v1::OpenedAddress* const opened = state->add_opened();
    opened->set_name(entry.pattern);
    opened->set_address(entry.address.to_string());
  }
  if (!WantsResolvers()) return;
  for (const Endpoint& resolver : resolvers_) state->add_resolvers(resolver.address.to_string());
}

std::optional<platform::DnsRedirect> NameService::Redirect() const {
  if (!WantsGuard()) return std::nullopt;
  // Without its port the agent still looks the exact names up, for programs that remember an address.
  if (client_.Exists())
    return platform::DnsRedirect{.guard_port = parts_.client->GuardPort(), .resolvers = resolvers_};
  if (server_.Port() == 0) return std::nullopt;
  return platform::DnsRedirect{.guard_port = server_.Port(), .resolvers = resolvers_};
}

std::vector<Endpoint> NameService::OwnResolvers() const {
  return WantsController() && !Redirect().has_value() ? resolvers_ : std::vector<Endpoint>();
}

// Both kinds of address, one answer for the two.
void NameService::LookUpController(const std::string& name, std::function<void(Addresses)> done) {
  const auto refuse = [&](absl::Status why) {
    boost::asio::post(parts_.loop, [done = std::move(done), why = std::move(why)] { done(why); });
  };
  const std::string lower = LowerCase(name);
  if (std::ranges::find(parts_.other_names, lower) == parts_.other_names.end())
    return refuse(absl::NotFoundError(StrCat(Printable(name), " is no controller's name")));
  if (!WantsController())
    return refuse(absl::FailedPreconditionError("the level leaves lookups to the system"));
  if (resolvers_.empty()) {
    return refuse(absl::UnavailableError(StrCat(
        "cannot look ", Printable(name), " up: no DNS server of this host is known; name one in the agent's ",
        "settings (dns.resolvers)")));
  }
  struct Both {
    int left = 2;
    std::vector<address> addresses;
    absl::Status problem;
  };
  const auto both = std::make_shared<Both>();
  for (const RecordType type : {RecordType::kA, RecordType::kAaaa}) {
    upstream_.Ask({.name = lower, .type = type}, resolvers_,
                  [both, done, name](const absl::StatusOr<DnsAnswer>& answer) {
                    if (!answer.ok()) both->problem = answer.status();
                    if (answer.ok())
                      for (const AddressRecord& record : answer->addresses)
                        both->addresses.push_back(record.address);
                    if (--both->left > 0) return;
                    if (!both->addresses.empty()) return done(both->addresses);
                    done(absl::UnavailableError(
                        StrCat("cannot look ", Printable(name),
                               " up: ", both->problem.ok() ? "it has no address" : Message(both->problem))));
                  });
  }
}

// Through the packet filter's redirect, or where the system's client asks.
void NameService::AskGuard(std::function<void(absl::Status)> done) {
  Endpoint at{.address = boost::asio::ip::address_v4::loopback(), .port = kDnsPort};
  if (client_.Exists()) at.port = parts_.client->GuardPort();
  if (client_.Exists() && !client_.Guards().empty()) at.address = client_.Guards().front();
  AskAtGuard(parts_.loop, at, std::move(done));
}

std::vector<std::string> NameService::Notes() const {
  std::vector<std::string> notes = client_.Notes();
  if (!WantsLookups()) return notes;
  if (!guard_problem_.empty()) notes.push_back(guard_problem_);
  if (resolvers_.empty()) {
    notes.emplace_back(
        "no DNS server of this host is known, so the profile's names lead nowhere; name one in the agent's "
        "settings (dns.resolvers)");
  }
  if (level_ == Level::kNoLateral && !list_.Wildcards().empty())
    notes.emplace_back("names with a wildcard are not opened at no-lateral");
  for (std::string& note : lookups_.Notes()) notes.push_back(std::move(note));
  return notes;
}

void NameService::OnQuery(const std::string& bytes, bool datagram, GuardServer::Reply reply) {
  QueryVerdict verdict = JudgeQuery(bytes, list_);
  if (verdict.kind != QueryVerdict::kAsk) return reply(std::move(verdict.reply));
  Waiting waiting{.query = std::move(verdict.query), .datagram = datagram, .reply = std::move(reply)};
  const DnsQuestion question = waiting.query.question;
  const int64_t now = parts_.clock.BootNanos();
  if (std::optional<DnsAnswer> known = cache_.Find(question, now))
    return Send(waiting, Deliver(question, verdict.match, *std::move(known)));
  const bool joins = under_way_.contains(question);
  const bool room =
      joins ? under_way_.at(question).waiting.size() < kMaxWaiting : under_way_.size() < kMaxUnderWay;
  // A question that joins another one sends nothing of its own.
  if (!room || (!joins && !verdict.match.exact && !budget_.Spend(now)))
    return waiting.reply(MakeReply(waiting.query, ResponseCode::kServerFailure));
  Ask(question, std::move(verdict.match), std::move(waiting));
}

void NameService::Ask(const DnsQuestion& question, NameList::Match match, std::optional<Waiting> waiting) {
  const auto [at, is_new] = under_way_.try_emplace(question);
  at->second.match = std::move(match);
  if (waiting.has_value()) {
    at->second.waiting.push_back(*std::move(waiting));
  } else {
    at->second.own_lookup = true;
  }
  if (!is_new) return;
  upstream_.Ask(question, resolvers_,
                [this, question, generation = generation_](absl::StatusOr<DnsAnswer> answer) {
                  if (generation == generation_) OnAnswer(question, std::move(answer));
                });
}

void NameService::OnAnswer(const DnsQuestion& question, absl::StatusOr<DnsAnswer> answer) {
  auto found = under_way_.extract(question);
  if (found.empty()) return;
  const UnderWay asked = std::move(found.mapped());
  const int64_t now = parts_.clock.BootNanos();
  DnsAnswer told;
  if (answer.ok()) {
    told = Deliver(question, asked.match, *std::move(answer));
    cache_.Keep(question, told, now);
    lookups_.Answered(question, told, now);
  } else {
    spdlog::debug("names: {}: {}", question.name, Message(answer.status()));
    lookups_.Failed(question, std::string(Message(answer.status())), now);
    told = WithoutResolver(question, asked.match);
  }
  for (const Waiting& waiting : asked.waiting) Send(waiting, told);
}

// No resolver answers. In an incident it may be one of the first machines to go: what a listed name led to
// stays open and is told for a while.
DnsAnswer NameService::WithoutResolver(const DnsQuestion& question, const NameList::Match& match) {
  DnsAnswer answer{.code = ResponseCode::kServerFailure, .truncated = false, .chain = {}, .addresses = {}};
  if (!match.exact) return answer;
  const bool v4 = question.type == RecordType::kA;
  table_.Extend(question.name, v4 ? OpenedTable::Kind::kV4 : OpenedTable::Kind::kV6, kStaleSeconds,
                parts_.clock.BootNanos());
  for (const address& known : table_.AddressesOf(question.name)) {
    if (known.is_v4() == v4) answer.addresses.push_back({known, kStaleTtlSeconds});
  }
  if (!answer.addresses.empty()) answer.code = ResponseCode::kNoError;
  return answer;
}

// Opens what `answer` holds and may be opened; gives back what may be handed out, which is no more than that.
DnsAnswer NameService::Deliver(const DnsQuestion& question, const NameList::Match& match, DnsAnswer answer) {
  const auto may_open = [&](const AddressRecord& record) {
    return std::ranges::any_of(match.patterns, [&](const std::string& pattern) {
      return MayOpen(record.address, list_.NetworksOf(pattern), own_addresses_);
    });
  };
  const auto dropped =
      std::erase_if(answer.addresses, [&](const AddressRecord& record) { return !may_open(record); });
  if (dropped > 0) {
    spdlog::warn("names: {} leads to {} addresses of this host, of loopback or of no peer; they stay shut",
                 question.name, dropped);
  }
  for (AliasRecord& alias : answer.chain)
    alias.ttl_seconds = std::min(alias.ttl_seconds, OpenedTable::kCeilingSeconds);
  for (AddressRecord& record : answer.addresses)
    record.ttl_seconds = std::min(record.ttl_seconds, OpenedTable::kCeilingSeconds);
  if (const absl::Status opened = OpenAll(match, answer); !opened.ok()) {
    spdlog::error("names: {}: {}", question.name, Message(opened));
    return {.code = ResponseCode::kServerFailure, .truncated = false, .chain = {}, .addresses = {}};
  }
  return answer;
}

// In the kernel before this returns OK.
absl::Status NameService::OpenAll(const NameList::Match& match, const DnsAnswer& answer) {
  if (answer.addresses.empty()) return absl::OkStatus();
  // By the longest-lived record: a client may remember each for as long as that one says.
  uint32_t ttl = 0;
  for (const AddressRecord& record : answer.addresses) ttl = std::max(ttl, record.ttl_seconds);
  bool changed = kernel_lags_;
  for (const std::string& pattern : match.patterns) {
    if (list_.SetsOf(pattern).empty()) continue;
    std::vector<address> addresses;
    for (const AddressRecord& record : answer.addresses) {
      if (MayOpen(record.address, list_.NetworksOf(pattern), own_addresses_))
        addresses.push_back(record.address);
    }
    const absl::StatusOr<bool> opened = table_.Open(pattern, addresses, ttl, parts_.clock.BootNanos());
    if (!opened.ok()) {
      kernel_lags_ = changed;  // by what an earlier pattern has opened
      return opened.status();
    }
    changed = changed || *opened;
  }
  return changed ? Told(Change::kAddresses) : absl::OkStatus();
}

absl::Status NameService::Told(Change change) {
  // Resolvers that the kernel has not taken go before: their rules bring the addresses along, not so the
  // other way round.
  if (resolvers_lag_) change = Change::kResolvers;
  const absl::Status told = listener_ ? listener_(change) : absl::OkStatus();
  kernel_lags_ = !told.ok();
  resolvers_lag_ = !told.ok() && change == Change::kResolvers;
  return told;
}

void NameService::Send(const Waiting& to, const DnsAnswer& answer) {
  to.reply(MakeReply(to.query, answer, to.datagram ? DatagramLimit(to.query) : kMaxDnsBytes));
}

void NameService::LookUp() {
  for (const DnsQuestion& question : lookups_.Take(parts_.clock.BootNanos()))
    Ask(question, list_.Find(question.name), std::nullopt);
}

void NameService::CloseWhatLapsed() {
  const int64_t now = parts_.clock.BootNanos();
  if (!table_.AnythingDue(now)) {
    flows_unknown_since_.reset();
    return;
  }
  std::set<address> in_use;
  if (const auto connections = parts_.connections.List(); connections.ok()) {
    flows_unknown_since_.reset();
    for (const platform::Connection& connection : *connections) in_use.insert(connection.remote.address);
  } else {
    if (!flows_unknown_since_.has_value()) {
      spdlog::warn("names: flows that live are not known, so for {} s no address of a name is closed: {}",
                   kStaleSeconds, Message(connections.status()));
      flows_unknown_since_ = now;
    }
    // A moment without an answer must not cut the practice system; one without end must not keep all open.
    if (now - *flows_unknown_since_ < kStaleSeconds * kNanosPerSecond) return;
  }
  if (table_.Close(in_use, now)) kernel_lags_ = true;
}

void NameService::Tick() {
  const int64_t now = parts_.clock.BootNanos();
  client_.Tick(WantsGuard(), now);
  if (!WantsResolvers()) return;
  if (now - looked_for_resolvers_ >= kLookForResolversEvery) {
    looked_for_resolvers_ = now;
    own_addresses_ = parts_.own_addresses();
    const std::vector<Endpoint> before = resolvers_;
    if (ReadResolvers() && resolvers_ != before) {
      spdlog::info("names: this host has other DNS servers now");
      if (const absl::Status told = Told(Change::kResolvers); !told.ok())
        spdlog::error("names: the new DNS servers are not reached: {}", Message(told));
      lookups_.AllDue();
    }
  }
  if (WantsLookups()) CloseWhatLapsed();
  if (kernel_lags_) {
    if (const absl::Status told = Told(Change::kAddresses); !told.ok())
      spdlog::error("names: {}", Message(told));
  }
  if (WantsLookups()) LookUp();
}

}  // namespace

std::unique_ptr<Names> MakeNameService(NameServiceParts parts) {
  for (std::string& name : parts.other_names) name = LowerCase(std::move(name));
  return std::make_unique<NameService>(std::move(parts));
}

}  // namespace cordon::agent
