/* table_fixture.h: sets of random keys and cells of many shapes, in a sorted array: the obvious twin of a table; and
 * the table of such a set on a file system in memory. For test_table*.c. */
#ifndef RKV_TESTS_TABLE_FIXTURE_H
#define RKV_TESTS_TABLE_FIXTURE_H

#include "lsm/table.h"
#include "os/os_fault.h"

enum set_shape {
    SET_SHORT,      /* keys of 0 to 6 arbitrary bytes, small values */
    SET_PREFIXED,   /* a long common prefix and a number, 100-byte values */
    SET_SLOTS,      /* as the store's: a slot, two bytes, "key:000000012345" */
    SET_ZEROS,      /* keys of bytes 0, 1 and 255 only, which zero padding would confuse */
    SET_LONG_KEYS,  /* up to the cap, many differing only in their last bytes */
    SET_BIG_VALUES, /* up to 40 KiB, some of 200 KiB */
    SET_KINDS,      /* tombstones, pointers, expiring cells, several nodes, versions from 0 to UINT64_MAX */
    SET_TINY,       /* 30,000 keys of 4 bytes, no values: several index blocks */
    SET_TEXT,       /* compressible values */
    SET_ONE,        /* a single entry */
    SET_SHAPES,
};

typedef struct twin_entry {
    slice key;
    cell cell;
} twin_entry;

typedef struct twin {
    twin_entry *entries; /* ascending, keys distinct */
    size_t count;
    buf bytes; /* what they point to */
} twin;

/* A small random number generator: splitmix64. */
uint64_t draw(uint64_t *state);
static inline size_t draw_below(uint64_t *state, size_t limit) {
    return (size_t)(draw(state) % limit);
}

/* The seed from the environment, or from the clock; printed once. */
uint64_t test_seed(void);

twin twin_new(enum set_shape shape, uint64_t seed);
void twin_free(twin *t);

/* The first entry with key >= target, count if there is none. */
size_t twin_lower_bound(const twin *t, slice target);

bool same_cell(const cell *a, const cell *b);

/* A table of the set, open, on a disk of its own. */
typedef struct fixture {
    os_fault *disk;
    table_options options; /* options.os and options.cache are the fixture's */
    table_props props;
    table *table;
} fixture;

#define FIXTURE_PATH   "t/0000000007.sst"
#define FIXTURE_NUMBER 7

table_options table_fixture_options(void); /* without os and cache */

/* Build the set's table at FIXTURE_PATH: the status of the first call that fails. */
int table_fixture_build(fixture *f, const twin *t);

/* Disk, cache, build and open; everything must succeed. */
fixture table_fixture_new(const twin *t, const table_options *options);
void table_fixture_free(fixture *f);

#endif
