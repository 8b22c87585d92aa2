#include "platform/api/file_names.h"

namespace cordon::platform {

std::string NameBytes(const std::filesystem::path& path) {
  return path.native();
}

std::filesystem::path PathOfBytes(std::string_view bytes) {
  return bytes;
}

}  // namespace cordon::platform
