/* coding.h: numbers as bytes, the same on every platform.
 *
 * fixed: little endian. be: big endian, for keys, so that byte order is number order. varint: base 128, low
 * group first, top bit = more follows; at most 5 bytes for 32 bits, 10 for 64. Readers take (cursor, end)
 * and return false, cursor untouched, when the bytes are short or a varint overflows.
 */
#ifndef RKV_BASE_CODING_H
#define RKV_BASE_CODING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "little endian hosts only: fixed numbers are copied as they lie in memory"
#endif

enum { VARINT32_MAX = 5, VARINT64_MAX = 10 };

static inline void put_fixed32(uint8_t *p, uint32_t v) {
    memcpy(p, &v, 4);
}
static inline void put_fixed64(uint8_t *p, uint64_t v) {
    memcpy(p, &v, 8);
}
static inline uint32_t get_fixed32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static inline uint64_t get_fixed64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}
static inline void put_be16(uint8_t *p, uint16_t v) {
    v = __builtin_bswap16(v);
    memcpy(p, &v, 2);
}
static inline uint16_t get_be16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, 2);
    return __builtin_bswap16(v);
}
static inline void put_be64(uint8_t *p, uint64_t v) {
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}
static inline uint64_t get_be64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

/* Write v at p, return the first byte after it. */
static inline uint8_t *put_varint(uint8_t *p, uint64_t v) {
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

static inline int varint_size(uint64_t v) {
    int n = 1;
    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

static inline bool get_varint64(const uint8_t **cursor, const uint8_t *end, uint64_t *out) {
    const uint8_t *p = *cursor;
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && p < end; shift += 7) {
        uint64_t byte = *p++;
        if (shift == 63 && byte > 1) return false;
        v |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *cursor = p;
            *out = v;
            return true;
        }
    }
    return false;
}

static inline bool get_varint32(const uint8_t **cursor, const uint8_t *end, uint32_t *out) {
    const uint8_t *p = *cursor;
    uint64_t v;
    if (!get_varint64(&p, end, &v) || v > UINT32_MAX) return false;
    *cursor = p;
    *out = (uint32_t)v;
    return true;
}

#endif
