#include "platform/windows/packet_filter/wfp_filter.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/status.h"
#include "common/crypto/digest.h"
#include "platform/windows/packet_filter/arbitration.h"
#include "platform/windows/packet_filter/permits.h"

namespace cordon::platform::wfp {
namespace {

constexpr uint16_t kTopWeight = 0xffff;

// What stands in Cordon's sub-layer against what should.
struct Difference {
  std::vector<FilterKey> surplus;
  std::vector<Filter> missing;
  bool sublayer_too = false;  // made anew as well
};

// A filter counts by its key and by what it does: whoever replaced one under its key is found. One that the
// engine has disabled is surplus, and missing (ISO-5).
Difference Compare(const std::vector<HeldFilter>& held, const std::vector<Filter>& intended) {
  std::map<FilterKey, std::string> ours;
  Difference difference;
  for (const HeldFilter& each : held) {
    if (!each.of_cordon) continue;
    if (each.disabled) {
      difference.surplus.push_back(each.key);
    } else {
      ours.emplace(each.key, Describe(each.filter));
    }
  }
  for (const Filter& filter : intended) {
    const auto found = ours.find(KeyOf(filter));
    if (found != ours.end() && found->second == Describe(filter)) {
      ours.erase(found);
    } else {
      difference.missing.push_back(filter);
    }
  }
  for (const auto& [key, text] : ours) difference.surplus.push_back(key);
  return difference;
}

// A sub-layer, or provider, that is not as Cordon makes it cannot be changed while filters stand in it.
Difference AllAnew(const std::vector<HeldFilter>& held, const std::vector<Filter>& intended) {
  Difference difference{.surplus = {}, .missing = intended, .sublayer_too = true};
  for (const HeldFilter& each : held)
    if (each.of_cordon) difference.surplus.push_back(each.key);
  return difference;
}

bool JudgesForCordon(const HeldFilter& held) {
  return held.of_cordon && !held.disabled;
}

// Foreign filters above or beside Cordon's sub-layer that could let through what Cordon blocks.
std::vector<std::string> FindOverrides(const std::vector<HeldFilter>& held) {
  std::vector<std::string> found;
  for (const HeldFilter& each : held) {
    if (each.of_cordon || each.sublayer_weight < kTopWeight || each.filter.action != Action::kHardPermit)
      continue;
    found.push_back(
        StrCat("filter \"", each.filter.name, "\" of ", each.provider.empty() ? "nobody" : each.provider,
               " stands beside Cordon's and no block counts against it: ", Describe(each.filter)));
  }
  return found;
}

bool MayBeByName(const Filter& filter) {
  return filter.weight == kWeightProfile && filter.action == Action::kPermit;
}

// Whether what differs are permits of rules by name; `others` are the filters of the policy without those
// rules.
bool ConcernsNamesAlone(const Difference& difference, const std::vector<HeldFilter>& held,
                        const std::vector<Filter>& others) {
  for (const Filter& missing : difference.missing)
    if (!MayBeByName(missing) || std::ranges::find(others, missing) != others.end()) return false;
  return std::ranges::none_of(held, [&](const HeldFilter& each) {
    return std::ranges::find(difference.surplus, each.key) != difference.surplus.end() &&
           !MayBeByName(each.filter);
  });
}

std::string TextOf(const std::vector<Filter>& filters) {
  std::vector<std::string> lines;
  lines.reserve(filters.size());
  for (const Filter& filter : filters) lines.push_back(StrCat(Describe(filter), "\n"));
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

class WfpFilter final : public PacketFilter {
 public:
  WfpFilter(OpenEngine open, AgentNames agent) : open_(std::move(open)), agent_(std::move(agent)) {}

  absl::Status Apply(const FilterPolicy& policy) override {
    return WithEngine([&]() -> absl::Status {
      CORDON_ASSIGN_OR_RETURN(const std::vector<Filter> intended, Intended(policy));
      CORDON_ASSIGN_OR_RETURN(const std::vector<HeldFilter> held, engine_->ListFilters());
      CORDON_ASSIGN_OR_RETURN(const bool has_sublayer, engine_->HasSublayer());
      const bool keeps_sublayer = policy.level != Level::kObserve;
      return ChangeInOneStep(
          keeps_sublayer && !has_sublayer ? AllAnew(held, intended) : Compare(held, intended),
          keeps_sublayer);
    });
  }

  absl::Status Tidy() override { return absl::OkStatus(); }  // nothing is left standing: commits are whole

  absl::Status UpdateNames(const FilterPolicy& policy) override {
    return WithEngine([&]() -> absl::Status {
      FilterPolicy without_names = policy;
      std::erase_if(without_names.allow, [](const FilterRule& rule) { return rule.name_set.has_value(); });
      CORDON_ASSIGN_OR_RETURN(const std::vector<Filter> intended, Intended(policy));
      CORDON_ASSIGN_OR_RETURN(const std::vector<Filter> others, Intended(without_names));
      CORDON_ASSIGN_OR_RETURN(const std::vector<HeldFilter> held, engine_->ListFilters());
      CORDON_ASSIGN_OR_RETURN(const bool has_sublayer, engine_->HasSublayer());
      const Difference difference = Compare(held, intended);
      if (!has_sublayer || !ConcernsNamesAlone(difference, held, others))
        return absl::FailedPreconditionError("WFP holds other rules than this policy's");
      return ChangeInOneStep(difference, true);
    });
  }

  absl::StatusOr<FilterReadback> ReadBack(const FilterPolicy& policy) override {
    FilterReadback readback;
    CORDON_RETURN_IF_ERROR(WithEngine([&]() -> absl::Status {
      CORDON_ASSIGN_OR_RETURN(const std::vector<Filter> intended, Intended(policy));
      CORDON_ASSIGN_OR_RETURN(const std::vector<HeldFilter> held, engine_->ListFilters());
      CORDON_ASSIGN_OR_RETURN(const bool has_sublayer, engine_->HasSublayer());
      const Difference difference = Compare(held, intended);
      readback.absent = std::ranges::none_of(held, JudgesForCordon);
      if (policy.level != Level::kObserve) {
        if (!has_sublayer)
          readback.differences.emplace_back(
              "WFP: Cordon's sub-layer or provider is missing, or is not as Cordon makes it");
        std::ranges::move(FindOverrides(held), std::back_inserter(readback.differences));
        readback.notes = Notes(policy);
      }
      for (const Filter& filter : difference.missing)
        readback.differences.push_back(StrCat("WFP: missing: ", wfp::Describe(filter)));
      for (const HeldFilter& each : held)
        if (each.of_cordon && std::ranges::find(difference.surplus, each.key) != difference.surplus.end())
          readback.differences.push_back(StrCat(
              each.disabled ? "WFP: disabled: " : "WFP: not of this policy: ", wfp::Describe(each.filter)));
      readback.matches = readback.differences.empty();
      readback.ruleset_sha256 = Sha256(TextOf(intended));
      return absl::OkStatus();
    }));
    return readback;
  }

  absl::StatusOr<std::string> Describe(const FilterPolicy& policy) override {
    std::string text;
    CORDON_RETURN_IF_ERROR(WithEngine([&]() -> absl::Status {
      CORDON_ASSIGN_OR_RETURN(const std::vector<Filter> intended, Intended(policy));
      text = TextOf(intended);
      return absl::OkStatus();
    }));
    return text;
  }

 private:
  absl::Status WithEngine(const std::function<absl::Status()>& use) {
    if (engine_ == nullptr) {
      CORDON_ASSIGN_OR_RETURN(engine_, open_());
    }
    absl::Status status = use();
    if (!status.ok()) engine_.reset();  // its session may be dead
    return status;
  }

  absl::StatusOr<std::vector<Filter>> Intended(const FilterPolicy& policy) {
    if (policy.level == Level::kObserve) return std::vector<Filter>();
    Identities who{.agent_program = "", .agent_service = agent_.service_sid, .programs = {}};
    CORDON_ASSIGN_OR_RETURN(who.agent_program, engine_->ProgramOf(agent_.executable));
    for (const ProgramIdentity& program : policy.programs)
      who.programs.push_back(ProgramOrNone(program.path));
    return MakeFilterList(policy, who);
  }

  // A profile's program that cannot be named has its rules shut; the rest of the level must not wait for it.
  std::string ProgramOrNone(const std::string& path) {
    const absl::StatusOr<std::string> found = engine_->ProgramOf(path);
    std::string& told = told_[path];  // this is asked every few seconds
    const std::string problem =
        found.ok() || absl::IsNotFound(found.status()) ? "" : std::string(Message(found.status()));
    if (problem != told && !problem.empty()) spdlog::warn("{}", OpensNothing(path, problem));
    told = problem;
    return found.ok() ? *found : "";
  }

  static std::string OpensNothing(const std::string& path, const std::string& problem) {
    return StrCat("WFP: the profile's rules for ", path, " open nothing: ", problem);
  }

  // After Intended of the same policy.
  std::vector<std::string> Notes(const FilterPolicy& policy) const {
    std::vector<std::string> notes;
    if (!agent_.note.empty()) notes.push_back(agent_.note);
    for (const ProgramIdentity& program : policy.programs) {
      const auto told = told_.find(program.path);
      if (told != told_.end() && !told->second.empty())
        notes.push_back(OpensNothing(program.path, told->second));
    }
    return notes;
  }

  // ISO-1: everything between Begin and Commit, or nothing.
  absl::Status ChangeInOneStep(const Difference& difference, bool keep_sublayer) {
    CORDON_RETURN_IF_ERROR(Annotate(engine_->Begin(), "WFP: begin"));
    absl::Status changed = Change(difference, keep_sublayer);
    if (changed.ok()) changed = Annotate(engine_->Commit(), "WFP: commit");
    if (changed.ok()) return changed;
    const absl::Status aborted = engine_->Abort();
    if (aborted.ok()) return changed;
    // The session is closed right after this, which ends its transaction too.
    return Annotate(changed, StrCat("nothing was changed, and the transaction did not end by itself (",
                                    Message(aborted), ")"));
  }

  absl::Status Change(const Difference& difference, bool keep_sublayer) {
    for (const FilterKey& key : difference.surplus)
      CORDON_RETURN_IF_ERROR(Annotate(engine_->DeleteFilter(key), "WFP: delete a filter"));
    if (!keep_sublayer || difference.sublayer_too) {
      // Where somebody's filter keeps it, Cordon's own are gone all the same, and ReadBack tells what is
      // wrong with it.
      const absl::Status deleted = engine_->DeleteSublayer();
      if (!absl::IsFailedPrecondition(deleted))
        CORDON_RETURN_IF_ERROR(Annotate(deleted, "WFP: Cordon's sub-layer"));
    }
    if (keep_sublayer) CORDON_RETURN_IF_ERROR(Annotate(engine_->AddSublayer(), "WFP: Cordon's sub-layer"));
    for (const Filter& filter : difference.missing)
      CORDON_RETURN_IF_ERROR(Annotate(AddUnderItsKey(filter), StrCat("WFP: add ", wfp::Describe(filter))));
    return absl::OkStatus();
  }

  // Such keys are Cordon's alone: somebody's filter under one, in a sub-layer or layer of theirs, gives way.
  absl::Status AddUnderItsKey(const Filter& filter) {
    const FilterKey key = KeyOf(filter);
    const absl::Status added = engine_->AddFilter(filter, key);
    if (!absl::IsAlreadyExists(added)) return added;
    CORDON_RETURN_IF_ERROR(Annotate(engine_->DeleteFilter(key), "delete somebody's filter of the same key"));
    return engine_->AddFilter(filter, key);
  }

  OpenEngine open_;
  AgentNames agent_;
  std::map<std::string, std::string> told_;  // by path: what of a program was logged last
  std::unique_ptr<FilterEngine> engine_;
};

}  // namespace

std::unique_ptr<PacketFilter> MakeWfpFilter(OpenEngine open, AgentNames agent) {
  return std::make_unique<WfpFilter>(std::move(open), std::move(agent));
}

std::string SidOfAgent(const std::string& service_sid, bool token_has_it, bool runs_as_system) {
  return !token_has_it && runs_as_system ? kSystemSid : service_sid;
}

std::vector<std::string> FindObstructingFilters(const std::vector<HeldFilter>& held,
                                                const std::vector<Endpoint>& controllers,
                                                const std::string& agent_program,
                                                const std::string& agent_service) {
  std::vector<std::string> found;
  for (const Endpoint& controller : controllers) {
    const Packet packet{
        .way = FlowDirection::kOut,
        .opened = FlowDirection::kOut,
        .protocol = 6,
        .local = {.address = controller.address, .port = 0},  // no filter of the model asks for it
        .remote = controller,
        .loopback = false,
        .forwarded = false,
        .program = agent_program,
        .service = agent_service};
    const std::vector<Layer> layers = LayersOf(packet);
    // Cordon's hard permit, while it stands, holds against whatever is below it.
    const auto permitted = [&](Layer layer) {
      return std::ranges::any_of(held, [&](const HeldFilter& own) {
        return JudgesForCordon(own) && own.filter.action == Action::kHardPermit &&
               own.filter.layer == layer && Matches(own.filter, packet);
      });
    };
    for (const HeldFilter& each : held) {
      if (each.of_cordon || each.filter.action != Action::kBlock ||
          std::ranges::find(layers, each.filter.layer) == layers.end() || !Matches(each.filter, packet))
        continue;
      if (each.sublayer_weight < kTopWeight && permitted(each.filter.layer)) continue;
      found.push_back(StrCat("WFP filter \"", each.filter.name, "\" of ",
                             each.provider.empty() ? "no provider" : each.provider, " in sub-layer \"",
                             each.sublayer, "\" blocks ", FormatEndpoint(controller), " for the agent"));
    }
  }
  return found;
}

}  // namespace cordon::platform::wfp
