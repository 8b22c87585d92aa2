# Headers that most units read, compiled once: a clean build takes two thirds of the time. Off in the presets release and
# windows: a unit must name what it includes all the same, and they check that. ccache finds the results of other clones by the
# text of these headers (scripts/lib/compile-header).
option(CORDON_PRECOMPILE "Precompile the headers that most units read" OFF)

set(_cordon_headers <absl/status/statusor.h> <algorithm> <chrono> <filesystem> <functional> <map> <memory> <optional> <string>
                    <thread> <vector> "<cordon/v1/gateway.pb.h>" "<cordon/v1/operator.pb.h>")

# cordon_headers_owner(NAME HEADERS … LIBRARIES … OPTIONS …): compiled with the flags of those that will use it, or GCC would not take it.
function(cordon_headers_owner NAME)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBRARIES;OPTIONS" ${ARGN})
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${NAME}.cc CONTENT "")  # a library needs a source
  add_library(${NAME} OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/${NAME}.cc)
  target_link_libraries(${NAME} PRIVATE ${ARG_LIBRARIES} cordon_warnings)
  target_compile_options(${NAME} PRIVATE ${ARG_OPTIONS})
  target_precompile_headers(${NAME} PRIVATE ${ARG_HEADERS})
  if(CORDON_CCACHE)
    set_target_properties(${NAME} PROPERTIES CXX_COMPILER_LAUNCHER
                          "${PROJECT_SOURCE_DIR}/scripts/lib/compile-header;${CMAKE_CXX_COMPILER_LAUNCHER}")
  endif()
endfunction()

if(CORDON_PRECOMPILE)
  cordon_headers_owner(cordon_headers HEADERS ${_cordon_headers} LIBRARIES cordon_proto cordon_hardening)
  cordon_headers_owner(cordon_headers_grpc HEADERS ${_cordon_headers} <grpcpp/grpcpp.h> "<cordon/v1/gateway.grpc.pb.h>"
                       LIBRARIES cordon_proto_grpc cordon_hardening)
  cordon_headers_owner(cordon_headers_test HEADERS ${_cordon_headers} <gmock/gmock.h> <gtest/gtest.h>
                       LIBRARIES cordon_proto GTest::gmock GTest::gtest cordon_test_sanitize OPTIONS -fPIE)
  set_target_properties(cordon_headers_test PROPERTIES POSITION_INDEPENDENT_CODE OFF)
endif()

# cordon_use_headers(TARGET OWNER)
function(cordon_use_headers TARGET OWNER)
  if(CORDON_PRECOMPILE)
    target_precompile_headers(${TARGET} REUSE_FROM ${OWNER})
  endif()
endfunction()
