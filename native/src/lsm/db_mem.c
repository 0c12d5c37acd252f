/* db_mem.c: a memtable and what belongs to it; see db_parts.h. */
#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"

enum {
    KEY_CHUNK_MIN = 1024,
};

int mem_new(mem **out, const db *d, size_t capacity) {
    mem *m = mem_zalloc(sizeof *m);
    if (!m) return alloc_failed(sizeof *m);
    atomic_init(&m->refs, 1);
    int rc = memtable_new(&m->table, capacity, &d->identity.seed);
    if (rc == RKV_OK) rc = mem_reserve_ranges(m, 0, 0);
    if (rc) {
        mem_unref(m);
        return rc;
    }
    *out = m;
    return RKV_OK;
}

void mem_ref(mem *m) {
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
}

void mem_unref(mem *m) {
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1) return;
    memtable_unref(m->table);
    ref_list_clear(&m->garbage);
    mem_free(m->ranges);
    for (void *chunk = m->key_chunks; chunk;) {
        void *next;
        memcpy(&next, chunk, sizeof next);
        mem_free(chunk);
        chunk = next;
    }
    mem_free(m);
}

/* The array may not move under readers: it is as large as it gets from the first range on. */
static int ranges_room(mem *m) {
    if (m->range_room) return RKV_OK;
    m->ranges = mem_alloc(MEM_RANGES_MAX * sizeof *m->ranges);
    if (!m->ranges) return alloc_failed(MEM_RANGES_MAX * sizeof *m->ranges);
    m->range_room = MEM_RANGES_MAX;
    return RKV_OK;
}

int mem_reserve_ranges(mem *m, size_t count, size_t bytes) {
    size_t before = atomic_load_explicit(&m->range_count, memory_order_relaxed);
    if (before + count > MEM_RANGES_MAX)
        return status_set(RKV_ETOOBIG, "%zu range deletions in one memtable", before + count);
    int rc = ranges_room(m);
    if (rc || bytes <= m->key_left) return rc;
    size_t size = bytes < KEY_CHUNK_MIN ? KEY_CHUNK_MIN : bytes;
    uint8_t *chunk = mem_alloc(sizeof(void *) + size);
    if (!chunk) return alloc_failed(size);
    memcpy(chunk, &m->key_chunks, sizeof(void *));
    m->key_chunks = chunk;
    m->key_room = chunk + sizeof(void *);
    m->key_left = size;
    return RKV_OK;
}

void mem_put(mem *m, slice key, uint64_t hash, const cell *c, bool is_late) {
    cell before;
    if (is_late && !atomic_load_explicit(&m->late, memory_order_relaxed))
        atomic_store_explicit(&m->late, true, memory_order_release);
    bool watch = m->has_pointers && memtable_get(m->table, key, hash, &before) == RKV_OK;
    bool stale = memtable_apply(m->table, key, hash, c) == RKV_STALE;
    if (c->flags & CELL_POINTER) {
        m->has_pointers = true;
        /* Of the same cell put twice, one keeps the value. */
        if (stale && !(watch && slice_equal(before.payload, c->payload))) ref_list_add_cell(&m->garbage, c);
    }
    if (watch && !stale) ref_list_add_cell(&m->garbage, &before);
}

static slice copy_key(mem *m, slice key) {
    assert(key.size <= m->key_left);
    uint8_t *to = m->key_room;
    if (key.size) memcpy(to, key.data, key.size);
    m->key_room += key.size;
    m->key_left -= key.size;
    return slice_of(to, key.size);
}

void mem_delete_range(mem *m, slice begin, slice end, uint64_t hlc, uint32_t node, uint64_t number) {
    size_t count = atomic_load_explicit(&m->range_count, memory_order_relaxed);
    assert(count < m->range_room);
    m->ranges[count] = (rdel){copy_key(m, begin), copy_key(m, end), hlc, node, number};
    atomic_store_explicit(&m->range_count, count + 1, memory_order_release);
}

bool mem_empty(const mem *m) {
    memtable_stats s;
    memtable_get_stats(m->table, &s);
    return s.entries == 0 && atomic_load_explicit(&m->range_count, memory_order_relaxed) == 0;
}

void ref_list_add(ref_list *l, const value_ref *ref) {
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 16;
        value_ref *items = mem_realloc(l->items, room * sizeof *items);
        if (!items) return;
        l->items = items;
        l->room = room;
    }
    l->items[l->count++] = *ref;
}

void ref_list_add_cell(ref_list *l, const cell *c) {
    value_ref ref;
    if (c->flags & CELL_POINTER && value_ref_decode(c->payload, &ref)) ref_list_add(l, &ref);
}

void ref_list_clear(ref_list *l) {
    mem_free(l->items);
    *l = (ref_list){0};
}
