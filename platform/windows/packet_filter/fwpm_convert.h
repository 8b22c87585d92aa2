#pragma once

// Filters to WFP's structures and back. No call to WFP: what goes in must come out, which is tested under
// wine too.

#include <absl/status/statusor.h>

#include <deque>
#include <memory>
#include <vector>

#include "platform/windows/packet_filter/filter.h"
#include "platform/windows/packet_filter/wfp_abi.h"
#include "platform/windows/system/security.h"

namespace cordon::platform::wfp {

// A filter as WFP takes it; owns all that its structure points to.
class NativeFilter {
 public:
  static absl::StatusOr<std::unique_ptr<NativeFilter>> Make(const Filter& filter, const FilterKey& key);
  const FWPM_FILTER0& Get() const { return native_; }

 private:
  absl::Status AddCondition(const Condition& condition);
  void AddNetwork(const Network& network, FWPM_FILTER_CONDITION0* to);
  void AddPorts(const PortRange& ports, FWPM_FILTER_CONDITION0* to);
  void AddProgram(const std::string& path, FWPM_FILTER_CONDITION0* to);
  absl::Status AddService(const std::string& sid, FWPM_FILTER_CONDITION0* to);

  FWPM_FILTER0 native_{};
  std::wstring name_;
  GUID provider_ = kProvider;
  UINT64 weight_ = 0;
  std::vector<FWPM_FILTER_CONDITION0> conditions_;
  // Deques: what is pointed to must stay where it is.
  std::deque<FWP_V4_ADDR_AND_MASK> v4_;
  std::deque<FWP_V6_ADDR_AND_MASK> v6_;
  std::deque<FWP_RANGE0> ranges_;
  std::deque<FWP_BYTE_BLOB> blobs_;
  std::deque<std::wstring> texts_;
  std::deque<std::unique_ptr<SecurityDescriptor>> descriptors_;
};

// What the engine holds, in our words; what has none there is kUnknown.
Filter FromNative(const FWPM_FILTER0& native, Layer layer);

GUID LayerGuid(Layer layer);
GUID ToGuid(const FilterKey& key);
FilterKey ToKey(const GUID& guid);

}  // namespace cordon::platform::wfp
