/* wal.h: the write-ahead log: recycled, pre-written segments of 64 MiB.
 *
 *   segment := header (record | mark)* [end] anything    file NNNNNNNNNN.wal, N = segment id, ascending, never reused
 *   header  := magic "RKVWAL01" store_id:16 bytes segment_id:fixed64 crc32c:fixed32 zero padding to 64 bytes
 *   record  := crc32c:fixed32 size:fixed32 seq:fixed64 durable:fixed64 payload padding to 8 bytes
 *              crc32c covers store_id, segment_id, size, seq, durable, payload
 *   mark    := a record with size = 2^31 and no payload: seq is that of the record before it, durable is news
 *   end     := a record with size = 3 x 2^30 and no payload: what follows was given up by a recovery
 *
 * seq counts records, 1 up, across segments and restarts. durable is the highest seq known to be synced when the record
 * was written: it tells a legal torn tail from lost synced data. A mark says it when the log falls idle and when it is
 * closed, so that after a clean stop every record is covered. A segment ends where no good record follows: in zeros, or
 * in what a recycled file held before. A segment is recycled by renaming it to the next id and writing its header anew:
 * old records fail their check, since the segment id is inside it. So a segment file must be copied, never hard-linked,
 * by whoever wants to keep its bytes.
 *
 * Appends are a copy into the mapped segment (survives a killed process, not a power cut), or write_at under the policy
 * `always`, where mapping is unsafe, and for records above 1 MiB. A record larger than a segment gets a segment of its
 * own size. Syncs run on the log's own thread; before each it calls before_sync (the value log's turn). A second thread
 * prepares the next segment: renamed or pre-written, header synced, directory synced, before the first record goes into
 * it.
 *
 * Recovery, segments in order (FAULTS.md 2.5, 2.6). At the first bad record, with seq s:
 *
 *   - a good record anywhere after it, or durable_floor, says that s was synced         RKV_ECORRUPT, file and offset
 *   - a good record follows in the same 512-byte sector, so this one was whole once     RKV_ECORRUPT
 *   - otherwise s was never synced: cut here; good records after it go, too: a power cut may keep any sectors of what
 *     was not synced, and the log stays a prefix
 *
 * A good record with the wrong seq where nothing is torn (a hole, a file that is gone) is RKV_ECORRUPT. So is an end
 * below durable_floor. What was recovered but not known to be synced is written again in place and synced with the
 * first sync: after a failed sync the page cache may have shown bytes that the disk never got.
 *
 * A store in a mapped segment is a SIGBUS if the system has dropped the page and cannot read it back: a disk that fails
 * so kills the process, which loses nothing that was promised.
 *
 * Threads: append, rotate, release, sync: the owner. The rest: any. A failed sync is sticky: wal_append then returns
 * RKV_EREADONLY.
 */
#ifndef RKV_LSM_WAL_H
#define RKV_LSM_WAL_H

#include "base/slice.h"
#include "os/os.h"

typedef struct wal wal;

enum wal_policy { WAL_ALWAYS, WAL_EVERYSEC, WAL_NO };

enum { WAL_PAYLOAD_MAX = 1 << 30 };

/* For next_seq_min: nobody knows (repair). Whatever record comes first will do. */
#define WAL_SEQ_ANY UINT64_MAX

typedef struct wal_options {
    os *os;
    const char *dir; /* exists; copied */
    uint8_t store_id[16];
    uint64_t segment_bytes; /* default (0) 64 MiB; at least 4 KiB, rounded up to whole ones */
    enum wal_policy policy;
    bool threads;           /* false: no threads; wal_sync does the work when called (simulation) */
    bool mapped;            /* false: always write_at */
    uint64_t durable_floor; /* this seq and those below it were synced once */
    int (*before_sync)(
        void *context); /* called before each sync, on the syncing thread; its error is a failed sync; may be NULL */
    void (*on_durable)(
        void *context); /* called after durable has moved or a sync failed; on the syncing thread; may be NULL */
    void *context;
} wal_options;

typedef struct wal_recovery {
    uint64_t records, bytes; /* bytes of payloads */
    uint64_t last_seq;       /* next_seq_min - 1 if there were no records */
    uint64_t cut_bytes;      /* torn tail given up; 0: none */
    char cut_at[300];        /* "file:offset" of the cut, or "" */
} wal_recovery;

/* One recovered record, in order. durable: whether it is known to have been synced (its seq is covered by a later
 * mark). A non-zero return stops recovery: RKV_END cuts the log here (allowed only if !durable; a torn value in the
 * value log), others are passed up. */
typedef int (*wal_replay_fn)(void *context, uint64_t seq, bool durable, slice payload);

/* Recover what is in dir with segment ids >= first_segment (older files are recycled or removed), replay it, and open
 * the log for appends in a new segment. next_seq_min: one above the last seq that may be missing because its data is
 * elsewhere (1 for a new log): the first record found may not be above it, and the next seq is at least this.
 * RKV_ECORRUPT, RKV_EFORMAT (another store, a newer format), RKV_EIO, RKV_ENOSPC: no file was changed in what it
 * means. */
int wal_open(wal **out, const wal_options *options, uint64_t first_segment, uint64_t next_seq_min, wal_replay_fn replay,
             void *context, wal_recovery *out_recovery);

/* Only the replay: nothing is written, opened or cut; cut_at tells where wal_open would. */
int wal_replay(const wal_options *options, uint64_t first_segment, uint64_t next_seq_min, wal_replay_fn replay,
               void *context, wal_recovery *out_recovery);

/* Stop the threads, sync (unless the log failed), close. Accepts NULL. The status is that of the last sync. */
int wal_close(wal *w);

/* Append one record; *out_seq is its seq. Atomic. RKV_ENOSPC, RKV_ENOMEM: nothing appended, may work later;
 * RKV_EREADONLY: sticky failure; RKV_EINVAL: empty; RKV_ETOOBIG: above WAL_PAYLOAD_MAX. */
int wal_append(wal *w, slice payload, uint64_t *out_seq);

/* Begin a new segment: *out_segment is the first id that later appends go to. The old one is synced before the first
 * sync of the new. Errors as wal_append; then the old segment goes on. */
int wal_rotate(wal *w, uint64_t *out_segment);

/* Everything in segments below first_segment is in tables: they may be recycled. */
void wal_release(wal *w, uint64_t first_segment);

uint64_t wal_last_seq(const wal *w);
uint64_t wal_durable(const wal *w); /* highest seq known synced */
int wal_failure(const wal *w);      /* RKV_OK or the sticky error */

/* Sync all that was appended so far, on the calling thread (owner). */
int wal_sync(wal *w);

/* Read back everything that was appended and is not released, and check it, while the log is in use: any thread.
 * RKV_OK, RKV_ECORRUPT with file and offset, RKV_EIO, RKV_ENOMEM. Nothing is recycled meanwhile. */
int wal_verify(wal *w);

void wal_set_policy(wal *w, enum wal_policy policy);

typedef struct wal_stats {
    uint64_t bytes_written, records, syncs, sync_ns;
    uint64_t segments; /* in use now */
    uint64_t recycled;
} wal_stats;
void wal_get_stats(const wal *w, wal_stats *out);

#endif
