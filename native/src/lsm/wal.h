/* wal.h: the write-ahead log: recycled, pre-written segments of 64 MiB.
 *
 *   segment := header record* zeros        file NNNNNNNNNN.wal, N = segment id, ascending, never reused
 *   header  := magic "RKVWAL01" store_id:16 bytes segment_id:fixed64 crc32c:fixed32 zero padding to 64 bytes
 *   record  := crc32c:fixed32 size:fixed32 seq:fixed64 durable:fixed64 payload padding to 8 bytes
 *              crc32c covers size, segment_id, seq, durable, payload
 *
 * seq counts records, 1 up, across segments and restarts. durable is the highest seq known to be synced when the record was
 * written: it tells a legal torn tail from lost synced data. size 0 ends a segment. A segment is recycled by renaming it to
 * the next id and writing its header anew: old records fail their check, since the segment id is inside it.
 *
 * Appends are a copy into the mapped segment (survives a killed process, not a power cut), or write_at under the policy
 * `always`, where mapping is unsafe, and for records above 1 MiB. A record larger than a segment gets a segment of its own size.
 * Syncs run on the log's own thread; before each it calls before_sync (the value log's turn).
 *
 * Recovery (FAULTS.md 2.5, 2.6): segments in order; a bad record with no good record of the same segment after it, in the last
 * segment that has records, is a torn tail and is cut, if its seq is above every `durable` seen and above durable_floor (from
 * the manifest); anything else that is bad, or a hole in seq, is RKV_ECORRUPT with file and offset.
 *
 * Threads: append, rotate, release: the owner. wal_durable: any. A failed sync is sticky: wal_append then returns RKV_EREADONLY.
 */
#ifndef RKV_LSM_WAL_H
#define RKV_LSM_WAL_H

#include "base/slice.h"
#include "os/os.h"

typedef struct wal wal;

enum wal_policy { WAL_ALWAYS, WAL_EVERYSEC, WAL_NO };

typedef struct wal_options {
    os *os;
    const char *dir;
    uint8_t store_id[16];
    uint64_t segment_bytes; /* default 64 MiB */
    enum wal_policy policy;
    bool threads;                      /* false: no thread; wal_sync does the work when called (simulation) */
    bool mapped;                       /* false: always write_at */
    uint64_t durable_floor;            /* seq below which a record may not be missing */
    int (*before_sync)(void *context); /* called before each sync, on the syncing thread; its error is a failed sync */
    void (*on_durable)(void *context); /* called after durable has moved or a sync failed; on the syncing thread */
    void *context;
} wal_options;

typedef struct wal_recovery {
    uint64_t records, bytes;
    uint64_t last_seq;
    uint64_t cut_bytes; /* torn tail removed; 0: none */
    char cut_at[300];   /* "file:offset" of the cut, or "" */
} wal_recovery;

/* One recovered record, in order. durable: whether it is known to have been synced (its seq is covered by a later mark). A non-zero return
 * stops recovery: RKV_END cuts the log here (allowed only if !durable; a torn value in the value log), others are passed up. */
typedef int (*wal_replay_fn)(void *context, uint64_t seq, bool durable, slice payload);

/* Recover what is in dir with segment ids >= first_segment (older files are recycled or removed), replay it, and open the log for appends in a new segment.
 * next_seq_min: the next seq is at least this. */
int wal_open(wal **out, const wal_options *options, uint64_t first_segment, uint64_t next_seq_min, wal_replay_fn replay,
             void *context, wal_recovery *out_recovery);

/* Stop the thread, sync (unless the log failed), close. Accepts NULL. The status is that of the last sync. */
int wal_close(wal *w);

/* Append one record; *out_seq is its seq. Atomic. RKV_ENOSPC: nothing appended, may work later; RKV_EREADONLY: sticky failure. */
int wal_append(wal *w, slice payload, uint64_t *out_seq);

/* Begin a new segment: *out_segment is the first id that later appends go to. The old one is synced before the first sync of the new. */
int wal_rotate(wal *w, uint64_t *out_segment);

/* Everything in segments below first_segment is in tables: they may be recycled. */
void wal_release(wal *w, uint64_t first_segment);

uint64_t wal_last_seq(const wal *w);
uint64_t wal_durable(const wal *w); /* highest seq known synced; any thread */
int wal_failure(const wal *w);      /* RKV_OK or the sticky error; any thread */

/* Sync all that was appended so far, on the calling thread (owner). */
int wal_sync(wal *w);

void wal_set_policy(wal *w, enum wal_policy policy);

typedef struct wal_stats {
    uint64_t bytes_written, records, syncs, sync_ns, segments, recycled;
} wal_stats;
void wal_get_stats(const wal *w, wal_stats *out);

#endif
