#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# deps.sh GROUP...: installs the Debian packages of these groups that are missing; says and does
# nothing when all are there. Groups: build, test, bench, ci. As root, or through sudo.
# It waits for dpkg's lock, asks no questions, and finishes what an interrupted run left behind.
set -u
export LC_ALL=C

build='gcc libc6-dev binutils cmake ninja-build make pkg-config
    libzstd-dev liblz4-dev libxxhash-dev libsodium-dev BLAKE3'
test='clang libclang-rt-dev libcmocka-dev python3 codespell'
bench='librocksdb-dev libleveldb-dev liblmdb-dev libsqlite3-dev libwiredtiger-dev'
ci='g++ clang-format'

installed() {
    [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = 'install ok installed' ]
}

# Debian 13 has the library; Debian 12 has its source in a Rust package.
blake3_package() {
    if installed libblake3-dev || apt-cache show libblake3-dev >/dev/null 2>&1; then
        echo libblake3-dev
    else
        echo librust-blake3-dev
    fi
}

# Whether what a package gives is there without it, on a system of another kind.
provided() {
    case $1 in
    gcc | cmake | make | pkg-config | clang | python3 | codespell | g++ | clang-format)
        command -v "$1" >/dev/null 2>&1 ;;
    binutils) command -v ld >/dev/null 2>&1 && command -v nm >/dev/null 2>&1 ;;
    ninja-build) command -v ninja >/dev/null 2>&1 ;;
    libc6-dev | libclang-rt-dev) true ;; # comes with the compiler elsewhere
    libzstd-dev) pkg-config --exists libzstd 2>/dev/null ;;
    liblz4-dev) pkg-config --exists liblz4 2>/dev/null ;;
    libxxhash-dev) pkg-config --exists libxxhash 2>/dev/null ;;
    libsodium-dev) pkg-config --exists libsodium 2>/dev/null ;;
    libcmocka-dev) pkg-config --exists cmocka 2>/dev/null ;;
    libblake3-dev | librust-blake3-dev)
        pkg-config --exists libblake3 2>/dev/null ||
            [ -n "$(ls -d /usr/share/cargo/registry/blake3-*/c 2>/dev/null)" ] ;;
    librocksdb-dev) pkg-config --exists rocksdb 2>/dev/null ;;
    libleveldb-dev) [ -e /usr/include/leveldb/c.h ] ;;
    liblmdb-dev) pkg-config --exists lmdb 2>/dev/null ;;
    libsqlite3-dev) pkg-config --exists sqlite3 2>/dev/null ;;
    libwiredtiger-dev) pkg-config --exists wiredtiger 2>/dev/null ;;
    *) false ;;
    esac
}

list_missing() {
    for group in "$@"; do
        eval "packages=\${$group-}"
        if [ -z "$packages" ]; then
            echo "deps: no group $group (build, test, bench, ci)" >&2
            exit 2
        fi
        for package in $packages; do
            if [ "$package" = BLAKE3 ]; then
                installed libblake3-dev || installed librust-blake3-dev || echo BLAKE3
            else
                installed "$package" || echo "$package"
            fi
        done
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo $ask env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

apt() {
    as_root apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 \
        -o Dpkg::Options::=--force-confold "$@" </dev/null
}

has_lists() {
    [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' 2>/dev/null | head -n 1)" ]
}

install_missing() {
    has_lists || apt update
    for pause in 2 10 30 0; do
        packages=$(list_missing "$@" | sed "s/^BLAKE3\$/$(blake3_package)/")
        [ -z "$packages" ] && return 0
        echo "deps: installing" $packages
        # Unquoted: one word a package.
        apt install --no-install-recommends $packages && return 0
        # What may have gone wrong: an interrupted dpkg, old lists, a lock, the network.
        echo "deps: that failed; repairing, then trying again" >&2
        sleep $pause
        as_root dpkg --configure -a --force-confold </dev/null
        apt update
        apt --fix-broken --no-install-recommends install
    done
    [ -z "$(list_missing "$@")" ]
}

[ $# -gt 0 ] || set -- build test
ask=-n
missing=$(list_missing "$@") || exit 2
[ -z "$missing" ] && exit 0

if command -v apt-get >/dev/null 2>&1; then
    can=no
    if [ "$(id -u)" = 0 ]; then
        can=yes
    elif command -v sudo >/dev/null 2>&1; then
        if sudo -n true 2>/dev/null; then
            can=yes
        elif [ -t 0 ] && [ -t 2 ]; then
            ask=
            can=yes # sudo asks for the password, once
        fi
    fi
    if [ $can = yes ]; then
        install_missing "$@" && exit 0
        echo "deps: these packages could not be installed:" $(list_missing "$@") >&2
        exit 1
    fi
fi

# Neither root nor sudo, or no Debian: go on if everything is there by other means.
left=
for package in $missing; do
    [ "$package" = BLAKE3 ] && package=$(blake3_package)
    provided "$package" || left="$left $package"
done
[ -z "$left" ] && exit 0
cat >&2 <<END
deps: these Debian packages (or what they provide) are missing, and this user is neither root nor
deps: allowed to use sudo. Please have them installed, then run this again:

    apt-get install --no-install-recommends$left

END
exit 1
