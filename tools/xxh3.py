# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
"""XXH3, 64 bits with a seed, in plain Python: what the plain readers check checksums with.

Source: Y. Collet, xxHash 0.8, doc/xxhash_spec.md.
"""

M64 = (1 << 64) - 1
P32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
P64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
       0x27D4EB2F165667C5)
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07d"
    "ccff7221b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e"
    "3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac83"
    "34d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce"
    "45cb3a8f95160428afd7fbcabb4b407e")


def u32(b, at):
    return int.from_bytes(b[at:at + 4], "little")


def u64(b, at):
    return int.from_bytes(b[at:at + 8], "little")


def fold(a, b):
    p = a * b
    return (p & M64) ^ (p >> 64)


def avalanche(h):
    h ^= h >> 37
    h = h * 0x165667919E3779F9 & M64
    return h ^ h >> 32


def avalanche_old(h):
    h = (h ^ h >> 33) * P64[1] & M64
    h = (h ^ h >> 29) * P64[2] & M64
    return h ^ h >> 32


def swap(v, n):
    return int.from_bytes(v.to_bytes(n, "little"), "big")


def hash_short(d, seed):
    n, s = len(d), SECRET
    if n == 0:
        return avalanche_old(seed ^ u64(s, 56) ^ u64(s, 64))
    if n < 4:
        v = d[0] << 16 | d[n >> 1] << 24 | d[n - 1] | n << 8
        return avalanche_old(v ^ ((u32(s, 0) ^ u32(s, 4)) + seed & M64))
    if n <= 8:
        seed ^= swap(seed & 0xFFFFFFFF, 4) << 32
        h = u32(d, n - 4) + (u32(d, 0) << 32) ^ ((u64(s, 8) ^ u64(s, 16)) - seed & M64)
        h ^= (h << 49 | h >> 15) & M64 ^ (h << 24 | h >> 40) & M64
        h = h * 0x9FB21C651E98DF25 & M64
        h ^= (h >> 35) + n
        h = h * 0x9FB21C651E98DF25 & M64
        return h ^ h >> 28
    low = u64(d, 0) ^ ((u64(s, 24) ^ u64(s, 32)) + seed & M64)
    high = u64(d, n - 8) ^ ((u64(s, 40) ^ u64(s, 48)) - seed & M64)
    return avalanche(n + swap(low, 8) + high + fold(low, high) & M64)


def hash_middle(d, seed):
    def mix(at, key):
        return fold(u64(d, at) ^ (u64(SECRET, key) + seed & M64),
                    u64(d, at + 8) ^ (u64(SECRET, key + 8) - seed & M64))

    n = len(d)
    h = n * P64[0]
    if n <= 128:
        for i in range((n - 1) // 32, -1, -1):
            h += mix(16 * i, 32 * i) + mix(n - 16 - 16 * i, 32 * i + 16)
        return avalanche(h & M64)
    h = avalanche(h + sum(mix(16 * i, 16 * i) for i in range(8)) & M64)
    h += sum(mix(16 * i, 16 * (i - 8) + 3) for i in range(8, n // 16))
    return avalanche(h + mix(n - 16, 136 - 17) & M64)


def hash_long(d, seed):
    s = b"".join((u64(SECRET, i) + (seed if i % 16 == 0 else -seed) & M64).to_bytes(8, "little")
                 for i in range(0, 192, 8))
    acc = [P32[2], P64[0], P64[1], P64[2], P64[3], P32[1], P64[4], P32[0]]

    def add(at, key):
        for i in range(8):
            v = u64(d, at + 8 * i)
            k = v ^ u64(s, key + 8 * i)
            acc[i ^ 1] = acc[i ^ 1] + v & M64
            acc[i] = acc[i] + (k & 0xFFFFFFFF) * (k >> 32) & M64

    n = len(d)
    for stripe in range((n - 1) // 64):
        add(64 * stripe, 8 * (stripe % 16))
        if stripe % 16 == 15:
            for i in range(8):
                acc[i] = (acc[i] ^ acc[i] >> 47 ^ u64(s, 128 + 8 * i)) * P32[0] & M64
    add(n - 64, 192 - 64 - 7)
    h = n * P64[0]
    for i in range(4):
        h += fold(acc[2 * i] ^ u64(s, 11 + 16 * i), acc[2 * i + 1] ^ u64(s, 19 + 16 * i))
    return avalanche(h & M64)


def xxh3(d, seed=0):
    if len(d) <= 16:
        return hash_short(d, seed)
    return (hash_middle if len(d) <= 240 else hash_long)(d, seed)
