# cordon_bpf_skeleton(OUT source.bpf.c name DEPENDS headers …): compiles a CO-RE program and generates its libbpf
# skeleton name.skel.h into the build tree; OUT gets the header's path, to be listed as a source. Needs no kernel BTF.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(CORDON_BPF_ARCH x86)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(CORDON_BPF_ARCH arm64)
else()
  message(FATAL_ERROR "no BPF target architecture known for ${CMAKE_SYSTEM_PROCESSOR}; add it to cmake/CordonBpf.cmake")
endif()

# Where Debian keeps the architecture's own headers (asm/…), which clang -target bpf does not look for.
set(_cordon_bpf_includes "")
if(CMAKE_LIBRARY_ARCHITECTURE)
  set(_cordon_bpf_includes -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
endif()

function(cordon_bpf_skeleton OUT SOURCE NAME)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  set(_folder ${PROJECT_BINARY_DIR}/bpf)
  file(MAKE_DIRECTORY ${_folder})
  set(_object ${_folder}/${NAME}.bpf.o)
  set(_header ${_folder}/${NAME}.skel.h)
  list(TRANSFORM ARG_DEPENDS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  add_custom_command(OUTPUT ${_header} BYPRODUCTS ${_object}
    COMMAND ${CORDON_BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -D__TARGET_ARCH_${CORDON_BPF_ARCH} -Wall -Wextra -Werror
            -Wno-unused-parameter -ffile-prefix-map=${PROJECT_SOURCE_DIR}=. ${_cordon_bpf_includes}
            -c ${CMAKE_CURRENT_SOURCE_DIR}/${SOURCE} -o ${_object}
    COMMAND ${CORDON_BPFTOOL} gen skeleton ${_object} name ${NAME}_bpf > ${_header}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${SOURCE} ${ARG_DEPENDS} VERBATIM COMMENT "bpf ${SOURCE}")
  add_custom_target(cordon_${NAME}_skeleton DEPENDS ${_header})
  add_dependencies(cordon_generated cordon_${NAME}_skeleton)
  set(${OUT} ${_header} PARENT_SCOPE)
endfunction()
