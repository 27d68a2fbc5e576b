#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# The one command that shows Basin: installs the Debian packages that are missing, builds the
# program, and lets it show what it can do in a folder that is removed afterwards.
# It may be interrupted and run again at any time.
set -u
cd "$(dirname "$0")" || exit 1
. tools/lib.sh
trap 'echo; echo "Interrupted; ./demo.sh starts again where the build was." >&2; exit 130' INT TERM

sh tools/deps.sh build || exit 1
one_at_a_time
say 'Building'
configure release build -DBASIN_TESTS=OFF && compile build basin_cli || exit 1
say 'Running: basin demo'
sh tools/in_temp.sh "$PWD/build/basin" demo "$@"
