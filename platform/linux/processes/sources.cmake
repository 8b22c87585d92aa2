include(CordonBpf)
cordon_bpf_skeleton(_processes_skeleton processes/processes.bpf.c processes
  DEPENDS bpf/kernel_integers.h bpf/maps.h processes/kernel_types.h processes/record.h)
list(APPEND _sources
  processes/connector_decode.cc
  processes/connector_socket.cc
  processes/connector_source.cc
  processes/decode.cc
  processes/drain_loop.cc
  processes/ebpf_source.cc
  processes/namespaces.cc
  processes/proc_files.cc
  processes/process_programs.cc
  processes/process_source.cc
  processes/record_ring.cc
  processes/tiny_program.cc
  ${_processes_skeleton}
)
# The generated skeleton is included from one file only.
set_source_files_properties(processes/process_programs.cc PROPERTIES
  INCLUDE_DIRECTORIES ${PROJECT_BINARY_DIR}/bpf OBJECT_DEPENDS ${_processes_skeleton})
