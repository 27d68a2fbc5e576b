# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# BLAKE3: libblake3 where pkg-config finds it; else the official C implementation that Debian ships
# as source inside librust-blake3-dev, built here without the house's warnings.
#
# Gives the target `blake3` to link with, and BASIN_BLAKE3_OBJECTS: the objects that a library of
# ours has to carry, empty when the system has the library.
pkg_check_modules(BLAKE3 QUIET IMPORTED_TARGET libblake3)
if(BLAKE3_FOUND)
    add_library(blake3 INTERFACE)
    target_link_libraries(blake3 INTERFACE PkgConfig::BLAKE3)
    set(BASIN_BLAKE3_OBJECTS "")
    set(BASIN_BLAKE3_REQUIRES "libblake3")
    message(STATUS "BLAKE3: libblake3 ${BLAKE3_VERSION}")
    return()
endif()

file(GLOB BLAKE3_DIRS /usr/share/cargo/registry/blake3-*/c)
if(NOT BLAKE3_DIRS)
    message(FATAL_ERROR "BLAKE3 is missing: install the Debian package librust-blake3-dev "
        "(Debian 12) or libblake3-dev (Debian 13 and later), or run tools/deps.sh build")
endif()
list(SORT BLAKE3_DIRS COMPARE NATURAL ORDER DESCENDING)
list(GET BLAKE3_DIRS 0 BLAKE3_DIR)
message(STATUS "BLAKE3: built from ${BLAKE3_DIR}")

set(BLAKE3_SOURCES blake3.c blake3_dispatch.c blake3_portable.c)
set(BLAKE3_DEFINITIONS "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    enable_language(ASM)
    list(APPEND BLAKE3_SOURCES blake3_sse2_x86-64_unix.S blake3_sse41_x86-64_unix.S
        blake3_avx2_x86-64_unix.S blake3_avx512_x86-64_unix.S)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    list(APPEND BLAKE3_SOURCES blake3_neon.c)
    list(APPEND BLAKE3_DEFINITIONS BLAKE3_USE_NEON=1)
else()
    list(APPEND BLAKE3_DEFINITIONS BLAKE3_USE_NEON=0)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "i.86|x86")
        list(APPEND BLAKE3_DEFINITIONS BLAKE3_NO_SSE2 BLAKE3_NO_SSE41 BLAKE3_NO_AVX2
            BLAKE3_NO_AVX512)
    endif()
endif()
list(TRANSFORM BLAKE3_SOURCES PREPEND ${BLAKE3_DIR}/)
add_library(blake3 OBJECT ${BLAKE3_SOURCES})
target_compile_definitions(blake3 PRIVATE ${BLAKE3_DEFINITIONS})
target_include_directories(blake3 SYSTEM PUBLIC ${BLAKE3_DIR})
set(BASIN_BLAKE3_OBJECTS $<TARGET_OBJECTS:blake3>)
set(BASIN_BLAKE3_REQUIRES "")
