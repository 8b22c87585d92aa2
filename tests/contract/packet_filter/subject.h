#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "platform/api/packet_filter.h"

namespace cordon::testing {

// A filter, and ways to treat it. What it holds ends with the object.
struct Subject {
  std::shared_ptr<void> host;  // outlives the filter
  std::unique_ptr<platform::PacketFilter> filter;
  std::function<std::unique_ptr<platform::PacketFilter>()> make_another;  // over the same kernel
  std::function<void()> add_uplink;  // empty: rules hold for every interface at once, and name none
};

struct SubjectKind {
  std::string name;
  std::string why_not;  // it cannot be tried here; empty: it can
  std::function<std::unique_ptr<Subject>()> make;
};

inline void PrintTo(const SubjectKind& kind, std::ostream* out) {
  *out << kind.name;
}

// The implementations that this system has.
std::vector<SubjectKind> NativeFilters();

}  // namespace cordon::testing
