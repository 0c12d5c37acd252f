/* table_index.h: an index block: which child (data block, or index block below the top) holds a key. Bytes:
 * table_format.h.
 *
 * Searched as it lies: a binary search without branches over 8-byte heads, then only among equal heads over the rest.
 * Damaged bytes give a wrong child or INDEX_BAD, never an access outside the body.
 * Threads: a builder has one; readers any number.
 */
#ifndef RKV_LSM_TABLE_INDEX_H
#define RKV_LSM_TABLE_INDEX_H

#include "base/buf.h"
#include "lsm/table_format.h"

/* Children in order, end to end in the file. Zeroed: empty. */
typedef struct index_builder {
    buf separators; /* end to end */
    buf items;      /* struct index_item, one a child */
    uint32_t count;
    uint64_t base, end; /* the file bytes of the children so far */
} index_builder;

void index_builder_clear(index_builder *b);

/* Would a child with this separator, ending there, be too much for one index block? Never for an empty one. */
bool index_builder_full(const index_builder *b, slice separator, uint64_t end);

/* Add the child at [offset, offset + size). RKV_ENOMEM changes nothing. */
int index_builder_add(index_builder *b, slice separator, uint64_t offset, uint32_t size);

/* The children lie that much further on than was known when they were added. */
static inline void index_builder_shift(index_builder *b, uint64_t bytes) {
    b->base += bytes;
    b->end += bytes;
}

/* The first separator. count > 0. */
slice index_builder_first(const index_builder *b);

/* Append the body to out. count > 0. RKV_ENOMEM changes nothing. */
int index_builder_encode(const index_builder *b, buf *out);

/* Be empty again. */
void index_builder_reset(index_builder *b);

/* A body taken apart; valid as long as the bytes are. */
typedef struct index_view {
    const uint8_t *heads, *offsets, *marks;
    const uint8_t *prefix, *rest;
    uint64_t base;
    uint32_t count; /* >= 1 */
    uint32_t prefix_size, rest_size;
} index_view;

/* False: these bytes are no index block. */
bool index_open(index_view *out, slice body);

/* The child that may hold key: the last with separator <= key, the first if there is none; false: the block is damaged.
 * */
bool index_find(const index_view *v, slice key, uint32_t *out);

/* Where child i < count lies; false: the block is damaged. */
static inline bool index_child(const index_view *v, uint32_t i, uint64_t *out_offset, uint32_t *out_size) {
    uint32_t start = get_fixed32(v->offsets + 4 * (size_t)i), end = get_fixed32(v->offsets + 4 * (size_t)i + 4);
    if (start >= end) return false;
    *out_offset = v->base + start;
    *out_size = end - start;
    return true;
}

#endif
