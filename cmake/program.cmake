# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# The program's manual page and completions: it prints them itself, from its table of verbs.
install(TARGETS basin_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(BASIN_SANITIZE OR BASIN_FUZZ OR CMAKE_CROSSCOMPILING)
    return()
endif()
set(pages "")
# page(FILE ARGUMENTS): what the program prints with these arguments, as a file of the build.
function(page file arguments)
    add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/pages/${file}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/pages
        COMMAND sh -c "\"$0\" ${arguments} >\"$1\"" $<TARGET_FILE:basin_cli>
            ${CMAKE_BINARY_DIR}/pages/${file}
        DEPENDS basin_cli VERBATIM COMMENT "Printing ${file}")
    set(pages ${pages} ${CMAKE_BINARY_DIR}/pages/${file} PARENT_SCOPE)
endfunction()
page(basin.1 "help --man")
page(basin.bash "completion bash")
page(basin.zsh "completion zsh")
page(basin.fish "completion fish")
add_custom_target(basin_pages DEPENDS ${pages})

install(FILES ${CMAKE_BINARY_DIR}/pages/basin.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${CMAKE_BINARY_DIR}/pages/basin.bash RENAME basin
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${CMAKE_BINARY_DIR}/pages/basin.zsh RENAME _basin
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${CMAKE_BINARY_DIR}/pages/basin.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
