/* block.h: a data block: some keys and cells in order, built once and then searched as it lies. Bytes: table_format.h.
 *
 * Leaves I/O, checksum and compression to others. A reader trusts nothing: lengths and offsets are checked where they
 * are used, so that any bytes give an answer or BLOCK_BAD, and no access outside the body.
 * Threads: a builder has one; readers of a block any number.
 */
#ifndef RKV_LSM_BLOCK_H
#define RKV_LSM_BLOCK_H

#include "base/buf.h"
#include "lsm/cell.h"
#include "lsm/table_format.h"

/* --- build -------------------------------------------------------------------------------------------------------- */

/* What decides the size of a body, of the entries so far. */
typedef struct block_totals {
    uint32_t count;
    uint32_t node;      /* of the first entry */
    size_t bytes;       /* of keys and payloads */
    size_t fields_size; /* of flags, key sizes, nodes and expiries */
    size_t prefix_size; /* what the keys begin with alike */
    uint64_t min_hlc, max_hlc;
} block_totals;

/* Entries wait here until the block is closed, since prefix and smallest version are known only then. Zeroed: empty. */
typedef struct block_builder {
    block_totals totals;
    buf bytes; /* keys and payloads, end to end */
    buf items; /* struct block_item, one an entry */
} block_builder;

void block_builder_clear(block_builder *b);

static inline uint32_t block_builder_count(const block_builder *b) {
    return b->totals.count;
}

/* Bytes of the body as it stands, and as it would be with one more entry; up to 4 an entry too many where keys are of
 * 128 bytes and more. */
size_t block_builder_size(const block_builder *b);
size_t block_builder_size_with(const block_builder *b, slice key, const cell *c);

/* Add an entry; keys strictly ascend (asserted). RKV_ENOMEM changes nothing. */
int block_builder_add(block_builder *b, slice key, uint64_t hash, const cell *c);

/* First and last key so far, valid until the next add. count > 0. */
slice block_builder_first(const block_builder *b);
slice block_builder_last(const block_builder *b);

/* Append the body to out and be empty again. count > 0. RKV_ENOMEM changes nothing. */
int block_builder_finish(block_builder *b, buf *out);

/* --- read --------------------------------------------------------------------------------------------------------- */

/* A body taken apart; valid as long as the bytes are. */
typedef struct block_view {
    const uint8_t *data;
    const uint8_t *tags, *offsets;
    uint64_t base_hlc, hlc_mask;
    uint32_t node;
    uint32_t count; /* >= 1 */
    uint32_t prefix_size;
    uint32_t entries, end; /* where the first begins and the last ends */
    uint8_t hlc_size;
    bool wide; /* offsets of 4 bytes */
} block_view;

typedef struct block_entry {
    slice suffix; /* of the key, behind the block's prefix */
    cell cell;    /* payload in the body */
} block_entry;

/* False: these bytes are no block. */
bool block_open(block_view *out, slice body);

/* Entry i < count; false: it is damaged. */
bool block_get(const block_view *v, uint32_t i, block_entry *out);

static inline slice block_prefix(const block_view *v) {
    return slice_of(v->data + v->entries - v->prefix_size, v->prefix_size);
}

enum block_found { BLOCK_ABSENT, BLOCK_FOUND, BLOCK_BAD };

/* The cell of key, whose hash is given. */
enum block_found block_find(const block_view *v, slice key, uint64_t hash, cell *out);

/* *out: the first entry with key >= target, count if there is none; false: an entry is damaged. */
bool block_lower_bound(const block_view *v, slice target, uint32_t *out);

#endif
