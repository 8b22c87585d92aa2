#include "agent/integrity/file_facts.h"

#include <algorithm>
#include <utility>

#include "agent/event/file_state.h"
#include "agent/event/secret_mask.h"
#include "common/base/strings.h"
#include "common/base/text.h"

namespace cordon::agent {
namespace {

using platform::RawFileEvent;

v1::FileChanged::Change ChangeOf(RawFileEvent::Kind kind) {
  switch (kind) {
    case RawFileEvent::kCreated:
      return v1::FileChanged::CHANGE_CREATED;
    case RawFileEvent::kDeleted:
      return v1::FileChanged::CHANGE_DELETED;
    case RawFileEvent::kRenamed:
      return v1::FileChanged::CHANGE_RENAMED;
    case RawFileEvent::kAttributes:
      return v1::FileChanged::CHANGE_ATTRIBUTES;
    case RawFileEvent::kRead:
      return v1::FileChanged::CHANGE_READ;
    case RawFileEvent::kModified:
    case RawFileEvent::kClosedWrite:
    case RawFileEvent::kOverflow:
      break;
  }
  return v1::FileChanged::CHANGE_MODIFIED;
}

// Which of a process's deeds swallow a lesser one of the same process: creating a file includes writing it
// and setting its mode; writing or deleting changes its times and link count.
bool Swallows(RawFileEvent::Kind greater, RawFileEvent::Kind lesser) {
  if (lesser == RawFileEvent::kModified) return greater == RawFileEvent::kCreated;
  if (lesser != RawFileEvent::kAttributes) return false;
  return greater == RawFileEvent::kCreated || greater == RawFileEvent::kModified ||
         greater == RawFileEvent::kDeleted || greater == RawFileEvent::kRenamed;
}

std::vector<FileDeed> FoldLesser(std::vector<FileDeed> deeds) {
  std::vector<FileDeed> kept;
  for (const FileDeed& deed : deeds) {
    const auto swallows = [&](const FileDeed& other) {
      return other.pid == deed.pid && Swallows(other.kind, deed.kind);
    };
    const auto greater = std::ranges::find_if(deeds, swallows);
    if (greater == deeds.end()) kept.push_back(deed);
  }
  for (FileDeed& deed : kept) {
    for (const FileDeed& other : deeds) {
      if (other.pid == deed.pid && Swallows(deed.kind, other.kind)) deed.raw_events += other.raw_events;
    }
  }
  return kept;
}

// Deletions come last when the file is gone, and before its new creation when it is there.
void Order(std::vector<FileDeed>& deeds, bool exists) {
  std::ranges::stable_sort(deeds, {}, [&](const FileDeed& deed) {
    if (deed.kind == RawFileEvent::kDeleted) return exists ? 0 : 2;
    return 1;
  });
}

const char* WhyUnknown(const SettledPath& settled, const FileDeed& deed) {
  if (deed.while_away) return "it happened while the agent did not run";
  if (settled.registry != nullptr) return "Windows does not tell who changes the registry";
  return "the kernel did not tell (other pid namespace, no trace of it, found in a new folder, or by the "
         "walk after lost events)";
}

// A command line is the rule; its parts are told apart as far as masking needs it.
std::string Masked(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c == ' ') {
      words.emplace_back();
    } else {
      words.back().push_back(c);
    }
  }
  MaskSecrets(&words);
  std::string masked;
  for (const std::string& word : words) StrAppend(&masked, &word == &words.front() ? "" : " ", word);
  return masked;
}

}  // namespace

FoundFile FoundInRegistry(const platform::RegistryState& registry) {
  FoundFile found;
  found.exists = registry.exists;
  if (!registry.exists) return found;
  found.state.set_type(registry.is_key ? v1::FileState::TYPE_DIRECTORY : v1::FileState::TYPE_REGISTRY_VALUE);
  found.state.set_size(registry.size);
  found.state.set_sha256(registry.sha256);
  found.state.set_link_target(EscapeToUtf8(Masked(registry.text)));
  return found;
}

std::vector<FileFact> TellFacts(const SettledPath& settled, const FoundFile& found) {
  std::vector<FileDeed> deeds = FoldLesser(settled.deeds);
  Order(deeds, found.exists);
  std::vector<FileFact> facts;
  for (const FileDeed& deed : deeds) {
    FileFact fact{.change = {},
                  .boottime_nanos = deed.boottime_nanos,
                  .content = found.content,
                  .parent_guid = {},
                  .moved_in = deed.moved_in};
    fact.change.set_change(ChangeOf(deed.kind));
    fact.change.set_path(EventPath(settled.path));
    if (deed.kind == RawFileEvent::kRenamed) fact.change.set_old_path(EventPath(deed.old_path));
    fact.change.set_pid(deed.pid);
    if (deed.pid == 0) fact.change.set_process_unknown_reason(WhyUnknown(settled, deed));
    if (deed.raw_events > 1) fact.change.set_repeats(deed.raw_events);
    if (deed.kind != RawFileEvent::kDeleted) {
      if (found.exists) *fact.change.mutable_state() = found.state;
      fact.change.set_hash_skipped_reason(EscapeToUtf8(found.hash_skipped));
    }
    facts.push_back(std::move(fact));
  }
  return facts;
}

}  // namespace cordon::agent
