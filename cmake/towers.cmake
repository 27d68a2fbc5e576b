# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# The towers of the rooms whose headers these files include, or the whole library: so the tests of
# a room can be built and run while a room beside or above it does not compile.
function(towers_for out)
    set(towers "")
    foreach(file ${ARGN})
        set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
        file(STRINGS ${file} lines REGEX "^ *# *include \"[a-z]+/")
        foreach(line ${lines})
            string(REGEX REPLACE "^ *# *include \"([a-z]+)/.*" "\\1" room ${line})
            if(TARGET tower_${room})
                list(APPEND towers tower_${room})
            elseif(NOT room STREQUAL "model")
                set(${out} basin_static PARENT_SCOPE)
                return()
            endif()
        endforeach()
    endforeach()
    list(REMOVE_DUPLICATES towers)
    set(${out} ${towers} PARENT_SCOPE)
endfunction()
