/* db_edit.c: one change of the store, recorded in the manifest and then made visible; see db_parts.h.
 *
 *   build the new version -> append the edit, synced -> install the picture -> what the edit removed may go
 *
 * The manifest's view of the value log is kept here: which files there are and how much of each is garbage. A file that the log has
 * deleted leaves the manifest with the next edit; until then it counts as garbage as a whole.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"

static const uint64_t MANIFEST_ROLL_MIN = 4 << 20;

uint64_t file_number(db *d) {
    return atomic_fetch_add(&d->next_file, 1);
}

/* --- value files ----------------------------------------------------------------------------------------------------------- */

typedef struct value_files {
    vlog_file_info *items;
    size_t count;
} value_files;

static vlog_file_info *value_file(vlog_file_info *files, size_t count, uint64_t number) {
    for (size_t i = 0; i < count; i++)
        if (files[i].number == number) return &files[i];
    return NULL;
}

/* The files of the value log with the garbage that the manifest will know of after the change. */
static int value_files_now(db *d, const store_change *change, value_files *out) {
    size_t room = vlog_files(d->values, NULL, 0) + 8; /* some may be added meanwhile; the rest is told next time */
    vlog_file_info *files = mem_alloc(room * sizeof *files);
    if (!files) return alloc_failed(room * sizeof *files);
    size_t count = vlog_files(d->values, files, room);
    if (count > room) count = room;
    for (size_t i = 0; i < count; i++) {
        const vlog_file_info *known = value_file(d->value_files, d->value_file_count, files[i].number);
        files[i].garbage = known ? known->garbage : 0;
        /* A file that is to go counts as garbage until it is gone: so a crash in between does not forget it. */
        if (files[i].number == change->value_removed) files[i].garbage = files[i].bytes;
    }
    for (size_t i = 0; change->dead && i < change->dead->refs.count; i++) {
        const value_ref *ref = &change->dead->refs.items[i];
        vlog_file_info *file = value_file(files, count, ref->file);
        if (file) file->garbage += vlog_record_size(ref);
    }
    *out = (value_files){files, count};
    return RKV_OK;
}

static int edit_value_files(const db *d, const value_files *now, edit *e) {
    int rc = RKV_OK;
    for (size_t i = 0; i < now->count && rc == RKV_OK; i++) {
        const vlog_file_info *known = value_file(d->value_files, d->value_file_count, now->items[i].number);
        if (!known || known->bytes != now->items[i].bytes || known->garbage != now->items[i].garbage)
            rc = edit_set_value_file(e, &now->items[i]);
        if (now->items[i].number >= e->next_value_file) e->next_value_file = now->items[i].number + 1;
    }
    for (size_t i = 0; i < d->value_file_count && rc == RKV_OK; i++)
        if (!value_file(now->items, now->count, d->value_files[i].number))
            rc = edit_remove_value_file(e, d->value_files[i].number);
    return rc;
}

/* --- the edit -------------------------------------------------------------------------------------------------------------- */

static int edit_fill(db *d, const store_change *change, const version *before, const version *after,
                     const value_files *values, edit *e) {
    int rc = RKV_OK;
    for (size_t i = 0; i < change->removed_count && rc == RKV_OK; i++)
        rc = edit_remove_table(e, change->removed[i]->props.number);
    for (size_t i = 0; i < change->added_count && rc == RKV_OK; i++) {
        const table_file *f = change->added[i].file;
        rc = edit_add_table(e, &f->props, change->added[i].level, f->clean, f->late);
    }
    if (after->rdels != before->rdels) edit_set_rdels(e, after->rdels);
    e->next_file = atomic_load(&d->next_file);
    e->durable_seq = wal_durable(d->log);
    if (change->flushed) {
        e->has_log = true;
        e->log_segment = change->flushed->log_segment;
        e->flushed_seq = change->flushed->last_seq;
    }
    return rc ? rc : edit_value_files(d, values, e);
}

int store_image(db *d, const version *v, edit *out) {
    int rc = RKV_OK;
    for (unsigned level = 0; level < LEVELS; level++)
        for (size_t i = 0; i < v->levels[level].count && rc == RKV_OK; i++) {
            const table_file *f = v->levels[level].files[i];
            rc = edit_add_table(out, &f->props, level, f->clean, f->late);
        }
    edit_set_rdels(out, v->rdels);
    out->next_file = atomic_load(&d->next_file);
    out->has_log = true;
    out->log_segment = d->log_segment;
    out->flushed_seq = d->flushed_seq;
    out->durable_seq = d->log ? wal_durable(d->log) : 0;
    for (size_t i = 0; i < d->value_file_count && rc == RKV_OK; i++) {
        rc = edit_set_value_file(out, &d->value_files[i]);
        if (d->value_files[i].number >= out->next_value_file) out->next_value_file = d->value_files[i].number + 1;
    }
    return rc;
}

/* Begin a new manifest when the old one is long. Not to be able to is no failure, unless it is unknown which one counts. */
static void manifest_roll(db *d, const version *v) {
    uint64_t limit = 2 * manifest_snapshot_size(d->manifest);
    if (manifest_size(d->manifest) < (limit > MANIFEST_ROLL_MIN ? limit : MANIFEST_ROLL_MIN)) return;
    edit image = {0};
    manifest *fresh = NULL;
    bool unknown = false;
    int rc = store_image(d, v, &image);
    if (rc == RKV_OK) rc = manifest_create(&fresh, d->os, d->dir, &d->identity, file_number(d), &image, &unknown);
    if (rc == RKV_OK) {
        manifest_remove(d->os, d->dir, manifest_number(d->manifest));
        manifest_close(d->manifest);
        d->manifest = fresh;
    }
    if (unknown) failure_set(d, rc, "manifest");
    edit_clear(&image);
}

/* --- installing ------------------------------------------------------------------------------------------------------------ */

static int next_version(const picture *now, const store_change *change, version **out) {
    rdel_set *rdels = rdel_set_ref(change->has_rdels ? change->rdels : now->version->rdels);
    size_t ranges = change->flushed ? atomic_load(&change->flushed->range_count) : 0;
    if (ranges) {
        rdel_set *laid;
        int rc = rdel_set_add(&laid, rdels, change->flushed->ranges, ranges);
        rdel_set_unref(rdels);
        if (rc) return rc;
        rdels = laid;
    }
    version_change v = {change->added, change->added_count, change->removed, change->removed_count, rdels};
    int rc = version_new(out, now->version, &v);
    rdel_set_unref(rdels);
    return rc;
}

static bool change_adds(const store_change *change, const table_file *f) {
    for (size_t i = 0; i < change->added_count; i++)
        if (change->added[i].file == f) return true;
    return false;
}

/* Make the version current, less the flushed mem. Takes v and p. */
static void install(db *d, store_change *change, version *v, picture *p) {
    p->version = v;
    for (size_t i = 0; i < change->removed_count; i++)
        if (!change_adds(change, change->removed[i])) atomic_store(&change->removed[i]->obsolete, true);
    pthread_mutex_lock(&d->lock);
    picture *old = d->current;
    for (size_t i = 0; i < old->mem_count; i++) {
        if (old->mems[i] == change->flushed) continue;
        mem_ref(old->mems[i]);
        p->mems[p->mem_count++] = old->mems[i];
    }
    if (change->dead && (change->dead->refs.count || change->dead->file))
        garbage_queue(d, change->dead);
    else
        mem_free(change->dead);
    change->dead = NULL;
    picture_install(d, p);
    background_wake(d);
    pthread_cond_broadcast(&d->done);
    pthread_mutex_unlock(&d->lock);
    picture_unref(d, old);
    event_signal(d); /* a stop may be over; and the owner holds the old picture until it looks */
}

static void remember(db *d, const store_change *change, value_files *values) {
    mem_free(d->value_files);
    d->value_files = values->items;
    d->value_file_count = values->count;
    values->items = NULL;
    if (!change->flushed) return;
    d->log_segment = change->flushed->log_segment;
    d->flushed_seq = change->flushed->last_seq;
    atomic_store(&d->flushed_segment, d->log_segment);
}

int store_commit(db *d, store_change *change) {
    edit e = {0};
    picture *p = NULL;
    version *v = NULL;
    value_files values = {0};
    pthread_mutex_lock(&d->edit_lock);
    picture *now = picture_take(d);
    /* A flush may have laid new ones over them meanwhile. */
    int rc = change->has_rdels && now->version->rdels != change->rdels_from ? RKV_STALE : RKV_OK;
    if (rc == RKV_OK) rc = next_version(now, change, &v);
    if (rc == RKV_OK) rc = picture_new(&p);
    if (rc == RKV_OK) rc = value_files_now(d, change, &values);
    if (rc == RKV_OK) rc = edit_fill(d, change, now->version, v, &values, &e);
    if (rc) goto done;
    rc = manifest_append(d->manifest, &e);
    if (rc) {
        change->unknown = rc != RKV_ENOSPC && rc != RKV_ENOMEM;
        goto done;
    }
    remember(d, change, &values);
    manifest_roll(d, v);
    install(d, change, v, p);
    v = NULL;
    p = NULL;
done:
    mem_free(values.items);
    version_unref(v);
    mem_free(p);
    edit_clear(&e);
    pthread_mutex_unlock(&d->edit_lock);
    picture_unref(d, now);
    return rc;
}
