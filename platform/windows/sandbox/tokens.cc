#include "platform/windows/sandbox/tokens.h"

#include <vector>

#include "common/base/status.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

constexpr wchar_t kLow[] = L"S-1-16-4096";
constexpr wchar_t kUntrusted[] = L"S-1-16-0";
constexpr wchar_t kNobody[] = L"S-1-0-0";

// One of a token's lists, with what its pointers point to.
class TokenInfo {
 public:
  static absl::StatusOr<TokenInfo> Read(HANDLE token, TOKEN_INFORMATION_CLASS which) {
    TokenInfo info;
    DWORD size = 0;
    GetTokenInformation(token, which, nullptr, 0, &size);
    info.words_.resize(size / sizeof(uint64_t) + 1);
    if (GetTokenInformation(token, which, info.words_.data(), size, &size) == 0)
      return LastError("cannot read this process's token");
    return info;
  }
  template <typename T>
  T* As() {
    return reinterpret_cast<T*>(words_.data());
  }

 private:
  std::vector<uint64_t> words_;  // aligned for every list
};

absl::Status SetIntegrity(HANDLE token, const wchar_t* level) {
  LocalMemory<PSID> sid;
  if (ConvertStringSidToSidW(level, sid.Out()) == 0)
    return LastError("cannot make the SID of an integrity level");
  TOKEN_MANDATORY_LABEL label{.Label = {.Sid = sid.Get(), .Attributes = SE_GROUP_INTEGRITY}};
  if (SetTokenInformation(token, TokenIntegrityLevel, &label, sizeof(label) + GetLengthSid(sid.Get())) == 0)
    return LastError("cannot lower the integrity of a token");
  return absl::OkStatus();
}

// The user and the groups; for a token's own list also without the session, which denies nothing.
std::vector<SID_AND_ATTRIBUTES> Members(TOKEN_USER* user, TOKEN_GROUPS* groups, bool with_logon) {
  std::vector<SID_AND_ATTRIBUTES> members = {{.Sid = user->User.Sid, .Attributes = 0}};
  for (DWORD i = 0; i < groups->GroupCount; ++i) {
    const SID_AND_ATTRIBUTES& group = groups->Groups[i];
    if ((group.Attributes & SE_GROUP_INTEGRITY) != 0) continue;
    if (!with_logon && (group.Attributes & SE_GROUP_LOGON_ID) == SE_GROUP_LOGON_ID) continue;
    members.push_back({.Sid = group.Sid, .Attributes = 0});
  }
  return members;
}

absl::StatusOr<Handle> Restrict(HANDLE token, std::vector<SID_AND_ATTRIBUTES> deny_only,
                                std::vector<LUID_AND_ATTRIBUTES> without,
                                std::vector<SID_AND_ATTRIBUTES> restricting) {
  HANDLE made = nullptr;
  // No list of privileges: all but the one for walking through folders.
  const DWORD flags = without.empty() ? DISABLE_MAX_PRIVILEGE : 0;
  if (CreateRestrictedToken(token, flags, static_cast<DWORD>(deny_only.size()), deny_only.data(),
                            static_cast<DWORD>(without.size()), without.empty() ? nullptr : without.data(),
                            static_cast<DWORD>(restricting.size()), restricting.data(), &made) == 0)
    return LastError("cannot make a restricted token");
  Handle owned(made);
  CORDON_RETURN_IF_ERROR(SetIntegrity(owned.Get(), kLow));
  return owned;
}

}  // namespace

absl::StatusOr<SandboxTokens> MakeSandboxTokens() {
  HANDLE raw = nullptr;
  if (OpenProcessToken(GetCurrentProcess(),
                       TOKEN_DUPLICATE | TOKEN_QUERY | TOKEN_ADJUST_DEFAULT | TOKEN_ASSIGN_PRIMARY,
                       &raw) == 0)
    return LastError("cannot open this process's token");
  const Handle own(raw);
  CORDON_ASSIGN_OR_RETURN(TokenInfo user, TokenInfo::Read(own.Get(), TokenUser));
  CORDON_ASSIGN_OR_RETURN(TokenInfo groups, TokenInfo::Read(own.Get(), TokenGroups));
  CORDON_ASSIGN_OR_RETURN(TokenInfo privileges, TokenInfo::Read(own.Get(), TokenPrivileges));
  LocalMemory<PSID> nobody;
  if (ConvertStringSidToSidW(kNobody, nobody.Out()) == 0) return LastError("cannot make the null SID");

  auto* const held = privileges.As<TOKEN_PRIVILEGES>();
  const std::vector<LUID_AND_ATTRIBUTES> every(held->Privileges, held->Privileges + held->PrivilegeCount);
  SandboxTokens tokens;
  CORDON_ASSIGN_OR_RETURN(
      tokens.process,
      Restrict(own.Get(), Members(user.As<TOKEN_USER>(), groups.As<TOKEN_GROUPS>(), /*with_logon=*/false),
               every, {{.Sid = nobody.Get(), .Attributes = 0}}));
  CORDON_ASSIGN_OR_RETURN(
      const Handle start,
      Restrict(own.Get(), {}, {},
               Members(user.As<TOKEN_USER>(), groups.As<TOKEN_GROUPS>(), /*with_logon=*/true)));
  HANDLE thread = nullptr;
  if (DuplicateTokenEx(start.Get(), TOKEN_ALL_ACCESS, nullptr, SecurityImpersonation, TokenImpersonation,
                       &thread) == 0)
    return LastError("cannot make a token for a thread");
  tokens.start = Handle(thread);
  return tokens;
}

absl::Status DropIntegrity() {
  HANDLE raw = nullptr;
  if (OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_DEFAULT, &raw) == 0)
    return LastError("cannot open this process's token");
  const Handle own(raw);
  return SetIntegrity(own.Get(), kUntrusted);
}

}  // namespace cordon::platform
