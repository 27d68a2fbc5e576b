# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# Down only, proven by the linker: each room becomes a shared object of its own (with default
# visibility, so compiled once more) that may have no undefined symbol when it is linked with
# exactly the rooms and libraries that were granted to it. tools/symbols.py then looks at what is
# left for the C library: no system calls but in os, no changeable globals.
if(BASIN_SANITIZE OR NOT BASIN_ROOMS)
    return()
endif()
set(floors "")
foreach(name ${BASIN_ROOMS})
    get_target_property(sources room_${name} SOURCES)
    get_target_property(uses room_${name} ROOM_USES)
    get_target_property(touches room_${name} ROOM_TOUCHES)
    add_library(floor_${name} SHARED EXCLUDE_FROM_ALL ${sources})
    set_target_properties(floor_${name} PROPERTIES C_VISIBILITY_PRESET default
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/floors)
    target_compile_options(floor_${name} PRIVATE -O0 -g0 -U_FORTIFY_SOURCE)
    target_link_options(floor_${name} PRIVATE -Wl,-z,defs -Wl,--no-copy-dt-needed-entries)
    target_link_libraries(floor_${name} PRIVATE house ${uses} m)
    foreach(below ${touches})
        if(TARGET room_${below})
            target_link_libraries(floor_${name} PRIVATE floor_${below})
        endif()
    endforeach()
    if(BASIN_BLAKE3_OBJECTS AND "blake3" IN_LIST uses)
        target_sources(floor_${name} PRIVATE ${BASIN_BLAKE3_OBJECTS})
    endif()
    list(APPEND floors floor_${name})
endforeach()
if(TARGET basin_cli AND TARGET basin_shared)
    get_target_property(sources basin_cli SOURCES)
    add_executable(floor_cli EXCLUDE_FROM_ALL ${sources})
    set_target_properties(floor_cli PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/floors)
    target_compile_options(floor_cli PRIVATE -O0 -g0)
    target_link_libraries(floor_cli PRIVATE manners basin_shared)
    list(APPEND floors floor_cli)
endif()
add_custom_target(floors DEPENDS ${floors}
    COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/symbols.py ${CMAKE_BINARY_DIR}/floors
    COMMENT "Looking at what the rooms take from the C library")
