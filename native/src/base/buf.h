/* buf.h: a byte buffer that grows.
 *
 * A zeroed buf is a valid empty one. Appends either succeed whole or change nothing and return RKV_ENOMEM.
 * Growth doubles, so n appended bytes cost O(n).
 */
#ifndef RKV_BASE_BUF_H
#define RKV_BASE_BUF_H

#include "base/slice.h"

typedef struct buf {
    uint8_t *data;
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
} buf;

/* Make room for extra more bytes, without changing size. */
int buf_reserve(buf *b, size_t extra);

/* Append size bytes; data must not lie inside b. */
int buf_append(buf *b, const void *data, size_t size);

/* Release the memory; b is empty and usable again. */
void buf_clear(buf *b);

static inline slice buf_slice(const buf *b) {
    return slice_of(b->data, b->size);
}

#endif
