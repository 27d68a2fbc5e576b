# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# What the documents show is run, and the house checks are tests.
add_test(NAME house COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/house.py
    --compile-commands ${CMAKE_BINARY_DIR}/compile_commands.json)
add_test(NAME house_finds_planted COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/house.py --self-test)
add_test(NAME cases COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/cases.py)
add_test(NAME headers COMMAND sh ${CMAKE_SOURCE_DIR}/tools/headers.sh)
set_tests_properties(house house_finds_planted cases headers PROPERTIES LABELS house)

if(TARGET basin_shared)
    add_test(NAME abi COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/abi.py
        $<TARGET_FILE:basin_shared> ${CMAKE_C_COMPILER} -std=c17)
    set_tests_properties(abi PROPERTIES LABELS house)
endif()

option(BASIN_FORMAT "test that the code is laid out as clang-format 14 does" OFF)
if(BASIN_FORMAT)
    add_test(NAME format COMMAND sh ${CMAKE_SOURCE_DIR}/tools/format.sh --check)
    set_tests_properties(format PROPERTIES LABELS house SKIP_RETURN_CODE 77)
endif()

if(TARGET basin_cli)
    add_test(NAME readme_tour COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/examples.py
        shell ${CMAKE_SOURCE_DIR}/README.md $<TARGET_FILE:basin_cli>)
    set_tests_properties(readme_tour PROPERTIES LABELS documents)
endif()
# C examples are linked with the shared library, like a stranger's program.
function(document_examples name file)
    if(TARGET basin_shared AND EXISTS ${CMAKE_SOURCE_DIR}/${file})
        add_test(NAME ${name} COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/examples.py
            c ${CMAKE_SOURCE_DIR}/${file} ${CMAKE_BINARY_DIR}/examples
            ${CMAKE_C_COMPILER} -std=c17 -Wall -Wextra -Wshadow -Wconversion -Werror ${sanitize}
            -I${CMAKE_SOURCE_DIR}/include -Wl,-rpath,${CMAKE_BINARY_DIR}
            $<TARGET_FILE:basin_shared>)
        set_tests_properties(${name} PROPERTIES LABELS documents)
    endif()
endfunction()
document_examples(readme_examples README.md)
document_examples(manual_examples docs/MANUAL.md)
