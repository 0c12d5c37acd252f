/* wal_recover.c: read the log back: what is whole, where it ends, and whether that end is legal. See wal.h for the
 * rules.
 *
 * Two passes over the segments, each read whole into one buffer. The first finds the end and the durable mark without
 * telling anybody; the second replays, so a record is never replayed before the log is known to be sound. The first is
 * in one of three states:
 *
 *                bad record, nothing good after it in the segment
 *     READING ----------------------------------------------------> PAUSED     the log ends here, or goes on
 *        ^  |   a later segment begins with the expected seq          |          in the next segment
 *        |  +---------------------------------------------------------+
 *        |        bad record, good one after it       |  a later segment has other good records
 *        +-------------------------> BROKEN <---------+                        the log ends here, and
 *                                                                               good records were lost with it
 *
 * Sizes, seqs and ids come from disk and are checked; nothing here trusts a length. Looking for good records after a
 * bad one tries every 8 bytes whose seq is possible, with a bound on the bytes summed, for a payload may be full of
 * bait.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/wal_parts.h"

enum state { READING, PAUSED, BROKEN };

static const uint64_t bait_bytes_max = 4ull << 30;

typedef struct recovery {
    const wal_options *options;
    uint64_t first_segment;
    uint64_t limit; /* what is above it may be half written: not looked at */
    bool write;
    wal_replay_fn replay;
    void *context;
    recovered *out;
    uint8_t *data; /* the segment being looked at */
    size_t capacity;
    char *path; /* its path */
    /* First pass. */
    enum state state;
    uint64_t expected;     /* seq of the next record */
    bool started;          /* a record was seen, so expected is exact; before, a lower one will do */
    bool any;              /* not started: nobody knows what is expected */
    bool finished;         /* the limit was reached */
    uint64_t durable;      /* highest mark of accepted records, and the floor */
    size_t stop;           /* PAUSED, BROKEN: segment and offset of the end */
    uint64_t stop_offset;  /* */
    uint64_t torn_bytes;   /* of a bad record at the end that was meant to be the next one */
    uint64_t lost_durable; /* BROKEN: highest mark of good records after the end */
    uint64_t lost_bytes;   /* BROKEN: from the end to the last of them */
    bool same_sector;      /* BROKEN: the first of them begins in the sector of the bad one */
    uint64_t seq_max;      /* no seq in these files can be above it */
    uint64_t bait_bytes;
} recovery;

static int corrupt(const recovery *r, uint64_t offset, const char *what) {
    return status_set(RKV_ECORRUPT, "corrupt WAL at %s:%" PRIu64 ": %s", r->path, offset, what);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

typedef struct listing {
    recovered *out;
    size_t capacity;
    int rc;
} listing;

static void list_name(void *context, const char *name) {
    listing *l = context;
    uint64_t id = segment_id_of_name(name);
    if (!id || l->rc) return;
    if (l->out->count == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 16;
        recovered_segment *grown = mem_realloc(l->out->segments, capacity * sizeof *grown);
        if (!grown) {
            l->rc = alloc_failed(capacity * sizeof *grown);
            return;
        }
        l->out->segments = grown;
        l->capacity = capacity;
    }
    l->out->segments[l->out->count++] = (recovered_segment){.id = id, .fate = FATE_FREE};
}

static int by_id(const void *a, const void *b) {
    uint64_t x = ((const recovered_segment *)a)->id, y = ((const recovered_segment *)b)->id;
    return x < y ? -1 : x > y;
}

static int list_segments(recovery *r) {
    listing l = {.out = r->out};
    os *o = r->options->os;
    int rc = o->ops->list(o, r->options->dir, list_name, &l);
    if (!rc) rc = l.rc;
    if (!rc && r->out->count) qsort(r->out->segments, r->out->count, sizeof *r->out->segments, by_id);
    return rc;
}

/* Read a file's first size_max bytes, or all, into r->data; *out_size is what there is. */
static int read_file(recovery *r, os_file *file, uint64_t size_max, uint64_t *out_size, size_t *out_got) {
    int rc = file->ops->size(file, out_size);
    if (rc) return rc;
    uint64_t want = *out_size < size_max ? *out_size : size_max;
    if (want > r->capacity) {
        mem_free(r->data);
        r->capacity = 0;
        r->data = want <= SIZE_MAX / 2 ? mem_alloc((size_t)want) : NULL;
        if (!r->data) return alloc_failed((size_t)want);
        r->capacity = (size_t)want;
    }
    return file->ops->read_at(file, 0, r->data, (size_t)want, false, out_got);
}

static int load(recovery *r, size_t i, uint64_t size_max, uint64_t *out_size, size_t *out_got) {
    segment_path(r->path, r->options->dir, r->out->segments[i].id);
    os_file *file;
    int rc = r->options->os->ops->open(r->options->os, &file, r->path, OS_READ);
    if (rc) return rc;
    rc = read_file(r, file, size_max, out_size, out_got);
    file->ops->close(file);
    return rc;
}

static bool begins_with_record(const recovery *r, uint64_t id, size_t size) {
    if (size < WAL_SEGMENT_HEADER + WAL_RECORD_HEADER) return false;
    uint32_t seed = record_seed(r->options->store_id, id);
    return record_parse(r->data + WAL_SEGMENT_HEADER, size - WAL_SEGMENT_HEADER, seed).kind != RECORD_BAD;
}

/* Is a loaded segment ours? *out_blank: it has no header of its own, so no record was ever written to it under its
 * name. */
static int check_header(recovery *r, size_t i, size_t got, bool *out_blank) {
    uint64_t id = 0, name_id = r->out->segments[i].id;
    enum header_state state = HEADER_BLANK;
    if (got >= WAL_SEGMENT_HEADER) state = segment_header_check(r->data, r->options->store_id, &id);
    if (state == HEADER_FOREIGN) return status_set(RKV_EFORMAT, "%s: log of another store", r->path);
    if (state == HEADER_NEWER) return status_set(RKV_EFORMAT, "%s: log of another format version", r->path);
    /* A lower id: it was renamed to be recycled, and the new header did not make it. A higher one: the header did, the
     * name did not; but then no record followed, for the name is synced before. */
    if (state == HEADER_OURS && id > name_id && name_id >= r->first_segment && begins_with_record(r, id, got))
        return corrupt(r, 0, "a later segment under an earlier one's name");
    *out_blank = state == HEADER_BLANK || id != name_id;
    return RKV_OK;
}

/* ---- looking beyond a bad record --------------------------------------------------------------------------------- */

typedef struct finds {
    uint64_t count, durable; /* durable: highest mark */
    uint64_t first, end;     /* offset of the first, end of the last */
} finds;

/* Could the bytes at p begin a record of this log after the expected one? Cheap, and wrong for almost everything that
 * is none. */
static bool plausible(const recovery *r, const uint8_t *p) {
    uint64_t seq = get_fixed64(p + 8), least = r->any && !r->started ? 1 : r->expected;
    return seq >= least && seq <= r->seq_max && get_fixed64(p + 16) <= seq && get_fixed32(p + 4) != 0;
}

static finds find_good(recovery *r, uint32_t seed, uint64_t from, uint64_t size) {
    finds f = {0};
    for (uint64_t at = from; at + WAL_RECORD_HEADER <= size;) {
        uint64_t step = 8;
        uint32_t field = get_fixed32(r->data + at + 4);
        uint64_t cost = field & 0x80000000u ? 0 : field;
        if (plausible(r, r->data + at) && cost <= size - at && r->bait_bytes + cost <= bait_bytes_max) {
            r->bait_bytes += cost;
            record found = record_parse(r->data + at, size - at, seed);
            if (found.kind != RECORD_BAD) {
                if (!f.count++) f.first = at;
                if (found.durable > f.durable) f.durable = found.durable;
                step = found.size;
                f.end = at + step;
            }
        }
        at += step;
    }
    return f;
}

static void add_lost(recovery *r, const finds *f, uint64_t from) {
    r->state = BROKEN;
    if (f->durable > r->lost_durable) r->lost_durable = f->durable;
    r->lost_bytes += f->end - from;
}

/* ---- first pass -------------------------------------------------------------------------------------------------- */

static bool seq_fits(const recovery *r, uint64_t seq) {
    return r->started ? seq == r->expected : seq != 0 && seq <= r->expected;
}

/* A bad record ends the segment: is there anything good behind it? */
static void stop_at(recovery *r, size_t i, uint32_t seed, uint64_t offset, uint64_t size) {
    r->state = PAUSED;
    r->stop = i;
    r->stop_offset = offset;
    r->torn_bytes = 0;
    r->same_sector = false;
    uint32_t field = get_fixed32(r->data + offset + 4);
    if (get_fixed64(r->data + offset + 8) == r->expected && field != 0 && field <= WAL_PAYLOAD_MAX)
        r->torn_bytes = record_size(field) < size - offset ? record_size(field) : size - offset;
    finds f = find_good(r, seed, offset + 8, size);
    if (!f.count) return;
    r->same_sector = f.first / WAL_SECTOR == offset / WAL_SECTOR;
    add_lost(r, &f, offset);
}

/* Read good records until one is bad or the segment ends. */
static int read_segment(recovery *r, size_t i, uint32_t seed, uint64_t size) {
    recovered_segment *s = &r->out->segments[i];
    uint64_t offset = WAL_SEGMENT_HEADER;
    /* A file shorter than its header is blank and does not get here. */
    while (size - offset >= WAL_RECORD_HEADER) {
        r->finished = r->started && r->expected > r->limit;
        if (r->finished) break;
        record found = record_parse(r->data + offset, size - offset, seed);
        if (found.kind == RECORD_BAD) {
            stop_at(r, i, seed, offset, size);
            break;
        }
        if (found.durable > found.seq) return corrupt(r, offset, "a mark above its own record");
        bool fits = found.kind == RECORD_DATA ? seq_fits(r, found.seq) : !r->started || found.seq == r->expected - 1;
        if (!fits) return corrupt(r, offset, "a hole in the sequence");
        if (found.kind == RECORD_DATA) {
            r->expected = found.seq + 1;
            r->started = true;
            s->fate = FATE_LIVE;
            s->last_seq = found.seq;
        }
        if (found.durable > r->durable) r->durable = found.durable;
        if (found.kind == RECORD_END) {
            s->end = offset;
            break;
        }
        offset += found.size;
    }
    return RKV_OK;
}

/* A segment after the end that was found. If that end was clean and what is bad is here, it ends here. */
static void look_behind(recovery *r, size_t i, uint32_t seed, uint64_t size, enum record_kind first) {
    if (r->state == PAUSED && !r->torn_bytes && first == RECORD_BAD) {
        if (size >= WAL_SEGMENT_HEADER + WAL_RECORD_HEADER) stop_at(r, i, seed, WAL_SEGMENT_HEADER, size);
        return;
    }
    finds f = find_good(r, seed, WAL_SEGMENT_HEADER, size);
    if (!f.count) return;
    add_lost(r, &f, WAL_SEGMENT_HEADER);
    r->out->segments[i].fate = FATE_ERASE;
}

static int check_segment(recovery *r, size_t i) {
    recovered_segment *s = &r->out->segments[i];
    bool needed = s->id >= r->first_segment, blank = true;
    size_t got = 0;
    if (r->finished) return RKV_OK;
    int rc = load(r, i, needed ? UINT64_MAX : WAL_SEGMENT_HEADER, &s->size, &got);
    if (rc == RKV_NOTFOUND && !r->write)
        return RKV_OK; /* an open log has renamed it since; one that is needed leaves a hole */
    if (!rc) rc = check_header(r, i, got, &blank);
    if (rc || !needed) return rc;
    uint64_t size = got;
    uint32_t seed = record_seed(r->options->store_id, s->id);
    if (!r->any) r->seq_max += size / WAL_RECORD_HEADER;
    if (blank) return find_good(r, seed, 0, size).count ? corrupt(r, 0, "records behind a bad header") : RKV_OK;
    record first = {.kind = RECORD_BAD};
    if (size >= WAL_SEGMENT_HEADER + WAL_RECORD_HEADER)
        first = record_parse(r->data + WAL_SEGMENT_HEADER, size - WAL_SEGMENT_HEADER, seed);
    if (r->state == PAUSED && first.kind == RECORD_DATA && seq_fits(r, first.seq)) r->state = READING;
    if (r->state == READING) return read_segment(r, i, seed, size);
    look_behind(r, i, seed, size, first.kind);
    return RKV_OK;
}

/* Is the end that was found a legal one? */
static int check_end(recovery *r) {
    bool stopped = r->state != READING;
    if (stopped) segment_path(r->path, r->options->dir, r->out->segments[r->stop].id);
    if (r->state == BROKEN && r->lost_durable >= r->expected)
        return corrupt(r, r->stop_offset, "a bad record that was synced, by the mark of a later one");
    if (r->state == BROKEN && r->same_sector)
        return corrupt(r, r->stop_offset, "a bad record before a good one in the same sector");
    if (r->any && !r->started) return r->state == BROKEN ? corrupt(r, r->stop_offset, "a bad first record") : RKV_OK;
    if (r->lost_durable > r->durable) r->durable = r->lost_durable;
    if (r->expected > r->options->durable_floor) return RKV_OK;
    if (stopped) return corrupt(r, r->stop_offset, "the log ends before what was synced");
    return status_set(RKV_ECORRUPT, "corrupt WAL at %s: it ends at seq %" PRIu64 ", %" PRIu64 " was synced",
                      r->options->dir, r->expected - 1, r->options->durable_floor);
}

/* ---- second pass ------------------------------------------------------------------------------------------------- */

/* The callback gave up the record at offset of segment i: the log ends before it. records_before: in the segment. */
static int cut_by_caller(recovery *r, size_t i, uint64_t offset, const record *at, bool records_before) {
    if (at->seq <= r->durable) return corrupt(r, offset, "a synced record whose values are gone");
    r->state = BROKEN;
    r->stop = i;
    r->stop_offset = offset;
    r->lost_bytes = at->size;
    r->expected = at->seq;
    r->out->segments[i].last_seq = at->seq - 1;
    r->out->segments[i].end = 0;
    if (!records_before) r->out->segments[i].fate = FATE_FREE;
    for (size_t j = i + 1; j < r->out->count; j++) r->out->segments[j].fate = FATE_ERASE;
    return RKV_OK;
}

/* Replay one loaded segment up to its last accepted record. *out_from, *out_end: the bytes of its records that are not
 * known to be synced; *out_from 0: none. */
static int replay_segment(recovery *r, size_t i, uint64_t size, uint64_t *out_from, uint64_t *out_end) {
    recovered_segment *s = &r->out->segments[i];
    uint32_t seed = record_seed(r->options->store_id, s->id);
    uint64_t offset = WAL_SEGMENT_HEADER, seq = 0;
    *out_from = 0;
    while (seq < s->last_seq) {
        record at = {.kind = RECORD_BAD};
        if (size - offset >= WAL_RECORD_HEADER) at = record_parse(r->data + offset, size - offset, seed);
        if (at.kind == RECORD_BAD || at.kind == RECORD_END)
            return corrupt(r, offset, "a record that was good a moment ago");
        if (at.kind == RECORD_DATA) {
            int rc = r->replay ? r->replay(r->context, at.seq, at.seq <= r->durable, at.payload) : RKV_OK;
            if (rc == RKV_END) {
                rc = cut_by_caller(r, i, offset, &at, seq > 0);
                if (rc) return rc;
                break;
            }
            if (rc) return rc;
            seq = at.seq;
            r->out->report.records++;
            r->out->report.bytes += at.payload.size;
            if (seq > r->durable && !*out_from) *out_from = offset;
        }
        offset += at.size;
    }
    /* The end that an earlier recovery wrote may be unsynced as well. */
    if (s->end && !*out_from) *out_from = s->end;
    *out_end = s->end ? s->end + WAL_RECORD_HEADER : offset;
    s->unsynced = *out_from != 0;
    return RKV_OK;
}

/* Write bytes of the segment, in r->path, that are there already or are to be; synced: and sync it. */
static int write_bytes(recovery *r, uint64_t offset, const uint8_t *data, uint64_t size, bool synced) {
    os_file *file;
    int rc = r->options->os->ops->open(r->options->os, &file, r->path, OS_WRITE);
    if (rc) return rc;
    rc = file->ops->write_at(file, offset, data, (size_t)size);
    if (!rc && synced) rc = file->ops->sync(file);
    int closed = file->ops->close(file);
    return rc ? rc : closed;
}

static int replay_all(recovery *r) {
    for (size_t i = 0; i < r->out->count; i++) {
        if (r->out->segments[i].fate != FATE_LIVE) continue;
        uint64_t size, from = 0, end = 0;
        size_t got = 0;
        int rc = load(r, i, UINT64_MAX, &size, &got);
        if (!rc) rc = replay_segment(r, i, got, &from, &end);
        /* The page cache may have it and the medium not, without knowing so (a failed sync): written again, it is
         * dirty. */
        if (!rc && r->write && from) rc = write_bytes(r, from, r->data + from, end - from, false);
        if (rc) return rc;
    }
    return RKV_OK;
}

/* ---- the cut ----------------------------------------------------------------------------------------------------- */

/* Unlink what must never be seen again, for good, and take it out of the list. */
static int erase(recovery *r) {
    os *o = r->options->os;
    size_t kept = 0;
    for (size_t i = 0; i < r->out->count; i++) {
        recovered_segment *s = &r->out->segments[i];
        if (s->fate != FATE_ERASE) {
            r->out->segments[kept++] = *s;
            continue;
        }
        segment_path(r->path, r->options->dir, s->id);
        int rc = o->ops->unlink(o, r->path);
        if (rc) return rc;
    }
    if (kept == r->out->count) return RKV_OK;
    r->out->count = kept;
    return o->ops->sync_dir(o, r->options->dir);
}

/* Make the end that was found the end for ever, before other records get the seqs of those given up. The files beyond
 * it go first, and for good: once the end is written, or its segment gone, records in them would look like a hole. A
 * segment of which nothing counts goes as a whole: recycled, its old records might show under a half-made header. */
static int cut(recovery *r) {
    bool torn = r->state == BROKEN || (r->state == PAUSED && r->torn_bytes);
    if (!torn) return RKV_OK;
    wal_recovery *report = &r->out->report;
    recovered_segment *s = &r->out->segments[r->stop];
    segment_path(r->path, r->options->dir, s->id);
    report->cut_bytes = r->state == BROKEN ? r->lost_bytes : r->torn_bytes;
    snprintf(report->cut_at, sizeof report->cut_at, "%s:%" PRIu64, r->path, r->stop_offset);
    if (!r->write) return RKV_OK;
    int rc = erase(r); /* none of these is before s, so s stays where it is */
    if (rc) return rc;
    if (s->fate != FATE_LIVE) {
        s->fate = FATE_ERASE;
        return erase(r);
    }
    uint8_t end[WAL_RECORD_HEADER];
    record_header(end, record_seed(r->options->store_id, s->id), WAL_SIZE_END, r->expected - 1, r->durable,
                  slice_of(NULL, 0));
    segment_path(r->path, r->options->dir, s->id);
    return write_bytes(r, r->stop_offset, end, sizeof end, true);
}

int recover_run(recovered *out, const wal_options *options, const recover_scope *scope, wal_replay_fn replay,
                void *context) {
    recovery r = {.options = options, .first_segment = scope->first_segment, .limit = scope->limit, .out = out};
    r.write = scope->write;
    r.replay = replay;
    r.context = context;
    r.any = scope->next_seq_min == WAL_SEQ_ANY;
    r.expected = r.seq_max = scope->next_seq_min ? scope->next_seq_min : 1;
    r.durable = options->durable_floor;
    uint64_t least = r.any ? 1 : r.expected;
    *out = (recovered){0};
    r.path = mem_alloc(segment_path_size(options->dir));
    int rc = r.path ? list_segments(&r) : alloc_failed(segment_path_size(options->dir));
    out->next_id = out->count ? out->segments[out->count - 1].id + 1 : 1;
    for (size_t i = 0; i < out->count && !rc; i++) rc = check_segment(&r, i);
    if (!rc) rc = check_end(&r);
    if (!rc) rc = replay_all(&r);
    if (!rc) rc = cut(&r);
    mem_free(r.data);
    mem_free(r.path);
    if (rc) {
        mem_free(out->segments);
        *out = (recovered){0};
        return rc;
    }
    /* Records below next_seq_min may be all there is; their seqs are taken all the same. */
    out->next_seq = r.started && r.expected > least ? r.expected : least;
    out->durable = r.durable;
    out->report.last_seq = out->next_seq - 1;
    return RKV_OK;
}
