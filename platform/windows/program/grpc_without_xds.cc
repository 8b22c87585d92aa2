// gRPC's list of what it registers beyond the basics: a third of its code, for service meshes (xDS), which no
// agent speaks. This is what gRPC's own builds without it have in the place of that list. It stands before
// the library in the link, so that the library's own is not taken, nor what only that one names: 3 MB.

namespace grpc_core {

class CoreConfiguration {
 public:
  class Builder;
};

// Of gRPC 1.51's plugin registry; another version would say at the link that it wants another.
void RegisterExtraFilters(CoreConfiguration::Builder* builder);
void RegisterExtraFilters(CoreConfiguration::Builder* /*builder*/) {}

}  // namespace grpc_core
