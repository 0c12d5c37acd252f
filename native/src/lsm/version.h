/* version.h: which tables make up the store at one moment, level by level.
 *
 * A version is immutable and counted; an edit makes a new one that shares the table_files. Tables of level 0 overlap and are
 * ordered newest first by number; tables of a deeper level are disjoint and in key order.
 *
 * Of one key, what arrived later lies in a lower-numbered level, or in front of it in level 0: flush and compaction keep that. But what arrived later
 * is not always newer. A table is `late` when some cell in it arrived after a newer one could have: a hit in a table that is not late ends a search, after a hit in
 * a late one the search goes on through tables whose max_hlc is not below it.
 *
 * Threads: a version may be read by any; counts are atomic.
 */
#ifndef RKV_LSM_VERSION_H
#define RKV_LSM_VERSION_H

#include "lsm/rdel.h"
#include "lsm/table.h"

enum { LEVELS = 7 };

typedef struct table_file table_file;

/* What happens when the last reference to a table_file goes: the hook takes the file over. */
typedef struct table_hook {
    void (*unused)(void *context, table_file *f);
    void *context;
} table_hook;

struct table_file {
    atomic_uint refs;
    table_props props;
    uint64_t clean; /* holds no cell that a range deletion with a number below this covers */
    bool late;
    atomic_bool obsolete; /* no version to come has it: the file goes with the last reference */
    table *table;         /* one reference; NULL in tests of pure parts */
    const table_hook *hook;
    table_file *next; /* for lists of unused files */
};

/* Takes props (emptied) and table. hook outlives the file; NULL: table_file_free at the last reference. */
int table_file_new(table_file **out, table_props *props, table *t, const table_hook *hook);
void table_file_ref(table_file *f);
void table_file_unref(table_file *f); /* accepts NULL */
void table_file_free(table_file *f);  /* of a file without references: closes the table */

static inline slice table_smallest(const table_file *f) {
    return buf_slice(&f->props.smallest);
}
static inline slice table_largest(const table_file *f) {
    return buf_slice(&f->props.largest);
}

typedef struct level {
    table_file **files;
    size_t count;
    uint64_t bytes;
    uint64_t max_hlc;
    /* For the search in deeper levels: the 8 bytes (big endian) of each largest key after the prefix common to the level's keys. */
    slice prefix;
    uint64_t *heads;
} level;

typedef struct version {
    atomic_uint refs;
    level levels[LEVELS];
    unsigned depth; /* levels in use: the deepest with tables + 1 */
    uint64_t max_hlc;
    rdel_set *rdels;
} version;

typedef struct version_add {
    table_file *file;
    unsigned level;
} version_add;

typedef struct version_change {
    const version_add *added;
    size_t added_count;
    table_file *const *removed;
    size_t removed_count;
    rdel_set *rdels; /* the range deletions of the new version */
} version_change;

/* *out = base (may be NULL) with the change; one reference. The files of added gain one each. RKV_ENOMEM; RKV_ECORRUPT: tables of a level below 0
 * overlap, a removed one is not there, an added one is there already (the text names the table). */
int version_new(version **out, const version *base, const version_change *change);
void version_ref(version *v);
void version_unref(version *v); /* accepts NULL */

/* Index of the first file of a level > 0 whose largest key is >= key; count if none. */
size_t level_find(const level *l, slice key);

/* The file of a level > 0 that may hold key, or NULL. */
table_file *level_file(const level *l, slice key);

/* The files of a level > 0 that overlap [smallest, largest]: *out_first and the count. */
size_t level_overlap(const level *l, slice smallest, slice largest, size_t *out_first);

static inline bool table_in_range(const table_file *f, slice key) {
    return slice_compare(key, table_smallest(f)) >= 0 && slice_compare(key, table_largest(f)) <= 0;
}
static inline bool table_overlaps(const table_file *f, slice smallest, slice largest) {
    return slice_compare(table_smallest(f), largest) <= 0 && slice_compare(table_largest(f), smallest) >= 0;
}

uint64_t version_tables(const version *v);
uint64_t version_bytes(const version *v);

#endif
