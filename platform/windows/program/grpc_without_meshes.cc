// What gRPC registers for service meshes and for tests: balancing over many servers, xDS. The agent dials one
// address at a time and asks for none of it, and together it is a fifth of gRPC. These stand before the
// library in the link, so that the library's own are not taken, nor what only they name: 2 MB. Names of
// gRPC 1.51; with another version the link says what it misses, and the tests that dial say whether what is
// left works.

namespace grpc_core {

class CoreConfiguration {
 public:
  class Builder;
};

#define CORDON_WITHOUT(name)                      \
  void name(CoreConfiguration::Builder* builder); \
  void name(CoreConfiguration::Builder* /*builder*/) {}

CORDON_WITHOUT(RegisterExtraFilters)  // xDS; gRPC's own builds without it have an empty one too
CORDON_WITHOUT(RegisterGrpcLbPolicy)
CORDON_WITHOUT(RegisterRlsLbPolicy)
CORDON_WITHOUT(RegisterPriorityLbPolicy)
CORDON_WITHOUT(RegisterRingHashLbPolicy)
CORDON_WITHOUT(RegisterWeightedTargetLbPolicy)
CORDON_WITHOUT(RegisterOutlierDetectionLbPolicy)
CORDON_WITHOUT(FaultInjectionFilterRegister)
CORDON_WITHOUT(RegisterFakeResolver)

#undef CORDON_WITHOUT

}  // namespace grpc_core
