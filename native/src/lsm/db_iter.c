/* db_iter.c: the iterator that callers see: a merge of memtables, level 0 and levels, less what is dead or out of bounds; see db.h. */
#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"
#include "lsm/level_iter.h"

typedef struct db_iter {
    iter base;
    iter *merge;
    db_view *view;
    rdel_set *ranges; /* NULL: no range deletions */
    uint64_t now_ms;
    buf lower, upper; /* size 0: open */
} db_iter;

static bool visible(const db_iter *i) {
    const iter *m = i->merge;
    if (i->now_ms && !cell_live(&m->cell, i->now_ms)) return false;
    return !i->ranges || !rdel_set_covers(i->ranges, m->key, m->cell.hlc, m->cell.node);
}

/* Stand where the merge stands, if that is within bounds. */
static void show(db_iter *i) {
    const iter *m = i->merge;
    i->base.status = m->status;
    i->base.valid = m->valid && (i->upper.size == 0 || slice_compare(m->key, buf_slice(&i->upper)) < 0) &&
                    (i->lower.size == 0 || slice_compare(m->key, buf_slice(&i->lower)) >= 0);
    if (!i->base.valid) return;
    i->base.key = m->key;
    i->base.cell = m->cell;
}

static void settle_forward(db_iter *i) {
    for (show(i); i->base.valid && !visible(i); show(i)) i->merge->ops->next(i->merge);
}

static void settle_backward(db_iter *i) {
    for (show(i); i->base.valid && !visible(i); show(i)) i->merge->ops->prev(i->merge);
}

static void db_iter_seek(iter *it, slice target) {
    db_iter *i = (db_iter *)it;
    if (slice_compare(target, buf_slice(&i->lower)) < 0) target = buf_slice(&i->lower);
    i->merge->ops->seek(i->merge, target);
    settle_forward(i);
}

static void db_iter_seek_for_prev(iter *it, slice target) {
    db_iter *i = (db_iter *)it;
    if (i->upper.size && (target.size == 0 || slice_compare(target, buf_slice(&i->upper)) > 0))
        target = buf_slice(&i->upper);
    i->merge->ops->seek_for_prev(i->merge, target);
    settle_backward(i);
}

static void db_iter_next(iter *it) {
    db_iter *i = (db_iter *)it;
    i->merge->ops->next(i->merge);
    settle_forward(i);
}

static void db_iter_prev(iter *it) {
    db_iter *i = (db_iter *)it;
    i->merge->ops->prev(i->merge);
    settle_backward(i);
}

static void db_iter_close(iter *it) {
    db_iter *i = (db_iter *)it;
    iter_close(i->merge);
    rdel_set_unref(i->ranges);
    db_view_release(i->view);
    buf_clear(&i->lower);
    buf_clear(&i->upper);
    mem_free(i);
}

static const iter_ops OPS = {db_iter_seek, db_iter_seek_for_prev, db_iter_next, db_iter_prev, db_iter_close};

/* One iterator per mem, table of level 0, and deeper level. */
static int open_children(const db_view *v, bool scan, iter **children, size_t *count) {
    const picture *p = v->picture;
    int rc = memtable_iter_new_at(&children[*count], p->mems[0]->table, v->mark);
    if (rc == RKV_OK) ++*count;
    for (size_t i = 1; i < p->mem_count && rc == RKV_OK; i++) {
        rc = memtable_iter_new(&children[*count], p->mems[i]->table);
        if (rc == RKV_OK) ++*count;
    }
    const level *top = &p->version->levels[0];
    for (size_t i = 0; i < top->count && rc == RKV_OK; i++) {
        rc = table_iter_new(&children[*count], top->files[i]->table, scan);
        if (rc == RKV_OK) ++*count;
    }
    for (unsigned n = 1; n < p->version->depth && rc == RKV_OK; n++) {
        const level *l = &p->version->levels[n];
        if (l->count == 0) continue;
        rc = level_iter_new(&children[*count], l->files, l->count, scan);
        if (rc == RKV_OK) ++*count;
    }
    return rc;
}

static int open_merge(const db_view *v, bool scan, iter **out) {
    size_t room = v->picture->mem_count + v->picture->version->levels[0].count + LEVELS;
    size_t count = 0;
    iter **children = mem_alloc(room * sizeof *children);
    if (!children) return alloc_failed(room * sizeof *children);
    int rc = open_children(v, scan, children, &count);
    if (rc == RKV_OK)
        rc = merge_iter_new(out, children, count); /* takes them, also on failure */
    else
        while (count) iter_close(children[--count]);
    mem_free(children);
    return rc;
}

int db_iter_new(iter **out, db_view *v, slice lower, slice upper, uint64_t now_ms, bool scan) {
    db_iter *i = mem_zalloc(sizeof *i);
    if (!i) return alloc_failed(sizeof *i);
    i->base.ops = &OPS;
    i->now_ms = now_ms;
    i->view = v;
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    int rc = buf_append(&i->lower, lower.data, lower.size);
    if (rc == RKV_OK) rc = buf_append(&i->upper, upper.data, upper.size);
    if (rc == RKV_OK) rc = picture_ranges(v->picture, v->range_count, &i->ranges);
    if (rc == RKV_OK) rc = open_merge(v, scan, &i->merge);
    if (rc) {
        db_iter_close(&i->base);
        return rc;
    }
    *out = &i->base;
    return RKV_OK;
}
