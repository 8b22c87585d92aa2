list(APPEND _sources
  bypasses/bypass_scanner.cc bypasses/foreign_rules.cc bypasses/interface_programs.cc bypasses/traffic_control.cc)
