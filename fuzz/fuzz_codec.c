// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Codecs on any bytes: the first byte chooses the codec, the next two how many bytes are expected
 * back. Expanding gives exactly those or fails; compressing and expanding gives the same bytes;
 * unsealing what was not sealed fails.
 */
#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
there_and_back(struct codec *c, enum codec_id id, struct bytes in, uint8_t *space, size_t room)
{
    size_t n = codec_compress(c, id, 1, in, space, room);
    uint8_t *back;

    must(n < in.size || n == 0);
    if (n == 0)
        return;
    back = mem_new(&base_malloc, in.size);
    must(back && codec_expand(c, id, bytes_of(space, n), back, in.size, NULL) == BASIN_OK);
    must(memcmp(back, in.data, in.size) == 0);
    mem_free(&base_malloc, back, in.size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct codec_key key = { { 1 } };
    struct codec *c;
    struct bytes in;
    uint8_t *space;
    size_t raw, room;

    if (size < 4)
        return 0;
    raw = load_u16(data + 1);
    in = bytes_of(data + 3, size - 3);
    room = MAX_OF(MAX_OF(raw, in.size), (size_t)1);
    space = mem_new(&base_malloc, room);
    must(space && codec_new(&base_malloc, &c, NULL) == BASIN_OK);
    (void)!codec_expand(c, (enum codec_id)(data[0] % 4), in, space, raw, NULL);
    there_and_back(c, (enum codec_id)(data[0] % CODEC_COUNT), in, space, room);
    must(codec_unseal(&key, raw, BYTES_NULL, in, space, NULL) == BASIN_CORRUPT);
    codec_free(c);
    mem_free(&base_malloc, space, room);
    return 0;
}
