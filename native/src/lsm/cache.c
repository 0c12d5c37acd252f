/* cache.c: 16 shards of an open-addressing table that is its own clock; see cache.h.
 *
 *   shard:  [slot][slot][ -- ][slot][ -- ]...   slot = {hash:32, file:32, entry}
 *                  ^ hand: passes unpinned entries, taking one of their count (0..3), and evicts at 0
 *
 * Not a place to find out whether a block is right: what is published has been verified.
 *
 * Invariants, per shard under its lock:
 *   - an entry is in the table from publish until evicted or forgotten; a pin is only taken in the table;
 *   - only an entry with no pins leaves the table; its memory goes with it.
 * A pin is dropped without the lock, as the last access to the entry. `bytes` is the sum of the charges of all entries,
 * reserved ones too, over all shards: a large block may use what small ones elsewhere leave.
 *
 * Threads: no call holds two locks. A lock is held for one probe, one eviction or one growth of a table.
 */
#include "lsm/cache.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/status.h"

enum {
    SHARD_BITS = 4,
    SHARDS = 1 << SHARD_BITS,
    SLOTS_MIN = 16,
    COUNT_MAX = 3,       /* what a hit gives: a block read twice outlives three passes, one read once at most one */
    SPINS = 64,          /* then give the processor to the holder, who may be waiting for it */
    ENTRY_OVERHEAD = 48, /* what an entry costs in the table at half load, and in the heap */
};

struct cache_entry {
    uint64_t file, offset;
    uint64_t hash;
    size_t size;
    atomic_uint pins;
    uint8_t count; /* under the shard's lock */
    bool published;
    _Alignas(16) uint8_t data[];
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
    size_t hand;
    uint64_t hits, misses, inserts, evictions;
} shard;

struct cache {
    shard shards[SHARDS];
    atomic_size_t bytes, capacity;
};

static void shard_lock(shard *s) {
    for (int spins = 0; atomic_flag_test_and_set_explicit(&s->locked, memory_order_acquire);) {
        if (++spins % SPINS == 0)
            sched_yield();
        else
            __builtin_ia32_pause();
    }
}

static void shard_unlock(shard *s) {
    atomic_flag_clear_explicit(&s->locked, memory_order_release);
}

static uint64_t block_hash(uint64_t file, uint64_t offset) {
    return hash_mix(hash_mix(file) + offset);
}

static shard *shard_of(cache *c, uint64_t hash) {
    return &c->shards[hash >> (64 - SHARD_BITS)];
}

static size_t charge_of(size_t size) {
    return size + sizeof(cache_entry) + ENTRY_OVERHEAD;
}

static bool over_capacity(cache *c) {
    return atomic_load_explicit(&c->bytes, memory_order_relaxed) >
           atomic_load_explicit(&c->capacity, memory_order_relaxed);
}

/* Give back the memory and the charge of an entry that nobody can reach any more. */
static void entry_free(cache *c, cache_entry *e) {
    atomic_fetch_sub_explicit(&c->bytes, charge_of(e->size), memory_order_relaxed);
    mem_free(e);
}

/* --- one shard's table, under its lock ------------------------------------------------------------------------------- */

/* Where the block is, or the free slot where it would go. The table is never full. */
static slot *shard_find(const shard *s, uint64_t file, uint64_t offset, uint64_t hash) {
    for (size_t i = hash & s->mask;; i = (i + 1) & s->mask) {
        slot *at = &s->slots[i];
        if (!at->entry) return at;
        if (at->hash == hash >> 32 && at->file == (uint32_t)file && at->entry->file == file &&
            at->entry->offset == offset)
            return at;
    }
}

static void slot_fill(slot *at, cache_entry *e) {
    *at = (slot){.hash = (uint32_t)(e->hash >> 32), .file = (uint32_t)e->file, .entry = e};
}

/* Make room for one more at a load of at most a half. False: out of memory. */
static bool shard_grow(shard *s) {
    size_t old_size = s->slots ? s->mask + 1 : 0;
    if ((s->used + 1) * 2 <= old_size) return true;
    shard bigger = {.mask = old_size ? old_size * 2 - 1 : SLOTS_MIN - 1};
    bigger.slots = mem_zalloc((bigger.mask + 1) * sizeof(slot));
    if (!bigger.slots) return false;
    for (size_t i = 0; i < old_size; i++) {
        cache_entry *e = s->slots[i].entry;
        if (e) slot_fill(shard_find(&bigger, e->file, e->offset, e->hash), e);
    }
    mem_free(s->slots);
    s->slots = bigger.slots;
    s->mask = bigger.mask;
    return true;
}

/* Empty slot i and move back what had to probe past it, so that no probe meets a gap. */
static void shard_remove(shard *s, size_t i) {
    for (size_t next = (i + 1) & s->mask; s->slots[next].entry; next = (next + 1) & s->mask) {
        size_t home = s->slots[next].entry->hash & s->mask;
        if (((next - home) & s->mask) >= ((next - i) & s->mask)) {
            s->slots[i] = s->slots[next];
            i = next;
        }
    }
    s->slots[i].entry = NULL;
    s->used--;
}

static bool entry_pinned(cache_entry *e) {
    /* Pairs with the release in cache_release: what a reader did with the block comes before its end. */
    return atomic_load_explicit(&e->pins, memory_order_acquire) != 0;
}

/* Take the next victim of the clock out of the table, or NULL if all are pinned. */
static cache_entry *shard_evict(shard *s) {
    size_t steps = s->used ? (s->mask + 1) * (COUNT_MAX + 1) : 0;
    for (; steps; steps--) {
        size_t i = s->hand & s->mask;
        cache_entry *e = s->slots[i].entry;
        if (e && !entry_pinned(e)) {
            if (e->count == 0) {
                shard_remove(s, i); /* the hand stays: another entry may have moved here */
                s->evictions++;
                return e;
            }
            e->count--;
        }
        s->hand = i + 1;
    }
    return NULL;
}

/* ---------------------------------------------------------------------------------------------------------------------- */

/* Evict until the charges fit, beginning in shard `first`; less when the rest is pinned. */
static void cache_shrink(cache *c, size_t first) {
    for (size_t i = 0; i < SHARDS && over_capacity(c); i++) {
        shard *s = &c->shards[(first + i) % SHARDS];
        cache_entry *victim;
        do {
            shard_lock(s);
            victim = shard_evict(s);
            shard_unlock(s);
            if (victim) entry_free(c, victim);
        } while (victim && over_capacity(c));
    }
}

int cache_new(cache **out, size_t capacity) {
    cache *c = mem_aligned(64, sizeof *c);
    if (!c) return alloc_failed(sizeof *c);
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < SHARDS; i++) atomic_flag_clear(&c->shards[i].locked);
    atomic_init(&c->bytes, 0);
    atomic_init(&c->capacity, capacity);
    *out = c;
    return RKV_OK;
}

void cache_free(cache *c) {
    if (!c) return;
    for (size_t i = 0; i < SHARDS; i++) {
        shard *s = &c->shards[i];
        for (size_t k = 0; s->slots && k <= s->mask; k++) {
            assert(!s->slots[k].entry || !entry_pinned(s->slots[k].entry));
            mem_free(s->slots[k].entry);
        }
        mem_free(s->slots);
    }
    mem_free(c);
}

void cache_set_capacity(cache *c, size_t capacity) {
    atomic_store_explicit(&c->capacity, capacity, memory_order_relaxed);
    cache_shrink(c, 0);
}

/* Pin the block if it is in the table; under the shard's lock. */
static cache_entry *shard_pin(shard *s, uint64_t file, uint64_t offset, uint64_t hash) {
    cache_entry *e = s->slots ? shard_find(s, file, offset, hash)->entry : NULL;
    if (!e) return NULL;
    atomic_fetch_add_explicit(&e->pins, 1, memory_order_relaxed);
    e->count = COUNT_MAX;
    return e;
}

cache_entry *cache_lookup(cache *c, uint64_t file, uint64_t offset) {
    uint64_t hash = block_hash(file, offset);
    shard *s = shard_of(c, hash);
    shard_lock(s);
    cache_entry *e = shard_pin(s, file, offset, hash);
    if (e)
        s->hits++;
    else
        s->misses++;
    shard_unlock(s);
    return e;
}

cache_entry *cache_reserve(cache *c, uint64_t file, uint64_t offset, size_t size) {
    uint64_t hash = block_hash(file, offset);
    if (size > SIZE_MAX / 2) return NULL;
    atomic_fetch_add_explicit(&c->bytes, charge_of(size), memory_order_relaxed);
    if (over_capacity(c)) cache_shrink(c, hash >> (64 - SHARD_BITS));
    cache_entry *e = mem_alloc(sizeof *e + size);
    if (!e) {
        atomic_fetch_sub_explicit(&c->bytes, charge_of(size), memory_order_relaxed);
        return NULL;
    }
    e->file = file;
    e->offset = offset;
    e->hash = hash;
    e->size = size;
    atomic_init(&e->pins, 1);
    e->count = 0;
    e->published = false;
    return e;
}

cache_entry *cache_publish(cache *c, cache_entry *e) {
    assert(!e->published);
    shard *s = shard_of(c, e->hash);
    shard_lock(s);
    cache_entry *winner = shard_pin(s, e->file, e->offset, e->hash);
    /* Without memory for the table the block stays its reader's own, and goes when he releases it. */
    if (!winner && shard_grow(s)) {
        e->published = true;
        slot_fill(shard_find(s, e->file, e->offset, e->hash), e);
        s->used++;
        s->inserts++;
    }
    shard_unlock(s);
    if (!winner) return e;
    entry_free(c, e);
    return winner;
}

void cache_release(cache *c, cache_entry *e) {
    if (!e) return;
    if (!e->published) {
        entry_free(c, e);
        return;
    }
    size_t first = e->hash >> (64 - SHARD_BITS);
    unsigned before = atomic_fetch_sub_explicit(&e->pins, 1, memory_order_release);
    assert(before > 0);
    if (before == 1 && over_capacity(c)) cache_shrink(c, first);
}

uint8_t *cache_data(cache_entry *e) {
    return e->data;
}

size_t cache_size(const cache_entry *e) {
    return e->size;
}

void cache_forget(cache *c, uint64_t file) {
    for (size_t i = 0; i < SHARDS; i++) {
        shard *s = &c->shards[i];
        shard_lock(s);
        for (size_t k = 0; s->slots && k <= s->mask;) {
            cache_entry *e = s->slots[k].entry;
            bool ours = e && s->slots[k].file == (uint32_t)file && e->file == file;
            if (ours && !entry_pinned(e)) {
                shard_remove(s, k); /* another entry may have moved to k */
                entry_free(c, e);
                continue;
            }
            if (ours) e->count = 0;
            k++;
        }
        shard_unlock(s);
    }
}

void cache_get_stats(cache *c, cache_stats *out) {
    cache_stats sum = {
        .bytes = atomic_load_explicit(&c->bytes, memory_order_relaxed),
        .capacity = atomic_load_explicit(&c->capacity, memory_order_relaxed),
    };
    for (size_t i = 0; i < SHARDS; i++) {
        shard *s = &c->shards[i];
        shard_lock(s);
        sum.hits += s->hits;
        sum.misses += s->misses;
        sum.inserts += s->inserts;
        sum.evictions += s->evictions;
        for (size_t k = 0; s->slots && k <= s->mask; k++)
            if (s->slots[k].entry && entry_pinned(s->slots[k].entry)) sum.pinned += charge_of(s->slots[k].entry->size);
        shard_unlock(s);
    }
    *out = sum;
}
