/* batch.h: the commit batch, the one mutation format: WAL record, replication frame, hint, repair, bulk load.
 *
 *   batch   := base_hlc:fixed64 node:fixed32 count:fixed32 entry*
 *   entry   := kind:u8 delta:varint64 [expires_at_ms:fixed64 if kind & BATCH_EXPIRES] key_size:varint32 key
 *              [value_size:varint32 value  unless kind & CELL_TOMBSTONE]
 *   kind    := cell flags (bits 0-1) | BATCH_EXPIRES (4) | BATCH_RANGE (8)
 *
 * An entry's version is (base_hlc + delta, node). A BATCH_RANGE entry deletes every cell in [key, value) whose version is
 * below its own; empty value = to the end of the key space.
 * A batch is applied whole or not at all. Readers check every length; batch_next never reads past the end.
 */
#ifndef RKV_LSM_BATCH_H
#define RKV_LSM_BATCH_H

#include "base/buf.h"
#include "lsm/cell.h"

enum {
    BATCH_HEADER_SIZE = 16,
    BATCH_EXPIRES = 4,
    BATCH_RANGE = 8,
    BATCH_ENTRY_OVERHEAD_MAX = 1 + 10 + 8 + 5 + 5, /* bytes of an entry beyond its key and value */
};

/* Begin a batch in b (which becomes exactly the header). */
int batch_begin(buf *b, uint64_t base_hlc, uint32_t node);

/* Append one cell. c->node must be the batch's node and c->hlc >= base_hlc. RKV_ENOMEM changes nothing. */
int batch_put(buf *b, slice key, const cell *c);

/* Append a range deletion at version hlc: cells of [begin, end) older than it are dead. end.size 0: no upper bound. */
int batch_delete_range(buf *b, slice begin, slice end, uint64_t hlc);

typedef struct batch_entry {
    bool is_range;
    slice key; /* begin, for a range */
    slice end; /* ranges only */
    cell cell; /* payload points into the batch; for a range only the version counts */
} batch_entry;

typedef struct batch_reader {
    uint64_t base_hlc;
    uint32_t node;
    uint32_t count; /* entries in all */
    const uint8_t *cursor, *end;
    uint32_t left;
} batch_reader;

/* Check the header. RKV_ECORRUPT: too short. */
int batch_open(batch_reader *out, slice bytes);

/* RKV_OK: *out is filled; RKV_END: no more, and no bytes left over; RKV_ECORRUPT: a length, flag or the count is off. */
int batch_next(batch_reader *r, batch_entry *out);

/* Walk a whole batch from outside (network, file) once: RKV_OK or RKV_ECORRUPT. */
int batch_check(slice bytes);

#endif
