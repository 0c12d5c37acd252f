/* fuzz_batch.c: commit batches from outside. What batch_check passes can be read to its end, says the same each time, and means the
 * same once it has been written anew. */
#include "fuzz.h"

#include "base/status.h"
#include "lsm/batch.h"

static void fuzz_valid(uint64_t n, buf *out) {
    uint64_t state = n;
    FUZZ_CHECK(batch_begin(out, 1000 + n, (uint32_t)(n % 3)) == RKV_OK);
    for (uint64_t i = 0; i < n % 7; i++) {
        uint8_t key[40] = {0}, value[300] = {0};
        size_t key_size = fuzz_below(&state, sizeof(key)), value_size = fuzz_below(&state, sizeof(value));
        uint64_t hlc = 1000 + n + fuzz_below(&state, 200);
        if (fuzz_below(&state, 5) == 0) {
            FUZZ_CHECK(batch_delete_range(out, slice_of(key, key_size / 2), slice_of(key, key_size), hlc) == RKV_OK);
            continue;
        }
        bool dead = fuzz_below(&state, 4) == 0;
        cell c = {hlc, (uint32_t)(n % 3), dead ? CELL_TOMBSTONE : 0, dead ? 0 : fuzz_below(&state, 2) * 12345,
                  slice_of(value, dead ? 0 : value_size)};
        FUZZ_CHECK(batch_put(out, slice_of(key, key_size), &c) == RKV_OK);
    }
}

/* Copy what a batch says into another; its status. */
static int copy(slice input, buf *out) {
    batch_reader r;
    batch_entry e;
    int rc = batch_open(&r, input);
    if (rc) return rc;
    FUZZ_CHECK(batch_begin(out, r.base_hlc, r.node) == RKV_OK);
    while ((rc = batch_next(&r, &e)) == RKV_OK) {
        if (e.is_range)
            FUZZ_CHECK(batch_delete_range(out, e.key, e.end, e.cell.hlc) == RKV_OK);
        else
            FUZZ_CHECK(batch_put(out, e.key, &e.cell) == RKV_OK);
    }
    return rc;
}

static void fuzz_one(slice input) {
    buf first = {0}, second = {0};
    int checked = batch_check(input), read = copy(input, &first);
    FUZZ_CHECK(checked == RKV_OK ? read == RKV_END : read == RKV_ECORRUPT && checked == RKV_ECORRUPT);
    if (checked == RKV_OK) {
        FUZZ_CHECK(copy(buf_slice(&first), &second) == RKV_END);
        FUZZ_CHECK(slice_equal(buf_slice(&first), buf_slice(&second)));
    }
    buf_clear(&first);
    buf_clear(&second);
}
