/* bloom.h: a blocked bloom filter: all bits of a key lie in one line of 64 bytes, so that asking costs one cache miss.
 *
 * At 10 bits a key and 6 probes about 0.96 % of absent keys pass. A filter is one or more partitions of equal size,
 * each a block of the table file; upper hash bits choose partition and line, a multiple of all bits the bits in it.
 * Pure; threads: readers any number.
 */
#ifndef RKV_LSM_BLOOM_H
#define RKV_LSM_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/coding.h"

enum {
    BLOOM_LINE = 64,              /* bytes */
    BLOOM_PARTITION_LINES = 1024, /* at most: 64 KiB */
    BLOOM_PARTITIONS_MAX = 1 << 20,
    BLOOM_PROBES_MAX = 7, /* 9 hash bits each */
};

typedef struct bloom_shape {
    uint32_t partitions; /* 0: no filter */
    uint32_t lines;      /* of one partition */
    uint32_t probes;     /* bits a key sets */
} bloom_shape;

/* The shape for so many keys with bits_per_key; keys 0 or bits 0: no filter. */
bloom_shape bloom_shape_of(uint64_t keys, unsigned bits_per_key);

/* Bytes of one partition. */
static inline size_t bloom_partition_bytes(const bloom_shape *s) {
    return (size_t)s->lines * BLOOM_LINE;
}

/* The line of a hash, counted over all partitions: partition = line / lines. */
static inline size_t bloom_line(const bloom_shape *s, uint64_t hash) {
    uint64_t scaled = (hash >> 32) * s->partitions;
    return (size_t)(scaled >> 32) * s->lines + (size_t)((scaled & UINT32_MAX) * s->lines >> 32);
}

/* Set the bits of hash in its line. */
void bloom_add(uint8_t *line, uint64_t hash, uint32_t probes);

/* Are all bits of hash set in its line? False: the key was never added. */
static inline bool bloom_has(const uint8_t *line, uint64_t hash, uint32_t probes) {
    uint64_t bits = hash * 0x9e3779b97f4a7c15ULL, all = 1;
    for (uint32_t i = 0; i < probes; i++, bits <<= 9) all &= get_fixed64(line + (bits >> 61) * 8) >> (bits >> 55 & 63);
    return all;
}

#endif
