/* wal_parts.h: what the files of the write-ahead log share: the bytes of a segment, and the log's own state. See wal.h.
 *
 * Lists of segments, each segment in one of them or in nobody's but a caller's hands:
 *
 *   live   oldest first, the last one active: has records that are not in tables
 *   next   prepared, empty, becomes active
 *   spare  released, to become next
 *   trash  released, more than is worth keeping; closed and unlinked by whoever prepares
 *
 * Invariants: ids ascend along live and active < next < next_id. A segment is in the directory, synced, with its own
 * header, before it is active. last_seq >= durable; everything up to durable is on the medium, in order. dirty: some
 * live segment is unsynced.
 *
 * Threads: `lock` guards every field below it. I/O runs outside it, on segments that `syncing` or `preparing` keeps in
 * one pair of hands, but for appends: the owner writes to the active segment under the lock.
 */
#ifndef RKV_LSM_WAL_PARTS_H
#define RKV_LSM_WAL_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/coding.h"
#include "base/crc32c.h"
#include "lsm/wal.h"

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

enum {
    WAL_SEGMENT_HEADER = 64,
    WAL_RECORD_HEADER = 24,
    WAL_SECTOR = 512,
    WAL_STORE_MAX = 1 << 20, /* payloads above it are written, not stored */
    WAL_SPARE_MAX = 3,
    WAL_FAILURE_TEXT = 400,
};

#define WAL_SIZE_MARK 0x80000000u
#define WAL_SIZE_END  0xc0000000u

enum record_kind { RECORD_BAD, RECORD_DATA, RECORD_MARK, RECORD_END };

typedef struct record {
    enum record_kind kind;
    uint64_t seq, durable;
    slice payload; /* into the bytes parsed */
    uint64_t size; /* with header and padding */
} record;

static inline uint64_t record_size(uint64_t payload_size) {
    return WAL_RECORD_HEADER + ((payload_size + 7) & ~(uint64_t)7);
}

/* The start of every record's checksum in one segment of one store. */
static inline uint32_t record_seed(const uint8_t store_id[16], uint64_t segment_id) {
    uint8_t id[8];
    put_fixed64(id, segment_id);
    return crc32c(crc32c(0, store_id, 16), id, 8);
}

/* Fill in a record's header; size_field is the payload's size, WAL_SIZE_MARK or WAL_SIZE_END. */
static inline void record_header(uint8_t out[WAL_RECORD_HEADER], uint32_t seed, uint32_t size_field, uint64_t seq,
                                 uint64_t durable, slice payload) {
    put_fixed32(out + 4, size_field);
    put_fixed64(out + 8, seq);
    put_fixed64(out + 16, durable);
    put_fixed32(out, crc32c(crc32c(seed, out + 4, WAL_RECORD_HEADER - 4), payload.data, payload.size));
}

/* What is at p, of which `left` >= WAL_RECORD_HEADER bytes are there. */
record record_parse(const uint8_t *p, uint64_t left, uint32_t seed);

void segment_header(uint8_t out[WAL_SEGMENT_HEADER], const uint8_t store_id[16], uint64_t id);

enum header_state {
    HEADER_OURS,    /* of this store; *out_id is set */
    HEADER_FOREIGN, /* of another store */
    HEADER_NEWER,   /* a log of another format version */
    HEADER_BLANK,   /* none: never finished, or damaged */
};
enum header_state segment_header_check(const uint8_t in[WAL_SEGMENT_HEADER], const uint8_t store_id[16],
                                       uint64_t *out_id);

/* The id in a file's name, or 0 if it is no segment's. Ids start at 1. */
uint64_t segment_id_of_name(const char *name);
/* "dir/NNNNNNNNNN.wal" into path, which has segment_path_size(dir) bytes. */
size_t segment_path_size(const char *dir);
void segment_path(char *path, const char *dir, uint64_t id);

/* ---- recovery (wal_recover.c) ------------------------------------------------------------------------------------ */

enum segment_fate {
    FATE_LIVE,  /* has records that count */
    FATE_FREE,  /* has none that anybody needs */
    FATE_ERASE, /* within wal_recover.c: has records that must never be seen again */
};

typedef struct recovered_segment {
    uint64_t id, size;
    enum segment_fate fate;
    uint64_t last_seq; /* live ones */
    uint64_t end;      /* live ones: offset of the end record, or 0 */
    bool unsynced;     /* live ones: its last records are not known to be on the medium */
} recovered_segment;

typedef struct recovered {
    recovered_segment *segments; /* by id; mem_free */
    size_t count;
    uint64_t next_seq, durable;
    uint64_t next_id; /* above every segment there was */
    wal_recovery report;
} recovered;

typedef struct recover_scope {
    uint64_t first_segment, next_seq_min;
    uint64_t limit; /* look at no record above this seq */
    bool write;     /* cut, and write again what may be unsynced */
} recover_scope;

/* Check, replay, and if scope->write, cut. *out is zeroed on failure. */
int recover_run(recovered *out, const wal_options *options, const recover_scope *scope, wal_replay_fn replay,
                void *context);

/* ---- the open log ------------------------------------------------------------------------------------------------ */

typedef struct segment {
    struct segment *next;    /* in its list */
    struct segment *to_sync; /* in the list of one sync */
    uint64_t id;
    os_file *file;
    uint8_t *base; /* NULL: not mapped */
    uint64_t size, used;
    uint32_t seed;
    bool unsynced; /* has bytes that no finished or running sync covers */
    bool busy;     /* a running sync has it */
    char path[];   /* segment_path_size bytes */
} segment;

struct wal {
    wal_options options; /* dir: ours */
    pthread_mutex_t lock;
    pthread_cond_t wake_sync, wake_prepare; /* for the two threads */
    pthread_cond_t changed;                 /* a sync or a preparation has ended */
    segment *live, *active;
    segment *next, *spare, *trash;
    unsigned spare_count;
    uint64_t next_id;
    uint64_t first_needed; /* segments below it are released */
    unsigned readers;      /* wal_verify: no segment is retired meanwhile */
    _Atomic uint64_t last_seq, durable;
    uint64_t marked; /* highest durable that a mark tells */
    atomic_int failure;
    char failure_text[WAL_FAILURE_TEXT];
    enum wal_policy policy;
    bool dirty, syncing;
    uint64_t sync_begin_ns, sync_end_ns;          /* of the last sync; real time, by sync_clock */
    bool preparing, prepare_wanted, prepare_held; /* held: it failed; not again until wanted or released */
    uint64_t prepare_attempts;
    int prepare_status;
    char prepare_text[WAL_FAILURE_TEXT];
    bool stop, threads_run;
    pthread_t sync_thread, prepare_thread;
    wal_stats stats;
    uint8_t *scratch; /* WAL_SCRATCH bytes: a small record on its way to write_at */
};

enum { WAL_SCRATCH = 64 << 10 };

/* All with the lock held, except where said. */

/* RKV_OK, or RKV_EREADONLY with the first failure's text. */
int wal_check(const wal *w);
/* Remember the first failure: rc and status_text. */
void wal_fail(wal *w, int rc);

/* Write one record at the active segment's end, which has the room. RKV_ENOSPC: nothing; other errors are sticky. */
int segment_append(wal *w, uint32_t size_field, uint64_t seq, slice payload);

/* wal_segment.c: a segment object for an existing file; not mapped. No lock needed. */
int segment_open(segment **out, const wal_options *options, uint64_t id, uint64_t size);
/* Unmap, close, free; unlink too. No lock needed. The status matters for one with unsynced bytes. */
int segment_close(const wal_options *options, segment *s, bool unlink);

/* Make the next segment now, on this thread. The lock is released meanwhile. Failures except RKV_ENOSPC and RKV_ENOMEM
 * are sticky. */
int prepare_next(wal *w);
/* Make next the active segment. Its size is at least the default's; a record of `need` bytes is known to fit, or gets
 * its own. */
int segment_switch(wal *w, uint64_t need);
/* Move what is released and idle from live to spare or trash. */
void segment_retire(wal *w);
void *prepare_main(void *wal_);

/* wal_sync.c: one sync of all that is dirty; the lock is released meanwhile. */
int sync_run(wal *w);
/* Tell that everything is durable, if there is news and room. */
int sync_mark(wal *w);
uint64_t sync_clock(void);
void *sync_main(void *wal_);

#endif
