/* view.c: pictures and the views that callers hold of them; see db_parts.h.
 *
 * The owner keeps one reference to the picture it reads from (db.seen) and compares one number per read; so a get changes no
 * count that another thread sees. Values it holds from a picture's memtables are counted in the picture, by the owner alone.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"

int picture_new(picture **out) {
    picture *p = mem_zalloc(sizeof *p);
    if (!p) return alloc_failed(sizeof *p);
    atomic_init(&p->refs, 1);
    *out = p;
    return RKV_OK;
}

void picture_ref(picture *p) {
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
}

/* The memory and files of a picture may take long to give back: that is tidy's work. */
void picture_unref(db *d, picture *p) {
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1) return;
    pthread_mutex_lock(&d->lock);
    if (p->older)
        p->older->newer = p->newer;
    else
        d->oldest = p->newer;
    if (p->newer) p->newer->older = p->older;
    p->older = d->dead_pictures;
    d->dead_pictures = p;
    pthread_cond_broadcast(&d->work);
    pthread_mutex_unlock(&d->lock);
}

picture *picture_take(db *d) {
    pthread_mutex_lock(&d->lock);
    picture *p = d->current;
    picture_ref(p);
    pthread_mutex_unlock(&d->lock);
    return p;
}

void picture_install(db *d, picture *p) {
    picture *old = d->current;
    p->number = old ? old->number + 1 : 1;
    p->any_ranges = rdel_set_count(p->version->rdels) > 0;
    for (size_t i = 1; i < p->mem_count; i++) p->any_ranges |= atomic_load(&p->mems[i]->range_count) > 0;
    p->older = old;
    if (old)
        old->newer = p;
    else
        d->oldest = p;
    d->current = p;
    atomic_store_explicit(&d->picture_number, p->number, memory_order_release);
}

static void see(db *d, picture *p) {
    picture *old = d->seen;
    d->seen = p;
    if (old && old->owner_holds == 0) picture_unref(d, old);
}

picture *picture_see(db *d) {
    see(d, picture_take(d));
    return d->seen;
}

void picture_release_hold(db *d, picture *p) {
    assert(p->owner_holds > 0);
    if (--p->owner_holds == 0 && p != d->seen) picture_unref(d, p);
}

int picture_ranges(const picture *p, size_t active_count, rdel_set **out) {
    rdel_set *set = rdel_set_ref(p->version->rdels);
    for (size_t i = p->mem_count; i-- > 0;) {
        size_t count = i ? atomic_load_explicit(&p->mems[i]->range_count, memory_order_acquire) : active_count;
        if (count == 0) continue;
        rdel_set *next;
        int rc = rdel_set_add(&next, set, p->mems[i]->ranges, count);
        rdel_set_unref(set);
        if (rc) return rc;
        set = next;
    }
    *out = set;
    return RKV_OK;
}

/* --- clearing away --------------------------------------------------------------------------------------------------------- */

void garbage_queue(db *d, garbage_batch *b) {
    b->number = d->current->number;
    b->next = NULL;
    if (d->garbage_last)
        d->garbage_last->next = b;
    else
        d->garbage_first = b;
    d->garbage_last = b;
}

static garbage_batch *garbage_due(db *d) {
    garbage_batch *b = d->garbage_first;
    if (!b || (d->oldest && d->oldest->number <= b->number)) return NULL;
    d->garbage_first = b->next;
    if (!b->next) d->garbage_last = NULL;
    return b;
}

bool tidy_pending(db *d) {
    return d->dead_pictures || d->dead_files ||
           (d->garbage_first && (!d->oldest || d->oldest->number > d->garbage_first->number));
}

void picture_free(picture *p) {
    for (size_t i = 0; i < p->mem_count; i++) mem_unref(p->mems[i]);
    version_unref(p->version);
    mem_free(p);
}

/* A table that no version has: the file goes, if a synced edit has removed it. */
static void file_free(db *d, table_file *f) {
    uint64_t number = f->props.number;
    bool obsolete = atomic_load(&f->obsolete);
    table_file_free(f);
    cache_forget(d->cache, number);
    if (!obsolete) return;
    char path[PATH_SIZE];
    table_path(path, d->dir, number);
    d->os->ops->unlink(d->os, path); /* what stays is removed at the next open */
}

static void garbage_tell(db *d, garbage_batch *b) {
    for (size_t i = 0; i < b->refs.count; i++) vlog_add_garbage(d->values, &b->refs.items[i]);
    if (b->file) vlog_remove(d->values, b->file); /* what stays is removed at the next open */
    ref_list_clear(&b->refs);
    mem_free(b);
}

void tidy(db *d) {
    bool told = false;
    pthread_mutex_lock(&d->lock);
    while (tidy_pending(d)) {
        picture *p = d->dead_pictures;
        table_file *f = d->dead_files;
        garbage_batch *b = garbage_due(d);
        d->dead_pictures = NULL;
        d->dead_files = NULL;
        pthread_mutex_unlock(&d->lock);
        for (picture *next; p; p = next) {
            next = p->older;
            picture_free(p);
        }
        for (table_file *next; f; f = next) {
            next = f->next;
            file_free(d, f);
        }
        if (b) garbage_tell(d, b);
        told |= b != NULL;
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    size_t deleted;
    if (told) vlog_collect(d->values, &deleted); /* what stays is tried again after the next garbage */
}

/* --- views ----------------------------------------------------------------------------------------------------------------- */

db_view *db_view_acquire(db *d) {
    db_view *v = mem_alloc(sizeof *v);
    if (!v) {
        alloc_failed(sizeof *v);
        return NULL;
    }
    atomic_init(&v->refs, 1);
    v->db = d;
    v->picture = picture_now(d);
    picture_ref(v->picture);
    v->mark = memtable_mark_now(d->active->table);
    v->range_count = atomic_load_explicit(&d->active->range_count, memory_order_relaxed);
    return v;
}

void db_view_release(db_view *v) {
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
    picture_unref(v->db, v->picture);
    mem_free(v);
}
