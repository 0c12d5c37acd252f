/* iter.h: the one shape of ordered readers: memtable, table, level, merge, db.
 *
 * An iterator stands on an entry (valid) or nowhere. Its key and cell are fields, not calls: they are right after any
 * move, and stay so until the next. status is RKV_OK, or the error that made it invalid; a reader loop checks it once at the
 * end. Keys ascend by unsigned bytes, and each comes once: two iterators of one store may show different cells of a key, of which
 * the merge takes the winner.
 * Threads: one at a time per iterator.
 */
#ifndef RKV_LSM_ITER_H
#define RKV_LSM_ITER_H

#include "lsm/cell.h"

typedef struct iter iter;

typedef struct iter_ops {
    void (*seek)(iter *it, slice target);          /* first entry with key >= target; empty target: the first */
    void (*seek_for_prev)(iter *it, slice target); /* last entry with key < target; empty target: the last of all */
    void (*next)(iter *it);                        /* valid before */
    void (*prev)(iter *it);                        /* valid before */
    void (*close)(iter *it);                       /* frees it and what it pins */
} iter_ops;

struct iter {
    const iter_ops *ops;
    bool valid;
    int status;
    slice key;
    cell cell;
};

/* One iterator over children, in which each key comes once, with its winning cell (tombstones too). Takes the children, also on
 * failure, but not the array. A loser tree on 8-byte key prefixes; moving costs about log2(count) compares, one when a run of keys comes
 * from one child. Either direction; a change of direction re-seeks the children. */
int merge_iter_new(iter **out, iter **children, size_t count);

static inline void iter_close(iter *it) {
    if (it) it->ops->close(it);
}

#endif
