#include "agent/process/container_id.h"

#include <algorithm>

namespace cordon::agent {
namespace {

constexpr size_t kIdLength = 64;

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

std::string ContainerIdOf(std::string_view cgroup) {
  size_t end = cgroup.size();
  while (end >= kIdLength) {
    size_t begin = end;
    while (begin > 0 && IsHexDigit(cgroup[begin - 1])) --begin;
    const bool starts_clean = begin == 0 || cgroup[begin - 1] == '/' || cgroup[begin - 1] == '-';
    const bool ends_clean = end == cgroup.size() || cgroup[end] == '/' || cgroup[end] == '.';
    if (end - begin == kIdLength && starts_clean && ends_clean)
      return std::string(cgroup.substr(begin, kIdLength));
    end = begin == end ? end - 1 : begin;
  }
  return {};
}

}  // namespace cordon::agent
