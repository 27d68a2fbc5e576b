# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# test/<room>/test_<x>.c is one executable and one test, <room>_test_<x>; test/<room>/test_<x>.sh is
# a test that runs the program. test/model is the oracle that all of them share. Exit 77 = skipped.
depend(CMOCKA cmocka libcmocka-dev)

file(GLOB model_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/model/*.c)
file(GLOB model_headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/model/*.h)
towers_for(model_towers ${model_sources} ${model_headers})
add_library(test_model STATIC ${model_sources})
target_link_libraries(test_model PRIVATE house PUBLIC PkgConfig::CMOCKA ${model_towers})
target_include_directories(test_model PRIVATE ${CMAKE_SOURCE_DIR}/test)

function(basin_test_manners name room)
    set_tests_properties(${name} PROPERTIES LABELS ${room} SKIP_RETURN_CODE 77)
    if(TARGET basin_cli)
        set_tests_properties(${name} PROPERTIES
            ENVIRONMENT "BASIN_PROGRAM=$<TARGET_FILE:basin_cli>")
    endif()
endfunction()

# The engine with known bugs, one chosen at run time: src/base/planted.h.
file(GLOB planted_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/stratum/*.c
    ${CMAKE_SOURCE_DIR}/src/store/*.c ${CMAKE_SOURCE_DIR}/src/lsm/*.c)
add_library(tower_planted STATIC EXCLUDE_FROM_ALL ${planted_sources})
target_compile_definitions(tower_planted PUBLIC BASIN_PLANTED)
target_link_libraries(tower_planted PRIVATE house PUBLIC tower_codec tower_os)

file(GLOB test_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/*/test_*.c)
foreach(source ${test_sources})
    get_filename_component(base ${source} NAME_WE)
    get_filename_component(dir ${source} DIRECTORY)
    get_filename_component(room ${dir} NAME)
    set(name ${room}_${base})
    add_executable(${name} ${source})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/test)
    file(GLOB headers CONFIGURE_DEPENDS ${dir}/*.h)
    towers_for(towers ${source} ${headers})
    if(base STREQUAL "test_planted")
        set(towers tower_planted)
    elseif(TARGET tower_${room} AND NOT towers STREQUAL "basin_static")
        list(APPEND towers tower_${room})
    elseif(NOT TARGET tower_${room})
        set(towers basin_static)
    endif()
    target_link_libraries(${name} PRIVATE house test_model ${towers})
    if(TARGET basin_cli AND room STREQUAL "cli")
        add_dependencies(${name} basin_cli)
    endif()
    add_test(NAME ${name} COMMAND ${name})
    basin_test_manners(${name} ${room})
endforeach()

file(GLOB test_scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/*/test_*.sh)
foreach(script ${test_scripts})
    get_filename_component(base ${script} NAME_WE)
    get_filename_component(dir ${script} DIRECTORY)
    get_filename_component(room ${dir} NAME)
    add_test(NAME ${room}_${base} COMMAND sh ${script})
    basin_test_manners(${room}_${base} ${room})
endforeach()

# Each example is a program that takes an empty folder and exits 0; it links with the shared
# library, so it proves that what it needs is exported.
file(GLOB example_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/*.c)
if(TARGET basin_shared)
    foreach(source ${example_sources})
        get_filename_component(base ${source} NAME_WE)
        add_executable(example_${base} ${source})
        target_link_libraries(example_${base} PRIVATE manners basin_shared Threads::Threads)
        add_test(NAME example_${base} COMMAND sh ${CMAKE_SOURCE_DIR}/tools/in_temp.sh
            $<TARGET_FILE:example_${base}>)
        basin_test_manners(example_${base} examples)
    endforeach()
endif()
