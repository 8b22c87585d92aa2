# CORDON_SANITIZE: empty, "address" (with undefined behaviour) or "thread". Set by the presets asan and tsan.
set(CORDON_SANITIZE "" CACHE STRING "Sanitizer: empty, address or thread")
set_property(CACHE CORDON_SANITIZE PROPERTY STRINGS "" address thread)
set(CORDON_TEST_TIMEOUT_SCALE 1)  # by how much a test may take longer than without a sanitizer
if(CORDON_SANITIZE STREQUAL "address")
  set(CORDON_TEST_TIMEOUT_SCALE 3)
  # null and object-size: AddressSanitizer tells of the same accesses; vptr: its cost would double the build.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-sanitize=null,object-size,vptr
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(CORDON_SANITIZE STREQUAL "thread")
  set(CORDON_TEST_TIMEOUT_SCALE 5)
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
  # First on every program's list of libraries, used by it or not: its functions are the ones that gRPC finds.
  add_library(cordon_tsan_locks SHARED ${PROJECT_SOURCE_DIR}/tests/tsan/unseen_locks.cc)
  target_link_libraries(cordon_tsan_locks PRIVATE ${CMAKE_DL_LIBS})
  set(_program $<AND:$<LINK_LANGUAGE:CXX>,$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>>)
  link_libraries($<${_program}:$<TARGET_FILE:cordon_tsan_locks>>)
  add_link_options($<${_program}:-Wl,--no-as-needed,${CMAKE_BINARY_DIR}/libcordon_tsan_locks.so,--as-needed>)
elseif(NOT CORDON_SANITIZE STREQUAL "")
  message(FATAL_ERROR "CORDON_SANITIZE is '${CORDON_SANITIZE}'; use address, thread or nothing")
endif()
if(CORDON_SANITIZE)
  # GCC's instrumentation hides constants from its own warnings; the presets dev and release judge those.
  target_compile_options(cordon_warnings INTERFACE -Wno-error)
endif()

# What tests are compiled with beside that: undefined behaviour is looked for in the product, not in its tests, whose build
# it would double.
add_library(cordon_test_sanitize INTERFACE)
# Nor are they optimised, which would take as long again.
if(CORDON_SANITIZE STREQUAL "address")
  target_compile_options(cordon_test_sanitize INTERFACE -fno-sanitize=undefined -O0)
endif()
