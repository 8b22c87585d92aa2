list(APPEND _sources connections/connection_table.cc connections/diag.cc connections/socket_owners.cc)
