/* db.h: the engine: log, memtables, tables and value log as one ordered store of versioned cells.
 *
 * The owner thread (the event loop, or a program's main thread) writes, commits, reads and takes views. Flush, compaction, log
 * sync and the read pool are threads of the engine. Views, iterators on them, db_get_view, jobs and db_value functions may be used on any thread.
 *
 * Write: db_reserve (may fail, wait for space, say read-only), then db_put as often as reserved (cannot fail), and db_commit once per
 * tick: one WAL record. What was put is visible to this thread at once, durable according to the policy after db_commit. A failed
 * db_commit means that the outcome of the puts since the last one is unknown and that the engine now refuses writes.
 *
 * Read: the winning cell by version, tombstones too: the caller asks cell_live. Levels do not imply age; a table is skipped when its
 * max version is below what was found, or its filter excludes the key.
 *
 * Drop rules of flush and compaction: a losing cell at once; a tombstone or expired cell when its version is below the horizon of its slot (be16 of the
 * key's first two bytes) and no table or memtable outside the compaction, whose key range has it, holds anything older than it; what a range deletion covers.
 */
#ifndef RKV_LSM_DB_H
#define RKV_LSM_DB_H

#include "base/buf.h"
#include "base/hash.h"
#include "lsm/batch.h"
#include "lsm/cache.h"
#include "lsm/iter.h"
#include "lsm/vlog.h"
#include "lsm/wal.h"
#include "os/os.h"

typedef struct db db;
typedef struct db_view db_view;

enum { DB_SLOTS = 16385 }; /* slot 16384 is the layout's */

typedef struct db_options {
    os *os; /* NULL: os_posix() */
    const char *dir;
    size_t memory_bytes;           /* for memtables and block cache together; default 512 MiB */
    size_t memtable_bytes;         /* one memtable; default min(64 MiB, memory_bytes / 8) */
    enum wal_policy sync;          /* default WAL_EVERYSEC */
    bool mapped_wal;               /* default true */
    uint64_t wal_segment_bytes;    /* default 64 MiB */
    size_t value_log_min;          /* payloads of this size and more go to the value log; default 8 KiB */
    uint64_t value_file_bytes;     /* a file of the value log is sealed at this size; default 256 MiB */
    size_t block_bytes;            /* default 4 KiB */
    unsigned bloom_bits;           /* default 10 */
    bool compress;                 /* LZ4 from level 2 down; default true */
    unsigned l0_slowdown, l0_stop; /* runs; default 8 and 16 */
    uint64_t level_bytes;          /* target of level 1; default 512 MiB */
    unsigned level_multiplier;     /* default 10 */
    uint64_t table_bytes;          /* target of one output table; default 32 MiB */
    uint64_t compaction_rate;      /* bytes a second; 0: no limit */
    unsigned read_threads;         /* pool; default 4; 0 with background false */
    bool background;               /* false: no threads at all, db_step does the work (tests, simulation) */
    uint64_t horizon; /* of every slot until db_set_horizon; default UINT64_MAX: no replica lacks anything */
    bool read_only;   /* open without writing anything: verify, inspection */
    /* Called while recovering, at most a few times a second, on the opening thread; may be NULL. */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t all_bytes);
    void *context;
} db_options;

void db_options_init(db_options *out);

typedef struct db_recovery {
    bool created;
    uint64_t tables, table_bytes;
    uint64_t wal_records, wal_bytes, wal_cut_bytes;
    char wal_cut_at[300];
    uint64_t max_hlc; /* largest version seen in the store */
    uint64_t elapsed_ms;
} db_recovery;

/* Open or create. RKV_ELOCKED, RKV_EFORMAT, RKV_ECORRUPT, RKV_EIO, RKV_ENOSPC leave the directory as it was. */
int db_open(db **out, const db_options *options, db_recovery *out_recovery);

/* Commit what was put, sync, stop the threads (waits for running jobs; views must be released), close. Accepts NULL. Returns the first error. */
int db_close(db *d);

const hash_seed *db_seed(const db *d);
static inline uint64_t db_hash(const db *d, slice key) {
    return hash_bytes(db_seed(d), key);
}

/* --- write (owner) ------------------------------------------------------------------------------------------------------- */

enum { DB_RANGES_RESERVED = 8 };

/* Room for count puts with together `bytes` of keys and payloads (payloads that go to the value log count as VALUE_REF_SIZE_MAX), of them up to
 * DB_RANGES_RESERVED range deletions. A reservation takes the place of the one before. RKV_EREADONLY, RKV_ENOSPC, RKV_ENOMEM, RKV_ETOOBIG (a GiB at once):
 * no put may follow; what was put before stays. May commit what is open. Never sleeps. */
int db_reserve(db *d, size_t count, size_t bytes);

/* Merge one cell into the store and the open batch. All cells of one commit share one node id (db_set_node). What db_value_write gave is put
 * once, under its own key: the space of a value is given back when its one cell dies. */
void db_put(db *d, slice key, uint64_t hash, const cell *c);

/* Delete all cells of [begin, end) older than hlc; end.size 0: to the end. Counts as one reserved put. O(1). */
void db_delete_range(db *d, slice begin, slice end, uint64_t hlc);

/* Bytes in the open batch; the owner commits between commands once it is large. */
size_t db_uncommitted(const db *d);

/* Append the open batch to the log as one record; *out_seq (may be NULL) is the seq to wait for. With nothing put: RKV_OK and the last seq. */
int db_commit(db *d, uint64_t *out_seq);

/* Reserve, put and commit a whole batch, as received: large payloads go to the value log on this thread. At most DB_RANGES_RESERVED range deletions. */
int db_write(db *d, slice batch, uint64_t *out_seq);

void db_set_node(db *d, uint32_t node); /* the node id of the versions put here; before the first put */
uint64_t db_last_seq(const db *d);
uint64_t db_durable(const db *d); /* any thread */
int db_failure(
    const db *d); /* RKV_OK, RKV_EREADONLY, RKV_ENOSPC: what db_reserve would say; any thread. Text: db_failure_text */
const char *db_failure_text(const db *d);
int db_sync(db *d); /* wait until all that was committed is synced */
void db_set_sync(db *d, enum wal_policy policy);

/* How long the owner should hold back writers now, in microseconds per MiB of user writes: 0 while the background keeps up, rising smoothly
 * with the debt; UINT64_MAX: stop until db_event_fd tells. */
uint64_t db_write_delay(db *d);

/* --- read ---------------------------------------------------------------------------------------------------------------- */

typedef struct db_value {
    cell cell;               /* payload inline, or a value_ref if CELL_POINTER */
    cache_entry *pin;        /* private */
    struct picture *picture; /* private */
} db_value;

/* The winner of key (owner). As long as it is not released, the value that it points to can be read. RKV_OK, RKV_NOTFOUND, RKV_WOULDBLOCK (only if nowait), RKV_EIO, RKV_ECORRUPT. Release after RKV_OK. */
int db_get(db *d, slice key, uint64_t hash, bool nowait, db_value *out);
void db_value_release(db *d, db_value *v);

/* Many keys at once (owner), hashes and misses overlapped: status[i] and out[i] as db_get. */
void db_get_many(db *d, const slice *keys, const uint64_t *hashes, size_t count, bool nowait, int *status,
                 db_value *out);

/* Begin to fetch what a put or get of key will touch in memory first; a hint, for keys that will be needed soon (owner). */
void db_prefetch(db *d, slice key, uint64_t hash);

/* The size of a cell's value in bytes, without reading it. RKV_ECORRUPT. */
int db_value_size(const cell *c, uint64_t *out);

/* Copy the value of a pointer cell into data (db_value_size bytes). Any thread, while the db_value or view that showed the cell is held. */
int db_value_read(db *d, slice key, const cell *c, bool nowait, uint8_t *data);

/* Write a payload to the value log (any thread, waits for the write): *out_size bytes of the pointer payload in out. For cells with payloads >= db_value_log_min. */
int db_value_write(db *d, slice key, const cell *version, slice value, uint8_t out[VALUE_REF_SIZE_MAX],
                   size_t *out_size);
size_t db_value_log_min(const db *d);

/* A stable picture of everything put so far (owner). Release on any thread, before db_close. NULL: out of memory. */
db_view *db_view_acquire(db *d);
void db_view_release(db_view *v);
int db_get_view(db_view *v, slice key, uint64_t hash, db_value *out); /* any thread, waits */

/* Winners in [lower, upper), tombstones, expired and range-deleted cells left out at now_ms (0: show dead ones too). Holds the view. Any thread; it waits for the disk. Empty
 * bounds are open. scan: leaves the block cache alone. */
int db_iter_new(iter **out, db_view *v, slice lower, slice upper, uint64_t now_ms, bool scan);

/* How many entries an iterator would first have to sort: above some thousands, iterate on another thread. */
uint64_t db_unsorted(const db *d);

/* --- jobs: work off the owner thread ------------------------------------------------------------------------------------- */

typedef struct db_job db_job;
struct db_job {
    void (*run)(db_job *job); /* on a pool thread (inside db_submit when there are none) */
    db_job *next;             /* private */
};
/* Queue a job. The owner gets it back from db_finished, in any order. The queue is bounded by its users. */
void db_submit(db *d, db_job *job);
db_job *db_finished(db *d); /* owner: one finished job, or NULL */
/* Readable when a job has finished, durable has moved, writes are refused or taken again, or flush or compaction have changed the
 * store (a stop may be over); db_event_clear (owner) before looking. */
int db_event_fd(const db *d);
void db_event_clear(db *d);

/* --- upkeep -------------------------------------------------------------------------------------------------------------- */

void db_set_horizon(db *d, uint32_t slot,
                    uint64_t hlc); /* cells below it are known to every replica; default UINT64_MAX */
void db_set_memory(db *d, size_t memory_bytes);

/* One unit of flush, compaction or collection, when background is false: RKV_OK: did something; RKV_END: nothing to do. */
int db_step(db *d);

/* Flush the memtable and wait for it. */
int db_flush(db *d);
/* Merge everything in [begin, end) to the last level and wait (owner). */
int db_compact(db *d, slice begin, slice end);
/* Wait until flush and compaction have nothing to do (benchmarks, tests). */
int db_wait_idle(db *d);

/* A copy of the store in new_dir, by hard link where that works: everything committed before the call. */
int db_checkpoint(db *d, const char *new_dir);

/* Read every file and check every checksum; problems go to report, one line each (path, offset, what). Returns RKV_OK or RKV_ECORRUPT. Any thread. */
int db_verify(db *d, buf *report);

/* Rebuild the manifest of a closed store from its tables, moving what cannot be read to lost/. report: one line each. */
int db_repair(const db_options *options, buf *report);

typedef struct db_stats {
    size_t memtable_bytes, memtable_count, table_memory;
    cache_stats cache;
    wal_stats wal;
    uint64_t user_bytes, flush_bytes, compact_read_bytes, compact_write_bytes, value_log_bytes, value_log_garbage;
    uint64_t flushes, compactions, moves, stalls, stall_us;
    uint64_t gets, filter_skips, would_block;
    uint64_t keys_estimate; /* entries less tombstones, overwrites counted once a level */
    unsigned levels;
    struct {
        uint64_t tables, bytes;
    } level[8];
} db_stats;
void db_get_stats(db *d, db_stats *out);

#endif
