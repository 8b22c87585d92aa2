#pragma once

// The few calls of WFP's management interface that isolation makes, one method each, so that every way in
// which they can fail is tested where there is no WFP. fwpm_engine.cc has the real one.

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "platform/windows/packet_filter/filter.h"

namespace cordon::platform::wfp {

// A filter as the engine holds it.
struct HeldFilter {
  FilterKey key{};
  Filter filter;
  bool of_cordon = false;  // stands in Cordon's sub-layer
  bool disabled = false;   // by the engine, at its start: kept, and judges nothing
  std::string provider;    // name for people; empty when it has none
  uint16_t sublayer_weight = 0;
  std::string sublayer;  // name for people
};

// Not thread-safe. Errors: PERMISSION_DENIED, UNAVAILABLE (the engine's service does not run), ABORTED (the
// engine ended the transaction), INTERNAL with the system's number.
class FilterEngine {
 public:
  virtual ~FilterEngine() = default;

  // FwpmTransactionBegin0 … Commit0 | Abort0. Changes are made between Begin and Commit only.
  virtual absl::Status Begin() = 0;
  virtual absl::Status Commit() = 0;
  virtual absl::Status Abort() = 0;

  // FwpmProviderAdd0 and FwpmSubLayerAdd0, persistent, the highest weight; OK when they exist already, also
  // with other properties (HasSublayer tells).
  virtual absl::Status AddSublayer() = 0;
  // FwpmSubLayerDeleteByKey0 and FwpmProviderDeleteByKey0; OK when they do not exist. FAILED_PRECONDITION
  // when somebody's filter stands in it: it stays then.
  virtual absl::Status DeleteSublayer() = 0;
  // FwpmFilterAdd0; ALREADY_EXISTS when there is one of that key, wherever it stands.
  virtual absl::Status AddFilter(const Filter& filter, const FilterKey& key) = 0;
  // FwpmFilterDeleteByKey0, wherever it stands.
  virtual absl::Status DeleteFilter(const FilterKey& key) = 0;

  // FwpmFilterEnum0 over the layers that Cordon uses: everybody's filters, of either lifetime; disabled ones
  // of Cordon's alone.
  virtual absl::StatusOr<std::vector<HeldFilter>> ListFilters() = 0;
  // True when Cordon's provider and sub-layer stand as AddSublayer makes them.
  virtual absl::StatusOr<bool> HasSublayer() = 0;

  // FwpmGetAppIdFromFileName0: the NT path, lower case. NOT_FOUND when there is no such file.
  virtual absl::StatusOr<std::string> ProgramOf(const std::string& path) = 0;

  // FwpmFilterSubscribeChanges0: calls `changed` on a thread of the engine after each change by anybody.
  virtual absl::Status Subscribe(std::function<void()> changed) = 0;
};

// The real one. UNAVAILABLE where WFP does not answer.
absl::StatusOr<std::unique_ptr<FilterEngine>> OpenFilterEngine();

}  // namespace cordon::platform::wfp
