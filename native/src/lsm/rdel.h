/* rdel.h: range deletions: "every cell of [begin, end) older than this version is dead".
 *
 * They are few (FLUSHALL, dropped slots), so they are kept beside the tree and not in it. A set holds them as disjoint fragments
 * in key order, each with the largest version that covers it: what a newer deletion hides is gone from the set.
 *
 *   added      |--- v3 ---|      |- v1 -|          set   |- v3 -----|- v2 --|  |- v1 -|
 *                    |--- v2 ----|
 *
 * A set is immutable and counted; NULL is the empty one. number tells which tables may still hold covered cells: those whose `clean`
 * number is not above it (version.h). Threads: any.
 */
#ifndef RKV_LSM_RDEL_H
#define RKV_LSM_RDEL_H

#include <stdatomic.h>

#include "lsm/cell.h"

typedef struct rdel {
    slice begin;
    slice end; /* exclusive; size 0: no upper bound */
    uint64_t hlc;
    uint32_t node;
    uint64_t number; /* drawn from the store's file numbers when the deletion was made */
} rdel;

typedef struct rdel_set {
    atomic_uint refs;
    size_t count;
    rdel items[]; /* their keys lie behind them, in the same allocation */
} rdel_set;

/* *out = base (may be NULL) with count more deletions laid over it; one reference, or NULL if that is empty. The items' keys are copied. RKV_ENOMEM. */
int rdel_set_add(rdel_set **out, const rdel_set *base, const rdel *items, size_t count);

/* *out = the fragments for which keep[i] is true. RKV_ENOMEM. */
int rdel_set_select(rdel_set **out, const rdel_set *set, const bool *keep);

rdel_set *rdel_set_ref(rdel_set *set); /* accepts NULL */
void rdel_set_unref(rdel_set *set);    /* accepts NULL */

static inline size_t rdel_set_count(const rdel_set *set) {
    return set ? set->count : 0;
}

/* The fragment that holds key, or NULL. */
const rdel *rdel_set_find(const rdel_set *set, slice key);

/* Is a cell of this version dead by r / by the set? */
static inline bool rdel_covers(const rdel *r, slice key, uint64_t hlc, uint32_t node) {
    return version_compare(hlc, node, r->hlc, r->node) < 0 && slice_compare(key, r->begin) >= 0 &&
           (r->end.size == 0 || slice_compare(key, r->end) < 0);
}
bool rdel_set_covers(const rdel_set *set, slice key, uint64_t hlc, uint32_t node);

/* Does r have a key in [smallest, largest]? */
bool rdel_touches(const rdel *r, slice smallest, slice largest);

/* Is every possible cell of [smallest, largest] with an hlc up to max_hlc dead by the set? */
bool rdel_set_covers_all(const rdel_set *set, slice smallest, slice largest, uint64_t max_hlc);

#endif
