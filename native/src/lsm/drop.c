/* drop.c: which cells need not be written again: the drop rules of db.h.
 *
 * Everything is taken as of one moment, horizon first: a cell that arrives later may be older than a tombstone only if it is
 * above the horizon taken here, and then the tombstone stays.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"

/* Under lock. */
static int horizon_take(drop_rules *r, const db *d) {
    r->horizon_all = d->horizon[0];
    if (d->horizon_uniform) return RKV_OK;
    r->horizon = mem_alloc(DB_SLOTS * sizeof *r->horizon);
    if (!r->horizon) return alloc_failed(DB_SLOTS * sizeof *r->horizon);
    memcpy(r->horizon, d->horizon, DB_SLOTS * sizeof *r->horizon);
    return RKV_OK;
}

/* Look through the mems: the oldest cell outside of m, and the first range deletion that these rules do not know. Under lock. */
static void look_at_mems(drop_rules *r, const mem *m) {
    for (size_t i = 0; i < r->picture->mem_count; i++) {
        const mem *other = r->picture->mems[i];
        memtable_stats s;
        if (other == m) continue;
        memtable_get_stats(other->table, &s);
        if (s.min_hlc < r->mem_min_hlc) r->mem_min_hlc = s.min_hlc;
        size_t count = atomic_load(&other->range_count);
        for (size_t k = 0; k < count; k++)
            if (other->ranges[k].number < r->clean) r->clean = other->ranges[k].number;
    }
}

int drop_rules_init(drop_rules *r, db *d, const mem *m) {
    *r = (drop_rules){.now_ms = d->os->ops->now_ms(d->os), .mem_min_hlc = UINT64_MAX};
    pthread_mutex_lock(&d->lock);
    int rc = horizon_take(r, d);
    r->picture = d->current;
    picture_ref(r->picture);
    r->clean = atomic_load(&d->next_file);
    look_at_mems(r, m);
    pthread_mutex_unlock(&d->lock);
    rdel_set *known = r->picture->version->rdels;
    size_t own = m ? atomic_load(&m->range_count) : 0;
    if (rc == RKV_OK && own)
        rc = rdel_set_add(&r->ranges, known, m->ranges, own);
    else
        r->ranges = rdel_set_ref(known);
    if (rc) drop_rules_clear(r, d);
    return rc;
}

void drop_rules_clear(drop_rules *r, db *d) {
    rdel_set_unref(r->ranges);
    mem_free(r->horizon);
    picture_unref(d, r->picture);
    *r = (drop_rules){0};
}

static bool is_input(const drop_rules *r, const table_file *f) {
    for (size_t i = 0; i < r->input_count; i++)
        if (r->inputs[i] == f) return true;
    return false;
}

/* May a table that is not merged here hold a cell of key at most as new as hlc? */
static bool older_outside(const drop_rules *r, slice key, uint64_t hlc) {
    const level *top = &r->picture->version->levels[0];
    for (size_t i = 0; i < top->count; i++) {
        const table_file *f = top->files[i];
        if (f->props.min_hlc <= hlc && table_in_range(f, key) && !is_input(r, f)) return true;
    }
    for (unsigned i = 1; i < r->picture->version->depth; i++) {
        const table_file *f = level_file(&r->picture->version->levels[i], key);
        if (f && f->props.min_hlc <= hlc && !is_input(r, f)) return true;
    }
    return false;
}

bool drop_cell(const drop_rules *r, slice key, const cell *c) {
    if (r->ranges && rdel_set_covers(r->ranges, key, c->hlc, c->node)) return true;
    bool dead = !cell_live(c, r->now_ms);
    if (!dead || c->hlc >= (r->horizon ? r->horizon[key_slot(key)] : r->horizon_all)) return false;
    return r->mem_min_hlc > c->hlc && !older_outside(r, key, c->hlc);
}

uint64_t drop_rules_horizon_min(const drop_rules *r) {
    uint64_t min = r->horizon_all;
    for (size_t i = 0; r->horizon && i < DB_SLOTS; i++)
        if (r->horizon[i] < min) min = r->horizon[i];
    return min;
}

/* May a cell as old as the range deletion still come to one of its slots? */
static bool horizon_below(const drop_rules *r, const rdel *range) {
    if (!r->horizon) return r->horizon_all <= range->hlc;
    size_t last = range->end.size ? key_slot(range->end) : DB_SLOTS - 1;
    for (size_t i = key_slot(range->begin); i <= last; i++)
        if (r->horizon[i] <= range->hlc) return true;
    return false;
}

bool range_needed(const drop_rules *r, const rdel *range) {
    if (r->mem_min_hlc <= range->hlc || horizon_below(r, range)) return true;
    const version *v = r->picture->version;
    for (unsigned i = 0; i < v->depth; i++)
        for (size_t k = 0; k < v->levels[i].count; k++) {
            const table_file *f = v->levels[i].files[k];
            if (f->clean <= range->number && f->props.min_hlc <= range->hlc &&
                rdel_touches(range, table_smallest(f), table_largest(f)))
                return true;
        }
    return false;
}
