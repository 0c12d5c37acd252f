/* test_bloom.c: the filter knows every key it was given, and about one in a hundred others. */
#include "base/alloc.h"
#include "base/hash.h"
#include "check.h"
#include "lsm/bloom.h"

static const hash_seed seed = {0x1234567890abcdefULL, 0xfedcba0987654321ULL};

static uint64_t hash_of(uint64_t number) {
    return hash_bytes(&seed, slice_of(&number, sizeof number));
}

/* The share of absent keys that pass a filter of so many keys. */
static double passing(uint64_t keys, unsigned bits) {
    enum { ASKED = 200000 };
    bloom_shape s = bloom_shape_of(keys, bits);
    size_t size = bloom_partition_bytes(&s) * s.partitions;
    uint8_t *lines = mem_zalloc(size);
    size_t passed = 0;
    CHECK(lines && s.partitions && s.lines <= BLOOM_PARTITION_LINES);
    CHECK(size * 8 >= keys * bits && size <= keys * bits / 8 + (s.partitions + 1) * BLOOM_LINE);
    for (uint64_t i = 0; i < keys; i++)
        bloom_add(lines + bloom_line(&s, hash_of(i)) * BLOOM_LINE, hash_of(i), s.probes);
    for (uint64_t i = 0; i < keys; i++) {
        CHECK(bloom_line(&s, hash_of(i)) < (size_t)s.lines * s.partitions);
        CHECK(bloom_has(lines + bloom_line(&s, hash_of(i)) * BLOOM_LINE, hash_of(i), s.probes));
    }
    for (uint64_t i = keys; i < keys + ASKED; i++)
        passed += bloom_has(lines + bloom_line(&s, hash_of(i)) * BLOOM_LINE, hash_of(i), s.probes);
    mem_free(lines);
    return (double)passed / ASKED;
}

static void test_passing(void) {
    static const struct {
        uint64_t keys;
        unsigned bits;
        double most;
    } cases[] = {{1, 10, 0.001},    {100, 10, 0.014},     {5000, 10, 0.012}, {100000, 10, 0.012}, {1000000, 10, 0.012},
                 {100000, 5, 0.12}, {100000, 16, 0.0025}, {100000, 1, 0.9},  {100000, 30, 0.001}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double share = passing(cases[i].keys, cases[i].bits);
        printf("%llu keys, %u bits: %.3f %% pass\n", (unsigned long long)cases[i].keys, cases[i].bits, 100 * share);
        CHECK(share <= cases[i].most);
    }
}

static void test_none(void) {
    CHECK(bloom_shape_of(0, 10).partitions == 0);
    CHECK(bloom_shape_of(10, 0).partitions == 0);
}

/* More keys than a filter can have lines for make a fuller filter, not a larger shape. */
static void test_too_many(void) {
    bloom_shape s = bloom_shape_of(UINT64_MAX / 64, 10);
    CHECK(s.partitions == BLOOM_PARTITIONS_MAX && s.lines == BLOOM_PARTITION_LINES);
    CHECK(bloom_line(&s, UINT64_MAX) == (size_t)s.partitions * s.lines - 1);
}

int main(void) {
    RUN(test_passing);
    RUN(test_none);
    RUN(test_too_many);
    return check_done();
}
