/* hash.h: SipHash-1-3 (Aumasson and Bernstein, 2012), keyed per store.
 *
 * One 64-bit hash of a key serves memtable, bloom filters and cache alike; the key is drawn once per store, so
 * nobody outside can aim keys at one bucket. About 12 ns for 20 bytes.
 */
#ifndef RKV_BASE_HASH_H
#define RKV_BASE_HASH_H

#include "base/slice.h"

typedef struct hash_seed {
    uint64_t k0, k1;
} hash_seed;

uint64_t hash_bytes(const hash_seed *seed, slice key);

/* A bijective mix of 64 bits, for numbers that are not chosen by clients. */
static inline uint64_t hash_mix(uint64_t x) {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ x >> 33;
}

#endif
