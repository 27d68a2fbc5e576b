#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# The one command that shows Basin: installs the Debian packages that are missing, builds the
# program, and lets it show what it can do, in build/demo. That folder is made anew by each run and
# stays for further looks. It may be interrupted and run again at any time.
set -u
cd "$(dirname "$0")" || exit 1
. tools/lib.sh
trap 'echo; echo "Interrupted; ./demo.sh starts again where the build was." >&2; exit 130' INT TERM

sh tools/deps.sh build || exit 1
one_at_a_time
say 'Building'
configure release build -DBASIN_TESTS=OFF && compile build basin_cli || exit 1
say 'Running: build/basin demo build/demo'
rm -rf build/demo
build/basin demo build/demo "$@" 9>&- || exit
echo
echo 'Go on with, for example: build/basin scan build/demo/packages.db --prefix bash --keys'
