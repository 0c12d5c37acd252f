/* pick.h: what to compact next, and where to cut the output. Pure: a version and numbers in, a choice out.
 *
 * In this order:
 *   drop     tables that range deletions cover as a whole
 *   merge    level 0, when it has l0_trigger tables: all of it, with what it overlaps in level 1; or move those that overlap nothing
 *   merge    the deeper level that is furthest above its target: the table with the least overlap below, per byte (ties: round robin); or move it
 *   rewrite  a table that a range deletion covers in part
 *   merge or rewrite  a table of which more than 30 % is dead
 * A job of a level takes tables of that level and all that they overlap in the next: so of one key, what arrived later stays above.
 *
 * Every pick makes progress that the next call sees, so a loop over pick_next ends.
 */
#ifndef RKV_LSM_PICK_H
#define RKV_LSM_PICK_H

#include "lsm/version.h"

enum { DEAD_PERCENT = 30 };

typedef struct pick_options {
    unsigned l0_trigger;  /* tables */
    uint64_t level_bytes; /* target of level 1 */
    unsigned multiplier;  /* of the target from level to level */
    uint64_t table_bytes; /* target of an output table */
    uint64_t now_ms;      /* for expiry */
    uint64_t horizon_min; /* of all slots */
    uint64_t mem_min_hlc; /* oldest cell in a memtable */
} pick_options;

/* Where each level was picked last: the largest key. */
typedef struct pick_cursor {
    buf after[LEVELS];
} pick_cursor;

void pick_cursor_clear(pick_cursor *c);

enum pick_kind {
    PICK_MERGE, /* into output: level + 1, or level itself for a rewrite */
    PICK_MOVE,  /* the tables go to output as they are */
    PICK_DROP,  /* the tables go */
};

typedef struct pick {
    enum pick_kind kind;
    unsigned level, output;
    table_file **inputs; /* upper_count of `level`, then those of `output`; borrowed from the version */
    size_t count, upper_count;
} pick;

void pick_clear(pick *p);

/* RKV_OK; RKV_END: nothing needs to be done; RKV_ENOMEM. Moves the cursor. */
int pick_next(pick *out, const version *v, const pick_options *o, pick_cursor *cursor);

/* What merges the tables of a level that overlap [begin, end) (end.size 0: open) one level down: from level 0 all at once, else one table a call, the first whose
 * largest key is not below `begin`. RKV_END: none. */
int pick_range(pick *out, const version *v, unsigned level, slice begin, slice end);

/* What rewrites a table of the deepest level that overlaps [begin, end), has a number below `before`, and holds tombstones, expiring cells or cells that
 * range deletions cover. RKV_END: none. */
int pick_stale(pick *out, const version *v, slice begin, slice end, uint64_t before);

/* How much is above target: 1.0 is at it. */
double pick_score(const version *v, const pick_options *o, unsigned level);

/* Bytes that have to be merged before every level is at its target. */
uint64_t pick_debt(const version *v, const pick_options *o);

/* Where to end an output table: at the edges of the tables two levels down once it is half its target, so that it overlaps few of
 * them when its turn comes; at the latest at twice the target. */
typedef struct cutter {
    const level *below; /* of the output level; NULL: none */
    size_t next;
    uint64_t table_bytes;
} cutter;

void cutter_init(cutter *c, const version *v, unsigned output, uint64_t table_bytes);
/* Should a new table begin with key, after `size` bytes of the present one? Keys ascend from call to call. */
bool cutter_cuts(cutter *c, slice key, uint64_t size);

#endif
