# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# What the documents show is run: the C examples of the manual, and the README's tour.
add_test(NAME house COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/house.py
    --compile-commands ${CMAKE_BINARY_DIR}/compile_commands.json)
add_test(NAME house_finds_planted COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/house.py --self-test)
add_test(NAME headers COMMAND sh ${CMAKE_SOURCE_DIR}/tools/headers.sh)
set_tests_properties(house house_finds_planted headers PROPERTIES LABELS house TIMEOUT 300)
