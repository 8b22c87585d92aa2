# Headers that most units read, compiled once: halves the time of a clean build. Off where ccache is: a precompiled header
# carries paths, so that no build would find another's results. A unit must name what it includes all the same; builds with
# ccache check that.
if(CORDON_CCACHE)
  set(_default OFF)
else()
  set(_default ON)
endif()
option(CORDON_PRECOMPILE "Precompile the headers that most units read" ${_default})

set(_cordon_headers <absl/status/statusor.h> <algorithm> <chrono> <filesystem> <functional> <map> <memory> <optional> <string>
                    <thread> <vector> "<cordon/v1/gateway.pb.h>" "<cordon/v1/operator.pb.h>")

# cordon_headers_owner(NAME FLAG HEADERS …): compiled with the flags of those that will use it, or GCC would not take it.
function(cordon_headers_owner NAME)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBRARIES;OPTIONS" ${ARGN})
  file(WRITE ${PROJECT_BINARY_DIR}/${NAME}.cc.new "")
  configure_file(${PROJECT_BINARY_DIR}/${NAME}.cc.new ${PROJECT_BINARY_DIR}/${NAME}.cc COPYONLY)
  add_library(${NAME} OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/${NAME}.cc)
  target_link_libraries(${NAME} PRIVATE ${ARG_LIBRARIES} Threads::Threads cordon_warnings)
  target_compile_options(${NAME} PRIVATE ${ARG_OPTIONS})
  target_precompile_headers(${NAME} PRIVATE ${ARG_HEADERS})
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
    target_link_libraries(${TARGET} PRIVATE Threads::Threads)  # a macro of its flags stands in the precompiled headers
  endif()
endfunction()
