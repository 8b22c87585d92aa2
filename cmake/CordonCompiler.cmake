# Compiler settings for every target of the project.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CORDON_CCACHE ccache)
if(CORDON_CCACHE)
  # Paths below the source's parent folder do not count, so that clones beside each other share results.
  cmake_path(GET PROJECT_SOURCE_DIR PARENT_PATH _cordon_parent)
  set(_cordon_launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${_cordon_parent} CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=20G
                       CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_PCH_EXTSUM=1 ${CORDON_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${_cordon_launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${_cordon_launcher})
endif()

# On every unit, so that all can take the same precompiled headers.
if(NOT WIN32)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-pthread>)
endif()

# All generated sources, nothing compiled: what scripts/lint needs before it can read the hand-written ones.
add_custom_target(cordon_generated)

# What every hand-written target is compiled with; generated code is not.
add_library(cordon_warnings INTERFACE)
target_compile_options(cordon_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Wold-style-cast
  -Wcast-align -Woverloaded-virtual -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror)
# g++ 12 sees overlapping copies in std::string's own operator+ as soon as it optimises (GCC bug 105651).
target_compile_options(cordon_warnings INTERFACE $<$<AND:$<CONFIG:Release,RelWithDebInfo>,$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)

add_library(cordon_hardening INTERFACE)
target_compile_options(cordon_hardening INTERFACE -fstack-protector-strong -fvisibility=hidden
  $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
if(WIN32)
  # DEP, ASLR over the whole address space; -s: what is shipped has no symbols. mingw's GCC has no Control Flow Guard.
  target_link_options(cordon_hardening INTERFACE -Wl,--nxcompat,--dynamicbase,--high-entropy-va
    $<$<CONFIG:Release>:-s>)
  # In C++23 units of their own have std::type_info::operator==, and GCC 12's library for Windows has it once more.
  add_link_options(-Wl,--allow-multiple-definition)
  target_link_libraries(cordon_hardening INTERFACE ssp)
  # What is shipped is linked by lld, which leaves out what nobody uses (decision 0042); tests are not.
  find_program(CORDON_LLD ld.lld)
  if(NOT CORDON_LLD)
    message(FATAL_ERROR "ld.lld is not there: run scripts/bootstrap --windows")
  endif()
  set(CORDON_PROGRAM_LINKER ${PROJECT_SOURCE_DIR}/scripts/lib/link-small)
else()
  target_link_options(cordon_hardening INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)
endif()
