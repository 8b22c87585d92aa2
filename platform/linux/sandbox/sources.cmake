list(APPEND _sources
  sandbox/channel.cc
  sandbox/enter.cc
  sandbox/sandboxed_child.cc
  sandbox/system_calls.cc
)
