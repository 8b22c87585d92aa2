#include "platform/windows/registry/registry_part.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/strings.h"
#include "platform/api/file_names.h"
#include "platform/windows/registry/registry_path.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

// A look is made when the system says that something changed, and takes at most a five-hundredth of the time:
// below Services something changes all the time.
constexpr int64_t kShare = 500;
constexpr int64_t kLeastPause = 200 * kNanosPerMilli;
// Where nothing says that something changed. Keys of users are never held open: a hive that somebody has keys
// of open is not unloaded when its user logs off.
constexpr int64_t kAnywayEvery = 5 * kNanosPerSecond;
constexpr size_t kMostHivesKept = 256;

RawFileEvent EventOf(const RegistryChange& change, int64_t now, bool while_away) {
  auto state = std::make_shared<RegistryState>();
  state->exists = change.kind != RawFileEvent::kDeleted;
  state->is_key = change.entry.is_key;
  state->size = change.entry.size;
  state->sha256 = change.entry.sha256;
  state->text = change.entry.text;
  RawFileEvent event{.kind = change.kind,
                     .is_directory = change.entry.is_key,
                     .path = PathOfBytes(change.path),
                     .boottime_nanos = now,
                     .while_away = while_away};
  event.registry = std::move(state);
  return event;
}

}  // namespace

RegistryPart::RegistryPart(RegistryWatch watch)
    : watch_(std::move(watch)), event_(CreateEventW(nullptr, TRUE, FALSE, nullptr)) {}

void RegistryPart::Look(const Clock& clock, const RegistryMemory& before, std::vector<RawFileEvent>* events) {
  const int64_t began = clock.BootNanos();
  cut_ = false;
  due_ = watch_.of_users || !Arm();  // before: what changes while this looks is looked at again
  if (watch_.of_users) {
    LookAtUsers(began, before, events);
  } else {
    LookAt({.root = HKEY_LOCAL_MACHINE, .hive = "HKLM"}, began, before, events);
  }
  const int64_t now = clock.BootNanos();
  next_ = now + std::max(due_ ? kAnywayEvery : kLeastPause, kShare * (now - began));
}

void RegistryPart::LookAtUsers(int64_t now, const RegistryMemory& before, std::vector<RawFileEvent>* events) {
  for (const std::wstring& user : LoadedUsers()) {
    RegistryKey hive;
    if (hive.Open(HKEY_USERS, user) == ERROR_SUCCESS)
      LookAt({.root = hive.Get(), .hive = StrCat("HKU/", Narrow(user))}, now, before, events);
  }
}

void RegistryPart::LookAt(const Place& place, int64_t now, const RegistryMemory& before,
                          std::vector<RawFileEvent>* events) {
  RegistryLook look = LookAtRegistry(place.root, place.hive, watch_);
  cut_ = cut_ || !look.whole;
  const std::string key = RegistryKeyPath(place.hive, watch_.key);
  const auto remembered = before.find(key);
  const bool first = !last_.contains(key);
  if (first && last_.size() >= kMostHivesKept) {
    cut_ = true;
    return;
  }
  RegistrySnapshot& last = last_[key];
  if (first && remembered != before.end()) last = remembered->second;
  if (!first || remembered != before.end()) {
    for (const RegistryChange& change : CompareSnapshots(last, look.entries, look.whole))
      events->push_back(EventOf(change, now, first));
  }
  if (!look.whole) look.entries.merge(last);  // what was not seen now
  last = std::move(look.entries);
}

// The key, or while there is none what is nearest above it, where it would come.
// False: nobody will say when something changes.
bool RegistryPart::Arm() {
  armed_ = RegistryKey();  // which sets the event
  ResetEvent(event_.Get());
  std::wstring name(watch_.key.begin(), watch_.key.end());
  const bool itself = armed_.Open(HKEY_LOCAL_MACHINE, name) == ERROR_SUCCESS;
  while (!armed_.Valid() && !name.empty()) {
    name.resize(name.contains(L'\\') ? name.rfind(L'\\') : 0);
    armed_.Open(HKEY_LOCAL_MACHINE, name);
  }
  const BOOL below = itself && watch_.depth > 0 ? TRUE : FALSE;
  constexpr DWORD kAll = REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET;
  return armed_.Valid() &&
         RegNotifyChangeKeyValue(armed_.Get(), below, itself ? kAll : REG_NOTIFY_CHANGE_NAME, event_.Get(),
                                 TRUE) == ERROR_SUCCESS;
}

}  // namespace cordon::platform
