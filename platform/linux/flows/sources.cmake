include(CordonBpf)
cordon_bpf_skeleton(_flows_skeleton flows/flows.bpf.c flows DEPENDS bpf/kernel_integers.h bpf/maps.h bpf/sockets.h flows/net_types.h flows/flow_record.h)
list(APPEND _sources
  flows/dns_observer.cc
  flows/ebpf_flow_source.cc
  flows/flow_decode.cc
  flows/flow_sampler.cc
  flows/flow_source.cc
  flows/own_traffic.cc
  flows/polling_flow_source.cc
  flows/udp_payload.cc
  ${_flows_skeleton}
)
# The generated skeleton is included from one file only.
set_source_files_properties(flows/ebpf_flow_source.cc PROPERTIES
  INCLUDE_DIRECTORIES ${PROJECT_BINARY_DIR}/bpf OBJECT_DEPENDS ${_flows_skeleton})
