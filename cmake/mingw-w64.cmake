# Toolchain: Windows 10 and later, x86-64, by Debian's mingw-w64 with its POSIX threads.
# Third-party libraries come from CORDON_WINDOWS_PREFIX, which `scripts/windows-deps` fills; unset: where it would.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_VERSION 10.0)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_AR /usr/bin/x86_64-w64-mingw32-gcc-ar-posix CACHE FILEPATH "")
set(CMAKE_RANLIB /usr/bin/x86_64-w64-mingw32-gcc-ranlib-posix CACHE FILEPATH "")

# 0x0A00: Windows 10's calls. No NTDDI_VERSION: zstd sets _WIN32_WINNT itself, and mingw's headers refuse the pair.
# Sections of their own, so that the linker drops what the agent does not use.
set(CMAKE_C_FLAGS_INIT "-ffunction-sections -fdata-sections -Wa,-mbig-obj -D_WIN32_WINNT=0x0A00")
set(CMAKE_CXX_FLAGS_INIT "${CMAKE_C_FLAGS_INIT}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -Wl,--gc-sections")

if(NOT CORDON_WINDOWS_PREFIX)
  execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/../scripts/windows-deps --prefix
                  OUTPUT_VARIABLE CORDON_WINDOWS_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CORDON_WINDOWS_PREFIX)
set(CMAKE_PREFIX_PATH ${CORDON_WINDOWS_PREFIX})
set(CMAKE_FIND_ROOT_PATH ${CORDON_WINDOWS_PREFIX} /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(OPENSSL_USE_STATIC_LIBS ON)
set(ZLIB_USE_STATIC_LIBS ON)
