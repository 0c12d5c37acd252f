/* hash.c: SipHash-1-3; see hash.h. */
#include "base/hash.h"

#include "base/coding.h"

static inline uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

#define SIP_ROUND                                                                                                      \
    do {                                                                                                               \
        v0 += v1;                                                                                                      \
        v1 = rotate(v1, 13);                                                                                           \
        v1 ^= v0;                                                                                                      \
        v0 = rotate(v0, 32);                                                                                           \
        v2 += v3;                                                                                                      \
        v3 = rotate(v3, 16);                                                                                           \
        v3 ^= v2;                                                                                                      \
        v0 += v3;                                                                                                      \
        v3 = rotate(v3, 21);                                                                                           \
        v3 ^= v0;                                                                                                      \
        v2 += v1;                                                                                                      \
        v1 = rotate(v1, 17);                                                                                           \
        v1 ^= v2;                                                                                                      \
        v2 = rotate(v2, 32);                                                                                           \
    } while (0)

uint64_t hash_bytes(const hash_seed *seed, slice key) {
    uint64_t v0 = seed->k0 ^ 0x736f6d6570736575ULL;
    uint64_t v1 = seed->k1 ^ 0x646f72616e646f6dULL;
    uint64_t v2 = seed->k0 ^ 0x6c7967656e657261ULL;
    uint64_t v3 = seed->k1 ^ 0x7465646279746573ULL;
    const uint8_t *p = key.data;
    size_t left = key.size;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t word = get_fixed64(p);
        v3 ^= word;
        SIP_ROUND;
        v0 ^= word;
    }
    uint64_t last = (uint64_t)key.size << 56;
    for (size_t i = 0; i < left; i++) last |= (uint64_t)p[i] << (8 * i);
    v3 ^= last;
    SIP_ROUND;
    v0 ^= last;
    v2 ^= 0xff;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}
