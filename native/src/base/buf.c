/* buf.c: see buf.h. */
#include "base/buf.h"

#include "base/alloc.h"
#include "base/status.h"

int buf_reserve(buf *b, size_t extra) {
    if (b->capacity - b->size >= extra) return RKV_OK;
    if (extra > SIZE_MAX / 2 - b->size) return alloc_failed(extra);
    size_t need = b->size + extra;
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity < need) capacity *= 2;
    uint8_t *data = mem_realloc(b->data, capacity);
    if (!data) return alloc_failed(capacity);
    b->data = data;
    b->capacity = capacity;
    return RKV_OK;
}

int buf_append(buf *b, const void *data, size_t size) {
    int rc = buf_reserve(b, size);
    if (rc) return rc;
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
    return RKV_OK;
}

void buf_clear(buf *b) {
    mem_free(b->data);
    *b = (buf){0};
}
