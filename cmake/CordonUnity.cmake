# Units of one target that define no local name twice, compiled as one: most of a unit's time goes into templates that its
# neighbours instantiate too. Off in the presets release and windows, where each unit is compiled by itself and so must name what
# it includes.
option(CORDON_UNITY "Compile units of a target together" OFF)
set(CORDON_UNITY_LARGEST 8)  # of a group: one change compiles it all anew

if(CORDON_UNITY)
  find_program(CORDON_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)  # not a slow wrapper of it
endif()

# cordon_unite(TARGET SOURCES …)
function(cordon_unite TARGET)
  list(FILTER ARGN INCLUDE REGEX "^[^$/].*\\.cc$")  # not what the build itself makes
  if(NOT CORDON_UNITY OR NOT ARGN)
    return()
  endif()
  set(_script ${PROJECT_SOURCE_DIR}/scripts/lib/unit_groups.py)
  execute_process(COMMAND ${CORDON_PYTHON} ${_script} ${CMAKE_CURRENT_SOURCE_DIR} ${CORDON_UNITY_LARGEST} ${ARGN}
                  OUTPUT_VARIABLE _lines COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE ";" "|" _lines "${_lines}")
  string(REPLACE "\n" ";" _lines "${_lines}")
  set(_number 0)
  foreach(_group IN LISTS _lines)
    string(REPLACE "|" ";" _group "${_group}")
    if(_group)
      set_source_files_properties(${_group} PROPERTIES UNITY_GROUP ${TARGET}_${_number})
      math(EXPR _number "${_number} + 1")
    endif()
  endforeach()
  set_target_properties(${TARGET} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # Names of one unit are as local as before, though GCC now sees them in an included file.
  target_compile_options(${TARGET} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  # Somebody may give two of them the same name.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${_script})
endfunction()
