/* slice.h: a view of bytes that somebody else owns. */
#ifndef RKV_BASE_SLICE_H
#define RKV_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct slice {
    const uint8_t *data; /* may be NULL only when size is 0 */
    size_t size;         /* bytes */
} slice;

static inline slice slice_of(const void *data, size_t size) {
    return (slice){(const uint8_t *)data, size};
}

static inline slice slice_text(const char *text) {
    return slice_of(text, strlen(text));
}

/* Order by unsigned bytes, a prefix before what it begins: < 0, 0, > 0. */
static inline int slice_compare(slice a, slice b) {
    size_t n = a.size < b.size ? a.size : b.size;
    int order = n ? memcmp(a.data, b.data, n) : 0;
    if (order) return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

static inline bool slice_equal(slice a, slice b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
