list(APPEND _sources
  running/running_programs.cc
)
