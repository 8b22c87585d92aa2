#include "platform/linux/programs/mounts.h"

#include <charconv>
#include <system_error>
#include <vector>

namespace cordon::platform {
namespace {

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// 29 1 8:1 / /mnt rw,relatime shared:1 - ext4 /dev/sda1 rw: the optional fields end with "-".
struct Mount {
  std::optional<uint64_t> id;
  std::string_view device;
  std::string_view root;
  std::string_view point;
  std::string_view type;
};

std::optional<Mount> ParseMount(std::string_view line) {
  const std::vector<std::string_view> fields = Split(line, ' ');
  if (fields.size() < 7) return std::nullopt;
  Mount mount{.id = ParseNumber<uint64_t>(fields[0]),
              .device = fields[2],
              .root = fields[3],
              .point = fields[4],
              .type = {}};
  for (size_t at = 6; at + 1 < fields.size(); ++at) {
    if (fields[at] != "-") continue;
    mount.type = fields[at + 1];
    return mount;
  }
  return std::nullopt;
}

bool IsOctal(char digit) {
  return digit >= '0' && digit <= '7';
}

}  // namespace

std::string UnescapeMountField(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool escaped = text[at] == '\\' && text.size() - at > 3 && IsOctal(text[at + 1]) &&
                         IsOctal(text[at + 2]) && IsOctal(text[at + 3]);
    if (!escaped) {
      out.push_back(text[at]);
      continue;
    }
    const int value = (text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0');
    out.push_back(static_cast<char>(value));
    at += 3;
  }
  return out;
}

std::optional<uint32_t> DeviceOfMount(std::string_view mountinfo, uint64_t mount_id) {
  for (const std::string_view line : Split(mountinfo, '\n')) {
    const std::optional<Mount> mount = ParseMount(line);
    if (!mount.has_value() || mount->id != mount_id) continue;
    const size_t colon = mount->device.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto major = ParseNumber<uint32_t>(mount->device.substr(0, colon));
    const auto minor = ParseNumber<uint32_t>(mount->device.substr(colon + 1));
    if (!major.has_value() || !minor.has_value()) return std::nullopt;
    return (*major << 20) | *minor;
  }
  return std::nullopt;
}

std::string UnifiedHierarchy(std::string_view mountinfo) {
  for (const std::string_view line : Split(mountinfo, '\n')) {
    const std::optional<Mount> mount = ParseMount(line);
    if (mount.has_value() && mount->type == "cgroup2" && mount->root == "/")
      return UnescapeMountField(mount->point);
  }
  return {};
}

std::optional<uint64_t> FdInfoNumber(std::string_view fdinfo, std::string_view key) {
  for (const std::string_view line : Split(fdinfo, '\n')) {
    if (!line.starts_with(key) || line.substr(key.size(), 2) != ":\t") continue;
    return ParseNumber<uint64_t>(line.substr(key.size() + 2));
  }
  return std::nullopt;
}

}  // namespace cordon::platform
