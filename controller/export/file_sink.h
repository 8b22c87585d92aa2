#pragma once

#include <absl/status/status.h>

#include <filesystem>
#include <span>
#include <string>

#include "controller/export/export_sink.h"

namespace cordon::controller {

// Appends to a file, which is made when it is not there; what it took is on disk. Opens it anew for every
// call, so that logrotate may move it away.
class FileSink final : public ExportSink {
 public:
  explicit FileSink(std::filesystem::path path);
  absl::Status Write(std::span<const std::string> lines) override;
  const std::string& Name() const override { return name_; }

 private:
  std::filesystem::path path_;
  std::string name_;
};

}  // namespace cordon::controller
