/* wal_sync.c: when and how the log reaches the medium; see wal_parts.h.
 *
 * One sync at a time takes all unsynced segments, oldest first, so a record is never durable before the ones before it.
 * Appends go on meanwhile and belong to the next sync: that is the group commit.
 *
 * The thread's waits are real time, whatever os the log is on: a simulation has no threads.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/status.h"
#include "lsm/wal_parts.h"

enum { PERIOD_NS = 1000000000 };

uint64_t sync_clock(void) {
    os *real = os_posix();
    return real->ops->mono_ns(real);
}

/* Take what is unsynced: a list by to_sync, oldest first. */
static segment *take_unsynced(wal *w) {
    segment *first = NULL, **end = &first;
    for (segment *s = w->live; s; s = s->next) {
        if (!s->unsynced) continue;
        s->unsynced = false;
        s->busy = true;
        s->to_sync = NULL;
        *end = s;
        end = &s->to_sync;
    }
    return first;
}

static int sync_list(wal *w, segment *list) {
    int rc = w->options.before_sync ? w->options.before_sync(w->options.context) : RKV_OK;
    for (segment *s = list; s && !rc; s = s->to_sync) rc = s->file->ops->sync(s->file);
    return rc;
}

static void tell(wal *w) {
    if (!w->options.on_durable) return;
    pthread_mutex_unlock(&w->lock);
    w->options.on_durable(w->options.context);
    pthread_mutex_lock(&w->lock);
}

int sync_run(wal *w) {
    assert(!w->syncing);
    uint64_t target = atomic_load(&w->last_seq);
    segment *list = take_unsynced(w);
    w->syncing = true;
    w->dirty = false;
    w->sync_begin_ns = sync_clock();
    pthread_mutex_unlock(&w->lock);
    int rc = sync_list(w, list);
    uint64_t end_ns = sync_clock();
    pthread_mutex_lock(&w->lock);
    w->syncing = false;
    w->sync_end_ns = end_ns;
    w->stats.syncs++;
    w->stats.sync_ns += end_ns - w->sync_begin_ns;
    for (segment *s = list; s; s = s->to_sync) s->busy = false;
    if (rc)
        wal_fail(w, rc);
    else
        atomic_store(&w->durable, target);
    segment_retire(w);
    pthread_cond_broadcast(&w->changed);
    char text[WAL_FAILURE_TEXT];
    if (rc) snprintf(text, sizeof text, "%s", status_text());
    tell(w);
    return rc ? status_set(rc, "%s", text) : RKV_OK;
}

static bool mark_is_news(const wal *w) {
    uint64_t last = atomic_load(&w->last_seq);
    return !w->dirty && !atomic_load(&w->failure) && atomic_load(&w->durable) == last && w->marked < last &&
           w->active->size - w->active->used >= WAL_RECORD_HEADER;
}

int sync_mark(wal *w) {
    if (!mark_is_news(w)) return RKV_OK;
    uint64_t last = atomic_load(&w->last_seq);
    int rc = segment_append(w, WAL_SIZE_MARK, last, slice_of(NULL, 0));
    if (!rc) w->marked = last;
    return rc;
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

/* When something is to be done if nothing happens before; 0: now; UINT64_MAX: never. */
static uint64_t next_work(const wal *w) {
    if (atomic_load(&w->failure) || w->policy == WAL_NO || w->syncing) return UINT64_MAX;
    if (w->dirty) return w->policy == WAL_ALWAYS ? 0 : w->sync_begin_ns + PERIOD_NS;
    return mark_is_news(w) ? w->sync_end_ns + PERIOD_NS : UINT64_MAX;
}

static void wait_until(wal *w, uint64_t when_ns) {
    if (when_ns == UINT64_MAX) {
        pthread_cond_wait(&w->wake_sync, &w->lock);
        return;
    }
    struct timespec when = {(time_t)(when_ns / PERIOD_NS), (long)(when_ns % PERIOD_NS)};
    pthread_cond_timedwait(&w->wake_sync, &w->lock, &when);
}

void *sync_main(void *wal_) {
    wal *w = wal_;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        uint64_t when_ns = next_work(w);
        if (when_ns > sync_clock())
            wait_until(w, when_ns);
        else if (w->dirty)
            sync_run(w); /* a failure is remembered */
        else
            sync_mark(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}
