/* peek.c: see peek.h. */
#include "resp/peek.h"

enum { DIGITS_MAX = 7 };

/* Read "<type><number>CR?" at p; returns what follows, NULL: something else. */
static const uint8_t *header(const uint8_t *p, const uint8_t *end, uint8_t type, size_t *out) {
    if (end - p < 4 || *p++ != type || (uint8_t)(*p - '1') > 8) return NULL;
    size_t v = 0;
    for (int i = 0; i < DIGITS_MAX && p < end && (uint8_t)(*p - '0') < 10; i++) v = v * 10 + (size_t)(*p++ - '0');
    if (end - p < 2 || *p != '\r') return NULL;
    *out = v;
    return p + 2;
}

static const uint8_t *bulk(const uint8_t *p, const uint8_t *end, slice *out) {
    size_t size;
    p = header(p, end, '$', &size);
    if (!p || (size_t)(end - p) < size + 2) return NULL;
    *out = slice_of(p, size);
    return p + size + 2;
}

size_t peek_request(slice input, peeked *out) {
    const uint8_t *p = input.data, *end = p + input.size;
    slice args[PEEK_ARGS];
    size_t count;
    p = header(p, end, '*', &count);
    if (!p || count < 2 || count > PEEK_ARGS) return 0;
    for (size_t i = 0; i < count; i++) {
        p = bulk(p, end, &args[i]);
        if (!p) return 0;
    }
    *out = (peeked){.name = args[0], .key = args[1], .count = (uint32_t)count};
    return (size_t)(p - input.data);
}
