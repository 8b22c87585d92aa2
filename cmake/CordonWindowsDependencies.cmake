# The libraries of CORDON_WINDOWS_PREFIX that have no CMake files of their own, by the names that Linux knows them by.
if(NOT EXISTS ${CORDON_WINDOWS_PREFIX}/.complete)
  message(FATAL_ERROR "the libraries for Windows are not built: run scripts/windows-deps (about 25 minutes, once)")
endif()
set(_include ${CORDON_WINDOWS_PREFIX}/include)
set(_lib ${CORDON_WINDOWS_PREFIX}/lib)

foreach(_headers CLI11::CLI11 tomlplusplus::tomlplusplus)
  add_library(${_headers} INTERFACE IMPORTED)
  target_include_directories(${_headers} SYSTEM INTERFACE ${_include})
endforeach()

add_library(PkgConfig::ZSTD STATIC IMPORTED)
set_target_properties(PkgConfig::ZSTD PROPERTIES IMPORTED_LOCATION ${_lib}/libzstd.a
                      INTERFACE_INCLUDE_DIRECTORIES ${_include})
add_library(PkgConfig::LDNS STATIC IMPORTED)
set_target_properties(PkgConfig::LDNS PROPERTIES IMPORTED_LOCATION ${_lib}/libldns.a
                      INTERFACE_INCLUDE_DIRECTORIES ${_include} INTERFACE_LINK_LIBRARIES "OpenSSL::Crypto;ws2_32;iphlpapi")
if(EXISTS ${_lib}/libyara.a)  # where its source could be had
  add_library(PkgConfig::LIBYARA STATIC IMPORTED)
  set_target_properties(PkgConfig::LIBYARA PROPERTIES IMPORTED_LOCATION ${_lib}/libyara.a
                        INTERFACE_INCLUDE_DIRECTORIES ${_include} INTERFACE_LINK_LIBRARIES "OpenSSL::Crypto;ssp")
endif()

# What the headers of Asio and UUID call; their CMake files do not say so.
set_property(TARGET Boost::headers APPEND PROPERTY INTERFACE_LINK_LIBRARIES mswsock ws2_32 bcrypt)
