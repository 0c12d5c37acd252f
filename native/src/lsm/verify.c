/* verify.c: read everything that counts and check every checksum; see db.h.
 *
 * STORE, CURRENT and the manifest; every table as a whole; every value that a read can find; every record of the log. The log is read while the owner
 * appends and recycles, so damage there is believed when it is seen three times.
 */
#include <stdio.h>

#include "base/status.h"
#include "lsm/db_parts.h"

enum { LOG_TRIES = 3 };

/* Add a line with the present status text. */
static int note(buf *report, const char *what) {
    char line[TEXT_SIZE + 100];
    int n = snprintf(line, sizeof line, "%s: %s\n", what, status_text());
    size_t size = n < (int)sizeof line ? (size_t)n : sizeof line - 1;
    return buf_append(report, line, size);
}

static bool damaged(int rc) {
    return rc == RKV_ECORRUPT || rc == RKV_EIO || rc == RKV_EFORMAT;
}

static int verify_manifest(db *d, buf *report, bool *bad) {
    manifest_info info;
    store_identity stored;
    edit image = {0};
    pthread_mutex_lock(&d->edit_lock);
    int rc = manifest_load(d->os, d->dir, &info, &image);
    pthread_mutex_unlock(&d->edit_lock);
    edit_clear(&image);
    if (rc == RKV_OK) rc = identity_read(d->os, d->dir, &stored);
    if (rc == RKV_OK) return rc;
    if (!damaged(rc) && rc != RKV_NOTFOUND) return rc;
    *bad = true;
    return note(report, "manifest");
}

static int verify_tables(db *d, const version *v, buf *report, bool *bad) {
    int rc = RKV_OK;
    for (unsigned i = 0; i < v->depth; i++)
        for (size_t k = 0; k < v->levels[i].count && rc == RKV_OK; k++) {
            const table_file *f = v->levels[i].files[k];
            if (atomic_load(&d->closing)) return status_set(RKV_ECLOSED, "closing");
            rc = table_verify(f->table, f->props.crc);
            if (!damaged(rc)) continue;
            *bad = true;
            rc = note(report, "table");
        }
    return rc;
}

static int verify_value(db *d, const iter *it, buf *report, bool *bad) {
    value_ref ref;
    int rc = value_ref_decode(it->cell.payload, &ref) ? vlog_check(d->values, &ref, it->key)
                                                      : status_set(RKV_ECORRUPT, "a reference makes no sense");
    if (!damaged(rc) && rc != RKV_NOTFOUND) return rc;
    *bad = true;
    return note(report, "value");
}

static int verify_values(db *d, db_view *v, buf *report, bool *bad) {
    iter *it;
    if (vlog_files(d->values, NULL, 0) == 0) return RKV_OK;
    int rc = db_iter_new(&it, v, (slice){0}, (slice){0}, 0, true);
    if (rc) return rc;
    for (it->ops->seek(it, (slice){0}); it->valid && rc == RKV_OK; it->ops->next(it)) {
        if (it->cell.flags & CELL_POINTER) rc = verify_value(d, it, report, bad);
        if (atomic_load_explicit(&d->closing, memory_order_relaxed)) rc = status_set(RKV_ECLOSED, "closing");
    }
    if (rc == RKV_OK && !damaged(it->status)) rc = it->status; /* damage is in the report already */
    iter_close(it);
    return rc;
}

static int ignore(void *context, uint64_t seq, bool durable, slice payload) {
    (void)context, (void)seq, (void)durable;
    return batch_check(payload);
}

static int verify_log(db *d, buf *report, bool *bad) {
    wal_options o = {.os = d->os, .dir = d->dir, .segment_bytes = d->options.wal_segment_bytes};
    memcpy(o.store_id, d->identity.id, sizeof o.store_id);
    int rc = RKV_OK;
    for (int i = 0; i < LOG_TRIES; i++) {
        wal_recovery found;
        pthread_mutex_lock(&d->edit_lock);
        uint64_t segment = d->log_segment;
        uint64_t next = d->flushed_seq + 1;
        pthread_mutex_unlock(&d->edit_lock);
        rc = wal_replay(&o, segment, next, ignore, NULL, &found);
        if (!damaged(rc) && rc != RKV_NOTFOUND) return rc;
    }
    *bad = true;
    return note(report, "log");
}

/* A view of now, taken on any thread: of the active mem as far as it is filled. */
static db_view view_of(db *d) {
    db_view v = {.db = d, .picture = picture_take(d)};
    atomic_init(&v.refs, 2); /* it is on the stack: nobody's release frees it */
    v.mark = memtable_mark_now(v.picture->mems[0]->table);
    v.range_count = atomic_load(&v.picture->mems[0]->range_count);
    return v;
}

int db_verify(db *d, buf *report) {
    bool bad = false;
    db_view v = view_of(d);
    int rc = verify_manifest(d, report, &bad);
    if (rc == RKV_OK) rc = verify_tables(d, v.picture->version, report, &bad);
    if (rc == RKV_OK) rc = verify_values(d, &v, report, &bad);
    if (rc == RKV_OK) rc = verify_log(d, report, &bad);
    picture_unref(d, v.picture);
    if (rc == RKV_OK && bad) return status_set(RKV_ECORRUPT, "%s: damaged; see the report", d->dir);
    return rc;
}
