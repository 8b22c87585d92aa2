#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <boost/json/object.hpp>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "controller/export/export_sink.h"
#include "controller/store/store.h"

namespace cordon::controller {

// Carries every stored event to a sink as a line of OCSF, from the first one that the store has, in order of
// commit, on a thread of its own; and beside them what the controller found about hosts (host_notice.h), in
// order of the audit log. At least once: how far it came is on disk only after the sink took the lines, so a
// crash repeats some, which `metadata.uid` tells. A sink that fails is tried again, for as long as it takes.
class Exporter {
 public:
  // `position_file`: how far it came, for this sink. `store` outlives the object. DATA_LOSS: the file is
  // damaged.
  static absl::StatusOr<std::unique_ptr<Exporter>> Start(Store& store, std::unique_ptr<ExportSink> sink,
                                                         std::filesystem::path position_file,
                                                         std::string product_version);
  ~Exporter() { Stop(); }
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  void Stop();  // idempotent; what was not yet written is written by the next run

  // The sink has all events of batches up to here.
  int64_t Position() const { return position_; }

 private:
  // How far it came.
  struct Progress {
    int64_t position = 0;      // the sink has all events of batches up to here
    uint64_t audit_index = 0;  // and all notices among the entries up to here
  };
  static absl::StatusOr<Progress> ReadProgress(const std::filesystem::path& file);

  Exporter(Store& store, std::unique_ptr<ExportSink> sink, std::filesystem::path position_file,
           std::string product_version, const Progress& progress);
  void Run();
  absl::Status CarryOn();
  absl::Status BeginAgainIfSetBack();
  absl::Status CarrySome();
  absl::Status CarryNotices();
  absl::Status AddNotice(const v1::AuditEntry& entry);
  // A line of its own, written when there are enough of them.
  absl::Status Add(boost::json::object line);
  absl::Status Flush();
  absl::Status Save(int64_t position, uint64_t audit_index);
  void DropLines();
  // False: told to stop.
  bool Pause(int64_t nanos);
  bool Stopping();

  Store& store_;
  const std::unique_ptr<ExportSink> sink_;
  const std::filesystem::path position_file_;
  const std::string product_version_;
  std::atomic<int64_t> position_;
  uint64_t audit_index_;
  std::vector<std::string> lines_;  // not yet written
  size_t bytes_ = 0;                // of them
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;  // last: starts when all of the above is there
};

}  // namespace cordon::controller
