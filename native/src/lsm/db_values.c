/* db_values.c: large values: in and out of the value log, and the collection of its files; see vlog.h and db.h.
 *
 * A file that is more than half garbage is emptied by the compaction thread: it reads the file's records, writes anew the values that are
 * still the winners, and hands the moved cells (same version, new place) to the owner, who puts those that are winners still. Once all that is in tables
 * (so no replay of the log meets the old places) the file leaves the manifest, and goes with the last picture that may show it.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"

enum { MOVE_BYTES_MAX = 16 << 20, MOVE_RECORDS_MAX = 1024 /* handed to the owner at once */ };

/* --- values ------------------------------------------------------------------------------------------------------------------ */

static int decode(const cell *c, value_ref *out) {
    if (value_ref_decode(c->payload, out)) return RKV_OK;
    return status_set(RKV_ECORRUPT, "a value reference of %zu bytes makes no sense", c->payload.size);
}

int db_value_size(const cell *c, uint64_t *out) {
    value_ref ref;
    if (!(c->flags & CELL_POINTER)) {
        *out = c->payload.size;
        return RKV_OK;
    }
    int rc = decode(c, &ref);
    if (rc == RKV_OK) *out = ref.size;
    return rc;
}

int db_value_read(db *d, slice key, const cell *c, bool nowait, uint8_t *data) {
    value_ref ref;
    if (!(c->flags & CELL_POINTER)) {
        if (c->payload.size) memcpy(data, c->payload.data, c->payload.size);
        return RKV_OK;
    }
    int rc = decode(c, &ref);
    if (rc) return rc;
    rc = vlog_read(d->values, &ref, key, nowait, data);
    return rc == RKV_EIO ? vlog_read(d->values, &ref, key, nowait, data) : rc; /* once more: it may have been the bus */
}

int db_value_write(db *d, slice key, const cell *version, slice value, uint8_t out[VALUE_REF_SIZE_MAX],
                   size_t *out_size) {
    value_ref ref;
    int rc = vlog_append(d->values, key, version, value, &ref);
    if (rc == RKV_ENOSPC) space_ran_out(d);
    if (rc == RKV_OK) *out_size = value_ref_encode(out, &ref);
    return rc;
}

size_t db_value_log_min(const db *d) {
    return d->options.value_log_min;
}

/* --- moving ------------------------------------------------------------------------------------------------------------------ */

/* One part of emptying a file. */
typedef struct mover {
    db *db;
    picture *picture;
    uint64_t after; /* records up to this offset have been seen to */
    relocation *first;
    size_t records;
    uint64_t bytes;
} mover;

static bool is_winner(const db_value *v, const value_ref *ref) {
    value_ref own;
    return v->cell.flags & CELL_POINTER && value_ref_decode(v->cell.payload, &own) && own.file == ref->file &&
           own.offset == ref->offset;
}

/* Write a live value anew and note its cell. */
static int move(mover *m, slice key, const cell *c, const value_ref *ref) {
    relocation *r = mem_zalloc(sizeof *r + key.size);
    uint8_t *data = mem_alloc((size_t)ref->size);
    int rc = r && data ? RKV_OK : alloc_failed((size_t)ref->size);
    if (rc == RKV_OK) rc = vlog_read(m->db->values, ref, key, false, data);
    if (rc == RKV_OK)
        rc = db_value_write(m->db, key, c, slice_of(data, (size_t)ref->size), r->new_ref, &r->new_ref_size);
    mem_free(data);
    if (rc) {
        mem_free(r);
        return rc;
    }
    r->old_ref_size = value_ref_encode(r->old_ref, ref);
    r->cell = *c;
    r->cell.payload = (slice){0};
    r->key_size = key.size;
    if (key.size) memcpy(r->key, key.data, key.size);
    r->next = m->first;
    m->first = r;
    m->records++;
    m->bytes += ref->size;
    return RKV_OK;
}

static int look_at_record(void *context, slice key, const cell *version, const value_ref *ref) {
    mover *m = context;
    db_value v;
    (void)version; /* the winner's own counts */
    if (ref->offset <= m->after) return RKV_OK;
    if (m->records == MOVE_RECORDS_MAX || m->bytes >= MOVE_BYTES_MAX) return RKV_STALE; /* the rest another time */
    int rc = picture_get(m->db, m->picture, key, db_hash(m->db, key), &v);
    if (rc == RKV_OK) {
        if (is_winner(&v, ref)) rc = move(m, key, &v.cell, ref);
        db_value_release(m->db, &v);
    }
    if (rc == RKV_OK || rc == RKV_NOTFOUND) m->after = ref->offset;
    return rc == RKV_NOTFOUND ? RKV_OK : rc;
}

/* Give the owner what was moved. */
static void hand_over(db *d, mover *m, bool all) {
    pthread_mutex_lock(&d->lock);
    d->retire.after = m->after;
    d->retire.scanned = all;
    if (all) d->retire.seq = wal_last_seq(d->log);
    for (relocation *next; m->first; m->first = next) {
        next = m->first->next;
        m->first->next = d->relocations;
        d->relocations = m->first;
    }
    bool any = d->relocations != NULL;
    if (any) atomic_store_explicit(&d->relocated, true, memory_order_release);
    pthread_mutex_unlock(&d->lock);
    if (any) event_signal(d);
}

static int move_part(db *d) {
    mover m = {.db = d, .picture = picture_take(d), .after = d->retire.after};
    int rc = vlog_scan(d->values, d->retire.file, look_at_record, &m);
    picture_unref(d, m.picture);
    if (rc == RKV_ECORRUPT) { /* what cannot be read cannot be moved: the file stays as it is */
        d->retire.blocked = d->retire.file;
        d->retire.busy = false;
        rc = RKV_STALE;
    }
    if (rc == RKV_NOTFOUND) { /* it has become garbage as a whole meanwhile */
        d->retire.busy = false;
        rc = RKV_OK;
    }
    hand_over(d, &m, rc == RKV_OK);
    return rc == RKV_STALE ? RKV_OK : rc;
}

/* All has been moved and put: once it is flushed, the file goes. */
static int remove_file(db *d) {
    pthread_mutex_lock(&d->lock);
    uint64_t seq = d->retire.seq;
    pthread_mutex_unlock(&d->lock);
    pthread_mutex_lock(&d->edit_lock);
    bool flushed = d->flushed_seq >= seq;
    pthread_mutex_unlock(&d->edit_lock);
    if (!flushed) return RKV_END;
    store_change change = {.value_removed = d->retire.file, .dead = mem_zalloc(sizeof(garbage_batch))};
    if (!change.dead) return alloc_failed(sizeof(garbage_batch));
    change.dead->file = d->retire.file;
    int rc = store_commit(d, &change);
    if (rc)
        mem_free(change.dead);
    else
        d->retire.removed = true;
    return rc;
}

/* Has the removed file gone? Until then it would only be picked again. */
static bool file_gone(db *d) {
    size_t room = vlog_files(d->values, NULL, 0);
    vlog_file_info *files = mem_alloc(room * sizeof *files);
    if (!files) return false;
    size_t count = vlog_files(d->values, files, room);
    bool gone = true;
    for (size_t i = 0; i < count && i < room; i++) gone &= files[i].number != d->retire.file;
    mem_free(files);
    return gone;
}

static int begin_file(db *d) {
    uint64_t number;
    d->retire.busy = d->retire.removed = false;
    int rc = vlog_pick(d->values, &number);
    if (rc == RKV_NOTFOUND || (rc == RKV_OK && number == d->retire.blocked)) return RKV_END;
    if (rc) return rc;
    pthread_mutex_lock(&d->lock);
    d->retire = (retiring){.busy = true, .file = number, .blocked = d->retire.blocked};
    pthread_mutex_unlock(&d->lock);
    return RKV_OK;
}

int values_unit(db *d) {
    int rc = RKV_OK;
    if (atomic_load(&d->failure) != RKV_OK || atomic_load(&d->closing)) return RKV_END;
    if (d->retire.removed && !file_gone(d)) return RKV_END;
    if (d->retire.removed || !d->retire.busy) rc = begin_file(d);
    if (rc) return background_result(d, rc, "value log");
    pthread_mutex_lock(&d->lock);
    bool waits = d->relocations != NULL || d->putting;
    pthread_mutex_unlock(&d->lock);
    if (waits) return RKV_END; /* for the owner */
    rc = d->retire.scanned ? remove_file(d) : move_part(d);
    return background_result(d, rc, "value log");
}

/* --- the owner's part -------------------------------------------------------------------------------------------------------- */

static void put_back(db *d, relocation *list) {
    pthread_mutex_lock(&d->lock);
    while (list) {
        relocation *next = list->next;
        list->next = d->relocations;
        d->relocations = list;
        list = next;
    }
    d->putting = false;
    atomic_store(&d->relocated, d->relocations != NULL);
    pthread_mutex_unlock(&d->lock);
}

static bool still_winner(db *d, const relocation *r, slice key, uint64_t hash, int *out_rc) {
    db_value v;
    *out_rc = db_get(d, key, hash, false, &v);
    if (*out_rc == RKV_NOTFOUND)
        *out_rc = RKV_OK;
    else if (*out_rc == RKV_OK) {
        bool is = v.cell.flags & CELL_POINTER && slice_equal(v.cell.payload, slice_of(r->old_ref, r->old_ref_size));
        db_value_release(d, &v);
        return is;
    }
    return false;
}

/* Put one moved cell, unless it has been overwritten meanwhile; then its new value was for nothing. */
static int put_one(db *d, const relocation *r) {
    slice key = slice_of(r->key, r->key_size);
    uint64_t hash = db_hash(d, key);
    value_ref ref;
    int rc;
    if (!still_winner(d, r, key, hash, &rc)) {
        if (rc == RKV_OK && value_ref_decode(slice_of(r->new_ref, r->new_ref_size), &ref))
            ref_list_add(&d->active->garbage, &ref); /* told with the edit of its flush */
        return rc;
    }
    rc = db_reserve(d, 1, key.size + r->new_ref_size);
    if (rc) return rc;
    cell c = r->cell;
    c.payload = slice_of(r->new_ref, r->new_ref_size);
    put_moved(d, key, hash, &c);
    return RKV_OK;
}

void relocations_put(db *d) {
    pthread_mutex_lock(&d->lock);
    relocation *list = d->relocations;
    d->relocations = NULL;
    d->putting = list != NULL;
    pthread_mutex_unlock(&d->lock);
    int rc = RKV_OK;
    while (list && rc == RKV_OK) {
        rc = put_one(d, list);
        if (rc) break;
        relocation *next = list->next;
        mem_free(list);
        list = next;
    }
    put_back(d, list);
    pthread_mutex_lock(&d->lock);
    uint64_t seq = wal_last_seq(d->log) + (d->batch.size > 0); /* one that the log refused is still to come */
    if (d->retire.seq < seq) d->retire.seq = seq;
    background_wake(d);
    pthread_mutex_unlock(&d->lock);
}

void relocations_drop(db *d) {
    for (relocation *next; d->relocations; d->relocations = next) {
        next = d->relocations->next;
        mem_free(d->relocations);
    }
}
