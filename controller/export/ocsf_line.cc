#include "controller/export/ocsf_line.h"

#include <utility>

#include "controller/export/ocsf.h"

namespace cordon::controller::ocsf {
namespace {

Category CategoryOf(Class of) {
  return static_cast<Category>(static_cast<int>(of) / 1000);
}

}  // namespace

object WriteLine(Line line, int64_t time_unix_nanos, object metadata, object device, object unmapped,
                 std::string_view product_version) {
  const int class_uid = static_cast<int>(line.of);
  object out = std::move(line.attributes);
  out["class_uid"] = class_uid;
  out["category_uid"] = static_cast<int>(CategoryOf(line.of));
  out["activity_id"] = line.activity;
  out["type_uid"] = class_uid * 100 + line.activity;
  if (!line.activity_name.empty()) out["activity_name"] = line.activity_name;
  out["severity_id"] = static_cast<int>(line.severity);
  if (line.status != 0) out["status_id"] = line.status;
  out["time"] = Millis(time_unix_nanos);
  metadata["version"] = kOcsfVersion;
  metadata["profiles"] = array{"host"};
  metadata["product"] = object{{"name", "Cordon"}, {"vendor_name", "Cordon"}, {"version", product_version}};
  out["metadata"] = std::move(metadata);
  device["type_id"] = 0;
  out["device"] = std::move(device);
  out["unmapped"] = std::move(unmapped);
  return out;
}

}  // namespace cordon::controller::ocsf
