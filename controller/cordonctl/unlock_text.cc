#include "controller/cordonctl/unlock_text.h"

#include <array>

#include "common/base/strings.h"
#include "common/base/text.h"
#include "common/wire/json.h"

namespace cordon::ctl {
namespace {

constexpr std::array<std::string_view, 10> kDigits = {"zero", "one", "two",   "three", "four",
                                                      "five", "six", "seven", "eight", "nine"};
constexpr std::array<std::string_view, 26> kWords = {
    "alfa",    "bravo", "charlie", "delta",  "echo",     "foxtrot", "golf",   "hotel",  "india",
    "juliett", "kilo",  "lima",    "mike",   "november", "oscar",   "papa",   "quebec", "romeo",
    "sierra",  "tango", "uniform", "victor", "whiskey",  "x-ray",   "yankee", "zulu"};

std::string_view WordFor(char letter) {
  if (letter >= '0' && letter <= '9') return kDigits.at(static_cast<size_t>(letter - '0'));
  if (letter >= 'A' && letter <= 'Z') return kWords.at(static_cast<size_t>(letter - 'A'));
  return "?";
}

std::string_view Meaning(v1::Level level) {
  switch (level) {
    case v1::LEVEL_OBSERVE:
      return "everything is open";
    case v1::LEVEL_NO_LATERAL:
      return "all but remote access and file sharing inside is open";
    case v1::LEVEL_ESSENTIAL:
      return "what its profile lists is open";
    default:
      return "only its controllers are open";
  }
}

}  // namespace

std::string DescribeUnlock(const UnlockChallenge& challenge, const v1::UnlockKey& host) {
  return StrCat("the code opens ", Printable(host.host_name()), " at site ", host.site(), " (",
                host.host_id(), ") to ", WordOf(challenge.level), " (", Meaning(challenge.level), ") for ",
                FormatDuration(challenge.length_nanos),
                ", once; then what was ordered is back by itself. Give it to nobody whom you do not know");
}

std::string SpellOut(std::string_view letters) {
  constexpr size_t kGroup = 4;
  std::string text;
  for (size_t at = 0; at < letters.size(); ++at) {
    StrAppend(&text, at == 0 ? "" : at % kGroup == 0 ? "\n" : " ", WordFor(letters[at]));
  }
  return text;
}

}  // namespace cordon::ctl
