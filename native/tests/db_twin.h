/* db_twin.h: the obvious second store for tests of db.h: an array of winners and a list of range deletions.
 *
 * A version decides its cell: twin_cell_of makes kind, expiry and payload from (key, hlc, node), so that whoever reads a cell can tell
 * whether it is right, and applying a version twice is applying the same cell.
 */
#ifndef RKV_TESTS_DB_TWIN_H
#define RKV_TESTS_DB_TWIN_H

#include "lsm/db.h"

enum { TWIN_KEYS = 200, TWIN_KEY_SIZE_MAX = 40, TWIN_RANGES_MAX = 4096 };

typedef struct twin_version {
    uint64_t hlc; /* 0: never put */
    uint32_t node;
} twin_version;

typedef struct twin_range {
    unsigned begin, end; /* keys; end TWIN_KEYS: open */
    uint64_t hlc;
    uint32_t node;
} twin_range;

typedef struct twin {
    twin_version keys[TWIN_KEYS];
    size_t range_count;
    twin_range ranges[TWIN_RANGES_MAX];
} twin;

/* A source of numbers, seeded. */
typedef struct dice {
    uint64_t state;
} dice;
uint64_t dice_next(dice *d);
uint64_t dice_below(dice *d, uint64_t bound);
bool dice_one_in(dice *d, uint64_t n);

/* Seed of this run: env SEED, or `otherwise`; printed by dice_seed. */
uint64_t dice_seed(const char *test, uint64_t otherwise);

/* Keys ascend with their number; some share long prefixes. */
slice twin_key(unsigned key, uint8_t out[TWIN_KEY_SIZE_MAX]);

/* How payloads are spread: up to `small` bytes, one in `large_one_in` (0: none) up to `large`. The same for all stores of a test. */
typedef struct twin_shape {
    uint32_t small, large, large_one_in;
    uint64_t base_ms; /* expiries lie around it */
} twin_shape;
extern twin_shape twin_shape_now;

/* The cell of a version. The payload is malloc'ed. */
cell twin_cell_of(unsigned key, uint64_t hlc, uint32_t node);
void twin_cell_free(cell *c);

void twin_put(twin *t, unsigned key, uint64_t hlc, uint32_t node);
void twin_delete_range(twin *t, unsigned begin, unsigned end, uint64_t hlc, uint32_t node);

/* The version that a reader finds, before expiry and tombstones count; false: none. */
bool twin_winner(const twin *t, unsigned key, twin_version *out);
/* Is it alive at now_ms? */
bool twin_live(const twin *t, unsigned key, uint64_t now_ms);

/* Put one version into d, through the value log where the store would. RKV_OK or what db_reserve or db_value_write said; not committed. */
int twin_store_put(db *d, unsigned key, uint64_t hlc, uint32_t node);
/* Append one version to a batch. */
void twin_batch_put(buf *b, unsigned key, uint64_t hlc, uint32_t node);

/* Is c, read under key, exactly the cell of its version, value included? Aborts if not; the status of reading the value. */
int twin_check_cell(db *d, unsigned key, const cell *c);

/* Check every key of d against t by get, get_many and iterators both ways. exact: tombstones and expired cells must be there, too. Aborts with
 * a message on the first difference; returns the status of the first failed read. */
int twin_compare(db *d, const twin *t, uint64_t now_ms, bool exact);
/* The same by a view, without the owner's reads. */
int twin_compare_view(db *d, db_view *v, const twin *t, uint64_t now_ms, bool exact, slice lower, slice upper);

#endif
