# Options of the build and where its products land. The build tree has the layout of an installation
# (bin/, lib/kvrel/, share/kvrel/), so that kvrel finds its runtime and templates relative to itself in both.

if(CMAKE_SOURCE_DIR STREQUAL CMAKE_BINARY_DIR)
  message(FATAL_ERROR "builds live in _build/: remove CMakeCache.txt and CMakeFiles/ here, then run cmake --preset dev")
endif()
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

option(KVREL_WERROR "treat warnings as errors" OFF)
option(KVREL_COVERAGE "instrument for gcov" OFF)
option(KVREL_FUZZ "build the libFuzzer targets (needs clang)" OFF)
option(KVREL_UNIT_TESTS "build the unit tests (needs Criterion)" ON)
set(KVREL_TEST_PREFIX "" CACHE STRING "put before the names of this tree's tests, so that several trees can be tested in one run")
set(KVREL_SANITIZE "" CACHE STRING "sanitizers for -fsanitize=, e.g. address,undefined")

set(KVREL_BIN_DIR "${CMAKE_BINARY_DIR}/bin")
set(KVREL_RUNTIME_DIR "${CMAKE_BINARY_DIR}/lib/kvrel/runtime")      # kvnode, libkvnode.so, launcher
set(KVREL_COMPONENT_DIR "${CMAKE_BINARY_DIR}/components")           # NAME/NAME.so
set(KVREL_SHARE_DIR "${CMAKE_BINARY_DIR}/share/kvrel")              # templates/

add_library(kvrel_options INTERFACE)
target_compile_features(kvrel_options INTERFACE c_std_11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
target_compile_definitions(kvrel_options INTERFACE _GNU_SOURCE KVREL_VERSION="${PROJECT_VERSION}")
target_compile_options(kvrel_options INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
  -Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough -Wno-missing-field-initializers
  -fno-common
  # no path of the build machine in a binary
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=_build
  $<$<BOOL:${KVREL_WERROR}>:-Werror>)
target_link_options(kvrel_options INTERFACE -Wl,--build-id=sha1 -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT KVREL_WERROR)
  # what gcc guesses across inlined functions when it optimises; not for the eyes of people who only want kvrel
  target_compile_options(kvrel_options INTERFACE
    "$<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-format-truncation>")
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(kvrel_options INTERFACE -fstack-protector-strong $<$<NOT:$<BOOL:${KVREL_SANITIZE}>>:-D_FORTIFY_SOURCE=2>)
endif()
if(KVREL_SANITIZE)
  target_compile_options(kvrel_options INTERFACE -fsanitize=${KVREL_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(kvrel_options INTERFACE -fsanitize=${KVREL_SANITIZE})
  if(KVREL_SANITIZE MATCHES "undefined")
    target_compile_options(kvrel_options INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()
if(KVREL_COVERAGE)
  target_compile_options(kvrel_options INTERFACE --coverage)
  target_link_options(kvrel_options INTERFACE --coverage)
endif()
if(KVREL_FUZZ)
  target_compile_options(kvrel_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# KVREL_CCACHE is empty where there is none, so that it may stand before any compiler.
find_program(KVREL_CCACHE_PROGRAM ccache)
set(KVREL_CCACHE "")
if(KVREL_CCACHE_PROGRAM)
  set(KVREL_CCACHE "${KVREL_CCACHE_PROGRAM}")
  set(CMAKE_C_COMPILER_LAUNCHER "${KVREL_CCACHE}")
endif()
