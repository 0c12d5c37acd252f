/* wal.c: the write-ahead log as its users see it; see wal.h. Segments are in wal_segment.c, syncs in wal_sync.c,
 * reading back in wal_recover.c, the bytes in wal_format.c. */
#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/wal_parts.h"

enum { SEGMENT_BYTES = 64 << 20, SEGMENT_UNIT = 4096 };

int wal_check(const wal *w) {
    if (!atomic_load(&w->failure)) return RKV_OK;
    return status_set(RKV_EREADONLY, "write-ahead log has failed: %s", w->failure_text);
}

void wal_fail(wal *w, int rc) {
    if (atomic_load(&w->failure)) return;
    snprintf(w->failure_text, sizeof w->failure_text, "%s", status_text());
    atomic_store(&w->failure, rc);
}

/* ---- open -------------------------------------------------------------------------------------------------------- */

static void list_close(wal *w, segment *list, int *rc) {
    while (list) {
        segment *s = list;
        list = s->next;
        int closed = segment_close(&w->options, s, false);
        if (!*rc) *rc = closed;
    }
}

static int wal_free(wal *w) {
    int rc = RKV_OK, ignored = RKV_OK;
    list_close(w, w->live, &rc);
    list_close(w, w->next, &ignored); /* these hold nothing */
    list_close(w, w->spare, &ignored);
    list_close(w, w->trash, &ignored);
    pthread_cond_destroy(&w->wake_sync);
    pthread_cond_destroy(&w->wake_prepare);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    mem_free((char *)w->options.dir);
    mem_free(w->scratch);
    mem_free(w);
    return rc;
}

/* NULL: out of memory, said so. */
static wal *wal_new(const wal_options *options) {
    size_t size = strlen(options->dir) + 1;
    wal *w = mem_zalloc(sizeof *w);
    char *dir = mem_alloc(size);
    uint8_t *scratch = mem_alloc(WAL_SCRATCH);
    if (!w || !dir || !scratch) {
        mem_free(w);
        mem_free(dir);
        mem_free(scratch);
        alloc_failed(sizeof *w + size + WAL_SCRATCH);
        return NULL;
    }
    uint64_t bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES;
    w->options = *options;
    w->options.segment_bytes = (bytes + SEGMENT_UNIT - 1) & ~(uint64_t)(SEGMENT_UNIT - 1);
    w->options.dir = memcpy(dir, options->dir, size);
    w->policy = options->policy;
    w->scratch = scratch;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake_sync, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&w->wake_prepare, NULL);
    pthread_cond_init(&w->changed, NULL);
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

static int adopt_live(wal *w, const recovered_segment *r) {
    segment *s;
    int rc = segment_open(&s, &w->options, r->id, r->size);
    if (rc) return rc;
    s->unsynced = r->unsynced;
    w->dirty |= r->unsynced;
    *(w->active ? &w->active->next : &w->live) = s;
    w->active = s;
    w->stats.segments++;
    return RKV_OK;
}

/* Spares are kept, within bounds; the rest goes. */
static int adopt_free(wal *w, const recovered_segment *r) {
    segment *s;
    int rc = segment_open(&s, &w->options, r->id, r->size);
    if (rc) return rc;
    bool keep = r->size == w->options.segment_bytes && w->spare_count < WAL_SPARE_MAX;
    if (!keep) return segment_close(&w->options, s, true);
    s->next = w->spare;
    w->spare = s;
    w->spare_count++;
    return RKV_OK;
}

/* Take over what recovery found, in order of id, and begin the new segment. */
static int wal_adopt(wal *w, const recovered *r, uint64_t first_segment) {
    w->first_needed = first_segment;
    w->next_id = r->next_id > first_segment ? r->next_id : first_segment;
    atomic_store(&w->last_seq, r->next_seq - 1);
    atomic_store(&w->durable, r->durable < r->next_seq ? r->durable : r->next_seq - 1);
    w->marked = atomic_load(&w->durable);
    for (size_t i = 0; i < r->count; i++) {
        const recovered_segment *found = &r->segments[i];
        int rc = found->fate == FATE_LIVE ? adopt_live(w, found) : adopt_free(w, found);
        if (rc) return rc;
    }
    /* Nothing unsynced in the log: everything up to its end is durable, be it in tables. */
    if (!w->dirty) atomic_store(&w->durable, atomic_load(&w->last_seq));
    return segment_switch(w, 0);
}

static int threads_start(wal *w) {
    if (!w->options.threads) return RKV_OK;
    w->threads_run = true;
    int failed = pthread_create(&w->sync_thread, NULL, sync_main, w);
    if (failed) {
        w->threads_run = false;
        return status_errno(failed, "write-ahead log: thread");
    }
    failed = pthread_create(&w->prepare_thread, NULL, prepare_main, w);
    if (!failed) return RKV_OK;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake_sync);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->sync_thread, NULL);
    w->threads_run = false;
    return status_errno(failed, "write-ahead log: thread");
}

int wal_open(wal **out, const wal_options *options, uint64_t first_segment, uint64_t next_seq_min, wal_replay_fn replay,
             void *context, wal_recovery *out_recovery) {
    wal *w = wal_new(options);
    if (!w) return RKV_ENOMEM;
    recovered r = {0};
    const recover_scope all = {first_segment, next_seq_min, UINT64_MAX, true};
    int rc = recover_run(&r, &w->options, &all, replay, context);
    if (!rc) {
        pthread_mutex_lock(&w->lock);
        rc = wal_adopt(w, &r, first_segment);
        pthread_mutex_unlock(&w->lock);
    }
    if (!rc) rc = threads_start(w);
    mem_free(r.segments);
    if (rc) {
        char text[WAL_FAILURE_TEXT];
        snprintf(text, sizeof text, "%s", status_text());
        wal_free(w);
        return status_set(rc, "%s", text);
    }
    *out_recovery = r.report;
    *out = w;
    return RKV_OK;
}

int wal_replay(const wal_options *options, uint64_t first_segment, uint64_t next_seq_min, wal_replay_fn replay,
               void *context, wal_recovery *out_recovery) {
    recovered r = {0};
    const recover_scope all = {first_segment, next_seq_min, UINT64_MAX, false};
    int rc = recover_run(&r, options, &all, replay, context);
    mem_free(r.segments);
    if (!rc) *out_recovery = r.report;
    return rc;
}

/* ---- close ------------------------------------------------------------------------------------------------------- */

static void threads_stop(wal *w) {
    if (!w->threads_run) return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake_sync);
    pthread_cond_signal(&w->wake_prepare);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->sync_thread, NULL);
    pthread_join(w->prepare_thread, NULL);
    w->threads_run = false;
}

int wal_close(wal *w) {
    if (!w) return RKV_OK;
    threads_stop(w);
    pthread_mutex_lock(&w->lock);
    int rc = wal_check(w);
    if (!rc && w->dirty) rc = sync_run(w);
    /* The mark covers the last records: after this stop, damage to any of them is told from a torn tail. */
    if (!rc) rc = sync_mark(w);
    if (!rc && w->dirty) rc = sync_run(w);
    segment_retire(w); /* without threads, this also removes the files of what is trash */
    pthread_mutex_unlock(&w->lock);
    int closed = wal_free(w);
    return rc ? rc : closed;
}

/* ---- use --------------------------------------------------------------------------------------------------------- */

static int append_locked(wal *w, slice payload, uint64_t *out_seq) {
    int rc = wal_check(w);
    uint64_t need = record_size(payload.size);
    if (!rc && need > w->active->size - w->active->used) rc = segment_switch(w, need);
    uint64_t seq = atomic_load(&w->last_seq) + 1;
    if (!rc) rc = segment_append(w, (uint32_t)payload.size, seq, payload);
    if (rc) return rc;
    atomic_store(&w->last_seq, seq);
    w->stats.records++;
    *out_seq = seq;
    return RKV_OK;
}

int wal_append(wal *w, slice payload, uint64_t *out_seq) {
    if (!payload.size) return status_set(RKV_EINVAL, "write-ahead log: empty record");
    if (payload.size > WAL_PAYLOAD_MAX)
        return status_set(RKV_ETOOBIG, "write-ahead log: record of %zu bytes", payload.size);
    pthread_mutex_lock(&w->lock);
    int rc = append_locked(w, payload, out_seq);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

int wal_rotate(wal *w, uint64_t *out_segment) {
    pthread_mutex_lock(&w->lock);
    int rc = wal_check(w);
    if (!rc && w->active->used > WAL_SEGMENT_HEADER) rc = segment_switch(w, 0);
    if (!rc) *out_segment = w->active->id;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

void wal_release(wal *w, uint64_t first_segment) {
    pthread_mutex_lock(&w->lock);
    if (first_segment > w->first_needed) w->first_needed = first_segment;
    segment_retire(w);
    pthread_mutex_unlock(&w->lock);
}

int wal_sync(wal *w) {
    pthread_mutex_lock(&w->lock);
    while (w->syncing) pthread_cond_wait(&w->changed, &w->lock);
    int rc = wal_check(w);
    if (!rc && w->dirty) rc = sync_run(w);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

int wal_verify(wal *w) {
    pthread_mutex_lock(&w->lock);
    w->readers++;
    uint64_t last = atomic_load(&w->last_seq);
    const recover_scope live = {w->live->id, WAL_SEQ_ANY, last, false};
    pthread_mutex_unlock(&w->lock);
    wal_options options = w->options;
    options.durable_floor = last; /* all of it must be there */
    recovered r;
    int rc = recover_run(&r, &options, &live, NULL, NULL);
    mem_free(r.segments);
    pthread_mutex_lock(&w->lock);
    w->readers--;
    if (w->threads_run) segment_retire(w); /* else the owner's next call does */
    pthread_mutex_unlock(&w->lock);
    return rc;
}

void wal_set_policy(wal *w, enum wal_policy policy) {
    pthread_mutex_lock(&w->lock);
    w->policy = policy;
    pthread_cond_signal(&w->wake_sync);
    pthread_mutex_unlock(&w->lock);
}

uint64_t wal_last_seq(const wal *w) {
    return atomic_load(&w->last_seq);
}

uint64_t wal_durable(const wal *w) {
    return atomic_load(&w->durable);
}

int wal_failure(const wal *w) {
    return atomic_load(&w->failure);
}

void wal_get_stats(const wal *w, wal_stats *out) {
    pthread_mutex_t *lock = (pthread_mutex_t *)&w->lock; /* locking changes nothing that a reader sees */
    pthread_mutex_lock(lock);
    *out = w->stats;
    pthread_mutex_unlock(lock);
}
