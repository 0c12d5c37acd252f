/* flush.c: the oldest frozen memtable becomes a table of level 0.
 *
 *   table written and synced -> value log synced -> directory synced -> edit (table, log position, range deletions) synced
 *   -> the mem leaves the pictures -> the owner lets the log recycle what it held
 *
 * One at a time, oldest first, so that what is in tables is always a prefix of the log.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"
#include "lsm/pace.h"

/* The oldest frozen mem, or NULL. */
static mem *oldest_frozen(const picture *p) {
    return p->mem_count > 1 ? p->mems[p->mem_count - 1] : NULL;
}

/* Write what must be kept of m into b; what is dropped goes to dead. */
static int write_cells(const drop_rules *rules, mem *m, table_builder *b, ref_list *dead, const atomic_bool *closing) {
    iter *it = NULL;
    int rc = memtable_iter_new(&it, m->table);
    if (rc) return rc;
    for (it->ops->seek(it, (slice){0}); it->valid && rc == RKV_OK; it->ops->next(it)) {
        if (atomic_load_explicit(closing, memory_order_relaxed))
            rc = status_set(RKV_ECLOSED, "closing");
        else if (drop_cell(rules, it->key, &it->cell))
            ref_list_add_cell(dead, &it->cell);
        else
            rc = table_builder_add(b, it->key, &it->cell);
    }
    if (rc == RKV_OK) rc = it->status;
    iter_close(it);
    return rc;
}

/* Finish b into an open table_file, ready to be installed. Frees b. */
static int finish_table(db *d, table_builder *b, const drop_rules *rules, bool late, table_file **out) {
    table_props props = {0};
    table *t = NULL;
    char path[PATH_SIZE];
    int rc = table_builder_finish(b, &props);
    if (rc) return rc;
    uint64_t number = props.number;
    table_path(path, d->dir, number);
    rc = d->os->ops->sync_dir(d->os, d->dir);
    if (rc == RKV_OK) rc = table_open(&t, &d->table, path, number, props.size);
    if (rc == RKV_OK) rc = table_file_new(out, &props, t, &d->hook);
    if (rc) {
        table_unref(t);
        table_props_clear(&props);
        d->os->ops->unlink(d->os, path);
        return rc;
    }
    (*out)->clean = rules->clean;
    (*out)->late = late;
    return RKV_OK;
}

int table_start(db *d, unsigned level, table_builder **out) {
    char path[PATH_SIZE];
    table_options options = d->table;
    uint64_t number = file_number(d);
    options.compression = d->options.compress && level >= 2 ? TABLE_LZ4 : TABLE_RAW;
    table_path(path, d->dir, number);
    return table_builder_new(out, &options, path, number);
}

int table_finish(db *d, table_builder *b, const drop_rules *rules, bool late, table_file **out) {
    if (table_builder_entries(b) == 0) {
        table_builder_abort(b);
        *out = NULL;
        return RKV_OK;
    }
    int rc = finish_table(d, b, rules, late, out);
    /* Read index and filter in here, not in the owner's first get; a failure shows up there. */
    if (rc == RKV_OK) table_load((*out)->table);
    return rc;
}

/* Build the table of m; NULL if nothing of it is left. */
static int flush_build(db *d, mem *m, table_file **out, ref_list *dead) {
    drop_rules rules;
    table_builder *b = NULL;
    *out = NULL;
    int rc = drop_rules_init(&rules, d, m);
    if (rc) return rc;
    rc = table_start(d, 0, &b);
    if (rc == RKV_OK) rc = write_cells(&rules, m, b, dead, &d->closing);
    if (rc == RKV_OK) {
        rc = table_finish(d, b, &rules, atomic_load(&m->late), out);
        b = NULL;
    }
    table_builder_abort(b);
    drop_rules_clear(&rules, d);
    return rc;
}

static int flush_mem(db *d, mem *m) {
    table_file *f = NULL;
    garbage_batch *dead = mem_zalloc(sizeof *dead);
    if (!dead) return alloc_failed(sizeof *dead);
    int rc = flush_build(d, m, &f, &dead->refs);
    for (size_t i = 0; i < m->garbage.count; i++) ref_list_add(&dead->refs, &m->garbage.items[i]);
    if (rc == RKV_OK && m->has_pointers) rc = vlog_sync(d->values);
    version_add added = {f, 0};
    store_change change = {.added = &added, .added_count = f != NULL, .flushed = m, .dead = dead};
    if (rc == RKV_OK) rc = store_commit(d, &change);
    if (rc == RKV_OK) {
        atomic_fetch_add(&d->background.flushes, 1);
        if (f) atomic_fetch_add(&d->background.flush_bytes, f->props.size);
    } else if (f && !change.unknown) {
        atomic_store(&f->obsolete, true);
    }
    table_file_unref(f);
    if (rc) {
        ref_list_clear(&dead->refs);
        mem_free(dead);
    }
    return rc;
}

/* Memtables and cache share options.memory_bytes: the cache gives way while many memtables wait. */
static void share_memory(db *d) {
    pthread_mutex_lock(&d->lock);
    size_t share = cache_share(d->memory_bytes, d->options.memtable_bytes, d->current->mem_count);
    bool changed = share != d->cache_bytes;
    d->cache_bytes = share;
    pthread_mutex_unlock(&d->lock);
    if (changed) cache_set_capacity(d->cache, share);
}

int flush_unit(db *d) {
    space_check(d);
    share_memory(d);
    if (atomic_load(&d->failure) == RKV_EREADONLY) return RKV_END;
    picture *p = picture_take(d);
    mem *m = oldest_frozen(p);
    int rc = m ? flush_mem(d, m) : RKV_END;
    picture_unref(d, p);
    rc = background_result(d, rc, "flush");
    tidy(d);
    share_memory(d);
    return rc;
}
