include(CordonBpf)
cordon_bpf_skeleton(_programs_skeleton programs/programs.bpf.c programs
  DEPENDS bpf/kernel_integers.h bpf/maps.h bpf/sockets.h programs/kernel_types.h programs/identity.h)
list(APPEND _sources
  programs/cgroup_hooks.cc
  programs/executables.cc
  programs/mounts.cc
  programs/open_sockets.cc
  programs/program_marks.cc
  ${_programs_skeleton}
)
# The generated skeleton is included from one file only.
set_source_files_properties(programs/cgroup_hooks.cc PROPERTIES
  INCLUDE_DIRECTORIES ${PROJECT_BINARY_DIR}/bpf OBJECT_DEPENDS ${_programs_skeleton})
