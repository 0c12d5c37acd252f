/* wal_segment.c: segments of the open log: made, filled, switched, recycled; see wal_parts.h.
 *
 * Making one, new or recycled: create and pre-write, or rename; header; sync; sync the directory; map. Only then may a
 * record go in. Whatever fails on the way, the file is dropped: a file whose sync failed is never synced again.
 */
#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/wal_parts.h"

static segment *segment_new(const wal_options *options, uint64_t id, uint64_t size) {
    size_t path_size = segment_path_size(options->dir);
    segment *s = mem_zalloc(sizeof *s + path_size);
    if (!s) return NULL;
    s->id = id;
    s->size = size;
    s->used = WAL_SEGMENT_HEADER;
    s->seed = record_seed(options->store_id, id);
    segment_path(s->path, options->dir, id);
    return s;
}

int segment_open(segment **out, const wal_options *options, uint64_t id, uint64_t size) {
    segment *s = segment_new(options, id, size);
    if (!s) return alloc_failed(sizeof *s);
    int rc = options->os->ops->open(options->os, &s->file, s->path, OS_WRITE);
    if (rc) {
        mem_free(s);
        return rc;
    }
    *out = s;
    return RKV_OK;
}

static void segment_unmap(segment *s) {
    if (s->base) s->file->ops->unmap(s->file, s->base, (size_t)s->size);
    s->base = NULL;
}

int segment_close(const wal_options *options, segment *s, bool unlink) {
    int rc = RKV_OK;
    segment_unmap(s);
    if (s->file) rc = s->file->ops->close(s->file);
    if (unlink) {
        int gone = options->os->ops->unlink(options->os, s->path);
        if (!rc) rc = gone;
    }
    mem_free(s);
    return rc;
}

/* ---- making one -------------------------------------------------------------------------------------------------- */

static int segment_begin(const wal_options *options, segment *s) {
    uint8_t header[WAL_SEGMENT_HEADER];
    segment_header(header, options->store_id, s->id);
    int rc = s->file->ops->write_at(s->file, 0, header, sizeof header);
    if (!rc) rc = s->file->ops->sync(s->file);
    if (!rc) rc = options->os->ops->sync_dir(options->os, options->dir);
    if (rc || !options->mapped) return rc;
    rc = s->file->ops->map(s->file, (size_t)s->size, &s->base);
    return rc == RKV_EINVAL ? RKV_OK : rc; /* not here: write_at then */
}

static int segment_create(const wal_options *options, segment *s) {
    int rc = options->os->ops->open(options->os, &s->file, s->path, OS_CREATE);
    if (!rc) rc = s->file->ops->preallocate(s->file, s->size);
    return rc ? rc : segment_begin(options, s);
}

static int segment_recycle(const wal_options *options, segment *s, uint64_t id) {
    char *path = mem_alloc(segment_path_size(options->dir));
    if (!path) return alloc_failed(segment_path_size(options->dir));
    segment_path(path, options->dir, id);
    int rc = options->os->ops->rename(options->os, s->path, path);
    if (!rc) {
        /* A sync has made its pages read-only. Mapped anew, one fault makes many of them writable; kept, each
         * faults. */
        segment_unmap(s);
        strcpy(s->path, path);
        s->id = id;
        s->used = WAL_SEGMENT_HEADER;
        s->seed = record_seed(options->store_id, id);
        s->unsynced = false;
        rc = segment_begin(options, s);
    }
    mem_free(path);
    return rc;
}

/* Take a spare if there is one of the right size, or a new one. */
static segment *take_spare(wal *w, uint64_t id, uint64_t size) {
    segment *s = size == w->options.segment_bytes ? w->spare : NULL;
    if (!s) return segment_new(&w->options, id, size);
    w->spare = s->next;
    w->spare_count--;
    return s;
}

/* What prepare_sized does outside the lock. A segment that cannot be had is closed. */
static int make_ready(const wal_options *options, segment *s, uint64_t id) {
    int rc = s->file ? segment_recycle(options, s, id) : segment_create(options, s);
    if (!rc) return RKV_OK;
    char text[WAL_FAILURE_TEXT];
    snprintf(text, sizeof text, "%s", status_text());
    segment_close(options, s, s->file != NULL); /* if it was not even created, the file is not ours */
    return status_set(rc, "%s", text);
}

static int prepare_sized(wal *w, uint64_t size) {
    assert(!w->preparing && !w->next);
    uint64_t id = w->next_id++;
    segment *s = take_spare(w, id, size);
    bool recycled = s && s->file;
    w->preparing = true;
    w->prepare_wanted = false;
    pthread_mutex_unlock(&w->lock);
    int rc = s ? make_ready(&w->options, s, id) : alloc_failed(sizeof *s);
    pthread_mutex_lock(&w->lock);
    w->preparing = false;
    w->prepare_attempts++;
    w->prepare_status = rc;
    w->prepare_held = rc != RKV_OK;
    if (s && !rc) {
        s->next = NULL;
        w->next = s;
        w->stats.recycled += recycled;
    } else {
        snprintf(w->prepare_text, sizeof w->prepare_text, "%s", status_text());
        if (rc != RKV_ENOSPC && rc != RKV_ENOMEM) wal_fail(w, rc);
    }
    pthread_cond_broadcast(&w->changed);
    return rc;
}

int prepare_next(wal *w) {
    return prepare_sized(w, w->options.segment_bytes);
}

/* ---- the preparing thread ---------------------------------------------------------------------------------------- */

/* Close and unlink what is trash. An unlink that fails leaves a file that the next start removes. */
static void empty_trash(wal *w) {
    while (w->trash) {
        segment *s = w->trash;
        w->trash = s->next;
        pthread_mutex_unlock(&w->lock);
        segment_close(&w->options, s, true);
        pthread_mutex_lock(&w->lock);
    }
}

/* A quarter of a segment is time enough to write the next one. */
static bool next_is_due(const wal *w) {
    if (w->next || w->preparing || atomic_load(&w->failure)) return false;
    return w->prepare_wanted || (!w->prepare_held && w->active->used > w->active->size / 4);
}

void *prepare_main(void *wal_) {
    wal *w = wal_;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        if (next_is_due(w))
            prepare_next(w);
        else if (w->trash)
            empty_trash(w);
        else
            pthread_cond_wait(&w->wake_prepare, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- the owner's side -------------------------------------------------------------------------------------------- */

/* Wait for the end of one attempt, or make it. */
static int next_get(wal *w) {
    if (w->next) return RKV_OK;
    if (!w->threads_run) return prepare_next(w);
    uint64_t seen = w->prepare_attempts;
    w->prepare_wanted = true;
    pthread_cond_signal(&w->wake_prepare);
    while (!w->next && w->prepare_attempts == seen) pthread_cond_wait(&w->changed, &w->lock);
    if (w->next) return RKV_OK;
    int rc = wal_check(w);
    return rc ? rc : status_set(w->prepare_status, "%s", w->prepare_text);
}

/* A segment of its own for one record. What was prepared has a lower id, so it is to be renamed. */
static int next_get_sized(wal *w, uint64_t size) {
    while (w->preparing) pthread_cond_wait(&w->changed, &w->lock);
    segment *unused = w->next;
    if (unused) {
        unused->next = w->spare;
        w->spare = unused;
        w->spare_count++;
        w->next = NULL;
    }
    return prepare_sized(w, size);
}

int segment_switch(wal *w, uint64_t need) {
    uint64_t size = WAL_SEGMENT_HEADER + need;
    int rc = size > w->options.segment_bytes ? next_get_sized(w, (size + 4095) & ~(uint64_t)4095) : next_get(w);
    if (rc) return rc;
    segment *s = w->next;
    w->next = NULL;
    *(w->active ? &w->active->next : &w->live) = s;
    w->active = s;
    w->stats.segments++;
    segment_retire(w);
    return RKV_OK;
}

void segment_retire(wal *w) {
    while (!w->readers && w->live != w->active && w->live->id < w->first_needed && !w->live->busy) {
        segment *s = w->live;
        w->live = s->next;
        w->stats.segments--;
        bool keep = s->size == w->options.segment_bytes && w->spare_count < WAL_SPARE_MAX;
        s->next = keep ? w->spare : w->trash;
        *(keep ? &w->spare : &w->trash) = s;
        w->spare_count += keep;
        w->prepare_held = false;
    }
    if (!w->trash) return;
    if (w->threads_run)
        pthread_cond_signal(&w->wake_prepare);
    else
        empty_trash(w);
}

/* The two parts of a record: small ones in one call, from a copy. Of large ones the payload goes first: a header
 * without its payload would look like a torn record. */
static int write_record(wal *w, segment *s, const uint8_t header[WAL_RECORD_HEADER], slice payload) {
    if (WAL_RECORD_HEADER + payload.size <= WAL_SCRATCH) {
        memcpy(w->scratch, header, WAL_RECORD_HEADER);
        if (payload.size) memcpy(w->scratch + WAL_RECORD_HEADER, payload.data, payload.size);
        return s->file->ops->write_at(s->file, s->used, w->scratch, WAL_RECORD_HEADER + payload.size);
    }
    int rc = s->file->ops->write_at(s->file, s->used + WAL_RECORD_HEADER, payload.data, payload.size);
    return rc ? rc : s->file->ops->write_at(s->file, s->used, header, WAL_RECORD_HEADER);
}

int segment_append(wal *w, uint32_t size_field, uint64_t seq, slice payload) {
    segment *s = w->active;
    assert(record_size(payload.size) <= s->size - s->used);
    uint8_t header[WAL_RECORD_HEADER];
    record_header(header, s->seed, size_field, seq, atomic_load(&w->durable), payload);
    if (s->base && w->policy != WAL_ALWAYS && payload.size <= WAL_STORE_MAX) {
        uint8_t *p = s->base + s->used;
        if (payload.size) memcpy(p + WAL_RECORD_HEADER, payload.data, payload.size);
        memcpy(p, header, WAL_RECORD_HEADER);
    } else {
        int rc = write_record(w, s, header, payload);
        if (rc && rc != RKV_ENOSPC) wal_fail(w, rc);
        if (rc) return rc;
    }
    uint64_t before = s->used;
    s->used += record_size(payload.size);
    s->unsynced = true;
    w->stats.bytes_written += s->used - before;
    if (!w->dirty) {
        w->dirty = true;
        if (w->threads_run) pthread_cond_signal(&w->wake_sync);
    }
    if (w->threads_run && before <= s->size / 4 && s->used > s->size / 4) pthread_cond_signal(&w->wake_prepare);
    return RKV_OK;
}
