/* cache_shard.c: one shard's table, open addressing with linear probes; see cache_parts.h. */
#include <assert.h>
#include <sched.h>

#include "base/alloc.h"
#include "lsm/cache_parts.h"

enum {
    SLOTS_MIN = 16,
    SPINS = 64, /* then give the processor to the holder, who may be waiting for it */
};

void shard_lock(shard *s) {
    for (int spins = 0; atomic_flag_test_and_set_explicit(&s->locked, memory_order_acquire);) {
        if (++spins % SPINS == 0)
            sched_yield();
        else
            __builtin_ia32_pause();
    }
}

void shard_unlock(shard *s) {
    atomic_flag_clear_explicit(&s->locked, memory_order_release);
}

/* The table is never full. */
slot *shard_find(const shard *s, uint64_t file, uint64_t offset, uint64_t hash) {
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
static bool shard_grow(cache *c, shard *s) {
    size_t old_size = s->slots ? s->mask + 1 : 0;
    if ((s->used + 1) * 2 <= old_size) return true;
    shard bigger = {.mask = old_size ? old_size * 2 - 1 : SLOTS_MIN - 1};
    bigger.slots = mem_zalloc((bigger.mask + 1) * sizeof(slot));
    if (!bigger.slots) return false;
    for (size_t i = 0; i < old_size; i++) {
        cache_entry *e = s->slots[i].entry;
        if (e) slot_fill(shard_find(&bigger, e->file, e->offset, e->hash), e);
    }
    atomic_fetch_add_explicit(&c->bytes, (bigger.mask + 1 - old_size) * sizeof(slot), memory_order_relaxed);
    mem_free(s->slots);
    s->slots = bigger.slots;
    s->mask = bigger.mask;
    return true;
}

bool shard_insert(cache *c, shard *s, cache_entry *e) {
    if (!shard_grow(c, s)) return false;
    slot_fill(shard_find(s, e->file, e->offset, e->hash), e);
    s->used++;
    s->inserts++;
    return true;
}

/* Moves back what had to probe past the slot, so that no probe meets a gap. */
void shard_remove(shard *s, slot *at) {
    size_t i = (size_t)(at - s->slots);
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

void entry_orphan(cache_entry *e) {
    /* Acquire: what its last reader did comes before the memory's next use. */
    if (atomic_fetch_or_explicit(&e->pins, CACHE_ORPHAN, memory_order_acq_rel) != 0) return;
    size_t before = atomic_fetch_sub_explicit(&e->home->holds, 1, memory_order_acq_rel);
    assert(before > 1); /* the log holds a segment until nothing in it is in the table */
}
