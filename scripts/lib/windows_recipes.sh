# How each library is cross-built for Windows; scripts/windows-deps sources it and sets DSC, WORK, PREFIX, JOBS, TOOLCHAIN.
# One function for each source package. Whatever stands here is part of the cache's key.
# shellcheck shell=bash disable=SC2154

target=x86_64-w64-mingw32
flags="-O2 -ffunction-sections -fdata-sections -D_WIN32_WINNT=0x0A00"

# Debian's patches are applied and the archives checked against the .dsc, which apt has checked against the signed lists.
unpack() {
  rm -rf "$WORK" "$WORK-build"
  dpkg-source --no-copy -x "$DSC" "$WORK"
}

by_cmake() {  # by_cmake FOLDER [arguments]
  local folder=$1 launcher=()
  shift
  if command -v ccache >/dev/null; then
    launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  cmake -S "$folder" -B "$WORK-build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$TOOLCHAIN" -DCORDON_WINDOWS_PREFIX="$PREFIX" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="-O2 -DNDEBUG" -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" \
    -DCMAKE_INSTALL_PREFIX="$PREFIX" -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF \
    -DCMAKE_CXX_STANDARD=17 -DCMAKE_CXX_STANDARD_REQUIRED=ON "${launcher[@]}" "$@"
  ninja -C "$WORK-build" -j"$JOBS"
  ninja -C "$WORK-build" install
}

build_zlib() {
  unpack
  cd "$WORK"
  # Debian's archive lacks win32/, which zlib's CMake and Makefile.gcc need; its configure does not.
  CHOST=$target CC=$target-gcc-posix AR=$target-gcc-ar-posix RANLIB=$target-gcc-ranlib-posix CFLAGS="$flags" uname=MINGW \
    ./configure --static --prefix="$PREFIX"
  make -j"$JOBS" libz.a
  install -D -m644 libz.a "$PREFIX/lib/libz.a"
  install -D -m644 -t "$PREFIX/include" zlib.h zconf.h
}

build_openssl() {
  unpack
  cd "$WORK"
  # openssldir: where only administrators write; a Unix path would be any user's folder on Windows (CVE-2019-1552).
  # shellcheck disable=SC2086
  ./Configure mingw64 --cross-compile-prefix=$target- CC=gcc-posix --prefix="$PREFIX" --libdir=lib \
    --openssldir='C:/Program Files/Common Files/SSL' \
    no-shared no-tests no-dso no-engine no-legacy no-autoload-config no-ssl3 no-comp no-ui-console $flags
  make -j"$JOBS" build_libs
  make install_dev
}

build_abseil() {
  unpack
  by_cmake "$WORK" -DABSL_PROPAGATE_CXX_STD=ON
}

build_c_ares() {
  unpack
  # Debian's patch for CVE-2023-31130 uses INADDRSZ, which only Unix has; upstream and Windows say NS_INADDRSZ.
  sed -i 's/\bINADDRSZ\b/NS_INADDRSZ/' "$WORK/src/lib/inet_net_pton.c"
  sed -i 's/ -D_WIN32_WINNT=0x0600)/)/' "$WORK/CMakeLists.txt"  # contradicts the toolchain's 0x0A00
  by_cmake "$WORK" -DCARES_STATIC=ON -DCARES_SHARED=OFF -DCARES_BUILD_TOOLS=OFF -DCARES_BUILD_TESTS=OFF
}

build_re2() {
  unpack
  # Debian takes three generated tables out and makes them anew from unicode-data.
  (
    cd "$WORK/re2"
    perl make_perl_groups.pl >perl_groups.cc
    /usr/bin/python3 make_unicode_casefold.py >unicode_casefold.cc
    /usr/bin/python3 make_unicode_groups.py >unicode_groups.cc
  )
  by_cmake "$WORK" -DRE2_BUILD_TESTING=OFF
}

build_protobuf() {
  unpack
  by_cmake "$WORK" -Dprotobuf_BUILD_TESTS=OFF -Dprotobuf_BUILD_PROTOC_BINARIES=OFF -Dprotobuf_BUILD_LIBPROTOC=OFF \
    -Dprotobuf_BUILD_SHARED_LIBS=OFF -Dprotobuf_WITH_ZLIB=OFF
}

build_boost1_81() {
  unpack
  cd "$WORK"
  # The archive is the superproject: `b2 headers` makes boost/. b2 is a program of this machine; its grammar needs bison.
  (cd tools/build && bison -y -d -o src/engine/jamgram.cpp src/engine/jamgram.y)
  (cd tools/build/src/engine && CXX=g++ ./build.sh gcc)
  cp tools/build/src/engine/b2 .
  echo "using gcc : mingw : $target-g++-posix : <archiver>$target-gcc-ar-posix <ranlib>$target-gcc-ranlib-posix <rc>$target-windres ;" \
    >user-config.jam
  ./b2 headers
  ./b2 -j"$JOBS" --user-config=user-config.jam --prefix="$PREFIX" --libdir="$PREFIX/lib" --includedir="$PREFIX/include" \
    --layout=system toolset=gcc-mingw target-os=windows architecture=x86 address-model=64 binary-format=pe abi=ms \
    threadapi=win32 threading=multi variant=release link=static runtime-link=static cxxstd=20 \
    cxxflags="$flags" cflags="$flags" --with-json install
}

build_sqlite3() {
  unpack
  mkdir "$WORK-build"
  cd "$WORK-build"
  "$WORK/configure"
  make sqlite3.c  # the amalgamation, by this machine's tools (tcl)
  # shellcheck disable=SC2086
  $target-gcc-posix $flags -DSQLITE_THREADSAFE=1 -DSQLITE_OMIT_LOAD_EXTENSION -c sqlite3.c -o sqlite3.o
  $target-gcc-ar-posix rcs "$PREFIX/lib/libsqlite3.a" sqlite3.o
  install -D -m644 -t "$PREFIX/include" sqlite3.h
}

build_libzstd() {
  unpack
  by_cmake "$WORK/build/cmake" -DZSTD_BUILD_SHARED=OFF -DZSTD_BUILD_STATIC=ON -DZSTD_BUILD_PROGRAMS=OFF -DZSTD_BUILD_TESTS=OFF
}

build_yara() {
  unpack
  # Its own configure wants autoconf and, for the hashes, Windows' CryptoAPI, which the scanning process may not reach. No search
  # in processes. It reads hostile files: guarded, and its assertions stay in.
  cat >"$WORK/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(yara C)
set(folders libyara libyara/tlshc libyara/modules/pe/authenticode-parser)
foreach(module console dotnet elf hash math pe string tests time)
  list(APPEND folders libyara/modules/${module})
endforeach()
foreach(folder IN LISTS folders)
  file(GLOB found ${folder}/*.c)
  list(APPEND sources ${found})
endforeach()
add_library(yara STATIC ${sources} libyara/proc/none.c)
target_include_directories(yara PRIVATE . libyara libyara/include ${CORDON_WINDOWS_PREFIX}/include)
target_compile_definitions(yara PRIVATE USE_NO_PROC HAVE_LIBCRYPTO HAVE_STDBOOL_H=1 HAVE__MKGMTIME=1 HASH_MODULE DOTNET_MODULE
                           BUCKETS_128=1 CHECKSUM_1B=1)
target_compile_options(yara PRIVATE -UNDEBUG -fstack-protector-strong -D_FORTIFY_SOURCE=2)
install(TARGETS yara ARCHIVE DESTINATION lib)
install(DIRECTORY libyara/include/ DESTINATION include)
CMAKE
  by_cmake "$WORK"
}

build_fmtlib() {
  unpack
  by_cmake "$WORK" -DFMT_TEST=OFF -DFMT_DOC=OFF
}

build_spdlog() {
  unpack
  by_cmake "$WORK" -DSPDLOG_FMT_EXTERNAL=ON -DSPDLOG_BUILD_EXAMPLE=OFF -DSPDLOG_BUILD_TESTS=OFF
}

build_ldns() {  # the wire format alone: its signatures want ENGINE functions, which this OpenSSL has not
  unpack
  cd "$WORK"
  CC=$target-gcc-posix AR=$target-gcc-ar-posix RANLIB=$target-gcc-ranlib-posix CFLAGS="$flags" \
    LIBS="-lws2_32" ./configure --host=$target --prefix="$PREFIX" --without-ssl \
    --disable-shared --enable-static --disable-dane-verify --disable-dane --disable-gost --disable-ecdsa \
    --disable-sha2 --disable-dsa --disable-ed25519 --disable-ed448
  make -j"$JOBS" CFLAGS="$flags -include ws2tcpip.h" lib
  make install-lib install-h
}

build_googletest() {
  unpack
  by_cmake "$WORK" -DBUILD_GMOCK=ON -Dgtest_disable_pthreads=ON
}

build_grpc() {
  unpack
  # Libraries that the agent has no use for: each compiles gRPC's core or the generated code once more, and
  # grpc_plugin_support wants a protoc library for Windows. And a _WIN32_WINNT that contradicts the toolchain's.
  /usr/bin/python3 - "$WORK/CMakeLists.txt" <<'PY'
import re, sys

path = sys.argv[1]
text = open(path).read()


def drop(pattern, why):
    global text
    text, times = re.subn(pattern, "", text, count=1, flags=re.S)
    if times != 1:
        sys.exit(f"gRPC's CMakeLists.txt has changed: {why} is not found")


for library in ["grpc_unsecure", "grpc++_unsecure", "grpc++_alts", "grpc++_error_details", "grpc_plugin_support"]:
    name = re.escape(library)
    drop(rf"\nadd_library\({name}\n.*?install\(TARGETS {name} EXPORT.*?\n  \)\nendif\(\)", library)
for start in ["if(gRPC_BUILD_CODEGEN AND NOT gRPC_USE_PROTO_LITE)\nadd_library(grpcpp_channelz\n",
              "if(gRPC_INSTALL AND NOT gRPC_USE_PROTO_LITE)\n  install(TARGETS grpcpp_channelz "]:
    if start not in text:
        sys.exit("gRPC's CMakeLists.txt has changed: grpcpp_channelz is not found")
    text = text.replace(start, "if(FALSE)\n" + start.split("\n", 1)[1])
drop(r"if \(MINGW\)\n  add_definitions\(-D_WIN32_WINNT=0x600\)\nendif\(\)\n", "_WIN32_WINNT")
open(path, "w").write(text)
PY
  by_cmake "$WORK" -DgRPC_INSTALL=ON -DgRPC_BUILD_TESTS=OFF -DgRPC_BUILD_CODEGEN=ON -DgRPC_BACKWARDS_COMPATIBILITY_MODE=OFF \
    -DgRPC_ABSL_PROVIDER=package -DgRPC_CARES_PROVIDER=package -DgRPC_PROTOBUF_PROVIDER=package \
    -DgRPC_RE2_PROVIDER=package -DgRPC_SSL_PROVIDER=package -DgRPC_ZLIB_PROVIDER=package -DgRPC_BENCHMARK_PROVIDER=none \
    -DgRPC_PROTOBUF_PACKAGE_TYPE=MODULE -DProtobuf_PROTOC_EXECUTABLE=/usr/bin/protoc \
    -D_gRPC_PROTOBUF_PROTOC_EXECUTABLE=/usr/bin/protoc -D_gRPC_CPP_PLUGIN=/usr/bin/grpc_cpp_plugin \
    -DgRPC_BUILD_GRPC_{CPP,CSHARP,NODE,OBJECTIVE_C,PHP,PYTHON,RUBY}_PLUGIN=OFF
}
