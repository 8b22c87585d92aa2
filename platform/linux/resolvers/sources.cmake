list(APPEND _sources resolvers/resolv_conf.cc)
