/* db_read.c: point reads: memtables, then level 0, then deeper levels; see db.h and version.h.
 *
 * Keys are looked up in groups, stage by stage: prefetch what the next stage will touch for all of them, then touch it. A single get is a
 * group of one. A search ends when it meets a cell in a place that is not late, or when nothing left can be newer than what it has.
 */
#include <assert.h>

#include "base/status.h"
#include "lsm/db_parts.h"

enum { GROUP = 32 };

typedef struct lookup {
    slice key;
    uint64_t hash;
    bool done; /* what lies further down cannot change the answer */
    bool found;
    bool in_memory; /* best lies in a memtable */
    int rc;
    cell best;
    cache_entry *pin;
    table_file *file; /* of the level at hand; NULL: none */
} lookup;

/* Where a search looks: a picture, up to a moment of its active mem. */
typedef struct place {
    const picture *picture;
    memtable_mark mark;
    size_t range_count;
    bool nowait;
    uint64_t filter_skips;
} place;

/* Take the newer of what was found and c; `pin` goes with c. */
static void offer(db *d, lookup *l, const cell *c, cache_entry *pin, bool is_late) {
    if (l->found && cell_compare(c, &l->best) <= 0) {
        cache_release(d->cache, pin);
    } else {
        cache_release(d->cache, l->pin);
        l->best = *c;
        l->pin = pin;
        l->in_memory = !pin;
        l->found = true;
    }
    if (!is_late) l->done = true;
}

static void search_mem(db *d, lookup *keys, size_t count, mem *m, memtable_mark mark) {
    cell c;
    for (size_t i = 0; i < count; i++)
        if (!keys[i].done) memtable_prefetch(m->table, keys[i].hash);
    for (size_t i = 0; i < count; i++) {
        lookup *l = &keys[i];
        if (l->done || memtable_get_at(m->table, l->key, l->hash, mark, &c) != RKV_OK) continue;
        offer(d, l, &c, NULL, atomic_load_explicit(&m->late, memory_order_acquire));
    }
}

/* Can a table or level with this newest cell change the answer? */
static bool may_be_newer(const lookup *l, uint64_t max_hlc) {
    return !l->done && (!l->found || max_hlc >= l->best.hlc);
}

static void search_table(db *d, place *at, lookup *l) {
    cell c;
    cache_entry *pin = NULL;
    table_file *f = l->file;
    if (table_excludes(f->table, l->hash)) {
        at->filter_skips++;
        return;
    }
    int rc = table_get(f->table, l->key, l->hash, at->nowait, &c, &pin);
    if (rc == RKV_EIO)
        rc = table_get(f->table, l->key, l->hash, at->nowait, &c, &pin); /* once more: it may have been the bus */
    if (rc == RKV_OK) {
        offer(d, l, &c, pin, f->late);
    } else if (rc != RKV_NOTFOUND) {
        l->rc = rc;
        l->done = true;
    }
}

/* Look into the tables that were chosen for this stage. */
static void search_chosen(db *d, place *at, lookup *keys, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (keys[i].file) table_prefetch(keys[i].file->table, keys[i].hash);
    for (size_t i = 0; i < count; i++)
        if (keys[i].file) search_table(d, at, &keys[i]);
}

static void search_tables(db *d, place *at, lookup *keys, size_t count) {
    const version *v = at->picture->version;
    for (size_t k = 0; k < v->levels[0].count; k++) {
        table_file *f = v->levels[0].files[k];
        for (size_t i = 0; i < count; i++)
            keys[i].file = may_be_newer(&keys[i], f->props.max_hlc) && table_in_range(f, keys[i].key) ? f : NULL;
        search_chosen(d, at, keys, count);
    }
    for (unsigned n = 1; n < v->depth; n++) {
        const level *l = &v->levels[n];
        for (size_t i = 0; i < count; i++) {
            keys[i].file = may_be_newer(&keys[i], l->max_hlc) ? level_file(l, keys[i].key) : NULL;
            if (keys[i].file && !may_be_newer(&keys[i], keys[i].file->props.max_hlc)) keys[i].file = NULL;
        }
        search_chosen(d, at, keys, count);
    }
}

static bool range_deleted(const place *at, const lookup *l) {
    const picture *p = at->picture;
    if (p->any_ranges && rdel_set_covers(p->version->rdels, l->key, l->best.hlc, l->best.node)) return true;
    for (size_t i = 0; i < p->mem_count; i++) {
        if (i && !p->any_ranges) break;
        size_t count = i ? atomic_load_explicit(&p->mems[i]->range_count, memory_order_acquire) : at->range_count;
        for (size_t k = 0; k < count; k++)
            if (rdel_covers(&p->mems[i]->ranges[k], l->key, l->best.hlc, l->best.node)) return true;
    }
    return false;
}

/* The winners of up to GROUP keys; what they pin is the caller's. */
static void search(db *d, place *at, lookup *keys, size_t count) {
    const picture *p = at->picture;
    bool all = true;
    search_mem(d, keys, count, p->mems[0], at->mark);
    for (size_t i = 1; i < p->mem_count; i++) search_mem(d, keys, count, p->mems[i], UINT64_MAX);
    for (size_t i = 0; i < count; i++) all &= !may_be_newer(&keys[i], p->version->max_hlc);
    if (!all) search_tables(d, at, keys, count);
    for (size_t i = 0; i < count; i++) {
        lookup *l = &keys[i];
        if (l->rc == RKV_OK && l->found && (p->any_ranges || at->range_count) && range_deleted(at, l)) l->found = false;
        if (l->rc == RKV_OK && l->found) continue;
        cache_release(d->cache, l->pin);
        l->pin = NULL;
        if (l->rc == RKV_OK) l->rc = RKV_NOTFOUND;
    }
}

static void count(_Atomic uint64_t *counter, uint64_t n) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* --- the owner's reads ----------------------------------------------------------------------------------------------------- */

static void get_group(db *d, picture *p, const slice *keys, const uint64_t *hashes, size_t n, bool nowait, int *status,
                      db_value *out) {
    lookup group[GROUP];
    place at = {p, UINT64_MAX, atomic_load_explicit(&d->active->range_count, memory_order_relaxed), nowait, 0};
    for (size_t i = 0; i < n; i++) group[i] = (lookup){.key = keys[i], .hash = hashes[i]};
    search(d, &at, group, n);
    uint64_t blocked = 0;
    for (size_t i = 0; i < n; i++) {
        status[i] = group[i].rc;
        blocked += group[i].rc == RKV_WOULDBLOCK;
        if (group[i].rc) continue;
        out[i] = (db_value){.cell = group[i].best, .pin = group[i].pin};
        /* What a pointer names is kept by the picture, too. */
        if (!group[i].in_memory && !(group[i].best.flags & CELL_POINTER)) continue;
        p->owner_holds++;
        out[i].picture = p;
    }
    count(&d->owner.gets, n);
    if (at.filter_skips) count(&d->owner.filter_skips, at.filter_skips);
    if (blocked) count(&d->owner.would_block, blocked);
}

int db_get(db *d, slice key, uint64_t hash, bool nowait, db_value *out) {
    int rc;
    get_group(d, picture_now(d), &key, &hash, 1, nowait, &rc, out);
    return rc;
}

void db_get_many(db *d, const slice *keys, const uint64_t *hashes, size_t n, bool nowait, int *status, db_value *out) {
    picture *p = picture_now(d);
    for (size_t i = 0; i < n; i += GROUP) {
        size_t part = n - i < GROUP ? n - i : GROUP;
        get_group(d, p, keys + i, hashes + i, part, nowait, status + i, out + i);
    }
}

void db_value_release(db *d, db_value *v) {
    cache_release(d->cache, v->pin);
    if (v->picture) picture_release_hold(d, v->picture);
    *v = (db_value){0};
}

/* --- any thread ------------------------------------------------------------------------------------------------------------ */

static int get_at(db *d, place *at, slice key, uint64_t hash, db_value *out) {
    lookup l = {.key = key, .hash = hash};
    search(d, at, &l, 1);
    if (l.rc == RKV_OK) *out = (db_value){.cell = l.best, .pin = l.pin};
    return l.rc;
}

int db_get_view(db_view *v, slice key, uint64_t hash, db_value *out) {
    place at = {v->picture, v->mark, v->range_count, false, 0};
    return get_at(v->db, &at, key, hash, out);
}

int picture_get(db *d, picture *p, slice key, uint64_t hash, db_value *out) {
    place at = {p, UINT64_MAX, atomic_load_explicit(&p->mems[0]->range_count, memory_order_acquire), false, 0};
    return get_at(d, &at, key, hash, out);
}
