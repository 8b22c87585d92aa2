# The half that needs no Windows: also built on Linux, for its tests (tests/unit/platform_windows).
set(_packet_filter_pure
  ${CMAKE_CURRENT_LIST_DIR}/arbitration.cc
  ${CMAKE_CURRENT_LIST_DIR}/filter.cc
  ${CMAKE_CURRENT_LIST_DIR}/filter_list.cc
  ${CMAKE_CURRENT_LIST_DIR}/filter_watcher.cc
  ${CMAKE_CURRENT_LIST_DIR}/permits.cc
  ${CMAKE_CURRENT_LIST_DIR}/wfp_filter.cc)
