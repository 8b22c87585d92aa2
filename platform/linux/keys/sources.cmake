list(APPEND _sources keys/key_protection.cc)
