#include "agent/link/link_impl.h"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "agent/link/channel.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "common/base/uuid.h"

namespace cordon::agent {
namespace {

constexpr const char* kAddressFile = "addresses";

}  // namespace

Link::Impl::Impl(Parts parts, HostState state, LinkSettings settings)
    : parts_(std::move(parts)),
      settings_(std::move(settings)),
      session_id_(NewUuid()),
      state_(std::move(state)),
      book_(parts_.state_dir / kAddressFile, state_.controllers),
      resolver_(parts_.loop, settings_.lookup),
      renewer_(
          parts_.loop, parts_.clock, parts_.state_dir, settings_.renewal_check, state_,
          [this] { return current_ && current_->Welcomed() ? &current_->Stub() : nullptr; },
          [this] { OnRenewed(); }),
      uplink_(parts_.loop, parts_.telemetry, settings_.backoff),
      timer_(parts_.loop) {
  status_.certificate_not_after_unix_nanos = state_.credentials.not_after_unix_nanos;
}

void Link::Impl::Start() {
  if (stopped_) return;
  started_ = true;
  PublishEndpoints();
  parts_.handler.OnControllersReached(book_.Reached());
  renewer_.Start();
  StartRound();
}

void Link::Impl::StartRound() {
  LookNamesUp();
  candidates_ = book_.Candidates();
  next_candidate_ = 0;
  DialNext();
}

void Link::Impl::DialNext() {
  if (stopped_ || current_) return;
  if (candidates_.empty() && !waiting_for_names_) {
    waiting_for_names_ = true;
    SetError(state_.controllers.front().host, absl::UnavailableError("its address is not known yet"));
  }
  if (next_candidate_ >= candidates_.size()) {
    WaitBeforeNextRound();
    return;
  }
  current_ = Dial(candidates_[next_candidate_++]);
  if (!current_) WaitBeforeNextRound();
}

void Link::Impl::WaitBeforeNextRound() {
  timer_.expires_after(BackoffDelay(settings_.backoff, failed_rounds_++));
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->stopped_ && !self->current_) self->StartRound();
  });
}

void Link::Impl::LookNamesUp() {
  for (const std::string& name : book_.Names()) {
    resolver_.Resolve(name, [this, name](auto addresses) {
      if (stopped_) return;
      if (addresses.ok() || !settings_.own_lookup) return Learn(name, addresses);
      settings_.own_lookup(name, [self = shared_from_this(), name, by_system = addresses.status()](auto own) {
        if (self->stopped_) return;
        if (absl::IsFailedPrecondition(own.status())) own = by_system;  // there was no reason to ask
        self->Learn(name, own);
      });
    });
  }
}

void Link::Impl::Learn(const std::string& name,
                       const absl::StatusOr<std::vector<boost::asio::ip::address>>& addresses) {
  if (!addresses.ok()) {
    spdlog::warn("link: {}", Message(addresses.status()));
    return;
  }
  if (book_.Learn(name, *addresses)) {
    SaveBook();
    PublishEndpoints();
  }
  if (std::exchange(waiting_for_names_, false) && !current_) {
    timer_.cancel();
    StartRound();
  }
}

void Link::Impl::SaveBook() {
  if (const absl::Status saved = book_.Save(); !saved.ok()) spdlog::warn("link: {}", Message(saved));
}

void Link::Impl::PublishEndpoints() {
  std::vector<Endpoint> endpoints = book_.Endpoints();
  if (endpoints == published_) return;
  published_ = std::move(endpoints);
  parts_.handler.OnControllerEndpoints(published_);
}

std::shared_ptr<Session> Link::Impl::Dial(const Candidate& candidate) {
  const auto channel =
      OpenChannel({.endpoint = candidate.endpoint,
                   .tls_name = candidate.tls_name,
                   .tls = {state_.ca_pem, state_.credentials.certificate_pem, state_.credentials.key_pem},
                   .connect_timeout = settings_.connect_timeout,
                   .keepalive_interval = settings_.keepalive_interval,
                   .keepalive_timeout = settings_.keepalive_timeout});
  if (!channel.ok()) {
    SetError(candidate.Text(), channel.status());
    return nullptr;
  }
  auto session = std::make_shared<Session>(parts_.loop, settings_, candidate, *channel, *this);
  session->Start(MakeHello());
  return session;
}

v1::Hello Link::Impl::MakeHello() {
  v1::Hello hello = parts_.handler.MakeHello();
  v1::HostFacts facts = parts_.facts;
  if (hello.facts().addresses_size() > 0) *facts.mutable_addresses() = hello.facts().addresses();
  *hello.mutable_facts() = std::move(facts);
  hello.set_boot_id(parts_.boot_id);
  hello.set_session_id(session_id_);
  return hello;
}

void Link::Impl::OnWelcome(Session& session, const v1::Welcome& /*welcome*/) {
  if (&session == successor_.get()) {
    const std::shared_ptr<Session> old = std::exchange(current_, std::move(successor_));
    successor_ = nullptr;
    if (old) {
      ending_.push_back(old);
      old->Close(absl::OkStatus());
    }
  }
  if (book_.Prefer(session.Where())) {
    SaveBook();
    parts_.handler.OnControllersReached(book_.Reached());
  }
  {
    const std::lock_guard lock(mutex_);
    if (!status_.connected) status_.since_unix_nanos = parts_.clock.WallNanos();
    status_.connected = true;
    status_.controller = session.Where().Text();
    status_.endpoint = session.Where().endpoint;
    status_.certificate_not_after_unix_nanos = state_.credentials.not_after_unix_nanos;
  }
  spdlog::info("link: connected to {}", session.Where().Text());
  uplink_.Use(current_);
  for (const auto& probe : probes_) {
    if (!probe->delivery) probe->beat = session.Beat();
  }
  DeliverAgain();
}

void Link::Impl::OnHeartbeatAnswered(Session& session) {
  if (&session != current_.get()) return;
  failed_rounds_ = 0;  // not before: a controller that welcomes and drops must not be dialled in a tight loop
  {
    const std::lock_guard lock(mutex_);
    last_answer_unix_nanos_ = parts_.clock.WallNanos();
  }
  const auto waiting = probes_;
  for (const auto& probe : waiting) {
    if (probe->beat != 0 && probe->beat <= session.LastAnswered()) FinishProbe(probe, true);
  }
}

void Link::Impl::OnMessage(Session& session, const v1::ControlResponse& message) {
  if (&session != current_.get() || stopped_) return;
  if (message.has_order()) parts_.handler.OnOrder(message.order(), message.audit());
  if (message.has_health_poll()) parts_.handler.OnHealthPoll(message.health_poll());
  if (message.has_inbound_probe_sent()) parts_.handler.OnInboundProbeSent(message.inbound_probe_sent());
  if (message.has_rehearsal()) parts_.handler.OnRehearsal(message.rehearsal());
}

std::optional<v1::ControlRequest> Link::Impl::NextMessage(Session& session) {
  if (&session != current_.get()) return std::nullopt;
  std::optional<v1::ControlRequest> next;
  {
    const std::lock_guard lock(mutex_);
    next = outbox_.Take();
  }
  if (!next) BeatAfterDelivery();
  return next;
}

// All that waited has been written. The controller answers a beat only when it has dealt with what came
// before it, so the answer says that it has kept the outcome.
void Link::Impl::BeatAfterDelivery() {
  for (const auto& probe : probes_) {
    if (!probe->delivery || probe->beat != 0) continue;
    boost::asio::post(parts_.loop, [self = shared_from_this(), probe] {
      if (self->current_ && self->current_->Welcomed() && probe->beat == 0)
        probe->beat = self->current_->Beat();
    });
  }
}

void Link::Impl::OnEnded(Session& session, const absl::Status& why) {
  if (&session == current_.get()) {
    OnCurrentEnded(why);
  } else if (&session == successor_.get()) {
    spdlog::warn("link: the connection with the renewed certificate failed ({}); the old one stays in use",
                 Printable(Message(why)));
    successor_ = nullptr;
  } else {
    std::erase_if(ending_, [&](const auto& ending) { return ending.get() == &session; });
  }
  if (stopped_) FinishStopping();
}

void Link::Impl::OnCurrentEnded(const absl::Status& why) {
  const std::shared_ptr<Session> ended = std::exchange(current_, nullptr);
  uplink_.Use(nullptr);
  SetError(ended->Where().Text(), why);
  const auto waiting = probes_;
  for (const auto& probe : waiting) {
    probe->beat = 0;
    if (probe->delivery) FinishProbe(probe, false);
  }
  if (stopped_) return;
  if (ended->Welcomed()) {
    WaitBeforeNextRound();
  } else {
    DialNext();
  }
}

// On the connection that has taken over: what was on its way on the old one may be lost, and this one counts
// its beats anew.
void Link::Impl::DeliverAgain() {
  for (const auto& probe : probes_) {
    if (!probe->delivery) continue;
    probe->beat = 0;
    Send(*probe->delivery);
  }
}

void Link::Impl::SetError(const std::string& controller, const absl::Status& why) {
  const std::string text = Printable(Message(why));
  const std::lock_guard lock(mutex_);
  outbox_.ForgetAnswers();
  if (!stopped_ && (status_.connected || status_.last_error != text))
    spdlog::warn("link: {}: {}", controller, text);
  if (status_.connected) status_.since_unix_nanos = parts_.clock.WallNanos();
  status_.connected = false;
  status_.endpoint.reset();
  status_.controller = controller;
  status_.last_error = text;
}

void Link::Impl::OnRenewed() {
  {
    const std::lock_guard lock(mutex_);
    status_.certificate_not_after_unix_nanos = state_.credentials.not_after_unix_nanos;
  }
  parts_.handler.OnCertificateRenewed(state_.credentials.not_after_unix_nanos);
  if (current_ && !successor_) successor_ = Dial(current_->Where());
}

void Link::Impl::Probe(std::chrono::nanoseconds deadline, std::function<void(bool)> done) {
  if (stopped_ || !started_) {
    done(false);
    return;
  }
  const auto probe = AddProbe(deadline, std::move(done));
  if (current_ && current_->Welcomed()) probe->beat = current_->Beat();
}

void Link::Impl::Deliver(v1::OrderOutcome outcome, std::chrono::nanoseconds deadline,
                         std::function<void(bool)> done) {
  if (stopped_ || !current_ || !current_->Welcomed()) {
    done(false);
    return;
  }
  AddProbe(deadline, std::move(done))->delivery = outcome;
  Send(std::move(outcome));
}

std::shared_ptr<Link::Impl::PendingProbe> Link::Impl::AddProbe(std::chrono::nanoseconds deadline,
                                                               std::function<void(bool)> done) {
  auto probe = std::make_shared<PendingProbe>(parts_.loop);
  probe->done = std::move(done);
  probe->timer.expires_after(deadline);
  probe->timer.async_wait([self = shared_from_this(), probe](const boost::system::error_code& error) {
    if (!error) self->FinishProbe(probe, false);
  });
  probes_.push_back(probe);
  return probe;
}

void Link::Impl::FinishProbe(const std::shared_ptr<PendingProbe>& probe, bool answered) {
  if (std::erase(probes_, probe) == 0) return;
  probe->timer.cancel();
  probe->done(answered);
}

void Link::Impl::Redial(const std::string& why) {
  if (stopped_ || !started_) return;
  failed_rounds_ = 0;
  if (current_) {
    current_->Close(absl::UnavailableError(why));
  } else {
    timer_.cancel();
    StartRound();
  }
}

void Link::Impl::UseAuthorities(std::string ca_pem) {
  if (ca_pem == state_.ca_pem) return;
  state_.ca_pem = std::move(ca_pem);
  if (successor_) successor_->Close(absl::CancelledError("the trust anchors changed"));
  Redial("the trust bundle names other certificate authorities");
}

void Link::Impl::PostPump() {
  boost::asio::post(parts_.loop, [self = shared_from_this()] {
    {
      const std::lock_guard lock(self->mutex_);
      self->pump_posted_ = false;
    }
    if (self->current_) self->current_->Pump();
  });
}

void Link::Impl::Stop(std::function<void()> stopped) {
  stopped_ = std::move(stopped);
  timer_.cancel();
  const auto waiting = probes_;
  for (const auto& probe : waiting) FinishProbe(probe, false);
  const absl::Status why = absl::CancelledError("the agent is stopping");
  if (current_) current_->Close(why);
  if (successor_) successor_->Close(why);
  parts_still_running_ = 2;
  const auto one_less = [self = shared_from_this()] {
    --self->parts_still_running_;
    self->FinishStopping();
  };
  uplink_.Stop(one_less);
  renewer_.Stop(one_less);
}

void Link::Impl::FinishStopping() {
  if (current_ || successor_ || !ending_.empty() || parts_still_running_ > 0) return;
  boost::asio::post(parts_.loop, std::exchange(stopped_, [] {}));
}

LinkStatus Link::Impl::Status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

PartState Link::Impl::State() const {
  const std::lock_guard lock(mutex_);
  PartState state;
  state.serving = status_.connected && last_answer_unix_nanos_ != 0;
  if (!status_.connected)
    state.detail = StrCat("not connected to ", status_.controller, ": ", status_.last_error);
  if (parts_.clock.WallNanos() > status_.certificate_not_after_unix_nanos) {
    state.serving = false;
    state.detail =
        StrCat("the host's certificate expired at ", FormatTime(status_.certificate_not_after_unix_nanos),
               "; enrol the host again with --replace");
  }
  state.last_proof_unix_nanos = last_answer_unix_nanos_;
  return state;
}

}  // namespace cordon::agent
