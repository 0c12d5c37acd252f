/* memtable.c: arena and hash index; see memtable.h, and memtable_parts.h for the layout. Order is made in memtable_order.c.
 *
 * The index is open addressing with linear probes. A slot's home is the top bits of its tag, so a larger index is built by walking the smaller
 * one in order: both are streamed, and no entry is touched. A reader that still holds the smaller one sees the moment before;
 * it is kept until the memtable goes.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/memtable_parts.h"

enum {
    ENTRY_OVERHEAD_MAX = sizeof(entry) + 8 + UNIT - 1, /* header, expiry, padding */
    INDEX_BITS_MIN = 6,
    INDEX_BITS_MAX = 32,
    KEY_BYTES_GUESS = 1024, /* per key, before any has been seen: the index starts at 1/64 of the arena */
    KEYS_SEEN_MIN = 64,     /* keys to have seen before their size is believed */
    HASH_CHECKED = 1024,    /* one new key in so many */
};

#define ARENA_BYTES_MAX ((1ULL << 32) * UNIT)

struct key_index {
    key_index *older;
    uint32_t shift; /* home = tag >> shift */
    uint64_t mask;  /* slots - 1 */
    uint64_t keys_max;
    _Atomic uint64_t *slots;
};

/* For numbers that only the writer changes: no locked instruction. */
static uint64_t peek(const _Atomic uint64_t *p) {
    return atomic_load_explicit(p, memory_order_relaxed);
}

static void poke(_Atomic uint64_t *p, uint64_t value) {
    atomic_store_explicit(p, value, memory_order_relaxed);
}

/* --- index --------------------------------------------------------------------------------------------------------------- */

static uint64_t index_keys_max(unsigned bits) {
    return ((uint64_t)1 << bits) / 8 * 5;
}

static int index_new(memtable *m, key_index **out, uint64_t keys) {
    unsigned bits = INDEX_BITS_MIN;
    while (bits < INDEX_BITS_MAX && index_keys_max(bits) < keys) bits++;
    key_index *x = mem_alloc(sizeof *x);
    if (!x) return alloc_failed(sizeof *x);
    size_t size = sizeof *x->slots << bits;
    *x = (key_index){.shift = 32 - bits, .mask = ((uint64_t)1 << bits) - 1, .keys_max = index_keys_max(bits)};
    x->slots = mem_map(size);
    if (!x->slots) {
        mem_free(x);
        return alloc_failed(size);
    }
    poke(&m->index_bytes, peek(&m->index_bytes) + size);
    *out = x;
    return RKV_OK;
}

static void index_free(key_index *x) {
    while (x) {
        key_index *older = x->older;
        mem_unmap(x->slots, sizeof *x->slots * (x->mask + 1));
        mem_free(x);
        x = older;
    }
}

static void index_copy(key_index *to, const key_index *from) {
    for (uint64_t i = 0; i <= from->mask; i++) {
        uint64_t value = peek(&from->slots[i]);
        if (!value) continue;
        uint64_t at = (value >> 32) >> to->shift;
        while (peek(&to->slots[at])) at = (at + 1) & to->mask;
        poke(&to->slots[at], value);
    }
}

/* The slot of key, or the free one where it would go; *out_value is what was read there. */
static _Atomic uint64_t *index_find(const memtable *m, const key_index *x, slice key, uint64_t hash,
                                    uint64_t *out_value) {
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint64_t i = tag >> x->shift;; i = (i + 1) & x->mask) {
        uint64_t value = atomic_load_explicit(&x->slots[i], memory_order_acquire);
        if (value && value >> 32 != tag) continue;
        if (value) {
            const entry *e = entry_at(m, (uint32_t)value);
            entry_prefetch(e);
            if (!slice_equal(entry_key(e), key)) continue;
        }
        *out_value = value;
        return &x->slots[i];
    }
}

/* How many keys to make room for when `keys` do not fit: what the arena will hold if it goes on like this. */
static uint64_t keys_expected(const memtable *m, uint64_t keys) {
    uint64_t seen = peek(&m->keys), units = peek(&m->used);
    if (seen < KEYS_SEEN_MIN) return keys;
    uint64_t expected = (uint64_t)((double)seen / (double)units * (double)m->arena_units);
    return expected > keys ? expected : keys;
}

static int index_grow(memtable *m, uint64_t keys) {
    key_index *old = atomic_load_explicit(&m->index, memory_order_relaxed), *x;
    int rc = index_new(m, &x, keys_expected(m, keys));
    if (rc) return rc;
    index_copy(x, old);
    x->older = old;
    atomic_store_explicit(&m->index, x, memory_order_release);
    return RKV_OK;
}

/* --- life ---------------------------------------------------------------------------------------------------------------- */

static int arena_map(memtable *m, uint64_t units) {
    uint8_t *arena = mem_map(units * UNIT);
    if (!arena) return alloc_failed(units * UNIT);
    mem_poison(arena, units * UNIT);
    mem_unmap(m->arena, m->arena_units * UNIT);
    m->arena = arena;
    m->arena_units = units;
    return RKV_OK;
}

int memtable_new(memtable **out, size_t capacity, const hash_seed *seed) {
    uint64_t units = (capacity + UNIT - 1) / UNIT + ARENA_FIRST;
    if (capacity > ARENA_BYTES_MAX - UNIT * ARENA_FIRST)
        return status_set(RKV_EINVAL, "memtable of %zu bytes: at most %llu", capacity, ARENA_BYTES_MAX);
    memtable *m = mem_aligned(64, sizeof *m);
    if (!m) return alloc_failed(sizeof *m);
    memset(m, 0, sizeof *m);
    m->seed = *seed;
    atomic_init(&m->used, ARENA_FIRST);
    atomic_init(&m->min_hlc, UINT64_MAX);
    atomic_init(&m->refs, 1);
    m->sorted_used = ARENA_FIRST;
    key_index *x = NULL;
    int rc = arena_map(m, units);
    if (rc == RKV_OK) rc = index_new(m, &x, capacity / KEY_BYTES_GUESS);
    if (rc) {
        mem_unmap(m->arena, m->arena_units * UNIT);
        mem_free(m);
        return rc;
    }
    atomic_init(&m->index, x);
    pthread_mutex_init(&m->order_lock, NULL);
    *out = m;
    return RKV_OK;
}

void memtable_ref(memtable *m) {
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
}

void memtable_unref(memtable *m) {
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < m->run_count; i++) run_unref(m->runs[i]);
    pthread_mutex_destroy(&m->order_lock);
    index_free(atomic_load_explicit(&m->index, memory_order_relaxed));
    mem_unmap(m->arena, m->arena_units * UNIT);
    mem_free(m);
}

/* --- write ----------------------------------------------------------------------------------------------------------------- */

static int arena_reserve(memtable *m, size_t count, size_t bytes) {
    uint64_t used = peek(&m->used);
    if (count > ARENA_BYTES_MAX / ENTRY_OVERHEAD_MAX || bytes > ARENA_BYTES_MAX)
        return status_set(RKV_ETOOBIG, "%zu entries of %zu bytes do not fit any memtable", count, bytes);
    uint64_t units = (bytes + count * ENTRY_OVERHEAD_MAX + UNIT - 1) / UNIT;
    if (units <= m->arena_units - used) return RKV_OK;
    if (peek(&m->entries) > 0)
        return status_set(RKV_ETOOBIG, "%zu entries of %zu bytes do not fit this memtable any more", count, bytes);
    if (units > ARENA_BYTES_MAX / UNIT - used)
        return status_set(RKV_ETOOBIG, "%zu entries of %zu bytes do not fit any memtable", count, bytes);
    return arena_map(m, used + units);
}

int memtable_reserve(memtable *m, size_t count, size_t bytes) {
    int rc = arena_reserve(m, count, bytes);
    if (rc) return rc;
    uint64_t keys = peek(&m->keys) + count;
    if (keys <= atomic_load_explicit(&m->index, memory_order_relaxed)->keys_max) return RKV_OK;
    return index_grow(m, keys);
}

/* Write an entry behind the others and publish it to whoever reads by mark. Returns its unit. */
static uint32_t arena_append(memtable *m, slice key, const cell *c, uint32_t prev) {
    uint64_t unit = peek(&m->used);
    uint8_t kind = c->flags & (CELL_TOMBSTONE | CELL_POINTER);
    if (c->expires_at_ms) kind |= ENTRY_EXPIRES;
    size_t size = sizeof(entry) + (c->expires_at_ms ? 8 : 0) + key.size + c->payload.size;
    uint64_t end = unit + (size + UNIT - 1) / UNIT;
    assert(end <= m->arena_units);
    entry *e = (entry *)(m->arena + unit * UNIT);
    mem_unpoison(e, size);
    e->hlc = c->hlc;
    e->node = c->node;
    e->prev = prev;
    e->payload_size = (uint32_t)c->payload.size;
    e->key_size_kind = (uint32_t)key.size << 8 | kind;
    if (c->expires_at_ms) put_fixed64(e->bytes, c->expires_at_ms);
    uint8_t *at = (uint8_t *)entry_key_bytes(e);
    if (key.size) memcpy(at, key.data, key.size);
    if (c->payload.size) memcpy(at + key.size, c->payload.data, c->payload.size);
    poke(&m->entries, peek(&m->entries) + 1);
    if (c->hlc < peek(&m->min_hlc)) poke(&m->min_hlc, c->hlc);
    if (c->hlc > peek(&m->max_hlc)) poke(&m->max_hlc, c->hlc);
    atomic_store_explicit(&m->used, end, memory_order_release);
    return (uint32_t)unit;
}

int memtable_apply(memtable *m, slice key, uint64_t hash, const cell *c) {
    assert(key.size <= KEY_SIZE_MAX && c->payload.size <= UINT32_MAX);
    key_index *x = atomic_load_explicit(&m->index, memory_order_relaxed);
    uint64_t value;
    _Atomic uint64_t *at = index_find(m, x, key, hash, &value);
    if (value) {
        cell before;
        entry_cell(entry_at(m, (uint32_t)value), &before);
        if (cell_compare(c, &before) <= 0) return RKV_STALE;
    } else {
        uint64_t keys = peek(&m->keys);
        assert(keys < x->keys_max);
        /* A key under a wrong hash would never be found again: look at some. */
        assert(keys % HASH_CHECKED != 0 || hash == hash_bytes(&m->seed, key));
        poke(&m->keys, keys + 1);
    }
    uint32_t unit = arena_append(m, key, c, (uint32_t)value);
    atomic_store_explicit(at, (hash >> 32) << 32 | unit, memory_order_release);
    return RKV_OK;
}

/* --- read ------------------------------------------------------------------------------------------------------------------ */

int memtable_get_at(memtable *m, slice key, uint64_t hash, memtable_mark mark, cell *out) {
    uint64_t value;
    index_find(m, atomic_load_explicit(&m->index, memory_order_acquire), key, hash, &value);
    uint32_t unit = (uint32_t)value;
    while (unit >= mark) unit = entry_at(m, unit)->prev;
    if (unit == 0) return RKV_NOTFOUND;
    entry_cell(entry_at(m, unit), out);
    return RKV_OK;
}

int memtable_get(memtable *m, slice key, uint64_t hash, cell *out) {
    return memtable_get_at(m, key, hash, UINT64_MAX, out);
}

memtable_mark memtable_mark_now(const memtable *m) {
    return atomic_load_explicit(&m->used, memory_order_acquire);
}

void memtable_prefetch(const memtable *m, uint64_t hash) {
    const key_index *x = atomic_load_explicit(&m->index, memory_order_acquire);
    __builtin_prefetch((const void *)&x->slots[(hash >> 32) >> x->shift]);
}

void memtable_get_stats(const memtable *m, memtable_stats *out) {
    *out = (memtable_stats){
        .bytes = (peek(&m->used) - ARENA_FIRST) * UNIT,
        .memory = peek(&m->used) * UNIT + peek(&m->index_bytes) + peek(&m->sorted_entries) * sizeof(run_item),
        .entries = peek(&m->entries),
        .keys = peek(&m->keys),
        .min_hlc = peek(&m->min_hlc),
        .max_hlc = peek(&m->max_hlc),
    };
}

uint64_t memtable_unsorted(const memtable *m) {
    uint64_t sorted = peek(&m->sorted_entries);
    uint64_t entries = peek(&m->entries);
    return entries > sorted ? entries - sorted : 0;
}
