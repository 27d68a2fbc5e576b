#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# install_check.sh FOLDER: installs a release build into a temporary place and builds the examples
# against it as a stranger would: with pkg-config, shared and static, and with the CMake package.
# Looks at the SONAME and at what the libraries export.
set -eu
cd "$(dirname "$0")/.."
build=$(cd "$1" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/basin-install-XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
prefix=$dir/usr
complain() {
    echo "install: $*" >&2
    exit 1
}

cmake --build "$build" --target product >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
cmake --install "$build" --prefix "$prefix" >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
lib=$(dirname "$(find "$prefix" -name libbasin.so)")
for file in "$prefix/bin/basin" "$prefix/include/basin/basin.h" "$lib/libbasin.a" \
    "$lib/libbasin.so.0" "$lib/pkgconfig/basin.pc" "$lib/cmake/basin/basin-config.cmake" \
    "$prefix/share/man/man1/basin.1" "$prefix/share/bash-completion/completions/basin"; do
    [ -e "$file" ] || complain "$file is missing"
done
objdump -p "$lib/libbasin.so" | grep -q 'SONAME *libbasin.so.0$' || complain 'wrong SONAME'
shown=$(nm -D --defined-only "$lib/libbasin.so" | awk '$2 != "A" { print $3 }' |
    grep -v '^basin_' || true)
[ -z "$shown" ] || complain "libbasin.so exports $shown"
shown=$(nm -g --defined-only "$lib/libbasin.a" 2>/dev/null | awk 'NF == 3 { print $3 }' |
    grep -v '^basin_' || true)
[ -z "$shown" ] || complain "libbasin.a exports $shown"

# Every function that the headers declare is exported.
for name in $(sed -n 's/.*\<\(basin_[a-z0-9_]*\)(.*/\1/p' include/basin/*.h | sort -u); do
    grep -q "BASIN_API.*\<$name(" include/basin/*.h || continue
    nm -D --defined-only "$lib/libbasin.so" | grep -q " $name\(@@.*\)\{0,1\}\$" ||
        complain "$name is declared and not exported"
done

"$prefix/bin/basin" version >/dev/null || complain 'the installed program does not run'
export PKG_CONFIG_PATH="$lib/pkgconfig"
count=0
for source in examples/*.c; do
    name=$(basename "$source" .c)
    cc -std=c17 -pthread -o "$dir/shared" "$source" $(pkg-config --cflags --libs basin)
    LD_LIBRARY_PATH=$lib sh tools/in_temp.sh "$dir/shared" >/dev/null || complain "$name, shared"
    cc -std=c17 -pthread -o "$dir/static" "$source" $(pkg-config --cflags basin) "$lib/libbasin.a" \
        $(pkg-config --static --libs basin | sed 's/-lbasin//')
    sh tools/in_temp.sh "$dir/static" >/dev/null || complain "$name, static"
    count=$((count + 1))
done
[ $count -gt 0 ] || complain 'there are no examples'

mkdir "$dir/stranger"
cat >"$dir/stranger/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.16)
project(stranger C)
find_package(basin 0.1 REQUIRED)
add_executable(shared $PWD/$source)
target_link_libraries(shared Basin::basin)
add_executable(static $PWD/$source)
target_link_libraries(static Basin::basin_static)
END
cmake -S "$dir/stranger" -B "$dir/stranger/build" -DCMAKE_PREFIX_PATH="$prefix" >"$dir/log" 2>&1 &&
    cmake --build "$dir/stranger/build" >>"$dir/log" 2>&1 ||
    { cat "$dir/log"; complain 'the CMake package does not work'; }
for name in shared static; do
    sh tools/in_temp.sh "$dir/stranger/build/$name" >/dev/null || complain "CMake, $name"
done
echo "install: $count examples, shared and static, pkg-config and CMake"
