list(APPEND _sources resolvers/dns_client.cc resolvers/resolv_conf.cc)
