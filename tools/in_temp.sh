#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# in_temp.sh COMMAND...: runs the command with an empty folder as last argument and as TMPDIR,
# and removes the folder afterwards, whatever happened.
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/basin-XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$dir/tmp" "$dir/empty"
TMPDIR=$dir/tmp "$@" "$dir/empty"
