list(APPEND _sources probes/frames.cc probes/packet_sender.cc)
