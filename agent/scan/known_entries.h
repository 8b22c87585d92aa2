#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>
#include <vector>

#include "agent/scan/baseline.h"
#include "agent/scan/records_ahead.h"
#include "cordon/v1/baseline.pb.h"

namespace cordon::agent {

// What a baseline has of a folder, while the folder is listed.
class KnownEntries {
 public:
  // In place of what was there before, whose memory is used again: a check does it for every folder.
  // `ahead`, unless null, is asked first.
  absl::Status Load(Baseline& baseline, const std::string& folder, RecordsAhead* ahead = nullptr);
  void Clear();

  // Null: it is not known. Valid until the next Load or Clear.
  const v1::BaselineEntry* Take(std::string_view name);
  std::vector<const v1::BaselineEntry*> NotTaken() const;

 private:
  v1::BaselineFolder recorded_;  // in the order of their names, as the baseline keeps them
  std::vector<bool> taken_;
};

}  // namespace cordon::agent
