// Files, and the registry's entries that start programs: each with a thread of its own.

#include "platform/api/file_source.h"

#include <utility>

#include "common/base/status.h"
#include "platform/windows/files/directory_source.h"
#include "platform/windows/files/named_source.h"
#include "platform/windows/registry/registry_source.h"

namespace cordon::platform {
namespace {

class FilesAndRegistry final : public FileSource {
 public:
  absl::Status Start(const FileWatch& watch, std::function<void(std::span<RawFileEvent>)> deliver) override {
    CORDON_RETURN_IF_ERROR(registry_->Start(watch, deliver));
    absl::Status started = files_->Start(watch, std::move(deliver));
    if (!started.ok()) registry_->Stop();
    return started;
  }

  void Stop() override {
    registry_->Stop();
    files_->Stop();
  }

  FileSourceInfo Info() const override {
    FileSourceInfo info = files_->Info();
    for (std::string& limitation : registry_->Info().limitations)
      info.limitations.push_back(std::move(limitation));
    return info;
  }

 private:
  const std::unique_ptr<FileSource> files_ = MakeNamedSource(MakeDirectorySource(), MakeEtwFileTrace());
  const std::unique_ptr<FileSource> registry_ = MakeRegistrySource();
};

}  // namespace

std::unique_ptr<FileSource> MakeFileSource() {
  return std::make_unique<FilesAndRegistry>();
}

}  // namespace cordon::platform
