/* db.c: life of a store: options, open, close, figures; see db.h. */
#include "lsm/db.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"
#include "lsm/pace.h"
#include "lsm/recover.h"

static const size_t MIB = 1 << 20;

void db_options_init(db_options *out) {
    *out = (db_options){
        .memory_bytes = 512 * MIB,
        .sync = WAL_EVERYSEC,
        .mapped_wal = true,
        .wal_segment_bytes = 64 * MIB,
        .value_log_min = 8192,
        .value_file_bytes = 256 * MIB,
        .block_bytes = 4096,
        .bloom_bits = 10,
        .compress = true,
        .l0_slowdown = 8,
        .l0_stop = 16,
        .level_bytes = 512 * MIB,
        .level_multiplier = 10,
        .table_bytes = 32 * MIB,
        .read_threads = 4,
        .background = true,
        .horizon = UINT64_MAX,
    };
}

static int options_check(db_options *o) {
    if (!o->dir || !*o->dir || strlen(o->dir) > DIR_SIZE_MAX)
        return status_set(RKV_EINVAL, "dir: between 1 and %d bytes", DIR_SIZE_MAX);
    if (o->memory_bytes < 64 * 1024) return status_set(RKV_EINVAL, "memory_bytes: at least 64 KiB");
    if (o->memtable_bytes == 0) o->memtable_bytes = o->memory_bytes / 8 < 64 * MIB ? o->memory_bytes / 8 : 64 * MIB;
    if (o->memtable_bytes < 4096 || o->memtable_bytes > 4096 * MIB)
        return status_set(RKV_EINVAL, "memtable_bytes: between 4 KiB and 4 GiB");
    if (o->value_log_min < VALUE_REF_SIZE_MAX)
        return status_set(RKV_EINVAL, "value_log_min: at least %d", VALUE_REF_SIZE_MAX);
    if (o->l0_slowdown < 2 || o->l0_stop <= o->l0_slowdown)
        return status_set(RKV_EINVAL, "l0_slowdown: at least 2, and below l0_stop");
    if (o->level_multiplier < 2 || o->level_bytes == 0 || o->table_bytes == 0)
        return status_set(RKV_EINVAL, "level_multiplier: at least 2; level_bytes, table_bytes: above 0");
    if (!o->background) o->read_threads = 0;
    return RKV_OK;
}

/* --- open and close ---------------------------------------------------------------------------------------------------------- */

/* The last reference to a table_file is gone; under no lock. */
static void file_unused(void *context, table_file *f) {
    db *d = context;
    pthread_mutex_lock(&d->lock);
    f->next = d->dead_files;
    d->dead_files = f;
    pthread_cond_broadcast(&d->work);
    pthread_mutex_unlock(&d->lock);
}

static int db_new(db **out, const db_options *options) {
    db *d = mem_aligned(64, sizeof *d);
    if (!d) return alloc_failed(sizeof *d);
    memset(d, 0, sizeof *d);
    d->event = -1;
    d->options = *options;
    d->os = options->os ? options->os : os_posix();
    snprintf(d->dir, sizeof d->dir, "%s", options->dir);
    d->options.dir = d->dir;
    d->options.os = d->os;
    d->memory_bytes = options->memory_bytes;
    d->hook = (table_hook){file_unused, d};
    pthread_mutex_init(&d->edit_lock, NULL);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->work, NULL);
    pthread_cond_init(&d->done, NULL);
    *out = d;
    return RKV_OK;
}

static int db_new_parts(db *d) {
    d->newest = mem_alloc(DB_SLOTS * sizeof *d->newest);
    d->horizon = mem_alloc(DB_SLOTS * sizeof *d->horizon);
    if (!d->newest || !d->horizon) return alloc_failed(DB_SLOTS * sizeof *d->newest);
    for (size_t i = 0; i < DB_SLOTS; i++) d->horizon[i] = d->options.horizon;
    d->horizon_uniform = true;
    d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->event < 0) return status_set(RKV_EIO, "eventfd: no descriptor");
    d->cache_bytes = cache_share(d->memory_bytes, d->options.memtable_bytes, 1);
    int rc = cache_new(&d->cache, d->cache_bytes);
    if (rc) return rc;
    d->table = (table_options){
        .os = d->os,
        .block_bytes = d->options.block_bytes,
        .bloom_bits = d->options.bloom_bits,
        .compression = TABLE_RAW,
        .cache = d->cache,
    };
    return RKV_OK;
}

/* Free everything; threads are stopped. Returns the first error of closing. */
static int db_free(db *d) {
    int rc = wal_close(d->log);
    if (d->seen) picture_unref(d, d->seen);
    if (d->current) picture_unref(d, d->current);
    d->seen = d->current = NULL;
    if (d->cache) tidy(d);
    assert(!d->oldest); /* a view is still held */
    int closed = vlog_close(d->values);
    if (rc == RKV_OK) rc = closed;
    closed = manifest_close(d->manifest);
    if (rc == RKV_OK) rc = closed;
    while (d->garbage_first) { /* only without a value log */
        garbage_batch *b = d->garbage_first;
        d->garbage_first = b->next;
        ref_list_clear(&b->refs);
        mem_free(b);
    }
    relocations_drop(d);
    cache_free(d->cache);
    pick_cursor_clear(&d->cursor);
    mem_free(d->value_files);
    mem_free(d->newest);
    mem_free(d->horizon);
    buf_clear(&d->batch);
    buf_clear(&d->batch_spare);
    if (d->lock_file) d->os->ops->unlock(d->os, d->lock_file);
    if (d->event >= 0) close(d->event);
    pthread_cond_destroy(&d->done);
    pthread_cond_destroy(&d->work);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->edit_lock);
    mem_free(d);
    return rc;
}

/* Make the directory, and its entry in the one above durable. */
static int prepare_dir(db *d) {
    char parent[DIR_SIZE_MAX + 1];
    if (d->options.read_only) return RKV_OK;
    int rc = d->os->ops->make_dir(d->os, d->dir);
    if (rc) return rc;
    snprintf(parent, sizeof parent, "%s", d->dir);
    size_t n = strlen(parent);
    while (n > 1 && parent[n - 1] == '/') parent[--n] = 0;
    char *slash = strrchr(parent, '/');
    if (!slash)
        snprintf(parent, sizeof parent, ".");
    else
        slash[slash == parent] = 0;
    return d->os->ops->sync_dir(d->os, parent);
}

static int take_lock(db *d) {
    char path[PATH_SIZE];
    store_path(path, d->dir, "LOCK");
    return d->os->ops->lock(d->os, &d->lock_file, path);
}

static void look_for_reserve(db *d) {
    char path[PATH_SIZE];
    uint64_t size;
    store_path(path, d->dir, "RESERVE");
    atomic_store(&d->reserve_file, d->os->ops->stat(d->os, path, &size) == RKV_OK && size > 0);
}

static int open_once(db **out, const db_options *options, db_recovery *recovery) {
    db *d = NULL;
    int rc = db_new(&d, options);
    if (rc) return rc;
    uint64_t begin = d->os->ops->mono_ns(d->os);
    rc = db_new_parts(d);
    if (rc == RKV_OK) rc = prepare_dir(d);
    if (rc == RKV_OK) rc = take_lock(d);
    if (rc == RKV_OK) rc = recover(d, recovery);
    if (rc == RKV_OK) {
        look_for_reserve(d);
        picture_see(d);
        if (options->read_only)
            failure_set(d, status_set(RKV_EREADONLY, "it was opened so"), "read only");
        else
            rc = background_start(d);
    }
    recovery->elapsed_ms = (d->os->ops->mono_ns(d->os) - begin) / 1000000;
    if (rc) {
        char text[TEXT_SIZE];
        snprintf(text, sizeof text, "%s", status_text());
        background_stop(d);
        db_free(d);
        return status_set(rc, "%s", text);
    }
    *out = d;
    return RKV_OK;
}

int db_open(db **out, const db_options *options, db_recovery *out_recovery) {
    db_options o = *options;
    db_recovery recovery = {0};
    int rc = options_check(&o);
    if (rc == RKV_OK) rc = open_once(out, &o, &recovery);
    if (rc == RKV_ENOSPC && !o.read_only) {
        /* The reserve is there so that a full disk can still be opened. */
        char path[PATH_SIZE];
        os *os = o.os ? o.os : os_posix();
        store_path(path, o.dir, "RESERVE");
        recovery = (db_recovery){0};
        if (os->ops->unlink(os, path) == RKV_OK) rc = open_once(out, &o, &recovery);
    }
    if (rc == RKV_OK && out_recovery) *out_recovery = recovery;
    return rc;
}

int db_close(db *d) {
    if (!d) return RKV_OK;
    int rc = d->log ? db_commit(d, NULL) : RKV_OK;
    background_stop(d);
    int freed = db_free(d);
    return rc ? rc : freed;
}

const hash_seed *db_seed(const db *d) {
    return &d->identity.seed;
}

/* --- settings ---------------------------------------------------------------------------------------------------------------- */

void db_set_horizon(db *d, uint32_t slot, uint64_t hlc) {
    assert(slot < DB_SLOTS);
    pthread_mutex_lock(&d->lock);
    d->horizon_uniform = d->horizon_uniform && d->horizon[slot] == hlc;
    d->horizon[slot] = hlc;
    pthread_mutex_unlock(&d->lock);
}

void db_set_memory(db *d, size_t memory_bytes) {
    pthread_mutex_lock(&d->lock);
    d->memory_bytes = memory_bytes;
    size_t share = cache_share(memory_bytes, d->options.memtable_bytes, d->current->mem_count);
    d->cache_bytes = share;
    pthread_mutex_unlock(&d->lock);
    cache_set_capacity(d->cache, share);
}

/* --- figures ----------------------------------------------------------------------------------------------------------------- */

static void version_stats(const version *v, db_stats *out) {
    out->levels = v->depth;
    for (unsigned i = 0; i < v->depth; i++) {
        out->level[i].tables = v->levels[i].count;
        out->level[i].bytes = v->levels[i].bytes;
        for (size_t k = 0; k < v->levels[i].count; k++) {
            const table_file *f = v->levels[i].files[k];
            out->table_memory += table_memory(f->table);
            out->keys_estimate += f->props.entries - f->props.tombstones;
        }
    }
}

static void mem_stats(const picture *p, db_stats *out) {
    out->memtable_count = p->mem_count;
    for (size_t i = 0; i < p->mem_count; i++) {
        memtable_stats s;
        memtable_get_stats(p->mems[i]->table, &s);
        out->memtable_bytes += s.bytes;
        out->keys_estimate += s.keys;
    }
}

static void value_stats(db *d, db_stats *out) {
    pthread_mutex_lock(&d->edit_lock);
    for (size_t i = 0; i < d->value_file_count; i++) {
        out->value_log_bytes += d->value_files[i].bytes;
        out->value_log_garbage += d->value_files[i].garbage;
    }
    pthread_mutex_unlock(&d->edit_lock);
}

void db_get_stats(db *d, db_stats *out) {
    *out = (db_stats){0};
    picture *p = picture_take(d);
    version_stats(p->version, out);
    mem_stats(p, out);
    picture_unref(d, p);
    value_stats(d, out);
    cache_get_stats(d->cache, &out->cache);
    if (d->log) wal_get_stats(d->log, &out->wal);
    out->user_bytes = atomic_load(&d->owner.user_bytes);
    out->gets = atomic_load(&d->owner.gets);
    out->filter_skips = atomic_load(&d->owner.filter_skips);
    out->would_block = atomic_load(&d->owner.would_block);
    out->flush_bytes = atomic_load(&d->background.flush_bytes);
    out->compact_read_bytes = atomic_load(&d->background.compact_read_bytes);
    out->compact_write_bytes = atomic_load(&d->background.compact_write_bytes);
    out->flushes = atomic_load(&d->background.flushes);
    out->compactions = atomic_load(&d->background.compactions);
    out->moves = atomic_load(&d->background.moves);
    out->stalls = atomic_load(&d->stalls);
    out->stall_us = atomic_load(&d->stall_ns) / 1000;
}

uint64_t db_unsorted(const db *d) {
    return memtable_unsorted(d->active->table);
}
