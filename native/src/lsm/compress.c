/* compress.c: see compress.h. */
#include "lsm/compress.h"

#ifdef RKV_HAVE_LZ4
#include <lz4.h>
#endif

#include "base/coding.h"
#include "base/status.h"
#include "lsm/table.h"

enum {
    SIZE_BYTES = 4,
    RATIO_MAX = 256, /* LZ4 expands one byte to at most 255 */
};

bool compress_raw_size(slice body, size_t *out_size) {
    if (body.size < SIZE_BYTES) return false;
    size_t raw_size = get_fixed32(body.data);
    if (raw_size > INT32_MAX || raw_size / RATIO_MAX > body.size) return false;
    *out_size = raw_size;
    return true;
}

#ifdef RKV_HAVE_LZ4

bool table_has_lz4(void) {
    return true;
}

int compress_append(buf *out, slice raw, bool *out_saved) {
    *out_saved = false;
    /* liblz4 gives up, cheaply, when the room is short: so the room is the size worth having. */
    size_t worth = raw.size - raw.size / 8;
    if (raw.size > LZ4_MAX_INPUT_SIZE || worth <= SIZE_BYTES) return RKV_OK;
    int rc = buf_reserve(out, worth);
    if (rc) return rc;
    uint8_t *to = out->data + out->size;
    int size =
        LZ4_compress_default((const char *)raw.data, (char *)to + SIZE_BYTES, (int)raw.size, (int)(worth - SIZE_BYTES));
    if (size <= 0) return RKV_OK;
    put_fixed32(to, (uint32_t)raw.size);
    out->size += SIZE_BYTES + (size_t)size;
    *out_saved = true;
    return RKV_OK;
}

bool compress_decode(slice body, uint8_t *raw, size_t raw_size) {
    int size = LZ4_decompress_safe((const char *)body.data + SIZE_BYTES, (char *)raw, (int)(body.size - SIZE_BYTES),
                                   (int)raw_size);
    return size >= 0 && (size_t)size == raw_size;
}

#else

bool table_has_lz4(void) {
    return false;
}

int compress_append(buf *out, slice raw, bool *out_saved) {
    (void)out;
    (void)raw;
    *out_saved = false;
    return RKV_OK;
}

bool compress_decode(slice body, uint8_t *raw, size_t raw_size) {
    (void)body;
    (void)raw;
    (void)raw_size;
    return false;
}

#endif
