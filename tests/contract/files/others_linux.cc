#include "tests/contract/files/others.h"

namespace cordon::testing {

bool OthersMayRead(const std::filesystem::path& path) {
  using std::filesystem::perms;
  const perms others = std::filesystem::status(path).permissions() & (perms::group_all | perms::others_all);
  return others != perms::none;
}

std::string UnfinishedName(const std::string& name) {
  return "." + name + ".x7Kq0Z";
}

}  // namespace cordon::testing
