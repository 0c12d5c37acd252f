/* recover.c: from a directory to a store: identity, manifest, tables, value log, log.
 *
 *   CURRENT -> manifest -> version (every table opened and checked against its props)
 *   value log with the files that the manifest knows
 *   log records above flushed_seq, in order, into fresh mems; one whose values are torn, above the durable mark, ends the log
 *   a new manifest with all that as its snapshot, made CURRENT; then files that nothing refers to are removed
 *   if the log is of many segments, its cells are frozen, to be flushed as soon as the flush thread runs
 *
 * Nothing is changed in meaning before all of it has been read. A directory is a new store only if it holds no file of an old one.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"
#include "lsm/recover.h"

enum {
    PROGRESS_MS = 300,
    SEGMENTS_LEFT = 3, /* of the log, the new one with them, that a start leaves unflushed */
};

static const size_t REPLAY_MEM_MAX = (size_t)8 << 30;

typedef struct recovery {
    db *db;
    db_recovery *out;
    edit image;
    uint64_t highest_number; /* of a table or manifest in the directory */
    uint64_t highest_value_file;
    bool has_data;     /* tables, logs, value files or manifests */
    uint64_t segments; /* of the log */
    uint64_t replayed_bytes;
    uint64_t told_ns; /* when progress was told */
} recovery;

/* --- the directory ----------------------------------------------------------------------------------------------------------- */

static void higher(uint64_t *highest, uint64_t number) {
    if (number > *highest) *highest = number;
}

static void look_at_name(void *context, const char *name) {
    recovery *r = context;
    uint64_t number;
    if (numbered_name(name, "", ".sst", &number)) {
        higher(&r->highest_number, number);
        r->has_data = true;
    } else if (numbered_name(name, "", ".vlog", &number)) {
        higher(&r->highest_value_file, number);
        r->has_data = true;
    } else if (numbered_name(name, "", ".wal", &number)) {
        r->segments++;
        r->has_data = true;
    } else if (numbered_name(name, "MANIFEST-", "", &number)) {
        higher(&r->highest_number, number);
    }
}

/* Names that nothing refers to. They are collected first: a listing does not like its directory to change. */
typedef struct orphans {
    const db *db;
    const version *version;
    buf names; /* each ended by a zero byte */
    int rc;
} orphans;

static bool version_has(const version *v, uint64_t number) {
    for (unsigned i = 0; i < LEVELS; i++)
        for (size_t k = 0; k < v->levels[i].count; k++)
            if (v->levels[i].files[k]->props.number == number) return true;
    return false;
}

static bool ends_in(const char *name, const char *suffix) {
    size_t n = strlen(name);
    size_t m = strlen(suffix);
    return n >= m && strcmp(name + n - m, suffix) == 0;
}

static void note_orphan(void *context, const char *name) {
    orphans *o = context;
    uint64_t number;
    bool orphan = false;
    if (numbered_name(name, "", ".sst", &number))
        orphan = !version_has(o->version, number);
    else if (numbered_name(name, "MANIFEST-", "", &number))
        orphan = number != manifest_number(o->db->manifest);
    else
        orphan = ends_in(name, ".tmp");
    if (orphan && o->rc == RKV_OK) o->rc = buf_append(&o->names, name, strlen(name) + 1);
}

/* What cannot be removed now is tried again at the next open. */
static void remove_orphans(db *d) {
    orphans o = {.db = d, .version = d->current->version};
    if (d->os->ops->list(d->os, d->dir, note_orphan, &o) == RKV_OK)
        for (size_t at = 0; at < o.names.size; at += strlen((char *)o.names.data + at) + 1) {
            char path[PATH_SIZE];
            store_path(path, d->dir, (char *)o.names.data + at);
            d->os->ops->unlink(d->os, path);
        }
    buf_clear(&o.names);
}

/* --- manifest ---------------------------------------------------------------------------------------------------------------- */

static int create_identity(recovery *r) {
    db *d = r->db;
    if (r->has_data)
        return status_set(RKV_ECORRUPT, "%s/CURRENT:0: missing, but there are files of a store: repair it", d->dir);
    if (d->options.read_only) return status_set(RKV_NOTFOUND, "%s: no store here", d->dir);
    int rc = identity_draw(d->os, &d->identity);
    if (rc == RKV_OK) rc = identity_write(d->os, d->dir, &d->identity);
    r->out->created = true;
    r->image.next_file = 1;
    r->image.has_log = true;
    r->image.log_segment = 1;
    return rc;
}

/* STORE repeats the manifest's identity; heal it if it was lost. */
static int check_identity(recovery *r) {
    db *d = r->db;
    store_identity stored;
    int rc = identity_read(d->os, d->dir, &stored);
    if (rc == RKV_OK && memcmp(&stored, &d->identity, sizeof stored) != 0)
        return status_set(RKV_EFORMAT, "%s: STORE and MANIFEST are of different stores", d->dir);
    if ((rc == RKV_NOTFOUND || rc == RKV_ECORRUPT) && !d->options.read_only)
        rc = identity_write(d->os, d->dir, &d->identity);
    return rc == RKV_NOTFOUND || rc == RKV_ECORRUPT ? RKV_OK : rc;
}

static int read_manifest(recovery *r) {
    db *d = r->db;
    manifest_info info;
    int rc = d->os->ops->list(d->os, d->dir, look_at_name, r);
    if (rc == RKV_OK) rc = manifest_load(d->os, d->dir, &info, &r->image);
    if (rc == RKV_NOTFOUND) return create_identity(r);
    if (rc) return rc;
    d->identity = info.identity;
    return check_identity(r);
}

/* --- tables ------------------------------------------------------------------------------------------------------------------ */

static int open_table(db *d, edit_table *t, table_file **out) {
    char path[PATH_SIZE];
    table *opened = NULL;
    table_path(path, d->dir, t->props.number);
    int rc = table_open(&opened, &d->table, path, t->props.number, t->props.size);
    if (rc == RKV_NOTFOUND) return status_set(RKV_ECORRUPT, "%s:0: named by the manifest but missing", path);
    if (rc) return rc;
    uint64_t clean = t->clean;
    bool late = t->late;
    rc = table_file_new(out, &t->props, opened, &d->hook);
    if (rc) {
        table_unref(opened);
        return rc;
    }
    (*out)->clean = clean;
    (*out)->late = late;
    return RKV_OK;
}

static int open_tables(recovery *r, version **out) {
    edit *image = &r->image;
    size_t opened = 0;
    version_add *added = mem_alloc(image->added_count * sizeof *added);
    if (!added) return alloc_failed(image->added_count * sizeof *added);
    int rc = RKV_OK;
    for (; opened < image->added_count; opened++) {
        edit_table *t = &image->added[opened];
        if (t->level >= LEVELS) rc = status_set(RKV_ECORRUPT, "manifest: a table of level %u", t->level);
        added[opened].level = t->level;
        if (rc == RKV_OK) rc = open_table(r->db, t, &added[opened].file);
        if (rc) break;
        higher(&r->out->max_hlc, added[opened].file->props.max_hlc);
        r->out->tables++;
        r->out->table_bytes += added[opened].file->props.size;
    }
    version_change change = {.added = added, .added_count = opened, .rdels = image->rdels};
    if (rc == RKV_OK) rc = version_new(out, NULL, &change);
    for (size_t i = 0; i < opened; i++) table_file_unref(added[i].file);
    mem_free(added);
    for (size_t i = 0; i < rdel_set_count(image->rdels); i++) higher(&r->out->max_hlc, image->rdels->items[i].hlc);
    return rc;
}

/* --- value log --------------------------------------------------------------------------------------------------------------- */

static int open_values(recovery *r) {
    db *d = r->db;
    edit *image = &r->image;
    vlog_options o = {.os = d->os, .dir = d->dir, .file_bytes = d->options.value_file_bytes};
    memcpy(o.store_id, d->identity.id, sizeof o.store_id);
    uint64_t next = image->next_value_file ? image->next_value_file : 1;
    if (r->highest_value_file >= next) next = r->highest_value_file + 1;
    int rc = vlog_open(&d->values, &o, image->values, image->values_count, next);
    if (rc) return rc;
    d->value_files = image->values;
    d->value_file_count = image->values_count;
    image->values = NULL;
    image->values_count = image->values_room = 0;
    return RKV_OK;
}

/* --- log --------------------------------------------------------------------------------------------------------------------- */

static void tell_progress(recovery *r, size_t bytes) {
    db *d = r->db;
    r->replayed_bytes += bytes;
    if (!d->options.progress) return;
    uint64_t now = d->os->ops->mono_ns(d->os);
    if (now - r->told_ns < PROGRESS_MS * 1000000ull) return;
    r->told_ns = now;
    uint64_t all = r->segments * d->options.wal_segment_bytes; /* at most, as a rule */
    if (all < r->replayed_bytes) all = r->replayed_bytes;
    d->options.progress(d->options.context, r->replayed_bytes, all);
}

/* Are all values of the record there? Only asked where the value log may have lost them; what is there is written again, to be synced with the record. */
static int check_values(db *d, slice payload) {
    batch_reader b;
    batch_entry e;
    int rc = batch_open(&b, payload);
    while (rc == RKV_OK && (rc = batch_next(&b, &e)) == RKV_OK) {
        value_ref ref;
        if (!(e.cell.flags & CELL_POINTER)) continue;
        if (!value_ref_decode(e.cell.payload, &ref)) return status_set(RKV_ECORRUPT, "log: a bad value reference");
        rc = d->options.read_only ? vlog_check(d->values, &ref, e.key) : vlog_rewrite(d->values, &ref, e.key);
        if (rc == RKV_ECORRUPT || rc == RKV_NOTFOUND) return RKV_END;
    }
    return rc == RKV_END ? RKV_OK : rc;
}

/* The log may hold far more than MEMS_MAX memtables of the present memtable_bytes: it may have been written under another. So the
 * second is as large as ever, and each one after it four times as large as the one before. */
static size_t replay_capacity(const db *d) {
    size_t capacity = d->options.memtable_bytes;
    for (size_t i = 1; i < d->current->mem_count && capacity < REPLAY_MEM_MAX; i++) capacity *= 4;
    return capacity;
}

/* A fresh active mem before the replayed ones. No log segment is given up before all of them are flushed. */
static int next_mem(db *d) {
    picture *p = NULL;
    mem *fresh = NULL;
    if (d->current->mem_count == MEMS_MAX) return status_set(RKV_ETOOBIG, "log: more than %d memtables", MEMS_MAX);
    int rc = mem_new(&fresh, d, replay_capacity(d));
    if (rc == RKV_OK) rc = picture_new(&p);
    if (rc) {
        mem_unref(fresh);
        return rc;
    }
    p->mems[p->mem_count++] = fresh;
    for (size_t i = 0; i < d->current->mem_count; i++) {
        mem_ref(d->current->mems[i]);
        p->mems[p->mem_count++] = d->current->mems[i];
    }
    p->version = d->current->version;
    version_ref(p->version);
    picture *old = d->current;
    pthread_mutex_lock(&d->lock);
    picture_install(d, p);
    pthread_mutex_unlock(&d->lock);
    picture_unref(d, old);
    d->active = fresh;
    return RKV_OK;
}

/* What a record needs. */
typedef struct need {
    size_t count, bytes, ranges, range_bytes;
} need;

static int measure(slice payload, need *out) {
    batch_reader b;
    batch_entry e;
    int rc = batch_open(&b, payload);
    *out = (need){.count = b.count, .bytes = payload.size};
    while (rc == RKV_OK && (rc = batch_next(&b, &e)) == RKV_OK) {
        if (!e.is_range) continue;
        out->ranges++;
        out->range_bytes += e.key.size + e.end.size;
    }
    return rc == RKV_END ? RKV_OK : rc;
}

static int reserve(mem *m, const need *n) {
    int rc = memtable_reserve(m->table, n->count, n->bytes);
    return rc ? rc : mem_reserve_ranges(m, n->ranges, n->range_bytes);
}

/* Room in the active mem for a record; a full mem is left for the flush. */
static int replay_room(db *d, uint64_t seq, const need *n) {
    int rc = reserve(d->active, n);
    if (rc != RKV_ETOOBIG || mem_empty(d->active)) return rc;
    d->active->last_seq = seq - 1;
    d->active->log_segment = d->log_segment;
    rc = next_mem(d);
    return rc ? rc : reserve(d->active, n);
}

static int replay_entries(recovery *r, slice payload) {
    db *d = r->db;
    batch_reader b;
    batch_entry e;
    int rc = batch_open(&b, payload);
    while (rc == RKV_OK && (rc = batch_next(&b, &e)) == RKV_OK) {
        higher(&r->out->max_hlc, e.cell.hlc);
        if (e.is_range)
            mem_delete_range(d->active, e.key, e.end, e.cell.hlc, e.cell.node, file_number(d));
        else
            apply(d, e.key, db_hash(d, e.key), &e.cell);
    }
    return rc == RKV_END ? RKV_OK : rc;
}

static int replay_record(void *context, uint64_t seq, bool durable, slice payload) {
    recovery *r = context;
    db *d = r->db;
    tell_progress(r, payload.size);
    if (seq <= d->flushed_seq) return RKV_OK;
    need n;
    int rc = measure(payload, &n);
    if (rc == RKV_OK && !durable) rc = check_values(d, payload);
    if (rc == RKV_OK) rc = replay_room(d, seq, &n);
    return rc ? rc : replay_entries(r, payload);
}

static int before_sync(void *context) {
    return vlog_sync(((db *)context)->values);
}

static void look_at_log(db *d) {
    int rc = wal_failure(d->log);
    if (rc) failure_set(d, rc, "log");
}

static void on_durable(void *context) {
    db *d = context;
    if (atomic_load_explicit(&d->log_open, memory_order_acquire)) look_at_log(d);
    event_signal(d);
}

static int open_log(recovery *r) {
    db *d = r->db;
    wal_recovery found = {0};
    wal_options o = {
        .os = d->os,
        .dir = d->dir,
        .segment_bytes = d->options.wal_segment_bytes,
        .policy = d->options.sync,
        .threads = d->options.background,
        .mapped = d->options.mapped_wal,
        .durable_floor = r->image.durable_seq,
        .before_sync = before_sync,
        .on_durable = on_durable,
        .context = d,
    };
    memcpy(o.store_id, d->identity.id, sizeof o.store_id);
    int rc = d->options.read_only ? wal_replay(&o, d->log_segment, d->flushed_seq + 1, replay_record, r, &found)
                                  : wal_open(&d->log, &o, d->log_segment, d->flushed_seq + 1, replay_record, r, &found);
    if (d->log) {
        atomic_store_explicit(&d->log_open, true, memory_order_release);
        look_at_log(d);
    }
    r->out->wal_records = found.records;
    r->out->wal_bytes = found.bytes;
    r->out->wal_cut_bytes = found.cut_bytes;
    snprintf(r->out->wal_cut_at, sizeof r->out->wal_cut_at, "%s", found.cut_at);
    return rc;
}

/* --- all of it --------------------------------------------------------------------------------------------------------------- */

/* The first picture: the version and an empty mem. */
static int first_picture(db *d, version *v) {
    picture *p = NULL;
    int rc = picture_new(&p);
    if (rc) return rc;
    rc = mem_new(&d->active, d, d->options.memtable_bytes);
    if (rc) {
        mem_free(p);
        return rc;
    }
    p->mems[p->mem_count++] = d->active;
    p->version = v;
    version_ref(v);
    pthread_mutex_lock(&d->lock);
    picture_install(d, p);
    pthread_mutex_unlock(&d->lock);
    return RKV_OK;
}

static void newest_init(db *d, uint64_t max_hlc) {
    for (size_t i = 0; i < DB_SLOTS; i++) d->newest[i] = (newest){max_hlc, UINT32_MAX};
}

static int begin_manifest(db *d) {
    edit image = {0};
    bool unknown;
    uint64_t number = file_number(d);
    int rc = store_image(d, d->current->version, &image);
    if (rc == RKV_OK) rc = manifest_create(&d->manifest, d->os, d->dir, &d->identity, number, &image, &unknown);
    edit_clear(&image);
    return rc;
}

/* Only a flush gives segments back: without one each start would add its own to those that the start before left. */
static int shorten_log(db *d) {
    wal_stats s;
    wal_get_stats(d->log, &s);
    if (s.segments <= SEGMENTS_LEFT || mem_empty(d->active) || d->current->mem_count == MEMS_MAX) return RKV_OK;
    int rc = mem_freeze(d);
    return rc == RKV_ENOSPC ? RKV_OK : rc; /* the store then opens as full */
}

int recover(db *d, db_recovery *out) {
    recovery r = {.db = d, .out = out};
    version *v = NULL;
    int rc = read_manifest(&r);
    if (rc) goto done;
    memcpy(d->table.store_id, d->identity.id, sizeof d->table.store_id);
    d->table.seed = d->identity.seed;
    uint64_t next = r.image.next_file > r.highest_number ? r.image.next_file : r.highest_number + 1;
    atomic_store(&d->next_file, next);
    d->log_segment = r.image.log_segment;
    d->flushed_seq = r.image.flushed_seq;
    rc = open_tables(&r, &v);
    if (rc == RKV_OK) rc = open_values(&r);
    if (rc == RKV_OK) rc = first_picture(d, v);
    if (rc) goto done;
    newest_init(d, out->max_hlc);
    /* A new store is made CURRENT before it gets a log: whoever finds a log and no CURRENT knows that something was lost. */
    if (out->created) rc = begin_manifest(d);
    if (rc == RKV_OK) rc = open_log(&r);
    if (rc == RKV_OK && !out->created && !d->options.read_only) rc = begin_manifest(d);
    if (rc == RKV_OK && !d->options.read_only) remove_orphans(d);
    if (rc == RKV_OK && !d->options.read_only) rc = shorten_log(d);
done:
    version_unref(v);
    edit_clear(&r.image);
    return rc;
}
