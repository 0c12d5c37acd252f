/* db_write.c: reserve, put, commit: the owner's way into log and memtable; see db.h.
 *
 * A commit is one record of the log, and a record lies wholly in one mem: a mem is frozen only between records, so that a flushed table never holds
 * half of one. All that can fail fails in db_reserve; db_put only copies.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/status.h"
#include "lsm/db_parts.h"

enum {
    BATCH_KEEP_MAX = 8 << 20, /* a larger buffer is given back after its commit */
    BATCH_MAX = WAL_PAYLOAD_MAX,
    RANGE_KEYS_MAX = DB_RANGES_RESERVED * 2 * KEY_SIZE_MAX,
};

static void count(_Atomic uint64_t *counter, uint64_t n) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

size_t key_slot(slice key) {
    uint8_t head[2] = {0};
    memcpy(head, key.data, key.size < 2 ? key.size : 2);
    size_t slot = get_be16(head);
    return slot < DB_SLOTS ? slot : DB_SLOTS - 1;
}

/* --- commit ---------------------------------------------------------------------------------------------------------------- */

size_t db_uncommitted(const db *d) {
    return d->batch.size;
}

void db_set_node(db *d, uint32_t node) {
    d->node = node;
}

/* The log is the owner's to shorten; the flush only says how far. */
static void log_release(db *d) {
    wal_release(d->log, atomic_exchange(&d->flushed_segment, 0));
}

/* Without room or memory the batch stays open, and nothing else is taken before it. */
static int commit_failed(db *d, int rc) {
    d->batch_stuck = rc == RKV_ENOSPC || rc == RKV_ENOMEM;
    if (rc == RKV_ENOSPC) space_ran_out(d);
    return d->batch_stuck ? rc : failure_set(d, rc, "log");
}

/* Append the open batch to the log. */
static int batch_commit(db *d) {
    uint64_t seq;
    if (d->batch.size == 0) return RKV_OK;
    int rc = wal_append(d->log, buf_slice(&d->batch), &seq);
    if (rc) return commit_failed(d, rc);
    d->batch_stuck = false;
    d->batch.size = 0;
    if (d->batch.capacity > BATCH_KEEP_MAX) {
        buf_clear(&d->batch);
        buf_clear(&d->batch_spare);
    }
    return RKV_OK;
}

int db_commit(db *d, uint64_t *out_seq) {
    int rc = batch_commit(d);
    if (rc) return rc;
    if (out_seq) *out_seq = wal_last_seq(d->log);
    picture_now(d); /* an owner that only writes would keep the old one for ever */
    if (atomic_load_explicit(&d->flushed_segment, memory_order_relaxed)) log_release(d);
    if (atomic_load_explicit(&d->relocated, memory_order_acquire)) relocations_put(d);
    return RKV_OK;
}

/* --- freeze ---------------------------------------------------------------------------------------------------------------- */

/* A picture with m before the mems of the current one. Under lock. */
static picture *picture_with(db *d, picture *p, mem *m) {
    mem_ref(m);
    p->mems[p->mem_count++] = m;
    for (size_t i = 0; i < d->current->mem_count; i++) {
        mem_ref(d->current->mems[i]);
        p->mems[p->mem_count++] = d->current->mems[i];
    }
    p->version = d->current->version;
    version_ref(p->version);
    return p;
}

static int freeze_allowed(db *d) {
    pthread_mutex_lock(&d->lock);
    size_t mems = d->current->mem_count;
    pthread_mutex_unlock(&d->lock);
    if (mems < MEMS_MAX) return RKV_OK;
    return status_set(RKV_ENOMEM, "out of memory: %zu memtables wait for their flush", mems);
}

int mem_freeze(db *d) {
    mem *fresh = NULL;
    picture *p = NULL;
    uint64_t segment;
    int rc = batch_commit(d);
    if (rc == RKV_OK) rc = freeze_allowed(d);
    if (rc == RKV_OK) rc = mem_new(&fresh, d, d->options.memtable_bytes);
    if (rc == RKV_OK) rc = picture_new(&p);
    if (rc == RKV_OK) rc = wal_rotate(d->log, &segment);
    if (rc) {
        if (p) picture_free(p);
        mem_unref(fresh);
        if (rc == RKV_ENOSPC) space_ran_out(d);
        return rc;
    }
    mem *frozen = d->active;
    frozen->log_segment = segment;
    frozen->last_seq = wal_last_seq(d->log);
    pthread_mutex_lock(&d->lock);
    picture *old = d->current;
    picture_install(d, picture_with(d, p, fresh));
    d->active = fresh; /* the reference of mem_new stays with the picture alone: */
    mem_unref(fresh);
    background_wake(d);
    pthread_mutex_unlock(&d->lock);
    picture_unref(d, old);
    picture_see(d);
    return RKV_OK;
}

/* --- reserve --------------------------------------------------------------------------------------------------------------- */

static int reserve_buffers(db *d, size_t bytes) {
    int rc = buf_reserve(&d->batch, bytes);
    if (rc == RKV_OK && d->batch_spare.capacity < d->batch.capacity) {
        d->batch_spare.size = 0;
        rc = buf_reserve(&d->batch_spare, d->batch.capacity);
    }
    return rc;
}

/* Room in the active mem. */
static int reserve_mem(db *d, size_t count, size_t bytes) {
    int rc = memtable_reserve(d->active->table, count, bytes);
    return rc ? rc : mem_reserve_ranges(d->active, DB_RANGES_RESERVED, bytes < RANGE_KEYS_MAX ? bytes : RANGE_KEYS_MAX);
}

int db_reserve(db *d, size_t count, size_t bytes) {
    int rc = atomic_load_explicit(&d->failure, memory_order_relaxed);
    if (rc == RKV_ENOSPC && !d->options.background) space_check(d);
    if (rc && (rc = db_failure(d))) return rc;
    if (d->batch_stuck && (rc = batch_commit(d))) return rc;
    if (count > BATCH_MAX / BATCH_ENTRY_OVERHEAD_MAX / 2 || bytes > BATCH_MAX / 2)
        return status_set(RKV_ETOOBIG, "%zu puts of %zu bytes at once", count, bytes);
    size_t encoded = BATCH_HEADER_SIZE + count * BATCH_ENTRY_OVERHEAD_MAX + bytes;
    if (d->batch.size > BATCH_MAX - encoded && (rc = batch_commit(d))) return rc;
    rc = reserve_mem(d, count, bytes);
    if (rc == RKV_ETOOBIG && !mem_empty(d->active)) {
        rc = mem_freeze(d);
        if (rc == RKV_OK) rc = reserve_mem(d, count, bytes);
    }
    return rc ? rc : reserve_buffers(d, encoded);
}

/* --- put ------------------------------------------------------------------------------------------------------------------- */

/* Did a version above this one arrive before? Then what lies below may be newer (version.h). */
static bool arrives_late(db *d, slice key, const cell *c) {
    newest *n = &d->newest[key_slot(key)];
    if (version_compare(c->hlc, c->node, n->hlc, n->node) < 0) return true;
    *n = (newest){c->hlc, c->node};
    return false;
}

void apply(db *d, slice key, uint64_t hash, const cell *c) {
    mem_put(d->active, key, hash, c, arrives_late(d, key, c));
}

/* Encode the open batch anew upon base 0, so that it can take any version. Room is reserved for the longest deltas. */
static void batch_rebase(db *d) {
    batch_reader r;
    batch_entry e;
    int rc = batch_open(&r, buf_slice(&d->batch));
    assert(rc == RKV_OK);
    rc = batch_begin(&d->batch_spare, 0, r.node);
    while (rc == RKV_OK && (rc = batch_next(&r, &e)) == RKV_OK)
        rc = e.is_range ? batch_delete_range(&d->batch_spare, e.key, e.end, e.cell.hlc)
                        : batch_put(&d->batch_spare, e.key, &e.cell);
    assert(rc == RKV_END);
    buf swap = d->batch;
    d->batch = d->batch_spare;
    d->batch_spare = swap;
}

/* Make the open batch ready to take a version. */
static void batch_ready(db *d, uint64_t hlc, uint32_t node) {
    if (d->batch.size == 0) {
        int rc = batch_begin(&d->batch, hlc, node);
        assert(rc == RKV_OK); /* reserved */
        (void)rc;
    } else if (hlc < get_fixed64(d->batch.data)) {
        batch_rebase(d);
    }
}

void db_put(db *d, slice key, uint64_t hash, const cell *c) {
    batch_ready(d, c->hlc, c->node);
    int rc = batch_put(&d->batch, key, c);
    assert(rc == RKV_OK);
    (void)rc;
    apply(d, key, hash, c);
    count(&d->owner.user_bytes, key.size + c->payload.size);
}

void put_moved(db *d, slice key, uint64_t hash, const cell *c) {
    batch_ready(d, c->hlc, c->node);
    int rc = batch_put(&d->batch, key, c);
    assert(rc == RKV_OK);
    (void)rc;
    mem_put(d->active, key, hash, c, false);
    batch_commit(d); /* a batch has one node, and the next cell may have another; if it fails, db_reserve tries again */
}

static void apply_range(db *d, slice begin, slice end, uint64_t hlc, uint32_t node) {
    pthread_mutex_lock(&d->lock);
    mem_delete_range(d->active, begin, end, hlc, node, file_number(d));
    pthread_mutex_unlock(&d->lock);
}

void db_delete_range(db *d, slice begin, slice end, uint64_t hlc) {
    batch_ready(d, hlc, d->node);
    int rc = batch_delete_range(&d->batch, begin, end, hlc);
    assert(rc == RKV_OK);
    (void)rc;
    apply_range(d, begin, end, hlc, d->node);
}

/* --- whole batches --------------------------------------------------------------------------------------------------------- */

/* What a batch needs, and whether some payload belongs in the value log. */
static int batch_measure(const db *d, slice batch, size_t *out_bytes, size_t *out_ranges, bool *out_large) {
    batch_reader r;
    batch_entry e;
    *out_bytes = *out_ranges = 0;
    *out_large = false;
    int rc = batch_open(&r, batch);
    while (rc == RKV_OK && (rc = batch_next(&r, &e)) == RKV_OK) {
        if (e.cell.flags & CELL_POINTER)
            return status_set(RKV_EINVAL, "batch: holds a pointer into another store's value log");
        bool large = !e.is_range && e.cell.payload.size >= d->options.value_log_min;
        *out_bytes += e.key.size + (e.is_range ? e.end.size : large ? VALUE_REF_SIZE_MAX : e.cell.payload.size);
        *out_ranges += e.is_range;
        *out_large |= large;
    }
    return rc == RKV_END ? RKV_OK : rc;
}

/* The same batch with its large payloads in the value log. */
static int batch_with_pointers(db *d, slice batch, buf *out) {
    batch_reader r;
    batch_entry e;
    int rc = batch_open(&r, batch);
    if (rc == RKV_OK) rc = batch_begin(out, r.base_hlc, r.node);
    while (rc == RKV_OK && (rc = batch_next(&r, &e)) == RKV_OK) {
        uint8_t ref[VALUE_REF_SIZE_MAX];
        size_t size;
        if (e.is_range) {
            rc = batch_delete_range(out, e.key, e.end, e.cell.hlc);
            continue;
        }
        if (e.cell.payload.size >= d->options.value_log_min) {
            rc = db_value_write(d, e.key, &e.cell, e.cell.payload, ref, &size);
            if (rc) return rc;
            e.cell.payload = slice_of(ref, size);
            e.cell.flags |= CELL_POINTER;
        }
        rc = batch_put(out, e.key, &e.cell);
    }
    return rc == RKV_END ? RKV_OK : rc;
}

static void batch_apply(db *d, slice batch) {
    batch_reader r;
    batch_entry e;
    int rc = batch_open(&r, batch);
    while (rc == RKV_OK && (rc = batch_next(&r, &e)) == RKV_OK) {
        if (e.is_range) {
            apply_range(d, e.key, e.end, e.cell.hlc, e.cell.node);
            continue;
        }
        apply(d, e.key, db_hash(d, e.key), &e.cell);
        count(&d->owner.user_bytes, e.key.size + e.cell.payload.size);
    }
    assert(rc == RKV_END); /* measured before */
}

int db_write(db *d, slice batch, uint64_t *out_seq) {
    size_t bytes;
    size_t ranges;
    bool large;
    buf encoded = {0};
    uint64_t seq;
    int rc = batch_measure(d, batch, &bytes, &ranges, &large);
    if (rc == RKV_OK && ranges > DB_RANGES_RESERVED)
        rc = status_set(RKV_ETOOBIG, "batch: %zu range deletions, at most %d", ranges, DB_RANGES_RESERVED);
    if (rc == RKV_OK) rc = batch_commit(d);
    if (rc == RKV_OK) rc = db_reserve(d, get_fixed32(batch.data + 12), bytes);
    if (rc == RKV_OK && large) {
        rc = batch_with_pointers(d, batch, &encoded);
        if (rc == RKV_OK) batch = buf_slice(&encoded);
    }
    if (rc) goto done;
    rc = wal_append(d->log, batch, &seq);
    if (rc == RKV_ENOSPC) space_ran_out(d);
    if (rc && rc != RKV_ENOSPC && rc != RKV_ENOMEM) rc = failure_set(d, rc, "log");
    if (rc) goto done;
    batch_apply(d, batch);
    if (out_seq) *out_seq = seq;
done:
    buf_clear(&encoded);
    return rc;
}

uint64_t db_last_seq(const db *d) {
    return wal_last_seq(d->log);
}

uint64_t db_durable(const db *d) {
    return wal_durable(d->log);
}

int db_sync(db *d) {
    int rc = db_commit(d, NULL);
    if (rc == RKV_OK) rc = wal_sync(d->log);
    if (rc) rc = failure_set(d, rc, "log");
    return rc;
}

void db_set_sync(db *d, enum wal_policy policy) {
    wal_set_policy(d->log, policy);
}
