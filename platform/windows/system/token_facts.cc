#include "platform/windows/system/token_facts.h"

#include <array>

#include "platform/windows/system/handle.h"
#include "platform/windows/system/text.h"

namespace cordon::platform {
namespace {

// One fact of a token: a structure, and behind it the SID that it points to.
template <typename Fact>
class WithSid {
 public:
  bool Read(HANDLE token, TOKEN_INFORMATION_CLASS which) {
    DWORD got = 0;
    return GetTokenInformation(token, which, bytes_.data(), sizeof(bytes_), &got) != 0;
  }
  const Fact& Get() const { return *reinterpret_cast<const Fact*>(bytes_.data()); }

 private:
  alignas(Fact) std::array<char, sizeof(Fact) + SECURITY_MAX_SID_SIZE> bytes_{};
};

}  // namespace

TokenFacts ReadToken(HANDLE process) {
  HANDLE raw = nullptr;
  if (OpenProcessToken(process, TOKEN_QUERY, &raw) == 0) return {};
  const Handle token(raw);
  TokenFacts facts;
  WithSid<TOKEN_USER> user;
  if (user.Read(token.Get(), TokenUser)) facts.user_sid = SidText(user.Get().User.Sid);
  WithSid<TOKEN_MANDATORY_LABEL> label;
  if (!label.Read(token.Get(), TokenIntegrityLevel)) return facts;
  PSID const level = label.Get().Label.Sid;
  const UCHAR parts = *GetSidSubAuthorityCount(level);
  if (parts > 0) facts.integrity_level = *GetSidSubAuthority(level, parts - 1U);
  return facts;
}

std::string SidText(PSID sid) {
  LocalMemory<wchar_t*> text;
  return ConvertSidToStringSidW(sid, text.Out()) == 0 ? std::string() : Narrow(text.Get());
}

}  // namespace cordon::platform
