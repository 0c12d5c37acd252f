/* cache.c: the block cache over its table (cache_shard.c) and its log (cache_log.c); see cache.h, and cache_parts.h for how. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/cache_parts.h"

enum {
    COUNT_MAX = 7, /* chances that a hit gives */
    SEGMENT_MIN = 64 << 10,
    SEGMENT_MAX = 2 << 20, /* a huge page */
    SEGMENTS = 32,         /* at least, where that leaves them SEGMENT_MIN */
};

int cache_new(cache **out, size_t capacity) {
    cache *c = mem_aligned(64, sizeof *c);
    if (!c) return alloc_failed(sizeof *c);
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < CACHE_SHARDS; i++) atomic_flag_clear(&c->shards[i].locked);
    atomic_init(&c->bytes, 0);
    pthread_mutex_init(&c->log_lock, NULL);
    c->capacity = capacity;
    c->segment_size = SEGMENT_MAX;
    while (c->segment_size > SEGMENT_MIN && c->segment_size > capacity / SEGMENTS) c->segment_size /= 2;
    *out = c;
    return RKV_OK;
}

void cache_free(cache *c) {
    if (!c) return;
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        shard *s = &c->shards[i];
        size_t size = s->slots ? s->mask + 1 : 0;
        for (size_t k = 0; k < size; k++) assert(!s->slots[k].entry || atomic_load(&s->slots[k].entry->pins) == 0);
        atomic_fetch_sub(&c->bytes, size * sizeof(slot));
        mem_free(s->slots);
    }
    log_clear(c);
    assert(atomic_load(&c->bytes) == 0); /* else an orphan is pinned */
    pthread_mutex_destroy(&c->log_lock);
    mem_free(c);
}

void cache_set_capacity(cache *c, size_t capacity) {
    pthread_mutex_lock(&c->log_lock);
    c->capacity = capacity;
    log_shrink(c);
    pthread_mutex_unlock(&c->log_lock);
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
    uint64_t hash = cache_hash(file, offset);
    shard *s = cache_shard_of(c, hash);
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
    if (size > SIZE_MAX / 2) return NULL;
    return log_append(c, file, offset, size);
}

cache_entry *cache_publish(cache *c, cache_entry *e) {
    assert(atomic_load_explicit(&e->pins, memory_order_relaxed) == (CACHE_ORPHAN | 1));
    shard *s = cache_shard_of(c, e->hash);
    shard_lock(s);
    cache_entry *winner = shard_pin(s, e->file, e->offset, e->hash);
    /* Where it cannot enter the table the block stays its reader's own, and goes when he releases it. */
    if (!winner && !atomic_load_explicit(&e->home->closing, memory_order_relaxed) && shard_insert(c, s, e))
        atomic_fetch_and_explicit(&e->pins, ~CACHE_ORPHAN, memory_order_relaxed);
    shard_unlock(s);
    if (!winner) return e;
    cache_release(c, e);
    return winner;
}

void cache_release(cache *c, cache_entry *e) {
    if (!e) return;
    unsigned before = atomic_fetch_sub_explicit(&e->pins, 1, memory_order_acq_rel);
    assert(before & ~CACHE_ORPHAN);
    if (before == (CACHE_ORPHAN | 1)) log_unhold(c, e->home);
}

uint8_t *cache_data(cache_entry *e) {
    return e->data;
}

size_t cache_size(const cache_entry *e) {
    return e->size;
}

void cache_forget(cache *c, uint64_t file) {
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        shard *s = &c->shards[i];
        shard_lock(s);
        for (size_t k = 0; s->slots && k <= s->mask;) {
            cache_entry *e = s->slots[k].entry;
            if (e && s->slots[k].file == (uint32_t)file && e->file == file) {
                shard_remove(s, &s->slots[k]); /* another entry may have moved to k */
                entry_orphan(e);
            } else {
                k++;
            }
        }
        shard_unlock(s);
    }
}

void cache_get_stats(cache *c, cache_stats *out) {
    cache_stats sum = {.bytes = cache_bytes(c)};
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        shard *s = &c->shards[i];
        shard_lock(s);
        sum.hits += s->hits;
        sum.misses += s->misses;
        sum.inserts += s->inserts;
        sum.evictions += s->evictions;
        for (size_t k = 0; s->slots && k <= s->mask; k++) {
            cache_entry *e = s->slots[k].entry;
            if (e && atomic_load_explicit(&e->pins, memory_order_relaxed)) sum.pinned += e->size;
        }
        shard_unlock(s);
    }
    pthread_mutex_lock(&c->log_lock);
    sum.capacity = c->capacity;
    pthread_mutex_unlock(&c->log_lock);
    *out = sum;
}
