list(APPEND _sources connections/connection_table.cc connections/diag.cc connections/listeners.cc
  connections/socket_owners.cc)
