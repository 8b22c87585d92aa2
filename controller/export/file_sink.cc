#include "controller/export/file_sink.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include "common/base/strings.h"

namespace cordon::controller {

FileSink::FileSink(std::filesystem::path path)
    : path_(std::move(path)), name_(StrCat("file:", path_.string())) {}

absl::Status FileSink::Write(std::span<const std::string> lines) {
  const auto failed = [&] {
    return absl::UnavailableError(StrCat("cannot write to ", path_.string(), ": ",
                                         std::generic_category().message(errno),
                                         "; nothing is lost, it is tried again"));
  };
  errno = 0;
  std::ofstream file(path_, std::ios::binary | std::ios::app);
  if (!file) return failed();
  for (const std::string& line : lines) file << line << '\n';
  file.close();
  return file ? absl::OkStatus() : failed();
}

}  // namespace cordon::controller
