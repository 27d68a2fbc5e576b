# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# fuzz/fuzz_<x>.c exports LLVMFuzzerTestOneInput; its seeds are in fuzz/corpus/<x>/. With BASIN_FUZZ
# it becomes a libFuzzer program; otherwise it is linked with fuzz/replay.c, which runs the seeds as
# the test fuzz_<x>, under every compiler and sanitizer.
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/fuzz_*.c)
add_custom_target(fuzzers)
foreach(source ${fuzz_sources})
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "^fuzz_" "" subject ${name})
    if(BASIN_FUZZ)
        add_executable(${name} ${source})
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    elseif(BASIN_TESTS)
        add_executable(${name} ${source} ${CMAKE_SOURCE_DIR}/fuzz/replay.c)
        add_test(NAME ${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${subject})
        basin_test_manners(${name} fuzz)
    else()
        continue()
    endif()
    # libFuzzer has no header that declares what it calls.
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS -Wno-missing-prototypes)
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/fuzz)
    file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/*.h)
    towers_for(towers ${source} ${headers})
    target_link_libraries(${name} PRIVATE house ${towers})
    add_dependencies(fuzzers ${name})
endforeach()
