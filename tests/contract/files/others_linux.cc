#include "tests/contract/files/others.h"

namespace cordon::testing {

bool OthersMayRead(const std::filesystem::path& path) {
  using std::filesystem::perms;
  const perms others = std::filesystem::status(path).permissions() & (perms::group_all | perms::others_all);
  return others != perms::none;
}

}  // namespace cordon::testing
