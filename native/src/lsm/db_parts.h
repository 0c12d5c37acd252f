/* db_parts.h: what the files of the engine share; nobody outside db*.c, view.c, flush.c, compact.c, recover.c and their likes includes it.
 *
 *   mem       one memtable with its range deletions; the owner writes the active one, the flush takes the oldest frozen one
 *   picture   mems (newest first) + version: everything that a read needs, immutable and counted. Installing a picture is how
 *             freeze, flush and compaction become visible.
 *
 * Locks, in this order: edit_lock (one edit of the manifest at a time; the version changes only under it) > lock (current picture, lists,
 * conditions; held for moments, never over I/O). The owner takes edit_lock only in upkeep calls.
 *
 * A mem leaves the pictures when the edit that adds its table is synced. A file of an old version goes when the last picture with it goes, and garbage of the
 * value log is told when the last picture that may show it goes. Dead pictures and files are cleared away by the flush thread (tidy), never by a reader.
 */
#ifndef RKV_LSM_DB_PARTS_H
#define RKV_LSM_DB_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "lsm/db.h"
#include "lsm/manifest.h"
#include "lsm/memtable.h"
#include "lsm/pick.h"
#include "lsm/version.h"

enum {
    MEMS_STOP = 4,         /* active and frozen together: writers should stop */
    MEMS_MAX = 8,          /* db_reserve refuses more */
    MEM_RANGES_MAX = 1024, /* range deletions in one mem */
    TEXT_SIZE = 512,
};

/* Values that died: told to the value log when no picture shows them any more. */
typedef struct ref_list {
    value_ref *items;
    size_t count, room;
} ref_list;

typedef struct mem {
    atomic_uint refs;
    memtable *table;
    atomic_bool late;     /* as of a table: version.h */
    bool has_pointers;    /* owner; then the flush */
    ref_list garbage;     /* values superseded in here; owner, then the flush */
    uint64_t last_seq;    /* of its last record; set when frozen */
    uint64_t log_segment; /* the first segment that only later mems need; set when frozen */
    atomic_size_t range_count;
    size_t range_room;
    rdel *ranges;      /* append only, under db.lock */
    uint8_t *key_room; /* for the keys of ranges to come; the chunks are linked by their first word */
    size_t key_left;
    void *key_chunks;
} mem;

typedef struct picture {
    atomic_uint refs;
    uint64_t number;      /* ascending in the order of installation */
    unsigned owner_holds; /* values that the owner holds from its mems; owner only */
    bool any_ranges;      /* in the version or the frozen mems */
    version *version;
    size_t mem_count;
    mem *mems[MEMS_MAX + 1];
    struct picture *older, *newer; /* all that live, under db.lock */
} picture;

/* Garbage that pictures up to `number` may still show. */
typedef struct garbage_batch {
    uint64_t number;
    ref_list refs;
    uint64_t file; /* a value file that goes as a whole; 0: none */
    struct garbage_batch *next;
} garbage_batch;

/* A value moved to another file, to be put by the owner if it is still the winner. */
typedef struct relocation {
    struct relocation *next;
    uint8_t old_ref[VALUE_REF_SIZE_MAX];
    size_t old_ref_size;
    uint8_t new_ref[VALUE_REF_SIZE_MAX];
    size_t new_ref_size;
    cell cell;
    size_t key_size;
    uint8_t key[];
} relocation;

/* A value file whose live values have been moved: it goes once the moved cells are in tables. */
typedef struct retiring {
    bool busy;
    bool scanned; /* all its records have been looked at */
    bool removed; /* it counts as garbage and goes with the last picture that may show it */
    uint64_t file;
    uint64_t after;   /* offset of the last record looked at */
    uint64_t seq;     /* of the last record of the log that may name its values */
    uint64_t blocked; /* a file that cannot be read as a whole; 0: none */
} retiring;

struct db_view {
    atomic_uint refs;
    db *db;
    picture *picture;
    memtable_mark mark; /* of the active mem */
    size_t range_count; /* of the active mem */
};

typedef struct newest {
    uint64_t hlc;
    uint32_t node;
} newest;

/* A merge that db_compact asked for and waits for. */
typedef struct manual {
    bool waiting;
    slice begin, end;
    unsigned level;  /* at work now; LEVELS: rewriting the deepest */
    bool level_done; /* of level 0, which is merged once */
    uint64_t before; /* tables with lower numbers are rewritten */
} manual;

/* Figures. The owner's and the background's are apart, so that neither waits for the other's cache line. */
typedef struct owner_counts {
    _Atomic uint64_t user_bytes, gets, filter_skips, would_block;
} owner_counts;

typedef struct background_counts {
    _Atomic uint64_t flush_bytes, compact_read_bytes, compact_write_bytes, value_garbage;
    _Atomic uint64_t flushes, compactions, moves;
    _Atomic uint64_t compact_ns_per_mib; /* smoothed: what a MiB of level 0 costs to merge down */
} background_counts;

struct db {
    /* Set at open. */
    db_options options;
    char dir[DIR_SIZE_MAX + 1];
    os *os;
    store_identity identity;
    table_options table; /* compression as of the upper levels */
    cache *cache;
    vlog *values;
    wal *log;
    os_file *lock_file;
    table_hook hook;
    int event;

    /* The owner's. */
    _Alignas(64) mem *active;
    picture *seen; /* the picture that reads use; a reference */
    buf batch;     /* open: begun and not committed; size 0: none */
    buf batch_spare;
    uint32_t node;
    bool batch_stuck; /* the log refused it for want of space */
    newest *newest;   /* per slot: the largest version put so far */
    owner_counts owner;
    uint64_t stall_since_ns; /* 0: writers are not stopped */
    _Atomic uint64_t stalls, stall_ns;

    /* Any thread. */
    _Alignas(64) _Atomic uint64_t picture_number; /* of current */
    atomic_int failure;
    _Atomic uint64_t next_file;
    _Atomic uint64_t flushed_segment; /* the log may drop segments below it; the owner does */
    atomic_bool log_open;             /* log is set: its threads call back before wal_open returns */
    atomic_bool closing;
    atomic_bool relocated; /* the owner should look at relocations */
    background_counts background;

    pthread_mutex_t edit_lock;
    manifest *manifest;
    vlog_file_info *value_files; /* as the manifest has them */
    size_t value_file_count;
    uint64_t log_segment, flushed_seq; /* as the manifest has them */

    pthread_mutex_t lock;
    pthread_cond_t work; /* for the background */
    pthread_cond_t done; /* for who waits for it */
    picture *current;
    picture *oldest; /* that lives */
    picture *dead_pictures;
    table_file *dead_files;
    garbage_batch *garbage_first, *garbage_last;
    relocation *relocations;
    bool putting; /* the owner has taken them and is at it */
    retiring retire;
    uint64_t *horizon; /* per slot */
    bool horizon_uniform;
    manual manual;
    bool flush_busy, compact_busy;
    uint64_t work_number; /* counts changes that may have made work */
    uint64_t idle_number; /* the count when compaction last found nothing to do */
    pick_cursor cursor;   /* the compaction's */
    bool values_turn;     /* so */
    char failure_text[TEXT_SIZE];
    char space_text[TEXT_SIZE];
    size_t memory_bytes;
    size_t cache_bytes;       /* the cache's part of it now */
    atomic_bool reserve_file; /* it is there */

    pthread_t flush_thread, compact_thread;
    bool flush_started, compact_started;
    struct pool *pool;
};

/* --- db_mem.c ------------------------------------------------------------------------------------------------------------- */

int mem_new(mem **out, const db *d, size_t capacity);
void mem_ref(mem *m);
void mem_unref(mem *m); /* accepts NULL */

/* Room for count range deletions with together `bytes` of keys. RKV_ETOOBIG: not in this one. */
int mem_reserve_ranges(mem *m, size_t count, size_t bytes);

/* Merge one cell (room reserved); late: see version.h. */
void mem_put(mem *m, slice key, uint64_t hash, const cell *c, bool is_late);
/* Append a range deletion (room reserved), under db.lock. */
void mem_delete_range(mem *m, slice begin, slice end, uint64_t hlc, uint32_t node, uint64_t number);
bool mem_empty(const mem *m);

/* Append; out of memory is passed over: what is not told stays unused space, nothing worse. */
void ref_list_add(ref_list *l, const value_ref *ref);
void ref_list_add_cell(ref_list *l, const cell *c); /* if it is a pointer */
void ref_list_clear(ref_list *l);

/* --- view.c -------------------------------------------------------------------------------------------------------------- */

int picture_new(picture **out); /* without references to fill in: mems and version */
void picture_ref(picture *p);
void picture_unref(db *d, picture *p);
void picture_free(picture *p); /* one that was never installed, and its references; accepts no NULL */
/* A reference to the current picture. Any thread. */
picture *picture_take(db *d);
/* Under lock: make p (its mems and version are references of its own) current. */
void picture_install(db *d, picture *p);
/* The owner's picture, brought up to date. */
picture *picture_see(db *d);
static inline picture *picture_now(db *d) {
    if (atomic_load_explicit(&d->picture_number, memory_order_acquire) == d->seen->number) return d->seen;
    return picture_see(d);
}
/* The owner gives back a hold on a picture's mems. */
void picture_release_hold(db *d, picture *p);
/* All range deletions of p: the version's and the mems', of the active one the first active_count. *out may be NULL; a reference. */
int picture_ranges(const picture *p, size_t active_count, rdel_set **out);
/* Tell the value log of a batch of garbage once the pictures up to now are gone. Under lock; takes the list. */
void garbage_queue(db *d, garbage_batch *b);
/* Clear away dead pictures, files and garbage. Not on the owner's thread unless there is no other. */
void tidy(db *d);
bool tidy_pending(db *d); /* under lock */

/* --- db_write.c ------------------------------------------------------------------------------------------------------------ */

/* Freeze the active mem, so that it will be flushed; commits what is open. Owner. */
int mem_freeze(db *d);
size_t key_slot(slice key); /* below DB_SLOTS */
/* Put the cell of a moved value, a record of its own: not late, whatever its version. Room is reserved, nothing is open. */
void put_moved(db *d, slice key, uint64_t hash, const cell *c);
/* Apply a cell to the active mem only. */
void apply(db *d, slice key, uint64_t hash, const cell *c);

/* --- db_read.c ------------------------------------------------------------------------------------------------------------- */

/* The winner of key in a picture that the caller holds; waits. Any thread. */
int picture_get(db *d, picture *p, slice key, uint64_t hash, db_value *out);

/* --- db_edit.c ------------------------------------------------------------------------------------------------------------- */

typedef struct store_change {
    version_add *added;
    size_t added_count;
    table_file **removed;
    size_t removed_count;
    mem *flushed;           /* leaves the pictures; NULL: none */
    bool has_rdels;         /* rdels replace the version's; else a flushed mem's are laid over them */
    rdel_set *rdels;        /* borrowed */
    rdel_set *rdels_from;   /* what they were chosen from; borrowed */
    garbage_batch *dead;    /* taken on success; NULL: none */
    uint64_t value_removed; /* a value file that goes; 0: none */
    bool unknown;           /* out: failed, but the files it adds may be in the manifest and must stay */
} store_change;

/* Record a change in the manifest, synced, and install it. RKV_STALE: nothing happened, the version's range deletions are no longer
 * rdels_from. RKV_ENOSPC, RKV_ENOMEM: nothing happened. Other errors are not final only where the caller makes
 * them so. The references of added stay the caller's. */
int store_commit(db *d, store_change *change);
/* The store as one edit. Under edit_lock. */
int store_image(db *d, const version *v, edit *out);
uint64_t file_number(db *d); /* a fresh one */

/* --- db_failure.c ---------------------------------------------------------------------------------------------------------- */

/* Refuse writes from now on, for good; the text is status_text's, after what. */
int failure_set(db *d, int rc, const char *what);
/* Space ran out (text: status_text): free the reserve, refuse writes until it is back. */
void space_ran_out(db *d);
/* Look at the free space; start or stop refusing writes. Any thread but several at once. */
void space_check(db *d);
/* What a unit of background work came to: RKV_OK, RKV_END, or an error to be told, after the right consequences. */
int background_result(db *d, int rc, const char *what);
int reserve_file_create(db *d);

/* --- drop.c --------------------------------------------------------------------------------------------------------------- */

/* Which cells a flush or compaction may leave out: the drop rules of db.h. */
typedef struct drop_rules {
    picture *picture;
    table_file *const *inputs; /* tables that are merged, so not outside; borrowed */
    size_t input_count;
    rdel_set *ranges; /* those in the manifest, and of m: what others a power cut may still undo */
    uint64_t clean;   /* number that tables made under these rules get as `clean` */
    uint64_t now_ms;
    uint64_t mem_min_hlc; /* oldest cell in mems other than m */
    uint64_t horizon_all;
    uint64_t *horizon; /* per slot; NULL: horizon_all for every one */
} drop_rules;

/* Take a picture and the rules as of now, for a flush of m or (NULL) a compaction. RKV_ENOMEM. */
int drop_rules_init(drop_rules *r, db *d, const mem *m);
void drop_rules_clear(drop_rules *r, db *d);
bool drop_cell(const drop_rules *r, slice key, const cell *c);
uint64_t drop_rules_horizon_min(const drop_rules *r); /* of all slots */
/* Is there still, or can there come, something that the range deletion covers? As of the rules without inputs. */
bool range_needed(const drop_rules *r, const rdel *range);

/* --- flush.c, compact.c, db_values.c: units of work: RKV_OK: did something, RKV_END: nothing to do --------------------------- */

int flush_unit(db *d);
/* A builder for a table of `level` under a fresh number. */
int table_start(db *d, unsigned level, table_builder **out);
/* Finish b into an open table_file with one reference; NULL if b is empty. Frees b either way; a failure leaves no file. */
int table_finish(db *d, table_builder *b, const drop_rules *rules, bool late, table_file **out);
int compact_unit(db *d);
/* The next part of what db_compact asked for. */
int manual_unit(db *d);
int values_unit(db *d);
/* The owner puts what was relocated; after a commit, whose success does not depend on it. */
void relocations_put(db *d);
void relocations_drop(db *d);

/* --- background.c ---------------------------------------------------------------------------------------------------------- */

int background_start(db *d);
void background_stop(db *d);
/* Something changed that may make work. Under lock. */
void background_wake(db *d);
void event_signal(db *d);

/* --- pool.c ---------------------------------------------------------------------------------------------------------------- */

int pool_new(struct pool **out, db *d, unsigned threads);
void pool_free(struct pool *p); /* finishes queued jobs; accepts NULL */

#endif
