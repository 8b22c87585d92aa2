list(APPEND _sources
  load/load_meter.cc
  load/power.cc
  load/pressure.cc
  load/user_activity.cc
)
