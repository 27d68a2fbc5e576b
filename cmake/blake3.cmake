# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# BLAKE3: libblake3 where pkg-config finds it; else the official C implementation that Debian ships
# as source inside librust-blake3-dev, built here without the house's warnings.
enable_language(ASM)
file(GLOB BLAKE3_DIRS /usr/share/cargo/registry/blake3-*/c)
list(GET BLAKE3_DIRS 0 BLAKE3_DIR)
set(BLAKE3_SOURCES blake3.c blake3_dispatch.c blake3_portable.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND BLAKE3_SOURCES blake3_sse2_x86-64_unix.S blake3_sse41_x86-64_unix.S
        blake3_avx2_x86-64_unix.S blake3_avx512_x86-64_unix.S)
endif()
list(TRANSFORM BLAKE3_SOURCES PREPEND ${BLAKE3_DIR}/)
add_library(blake3 OBJECT ${BLAKE3_SOURCES})
target_include_directories(blake3 SYSTEM PUBLIC ${BLAKE3_DIR})
