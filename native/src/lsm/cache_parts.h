/* cache_parts.h: what cache.c, cache_shard.c and cache_log.c share; nobody else includes it.
 *
 *   table (16 shards):   [slot][ -- ][slot][slot][ -- ] ...        slot = {hash:32, file:32, entry}
 *                           |           |     |
 *   log:   free <- [x x e x e|e e e e] [e e e e e e e e] [e e e e e ->      ]
 *                   oldest   ^cleaned   queue             current    ^used
 *
 * Blocks of any size are laid end to end in the current segment, so none of the memory is lost between them. Space comes back a
 * segment at a time: an entry of the oldest that was hit since it was written goes on into the current segment with one chance
 * less, any other leaves the table. This is a CLOCK whose hand writes. Cleaning keeps step with filling, so one
 * reserve does little of it, and the oldest is empty when the current is full. A large block has a segment of its own, which is
 * put to the end of the queue instead of copied.
 *
 * Invariants:
 *   - an entry is in the table, or ORPHAN: reserved and not yet published, or moved, evicted or forgotten. Pins are only taken in the
 *     table. So an orphan's pins only fall, and whoever takes away the last gives up its hold on the segment.
 *   - a segment is held by each entry whose memory is in use, and by the log until it is cleaned; without holds it is free.
 *   - nothing is published in a segment whose cleaning has begun (`closing`), else it would be there for ever.
 *
 * Threads: log_lock covers segments and queue; a spin lock each shard's table, counts and the step between table and orphan. A shard
 * may be locked while log_lock is held, never the other way. Pins fall without a lock.
 */
#ifndef RKV_LSM_CACHE_PARTS_H
#define RKV_LSM_CACHE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/hash.h"
#include "lsm/cache.h"

enum {
    CACHE_SHARD_BITS = 4,
    CACHE_SHARDS = 1 << CACHE_SHARD_BITS,
    CACHE_ALIGN = 16,
};

#define CACHE_ORPHAN (1u << 31)

typedef struct segment {
    struct segment *next;
    bool large;     /* one block, and of its own size */
    size_t size;    /* bytes mapped */
    size_t used;    /* offset of the next entry */
    size_t cleaned; /* offset of the first entry not yet dealt with */
    atomic_size_t holds;
    atomic_bool closing;
} segment;

struct cache_entry {
    uint64_t file, offset;
    uint64_t hash;
    size_t size;
    segment *home;
    atomic_uint pins; /* | CACHE_ORPHAN */
    uint8_t count;    /* chances; under the shard's lock */
    _Alignas(CACHE_ALIGN) uint8_t data[];
};

typedef struct slot {
    uint32_t hash;      /* upper half */
    uint32_t file;      /* lower half of the number */
    cache_entry *entry; /* NULL: free */
} slot;

typedef struct shard {
    _Alignas(64) atomic_flag locked;
    slot *slots;
    size_t mask; /* slots - 1; slots NULL: 0 */
    size_t used;
    uint64_t hits, misses, inserts, evictions;
} shard;

struct cache {
    shard shards[CACHE_SHARDS];
    atomic_size_t bytes;      /* of all segments and tables */
    pthread_mutex_t log_lock; /* for the rest */
    size_t capacity;
    size_t segment_size;
    segment *current;           /* being filled; NULL: none */
    segment *oldest, *youngest; /* the queue, full ones */
    segment *free;
};

static inline size_t cache_bytes(cache *c) {
    return atomic_load_explicit(&c->bytes, memory_order_relaxed);
}

static inline uint64_t cache_hash(uint64_t file, uint64_t offset) {
    return hash_mix(hash_mix(file) + offset);
}

static inline shard *cache_shard_of(cache *c, uint64_t hash) {
    return &c->shards[hash >> (64 - CACHE_SHARD_BITS)];
}

/* --- cache_shard.c: the rest of these under the shard's lock --------------------------------------------------------------- */

void shard_lock(shard *s);
void shard_unlock(shard *s);

/* Where the block is, or the free slot where it would go; s->slots is not NULL. */
slot *shard_find(const shard *s, uint64_t file, uint64_t offset, uint64_t hash);

/* Put in an entry that is not there. False: out of memory. */
bool shard_insert(cache *c, shard *s, cache_entry *e);

/* Empty a slot; another entry may move there. */
void shard_remove(shard *s, slot *at);

/* The entry has just left the table: if nobody reads it, its memory is not needed any more. */
void entry_orphan(cache_entry *e);

/* --- cache_log.c ----------------------------------------------------------------------------------------------------------- */

/* A new entry, an orphan with one pin; NULL: out of memory. Takes log_lock. */
cache_entry *log_append(cache *c, uint64_t file, uint64_t offset, size_t size);

/* The last pin of an orphan is gone. Takes log_lock if that frees its segment. */
void log_unhold(cache *c, segment *home);

/* Give back memory until no more than the capacity is held, or all that is left is pinned. Under log_lock. */
void log_shrink(cache *c);

/* Unmap everything; nothing is in use. */
void log_clear(cache *c);

#endif
