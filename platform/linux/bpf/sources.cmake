list(APPEND _sources bpf/loading.cc)
