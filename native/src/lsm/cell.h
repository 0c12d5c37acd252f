/* cell.h: one version of one key: what the engine stores, merges and never mixes up.
 *
 * version = (hlc, node): hlc is 48 bits of wall milliseconds and a 16-bit counter. Of two cells of one key the one
 * with the larger version wins wherever it lies and whenever it came; equal versions can only come from a fault
 * or a relocated value, and cell_compare orders them all the same. So applying cells is commutative,
 * associative and idempotent (DESIGN.md 1).
 *
 * A pointer cell's payload is a value_ref (lsm/vlog.h): the value lies in the value log.
 */
#ifndef RKV_LSM_CELL_H
#define RKV_LSM_CELL_H

#include "base/slice.h"

enum cell_flags {
    CELL_TOMBSTONE = 1, /* the key was deleted at this version; payload is empty */
    CELL_POINTER = 2,   /* payload is an encoded value_ref */
};

enum {
    KEY_SIZE_MAX = 64 * 1024 + 16, /* a client's 64 KiB and the engine's prefix */
};

typedef struct cell {
    uint64_t hlc;
    uint32_t node;
    uint8_t flags;          /* enum cell_flags */
    uint64_t expires_at_ms; /* wall ms; 0: never */
    slice payload;          /* owned by whatever the cell was read from */
} cell;

static inline int version_compare(uint64_t hlc_a, uint32_t node_a, uint64_t hlc_b, uint32_t node_b) {
    if (hlc_a != hlc_b) return hlc_a < hlc_b ? -1 : 1;
    return node_a < node_b ? -1 : node_a > node_b;
}

/* > 0 when a wins over b, < 0 when b wins, 0 when they are the same cell. By version, then (never in a
 * sound store) pointers over inline values, larger flags, larger payload, later expiry. A pointer with a higher file
 * number wins over one with a lower, so that a relocated value replaces the original. */
int cell_compare(const cell *a, const cell *b);

/* Does the key exist for a reader at now_ms? An expired cell is a tombstone in every respect. */
static inline bool cell_live(const cell *c, uint64_t now_ms) {
    return !(c->flags & CELL_TOMBSTONE) && (c->expires_at_ms == 0 || c->expires_at_ms > now_ms);
}

#endif
