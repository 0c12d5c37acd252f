/* repair.c: a manifest from what can still be read; see db.h.
 *
 *   identity   STORE, else a manifest's header
 *   tables     if the manifest reads whole, those it names, else all there are; each is read as a whole, and moved to lost/ if that fails
 *   levels     tables that overlap no other go as deep as possible, others to higher levels, the rest to level 0
 *   log        from its first segment; segments behind damage are moved to lost/
 *
 * Versions decide which cell wins, so the order of tables does not matter. What cannot be known is said in the report: a table that a compaction had replaced
 * may bring back keys whose tombstones it had dropped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"

typedef struct numbers {
    uint64_t *items;
    size_t count, room;
    int rc;
} numbers;

typedef struct found {
    numbers tables, segments, values, manifests;
} found;

typedef struct repair {
    os *os;
    const char *dir;
    buf *report;
    found found;
    store_identity identity;
    cache *cache;
    edit known;       /* what manifests still say */
    bool known_whole; /* the current one reads as a whole */
    edit image;       /* what the new one will say */
    uint64_t next_number;
} repair;

static int say(repair *r, const char *path, const char *what) {
    char line[PATH_SIZE + TEXT_SIZE];
    int n = snprintf(line, sizeof line, "%s: %s\n", path, what);
    return buf_append(r->report, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

/* --- what there is ------------------------------------------------------------------------------------------------------------ */

static void numbers_add(numbers *n, uint64_t number) {
    if (n->count == n->room) {
        size_t room = n->room ? n->room * 2 : 16;
        uint64_t *items = mem_realloc(n->items, room * sizeof *items);
        if (!items) {
            n->rc = alloc_failed(room * sizeof *items);
            return;
        }
        n->items = items;
        n->room = room;
    }
    n->items[n->count++] = number;
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void look_at_name(void *context, const char *name) {
    found *f = context;
    uint64_t number;
    if (numbered_name(name, "", ".sst", &number)) numbers_add(&f->tables, number);
    if (numbered_name(name, "", ".wal", &number)) numbers_add(&f->segments, number);
    if (numbered_name(name, "", ".vlog", &number)) numbers_add(&f->values, number);
    if (numbered_name(name, "MANIFEST-", "", &number)) numbers_add(&f->manifests, number);
}

static int look(repair *r) {
    numbers *all[] = {&r->found.tables, &r->found.segments, &r->found.values, &r->found.manifests};
    int rc = r->os->ops->list(r->os, r->dir, look_at_name, &r->found);
    r->next_number = 1;
    for (int i = 0; i < 4 && rc == RKV_OK; i++) {
        rc = all[i]->rc;
        if (all[i]->count == 0) continue;
        qsort(all[i]->items, all[i]->count, sizeof(uint64_t), ascending);
        uint64_t last = all[i]->items[all[i]->count - 1];
        bool shares_numbers = all[i] == &r->found.tables || all[i] == &r->found.manifests;
        if (shares_numbers && last >= r->next_number) r->next_number = last + 1;
    }
    return rc;
}

/* Move dir/name to dir/lost/name. */
static int lose(repair *r, const char *name, const char *why) {
    char lost[PATH_SIZE];
    char from[PATH_SIZE];
    char to[PATH_SIZE + 64];
    store_path(lost, r->dir, "lost");
    store_path(from, r->dir, name);
    snprintf(to, sizeof to, "%s/%s", lost, name);
    int rc = say(r, from, why);
    if (rc == RKV_OK) rc = r->os->ops->make_dir(r->os, lost);
    if (rc == RKV_OK) rc = r->os->ops->rename(r->os, from, to);
    if (rc == RKV_OK) rc = r->os->ops->sync_dir(r->os, lost);
    return rc ? rc : r->os->ops->sync_dir(r->os, r->dir);
}

static int lose_numbered(repair *r, uint64_t number, const char *suffix, const char *why) {
    char name[40];
    snprintf(name, sizeof name, "%010" PRIu64 "%s", number, suffix);
    return lose(r, name, why);
}

static bool damaged(int rc) {
    return rc == RKV_ECORRUPT || rc == RKV_EFORMAT || rc == RKV_EIO || rc == RKV_NOTFOUND;
}

/* --- identity and manifest ----------------------------------------------------------------------------------------------------- */

static int read_manifests(repair *r) {
    manifest_info info;
    int rc = manifest_load(r->os, r->dir, &info, &r->known);
    r->known_whole = rc == RKV_OK;
    for (size_t i = r->found.manifests.count; rc != RKV_OK && i-- > 0;) {
        if (!damaged(rc)) return rc;
        edit_clear(&r->known);
        rc = manifest_salvage(r->os, r->dir, r->found.manifests.items[i], &info, &r->known);
    }
    if (!r->known_whole)
        say(r, r->dir, "the manifest is damaged: tables are taken from the directory, and deleted keys may come back");
    store_identity stored;
    int stored_rc = identity_read(r->os, r->dir, &stored);
    if (rc != RKV_OK && stored_rc != RKV_OK)
        return status_set(RKV_EFORMAT, "%s: neither STORE nor a manifest says which store this is", r->dir);
    r->identity = stored_rc == RKV_OK ? stored : info.identity;
    if (rc != RKV_OK) edit_clear(&r->known);
    return RKV_OK;
}

/* --- tables -------------------------------------------------------------------------------------------------------------------- */

static int read_table(repair *r, uint64_t number, table_props *out) {
    char path[PATH_SIZE];
    uint64_t size;
    table *t = NULL;
    table_options o = {.os = r->os, .seed = r->identity.seed, .cache = r->cache};
    memcpy(o.store_id, r->identity.id, sizeof o.store_id);
    table_path(path, r->dir, number);
    int rc = r->os->ops->stat(r->os, path, &size);
    if (rc == RKV_OK) rc = table_open(&t, &o, path, number, size);
    if (rc == RKV_OK) rc = table_read_props(t, out);
    if (rc == RKV_OK) rc = table_verify(t, out->crc);
    table_unref(t);
    return rc;
}

static const edit_table *known_table(const repair *r, uint64_t number) {
    for (size_t i = 0; i < r->known.added_count; i++)
        if (r->known.added[i].props.number == number) return &r->known.added[i];
    return NULL;
}

static bool overlaps(const table_props *a, const table_props *b) {
    return slice_compare(buf_slice(&a->smallest), buf_slice(&b->largest)) <= 0 &&
           slice_compare(buf_slice(&b->smallest), buf_slice(&a->largest)) <= 0;
}

/* The deepest level in which nothing overlaps p yet. */
static unsigned place(const repair *r, const table_props *p) {
    for (unsigned level = LEVELS - 1; level > 0; level--) {
        bool free = true;
        for (size_t i = 0; i < r->image.added_count && free; i++)
            free = r->image.added[i].level != level || !overlaps(&r->image.added[i].props, p);
        if (free) return level;
    }
    return 0;
}

static int take_table(repair *r, uint64_t number) {
    table_props props = {0};
    int rc = read_table(r, number, &props);
    if (damaged(rc)) {
        char why[TEXT_SIZE];
        snprintf(why, sizeof why, "%s", status_text());
        rc = lose_numbered(r, number, ".sst", why);
    } else if (rc == RKV_OK) {
        const edit_table *known = known_table(r, number);
        if (known && r->known_whole)
            rc = edit_add_table(&r->image, &props, known->level, known->clean, known->late);
        else
            rc = edit_add_table(&r->image, &props, place(r, &props), 0, true);
    }
    table_props_clear(&props);
    return rc;
}

static int take_tables(repair *r) {
    int rc = RKV_OK;
    for (size_t i = 0; i < r->found.tables.count && rc == RKV_OK; i++)
        if (!r->known_whole || known_table(r, r->found.tables.items[i])) rc = take_table(r, r->found.tables.items[i]);
    for (size_t i = 0; i < r->known.added_count && rc == RKV_OK; i++) {
        uint64_t number = r->known.added[i].props.number;
        if (bsearch(&number, r->found.tables.items, r->found.tables.count, sizeof number, ascending)) continue;
        char path[PATH_SIZE];
        table_path(path, r->dir, number);
        rc = say(r, path, "named by the manifest but missing");
    }
    return rc;
}

/* --- log ----------------------------------------------------------------------------------------------------------------------- */

typedef struct log_range {
    uint64_t first_seq;
    bool any;
} log_range;

static int note_record(void *context, uint64_t seq, bool durable, slice payload) {
    log_range *l = context;
    (void)durable;
    if (!l->any) *l = (log_range){seq, true};
    return batch_check(payload);
}

/* Find where the log begins, and leave only segments that replay. */
static int take_log(repair *r) {
    numbers *s = &r->found.segments;
    wal_options o = {.os = r->os, .dir = r->dir};
    log_range range = {0};
    memcpy(o.store_id, r->identity.id, sizeof o.store_id);
    uint64_t first = r->known_whole ? r->known.log_segment : s->count ? s->items[0] : 1;
    uint64_t flushed = r->known_whole ? r->known.flushed_seq : 0;
    for (;;) {
        wal_recovery w;
        range = (log_range){0};
        int rc = wal_replay(&o, first, r->known_whole ? flushed + 1 : UINT64_MAX, note_record, &range, &w);
        if (rc == RKV_OK) break;
        if (!damaged(rc) || s->count == 0) return rc;
        char why[TEXT_SIZE];
        snprintf(why, sizeof why, "given up, for the log is damaged: %s", status_text());
        rc = lose_numbered(r, s->items[--s->count], ".wal", why);
        if (rc) return rc;
    }
    if (!r->known_whole && range.any) flushed = range.first_seq - 1;
    if (!r->known_whole && flushed < r->known.flushed_seq && !range.any) flushed = r->known.flushed_seq;
    r->image.has_log = true;
    r->image.log_segment = first;
    r->image.flushed_seq = flushed;
    return RKV_OK;
}

/* --- value log ------------------------------------------------------------------------------------------------------------------ */

/* A file that cannot be opened goes; the values in it are reported by a later verify. */
static int take_values(repair *r) {
    numbers *n = &r->found.values;
    int rc = RKV_OK;
    for (size_t i = 0; i < r->known.values_count && rc == RKV_OK && r->known_whole; i++)
        rc = edit_set_value_file(&r->image, &r->known.values[i]);
    r->image.next_value_file = n->count ? n->items[n->count - 1] + 1 : 1;
    if (r->known.next_value_file > r->image.next_value_file) r->image.next_value_file = r->known.next_value_file;
    return rc;
}

/* --- all of it ------------------------------------------------------------------------------------------------------------------- */

static int write_manifest(repair *r) {
    manifest *m = NULL;
    bool unknown;
    r->image.next_file = r->next_number + 1;
    edit_set_rdels(&r->image, r->known.rdels);
    int rc = identity_write(r->os, r->dir, &r->identity);
    if (rc == RKV_OK) rc = manifest_create(&m, r->os, r->dir, &r->identity, r->next_number, &r->image, &unknown);
    int closed = manifest_close(m);
    return rc ? rc : closed;
}

static void repair_clear(repair *r) {
    mem_free(r->found.tables.items);
    mem_free(r->found.segments.items);
    mem_free(r->found.values.items);
    mem_free(r->found.manifests.items);
    edit_clear(&r->known);
    edit_clear(&r->image);
    cache_free(r->cache);
}

int db_repair(const db_options *options, buf *report) {
    os *o = options->os ? options->os : os_posix();
    repair r = {.os = o, .dir = options->dir, .report = report};
    os_file *lock = NULL;
    char path[PATH_SIZE];
    if (!r.dir || !*r.dir || strlen(r.dir) > DIR_SIZE_MAX)
        return status_set(RKV_EINVAL, "dir: between 1 and %d bytes", DIR_SIZE_MAX);
    store_path(path, r.dir, "LOCK");
    int rc = o->ops->lock(o, &lock, path);
    if (rc) return rc;
    rc = cache_new(&r.cache, options->memory_bytes / 2);
    if (rc == RKV_OK) rc = look(&r);
    if (rc == RKV_OK) rc = read_manifests(&r);
    if (rc == RKV_OK) rc = take_tables(&r);
    if (rc == RKV_OK) rc = take_log(&r);
    if (rc == RKV_OK) rc = take_values(&r);
    if (rc == RKV_OK) rc = write_manifest(&r);
    repair_clear(&r);
    o->ops->unlock(o, lock);
    return rc;
}
