/* compress.h: LZ4 blocks by liblz4, where it was there at build time (RKV_HAVE_LZ4). Pure; threads: any. */
#ifndef RKV_LSM_COMPRESS_H
#define RKV_LSM_COMPRESS_H

#include <stdbool.h>

#include "base/buf.h"

/* Append raw_size:fixed32 lz4_block to out if that saves an eighth or more: *out_saved tells; without it out is as it
 * was. RKV_ENOMEM. */
int compress_append(buf *out, slice raw, bool *out_saved);

/* The raw size that a compressed body claims; false: it is too short, or the claim is out of reach for its size. */
bool compress_raw_size(slice body, size_t *out_size);

/* Decompress body into raw, which has raw_size bytes, as claimed; false: the bytes are not such a block. */
bool compress_decode(slice body, uint8_t *raw, size_t raw_size);

#endif
