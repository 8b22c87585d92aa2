#include "controller/cordonctl/key_sheet.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/base/uuid.h"
#include "common/crypto/pem.h"
#include "common/crypto/x25519.h"

namespace cordon::ctl {
namespace {

constexpr std::string_view kLabel = "CORDON KEY SHEET";
constexpr int kMaxKeys = 100'000;
constexpr size_t kMaxHostName = 253;

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(StrCat("key sheet: ", what));
}

absl::Status CheckKey(const v1::UnlockKey& key) {
  if (!IsUuid(key.host_id())) return Bad("a host id is not a UUID");
  const auto bad = [&key](std::string_view what) { return Bad(StrCat("host ", key.host_id(), ": ", what)); };
  if (key.host_name().empty() || !IsPlainText(key.host_name(), kMaxHostName))
    return bad("the name is not text of 1 to 253 bytes");
  if (!IsName(key.site())) return bad("the site is not a name of [a-z0-9-]");
  if (key.unlock_public_key().size() != kX25519PublicKeyBytes) return bad("the key is not 32 bytes");
  return absl::OkStatus();
}

bool SameName(std::string_view one, std::string_view other) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(one, other, {}, lower, lower);
}

}  // namespace

v1::UnlockKeySheet MakeKeySheet(const std::string& fleet_id, const std::vector<v1::Host>& hosts,
                                int64_t now_unix_nanos) {
  v1::UnlockKeySheet sheet;
  sheet.set_format(1);
  sheet.set_fleet_id(fleet_id);
  sheet.set_made_unix_nanos(now_unix_nanos);
  for (const v1::Host& host : hosts) {
    if (host.state() == v1::HOST_STATE_REVOKED || host.facts().unlock_public_key().empty()) continue;
    v1::UnlockKey& key = *sheet.add_keys();
    key.set_host_id(host.host_id());
    key.set_host_name(host.facts().host_name());
    key.set_site(host.site());
    key.set_unlock_public_key(host.facts().unlock_public_key());
  }
  return sheet;
}

std::string WriteKeySheet(const v1::UnlockKeySheet& sheet) {
  return PemArmour(kLabel, sheet.SerializeAsString());
}

absl::StatusOr<v1::UnlockKeySheet> ReadKeySheet(std::string_view text) {
  const absl::StatusOr<std::string> bytes = PemUnarmour(kLabel, text, kMaxKeySheetBytes);
  if (!bytes.ok()) return Annotate(bytes.status(), "key sheet");
  v1::UnlockKeySheet sheet;
  if (!sheet.ParseFromString(*bytes)) return Bad("the content of the armour is damaged");
  if (sheet.format() != 1) return Bad(StrCat("format ", sheet.format(), " is not known to this version"));
  if (!IsUuid(sheet.fleet_id())) return Bad("no fleet id");
  if (sheet.keys_size() > kMaxKeys) return Bad(StrCat(sheet.keys_size(), " hosts, at most ", kMaxKeys));
  for (const v1::UnlockKey& key : sheet.keys()) CORDON_RETURN_IF_ERROR(CheckKey(key));
  return sheet;
}

absl::StatusOr<v1::UnlockKey> FindUnlockKey(const v1::UnlockKeySheet& sheet, std::string_view name) {
  const v1::UnlockKey* found = nullptr;
  std::string candidates;
  int count = 0;
  for (const v1::UnlockKey& key : sheet.keys()) {
    if (key.host_id() == name) return key;
    if (!SameName(key.host_name(), name)) continue;
    found = &key;
    ++count;
    StrAppend(&candidates, "\n  ", key.host_id(), "  ", key.host_name(), ", site ", key.site());
  }
  if (count == 1) return *found;
  if (count == 0) {
    return absl::NotFoundError(StrCat("no host with an unlock key is called ", Printable(name),
                                      "; have the name read out from its screen"));
  }
  return absl::FailedPreconditionError(
      StrCat(count, " hosts are called ", Printable(name), "; give the id of the one:", candidates));
}

}  // namespace cordon::ctl
