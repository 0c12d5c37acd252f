/* memtable_parts.h: what memtable.c, memtable_order.c and memtable_iter.c share; nobody else includes it.
 *
 *   arena  := [64 bytes unused] entry*            each entry begins at a multiple of 8 bytes: its `unit` is that / 8, never 0
 *   entry  := hlc:8 node:4 prev:4 payload_size:4 key_size << 8 | kind :4 [expires_at_ms:8 if kind & ENTRY_EXPIRES] key payload
 *   slot   := tag:32 (upper half of the key's hash) unit:32 (newest entry of the key); 0: free
 *
 * prev is the unit of the key's entry before this one (an older version at a lower unit), 0 if none.
 *
 * Publication: the writer fills an entry, then moves `used` past it (release), then stores its slot (release). Who reads a
 * unit from a slot or stays below a mark read from `used` (both acquire) sees the entry whole; it never changes again.
 */
#ifndef RKV_LSM_MEMTABLE_PARTS_H
#define RKV_LSM_MEMTABLE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/coding.h"
#include "lsm/memtable.h"
#include "lsm/merge_tree.h"

enum {
    UNIT = 8,           /* bytes */
    ENTRY_EXPIRES = 4,  /* in kind, beside enum cell_flags */
    ARENA_FIRST = 8,    /* unit of the first entry */
    MEMTABLE_RUNS = 48, /* sizes of runs fall geometrically, so that this many are never reached while memory lasts */
};

typedef struct entry {
    uint64_t hlc;
    uint32_t node;
    uint32_t prev;
    uint32_t payload_size;
    uint32_t key_size_kind;
    uint8_t bytes[];
} entry;

static inline const uint8_t *entry_key_bytes(const entry *e) {
    return e->bytes + (e->key_size_kind & ENTRY_EXPIRES) * 2;
}

static inline slice entry_key(const entry *e) {
    return slice_of(entry_key_bytes(e), e->key_size_kind >> 8);
}

static inline void entry_cell(const entry *e, cell *out) {
    const uint8_t *key = entry_key_bytes(e);
    out->hlc = e->hlc;
    out->node = e->node;
    out->flags = e->key_size_kind & (CELL_TOMBSTONE | CELL_POINTER);
    out->expires_at_ms = e->key_size_kind & ENTRY_EXPIRES ? get_fixed64(e->bytes) : 0;
    out->payload = slice_of(key + (e->key_size_kind >> 8), e->payload_size);
}

/* Header and key of an entry, which mostly lie across two lines: better asked for together than one after the other. */
static inline void entry_prefetch(const entry *e) {
    __builtin_prefetch(e);
    __builtin_prefetch((const char *)e + 63);
}

/* The units an entry takes. */
static inline uint32_t entry_units(const entry *e) {
    size_t bytes = (size_t)(entry_key_bytes(e) - (const uint8_t *)e) + (e->key_size_kind >> 8) + e->payload_size;
    return (uint32_t)((bytes + UNIT - 1) / UNIT);
}

/* Entries in order: key ascending, then unit descending, which is newest first. Immutable; counted by the memtable and by iterators. */
typedef struct run_item {
    uint64_t prefix; /* key_chunk(key, 0) */
    uint32_t unit;
} run_item;

typedef struct run {
    atomic_uint refs;
    size_t size; /* bytes of the whole block */
    size_t count;
    run_item items[];
} run;

void run_unref(run *r); /* accepts NULL */

typedef struct key_index key_index;

struct memtable {
    /* Written by the writer for each entry, read by all. */
    _Alignas(64) _Atomic uint64_t used; /* units */
    _Atomic uint64_t entries, keys, min_hlc, max_hlc;
    _Atomic uint64_t index_bytes; /* of the index and its retired forms */
    _Atomic(key_index *) index;

    /* Set before the first entry is published. */
    _Alignas(64) uint8_t *arena;
    uint64_t arena_units;
    hash_seed seed;

    _Alignas(64) atomic_uint refs;
    _Atomic uint64_t sorted_entries;
    pthread_mutex_t order_lock; /* for the rest */
    uint64_t sorted_used;       /* entries below this unit are in runs */
    size_t run_count;
    run *runs[MEMTABLE_RUNS]; /* larger and older ones first; together each sorted entry once */
};

static inline const entry *entry_at(const memtable *m, uint64_t unit) {
    return (const entry *)(m->arena + unit * UNIT);
}

/* The order of a run: < 0, > 0, 0 only for the same item. */
int run_item_compare(const memtable *m, const run_item *a, const run_item *b);

/* Sort what lies below mark and in no run yet, and hand out references to runs that cover it all (they may also hold later
 * entries). Any thread. RKV_ENOMEM: *out_count is untouched. */
int memtable_runs(memtable *m, memtable_mark mark, run *out[MEMTABLE_RUNS], size_t *out_count);

#endif
