/* bloom.c: see bloom.h. Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007). */
#include "lsm/bloom.h"

bloom_shape bloom_shape_of(uint64_t keys, unsigned bits_per_key) {
    if (!keys || !bits_per_key) return (bloom_shape){0};
    uint64_t lines = (keys * bits_per_key + BLOOM_LINE * 8 - 1) / (BLOOM_LINE * 8);
    uint64_t partitions = (lines + BLOOM_PARTITION_LINES - 1) / BLOOM_PARTITION_LINES;
    if (partitions > BLOOM_PARTITIONS_MAX) partitions = BLOOM_PARTITIONS_MAX;
    lines = (lines + partitions - 1) / partitions;
    if (lines > BLOOM_PARTITION_LINES) lines = BLOOM_PARTITION_LINES;
    /* ln 2 bits a key would be best for one large filter; the crowded lines of a blocked one want a little less. */
    unsigned probes = (bits_per_key * 6 + 5) / 10;
    if (probes > BLOOM_PROBES_MAX) probes = BLOOM_PROBES_MAX;
    return (bloom_shape){(uint32_t)partitions, (uint32_t)lines, probes};
}

void bloom_add(uint8_t *line, uint64_t hash, uint32_t probes) {
    uint64_t bits = hash * 0x9e3779b97f4a7c15ULL;
    for (uint32_t i = 0; i < probes; i++, bits <<= 9) {
        uint8_t *word = line + (bits >> 61) * 8;
        put_fixed64(word, get_fixed64(word) | 1ULL << (bits >> 55 & 63));
    }
}
