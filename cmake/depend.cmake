# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# depend(PREFIX MODULE PACKAGE): a library through pkg-config, as PkgConfig::PREFIX; when it is
# missing, the error names the Debian package.
function(depend prefix module package)
    pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${module})
    if(NOT ${prefix}_FOUND)
        message(FATAL_ERROR "${module} is missing: install the Debian package ${package}, "
            "or run tools/deps.sh build test")
    endif()
endfunction()
