#include "controller/cordonctl/consent.h"

#include <istream>
#include <ostream>

#include "common/base/strings.h"

namespace cordon::ctl {

absl::Status AskConsent(const Tool& tool, bool yes, const std::string& sentence, std::string_view nothing) {
  tool.Say(sentence);
  if (yes) return absl::OkStatus();
  const Environment& world = tool.World();
  if (!world.input_is_terminal || !world.error_is_terminal) {
    return absl::InvalidArgumentError(StrCat(nothing, ": without a terminal to ask on, this needs --yes"));
  }
  world.err << "Go on? [y/N] " << std::flush;
  std::string answer;
  std::getline(world.in, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return absl::OkStatus();
  return absl::AbortedError(std::string(nothing));
}

}  // namespace cordon::ctl
