#include "controller/export/file_sink.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "platform/api/append_file.h"

namespace cordon::controller {

FileSink::FileSink(std::filesystem::path path)
    : path_(std::move(path)), name_(StrCat("file:", path_.string())) {}

absl::Status FileSink::Write(std::span<const std::string> lines) {
  std::string text;
  for (const std::string& line : lines) StrAppend(&text, line, "\n");
  const absl::Status appended = platform::AppendLinesDurably(path_, text);
  if (appended.ok()) return appended;
  return absl::UnavailableError(StrCat(Message(appended), "; nothing is lost, it is tried again"));
}

}  // namespace cordon::controller
