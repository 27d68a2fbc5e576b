# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# A full disk, as the program meets it: a clear message, exit code 5, and a way out.
# It mounts a small disk in a name space of its own; where that is not allowed it is skipped.
if [ "${BASIN_SMALL_DISK-}" = "" ]; then
    if ! unshare -r -m sh -c 'mount -t tmpfs -o size=1m basin-test /mnt' 2>/dev/null; then
        echo "SKIPPED: nothing can be mounted here (unshare -r -m, mount -t tmpfs)" >&2
        exit 77
    fi
    BASIN_SMALL_DISK=1 exec unshare -r -m sh "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
mount -t tmpfs -o size=24m basin-test "$place/work" || exit 1
cd "$place/work" || exit 1

# 40 MB of pairs do not fit into 24 MiB
awk 'BEGIN { for (i = 0; i < 40000; i++) { printf "key%06d\t", i;
             for (k = 0; k < 40; k++) printf "%024d", (i * 7919 + k * 104729) % 99991;
             print "" } }' >"$place/pairs.tsv"
runs 5 basin import full.db "$place/pairs.tsv" --format tsv
says "full\|No space"
runs 0 basin check full.db
runs 0 basin get full.db key000001
runs 0 basin del full.db --prefix key0 --yes
runs 0 basin compact full.db
runs 1 basin get full.db key000001
runs 0 basin put full.db again 1
runs 0 basin get full.db again
printed 1

# somebody else fills it to the last byte
dd if=/dev/zero of=fill bs=64k 2>/dev/null
dd if=/dev/zero of=fill2 bs=1 2>/dev/null
shell_runs 5 "head -c 3000000 /dev/zero | basin put full.db large -"
says "full\|No space"
runs 0 basin del full.db again
runs 1 basin get full.db again
runs 0 basin compact full.db
rm -f fill fill2
runs 0 basin put full.db again 2
runs 0 basin check --deep full.db
cd "$place" && umount "$place/work"
finish
