/* api.c: the public interface of a store: native/include/respkv.h. It converts, never decides. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "api.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/crc64.h"
#include "base/status.h"

#ifndef RKV_VERSION
#define RKV_VERSION "unversioned"
#endif
#ifdef RKV_HAVE_LZ4
#define LZ4_STATE "yes"
#else
#define LZ4_STATE "no"
#endif

static_assert((int)RKV_STATUS_OK == RKV_OK && (int)RKV_STATUS_NOTFOUND == RKV_NOTFOUND &&
                  (int)RKV_STATUS_WOULDBLOCK == RKV_WOULDBLOCK && (int)RKV_STATUS_STALE == RKV_STALE &&
                  (int)RKV_STATUS_END == RKV_END && (int)RKV_STATUS_ENOMEM == RKV_ENOMEM &&
                  (int)RKV_STATUS_EIO == RKV_EIO && (int)RKV_STATUS_ECORRUPT == RKV_ECORRUPT &&
                  (int)RKV_STATUS_ENOSPC == RKV_ENOSPC && (int)RKV_STATUS_EINVAL == RKV_EINVAL &&
                  (int)RKV_STATUS_ELOCKED == RKV_ELOCKED && (int)RKV_STATUS_EFORMAT == RKV_EFORMAT &&
                  (int)RKV_STATUS_EREADONLY == RKV_EREADONLY && (int)RKV_STATUS_ETOOBIG == RKV_ETOOBIG &&
                  (int)RKV_STATUS_ECLOSED == RKV_ECLOSED,
              "the public statuses are those of base/status.h");

const char *rkv_error(void) {
    return status_text();
}

const char *rkv_status_name(int code) {
    return status_name(code);
}

const char *rkv_build_info(void) {
#if defined(__x86_64__)
    bool sse = __builtin_cpu_supports("sse4.2");
#else
    bool sse = false;
#endif
    return sse ? "version=" RKV_VERSION " lz4=" LZ4_STATE " crc32c=sse4.2"
               : "version=" RKV_VERSION " lz4=" LZ4_STATE " crc32c=table";
}

void rkv_free(void *block) {
    mem_free(block);
}

uint64_t rkv_crc64(const uint8_t *data, size_t size) {
    return crc64(slice_of(data, size));
}

/* --- open and close -------------------------------------------------------------------------------------------------------- */

void rkv_options_init(rkv_options *out) {
    db_options d;
    db_options_init(&d);
    *out = (rkv_options){
        .memory_bytes = d.memory_bytes,
        .memtable_bytes = d.memtable_bytes,
        .sync_policy = (int)d.sync,
        .mapped_wal = d.mapped_wal,
        .wal_segment_bytes = d.wal_segment_bytes,
        .value_log_min = d.value_log_min,
        .block_bytes = d.block_bytes,
        .bloom_bits = d.bloom_bits,
        .compress = d.compress,
        .level_bytes = d.level_bytes,
        .table_bytes = d.table_bytes,
        .compaction_rate = d.compaction_rate,
        .read_threads = d.read_threads,
        .node = 1,
    };
}

static int sync_policy(int number, enum wal_policy *out) {
    if (number < WAL_ALWAYS || number > WAL_NO) return status_set(RKV_EINVAL, "sync_policy %d: 0 to 2", number);
    *out = (enum wal_policy)number;
    return RKV_OK;
}

static int to_db_options(const rkv_options *o, const char *dir, db_options *out) {
    db_options_init(out);
    out->dir = dir;
    out->memory_bytes = o->memory_bytes;
    out->memtable_bytes = o->memtable_bytes;
    out->mapped_wal = o->mapped_wal;
    out->wal_segment_bytes = o->wal_segment_bytes;
    out->value_log_min = o->value_log_min;
    out->block_bytes = o->block_bytes;
    out->bloom_bits = o->bloom_bits;
    out->compress = o->compress;
    out->level_bytes = o->level_bytes;
    out->table_bytes = o->table_bytes;
    out->compaction_rate = o->compaction_rate;
    out->read_threads = o->read_threads;
    out->read_only = o->read_only;
    return sync_policy(o->sync_policy, &out->sync);
}

static void show_progress(void *context, uint64_t done_bytes, uint64_t all_bytes) {
    uint64_t *progress = context;
    __atomic_store_n(&progress[1], all_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&progress[0], done_bytes, __ATOMIC_RELAXED);
}

static void to_recovery(const db_recovery *r, rkv_recovery *out) {
    *out = (rkv_recovery){
        .created = r->created,
        .tables = r->tables,
        .table_bytes = r->table_bytes,
        .wal_records = r->wal_records,
        .wal_bytes = r->wal_bytes,
        .wal_cut_bytes = r->wal_cut_bytes,
        .max_hlc = r->max_hlc,
        .elapsed_ms = r->elapsed_ms,
    };
    snprintf(out->wal_cut_at, sizeof out->wal_cut_at, "%s", r->wal_cut_at);
}

int rkv_store_open(rkv_store **out, const char *dir, const rkv_options *options, rkv_recovery *out_recovery,
                   uint64_t *progress) {
    db_options d;
    db_recovery recovery;
    int rc = to_db_options(options, dir, &d);
    if (rc) return rc;
    rkv_store *s = mem_zalloc(sizeof *s);
    if (!s) return alloc_failed(sizeof *s);
    d.progress = progress ? show_progress : NULL;
    d.context = progress;
    rc = db_open(&s->store.db, &d, &recovery);
    if (rc) {
        mem_free(s);
        return rc;
    }
    s->store.os = os_posix();
    s->store.node = options->node;
    s->store.policy = d.sync;
    db_set_node(s->store.db, options->node);
    hlc_observe(&s->store.clock, recovery.max_hlc);
    to_recovery(&recovery, out_recovery);
    *out = s;
    return RKV_OK;
}

int rkv_store_close(rkv_store *s) {
    if (!s) return RKV_OK;
    int rc = db_close(s->store.db);
    mem_free(s);
    return rc;
}

uint64_t rkv_now_ms(rkv_store *s) {
    return store_now_ms(&s->store);
}

uint64_t rkv_store_tick(rkv_store *s) {
    return hlc_tick(&s->store.clock, store_now_ms(&s->store));
}

int rkv_store_repair(const char *dir, const rkv_options *options, char **out_report) {
    db_options d;
    buf report = {0};
    int rc = to_db_options(options, dir, &d);
    if (!rc) rc = db_repair(&d, &report);
    return api_give_report(rc, &report, out_report);
}

/* --- write ------------------------------------------------------------------------------------------------------------------- */

/* What is written here from now on is newer than what a batch brings. */
static int observe(rkv_store *s, slice batch) {
    batch_reader r;
    batch_entry e;
    int rc = batch_open(&r, batch);
    while (rc == RKV_OK && (rc = batch_next(&r, &e)) == RKV_OK) hlc_observe(&s->store.clock, e.cell.hlc);
    return rc == RKV_END ? RKV_OK : rc;
}

int rkv_store_write(rkv_store *s, const uint8_t *batch, size_t size, uint64_t *out_seq) {
    int rc = batch_check(slice_of(batch, size));
    if (!rc) rc = observe(s, slice_of(batch, size));
    return rc ? rc : db_write(s->store.db, slice_of(batch, size), out_seq);
}

int rkv_store_sync(rkv_store *s) {
    return db_sync(s->store.db);
}

int rkv_store_set_sync(rkv_store *s, int policy) {
    enum wal_policy p = WAL_ALWAYS;
    int rc = sync_policy(policy, &p);
    if (!rc && p == WAL_ALWAYS)
        rc = db_sync(s->store.db); /* what was answered before is safe before anything else is */
    if (rc) return rc;
    db_set_sync(s->store.db, p);
    s->store.policy = p;
    return RKV_OK;
}

uint64_t rkv_store_last_seq(rkv_store *s) {
    return db_last_seq(s->store.db);
}

int rkv_store_set_memory(rkv_store *s, uint64_t memory_bytes) {
    db_set_memory(s->store.db, memory_bytes);
    return RKV_OK;
}

int rkv_store_failure(rkv_store *s) {
    int rc = db_failure(s->store.db);
    return rc ? status_set(rc, "%s", db_failure_text(s->store.db)) : RKV_OK;
}

/* --- read -------------------------------------------------------------------------------------------------------------------- */

/* Copy what was found, values of the value log too. */
static int to_cell(db *d, slice key, const cell *found, rkv_cell *out) {
    uint64_t size;
    int rc = db_value_size(found, &size);
    if (rc) return rc;
    uint8_t *data = mem_alloc((size_t)size);
    if (!data) return alloc_failed((size_t)size);
    if (found->flags & CELL_POINTER)
        rc = db_value_read(d, key, found, false, data);
    else if (size)
        memcpy(data, found->payload.data, (size_t)size);
    if (rc) {
        mem_free(data);
        return rc;
    }
    *out = (rkv_cell){
        .hlc = found->hlc,
        .expires_at_ms = found->expires_at_ms,
        .node = found->node,
        .flags = found->flags & CELL_TOMBSTONE,
        .data = data,
        .size = (size_t)size,
        .owner = data,
    };
    return RKV_OK;
}

static int take_value(db *d, slice key, int rc, db_value *value, rkv_cell *out) {
    if (rc) return rc;
    rc = to_cell(d, key, &value->cell, out);
    db_value_release(d, value);
    return rc;
}

int rkv_store_get(rkv_store *s, const uint8_t *key, size_t key_size, rkv_cell *out) {
    db *d = s->store.db;
    db_value value;
    slice k = slice_of(key, key_size);
    return take_value(d, k, db_get(d, k, db_hash(d, k), false, &value), &value, out);
}

void rkv_cell_clear(rkv_cell *c) {
    mem_free(c->owner);
    *c = (rkv_cell){0};
}

rkv_view *rkv_view_acquire(rkv_store *s) {
    rkv_view *v = mem_alloc(sizeof *v);
    db_view *view = v ? db_view_acquire(s->store.db) : NULL;
    if (!view) {
        mem_free(v);
        alloc_failed(sizeof *v);
        return NULL;
    }
    *v = (rkv_view){s->store.db, view};
    return v;
}

void rkv_view_release(rkv_view *v) {
    if (!v) return;
    db_view_release(v->view);
    mem_free(v);
}

int rkv_view_get(rkv_view *v, const uint8_t *key, size_t key_size, rkv_cell *out) {
    db_value value;
    slice k = slice_of(key, key_size);
    return take_value(v->db, k, db_get_view(v->view, k, db_hash(v->db, k), &value), &value, out);
}
