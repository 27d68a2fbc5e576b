# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# The installed library, shared and static. Both show nothing but basin_*: the shared one through
# hidden visibility and a version script, the static one as a single object whose other symbols were
# made local, so that a program may have its own buf_init.
add_library(basin_shared SHARED ${BASIN_OBJECTS} ${BASIN_BLAKE3_OBJECTS})
set_target_properties(basin_shared PROPERTIES OUTPUT_NAME basin VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/basin.map
    EXPORT_NAME basin)
target_include_directories(basin_shared INTERFACE
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_options(basin_shared PRIVATE
    -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/basin.map -Wl,-z,relro -Wl,-z,now)
if(NOT BASIN_SANITIZE AND NOT BASIN_FUZZ)
    target_link_options(basin_shared PRIVATE -Wl,-z,defs -Wl,--as-needed)
endif()
target_link_libraries(basin_shared PRIVATE PkgConfig::ZSTD PkgConfig::LZ4 PkgConfig::XXHASH
    PkgConfig::SODIUM Threads::Threads m)
if(NOT BASIN_BLAKE3_OBJECTS)
    target_link_libraries(basin_shared PRIVATE blake3)
endif()

if(NOT BASIN_SANITIZE AND NOT BASIN_FUZZ)
    set(archive ${CMAKE_BINARY_DIR}/libbasin.a)
    add_custom_command(OUTPUT ${archive}
        COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o basin.o
            ${BASIN_OBJECTS} ${BASIN_BLAKE3_OBJECTS}
        COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=basin_* basin.o
        COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
        COMMAND ${CMAKE_AR} qcs ${archive} basin.o
        COMMAND ${CMAKE_COMMAND} -E rm -f basin.o
        DEPENDS ${BASIN_OBJECTS} ${BASIN_BLAKE3_OBJECTS}
        COMMAND_EXPAND_LISTS VERBATIM COMMENT "Joining libbasin.a")
    add_custom_target(basin_archive ALL DEPENDS ${archive})
endif()

# make install
install(TARGETS basin_shared EXPORT basin
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT basin NAMESPACE Basin:: FILE basin-targets.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/basin)
install(FILES ${CMAKE_BINARY_DIR}/libbasin.a DESTINATION ${CMAKE_INSTALL_LIBDIR} OPTIONAL)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/basin DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

include(CMakePackageConfigHelpers)
file(RELATIVE_PATH basin_pc_prefix
    ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${CMAKE_SOURCE_DIR}/cmake/basin.pc.in ${CMAKE_BINARY_DIR}/basin.pc @ONLY)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/basin-config.cmake.in
    ${CMAKE_BINARY_DIR}/basin-config.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/basin
    PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/basin-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/basin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${CMAKE_BINARY_DIR}/basin-config.cmake
    ${CMAKE_BINARY_DIR}/basin-config-version.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/basin)
