/* table_read.h: an open table's insides: its blocks as they come from memory, cache or device. For table*.c only.
 *
 * Every block that comes from the device is verified; a read or check that fails is tried once more before it is
 * reported (FAULTS.md 4.6). Nothing is published, cached or kept before it has been verified whole. RKV_WOULDBLOCK
 * leaves all as it was.
 *
 * Threads: any; an index_cursor has one.
 */
#ifndef RKV_LSM_TABLE_READ_H
#define RKV_LSM_TABLE_READ_H

#include <stdatomic.h>

#include "lsm/table.h"
#include "lsm/table_footer.h"
#include "lsm/table_index.h"

/* What stays in memory; immutable once published. One allocation, lines aligned. */
typedef struct table_resident {
    size_t size;          /* of the allocation */
    const uint8_t *lines; /* of the filter, all partitions end to end; NULL: in the cache */
    const uint8_t *index; /* the index blocks as in the file; NULL: in the cache */
} table_resident;

struct table {
    os_file *file;
    cache *cache;
    hash_seed seed;
    uint64_t number, size;
    table_footer footer; /* its keys are not kept */
    uint8_t *top_block;
    size_t top_size;
    index_view top; /* in top_block */
    bool keep_filter, keep_index;
    _Atomic(table_resident *) resident; /* NULL: not loaded yet, or nothing is kept */
    atomic_uint refs;
    char path[];
};

/* Set "path: offset N: what" and return RKV_ECORRUPT. */
int table_corrupt(const table *t, uint64_t offset, const char *what);

/* Read the block at [offset, offset + size) with its trailer into `to` and verify it. */
int table_read_checked(table *t, uint64_t offset, uint8_t *to, size_t size, bool nowait);

/* Verify a block in memory. RKV_ECORRUPT. */
int table_check_block(const table *t, uint64_t offset, const uint8_t *block, size_t size);

/* The body of a verified block, as it is searched: *out points into the block, or into plain when it had to be
 * decompressed. */
int table_plain_body(const table *t, uint64_t offset, slice block, buf *plain, slice *out);

/* The body of a block from the cache, pinned, or from the device into it. */
int table_cached_body(table *t, uint64_t offset, uint32_t size, bool nowait, cache_entry **out_pin);

/* Make what is to be kept resident so. */
int table_make_resident(table *t, bool nowait);

/* --- a place in the index: one data block ------------------------------------------------------------------------- */

typedef struct index_cursor {
    index_view view;   /* the index block that stands for part */
    bool leaves_cache; /* set by its owner: what is not in the cache is read into own */
    cache_entry *pin;  /* of the index block, or NULL */
    buf own;
    uint32_t part;   /* child of top */
    uint32_t child;  /* child of view */
    uint64_t offset; /* of the data block */
    uint32_t size;   /* with its trailer */
} index_cursor;

/* Stand on the block that may hold key. Zeroed or used cursor. On failure it stands nowhere. */
int index_cursor_seek(table *t, index_cursor *c, slice key, bool nowait);

/* Stand on the first or the last block. */
int index_cursor_first(table *t, index_cursor *c);
int index_cursor_last(table *t, index_cursor *c);

/* Move to the block after or before. RKV_END: there is none, and nothing moved. */
int index_cursor_next(table *t, index_cursor *c);
int index_cursor_prev(table *t, index_cursor *c);

void index_cursor_clear(table *t, index_cursor *c); /* unpin and free */

#endif
