/* fuzz_block.c: data blocks whose checksum is right and whose bytes are not. Every entry, every search gives an answer or says that the
 * block is damaged, and points only into the block. */
#include "fuzz.h"

#include "base/hash.h"
#include "base/status.h"
#include "lsm/block.h"

static const hash_seed seed = {1, 2};

static void fuzz_valid(uint64_t n, buf *out) {
    uint64_t state = n;
    block_builder b = {0};
    char key[64];
    uint8_t value[256] = {0};
    for (uint64_t i = 0; i <= n % 40; i++) {
        int size = snprintf(key, sizeof(key), n % 2 ? "a common prefix %06" PRIu64 : "%06" PRIu64 "xyz", i * 7);
        cell c = {1 + fuzz_below(&state, n % 3 ? 100 : SIZE_MAX), (uint32_t)(n % 5 ? 1 : i), fuzz_below(&state, 5) == 0,
                  fuzz_below(&state, 4) ? 0 : 99999, slice_of(value, fuzz_below(&state, sizeof(value)))};
        if (c.flags & CELL_TOMBSTONE) c.payload.size = 0;
        slice k = slice_of(key, (size_t)size);
        FUZZ_CHECK(block_builder_add(&b, k, hash_bytes(&seed, k), &c) == RKV_OK);
    }
    FUZZ_CHECK(block_builder_finish(&b, out) == RKV_OK);
    block_builder_clear(&b);
}

static bool inside(slice part, slice whole) {
    return part.size == 0 || (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void fuzz_one(slice input) {
    block_view v;
    if (!block_open(&v, input)) return;
    FUZZ_CHECK(v.count > 0 && inside(block_prefix(&v), input));
    buf key = {0};
    for (uint32_t i = 0; i < v.count; i++) {
        block_entry e;
        if (!block_get(&v, i, &e)) continue;
        FUZZ_CHECK(inside(e.suffix, input) && inside(e.cell.payload, input));
        key.size = 0;
        fuzz_append(&key, block_prefix(&v).data, block_prefix(&v).size);
        fuzz_append(&key, e.suffix.data, e.suffix.size);
        cell found;
        uint32_t at;
        if (block_find(&v, buf_slice(&key), hash_bytes(&seed, buf_slice(&key)), &found) == BLOCK_FOUND)
            FUZZ_CHECK(inside(found.payload, input));
        if (block_lower_bound(&v, buf_slice(&key), &at)) FUZZ_CHECK(at <= v.count);
    }
    buf_clear(&key);
}
