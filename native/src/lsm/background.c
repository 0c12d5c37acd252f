/* background.c: the threads of flush and compaction, the same work step by step without them, and who waits for it; see db.h.
 *
 * The flush thread clears away what readers leave behind, too, and looks at the free space once a second. The compaction thread
 * runs at nice 5: the owner and the flush come first, level 0 before deeper levels (pick.h).
 */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/status.h"
#include "lsm/db_parts.h"
#include "lsm/pace.h"

enum {
    COMPACTION_NICE = 5,
    LOOK_MS = 1000,     /* free space, expiry */
    TRY_AGAIN_MS = 100, /* after a failure that may pass */
};

void event_signal(db *d) {
    uint64_t one = 1;
    if (write(d->event, &one, sizeof one) < 0) return; /* full: it is readable already */
}

void db_event_clear(db *d) {
    uint64_t n;
    if (read(d->event, &n, sizeof n) < 0) n = 0; /* nothing was told */
    picture_now(d);                              /* lets go of what the picture before keeps */
}

int db_event_fd(const db *d) {
    return d->event;
}

void background_wake(db *d) {
    d->work_number++;
    pthread_cond_broadcast(&d->work);
}

/* Wait for work at most so long, in real time whatever the os tells. Under lock. */
static void wait_work(db *d, unsigned ms) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&d->work, &d->lock, &until);
}

static bool may_pass(int rc) {
    return rc == RKV_ENOSPC || rc == RKV_ENOMEM;
}

/* Under lock. */
static bool flush_pending(db *d) {
    return tidy_pending(d) || (d->current->mem_count > 1 && atomic_load(&d->failure) != RKV_EREADONLY);
}

static void *flush_main(void *context) {
    db *d = context;
    pthread_mutex_lock(&d->lock);
    while (!atomic_load(&d->closing)) {
        d->flush_busy = true;
        pthread_mutex_unlock(&d->lock);
        int rc = flush_unit(d);
        pthread_mutex_lock(&d->lock);
        d->flush_busy = false;
        pthread_cond_broadcast(&d->done);
        if (may_pass(rc))
            wait_work(d, TRY_AGAIN_MS);
        else if (!flush_pending(d) && !atomic_load(&d->closing))
            wait_work(d, LOOK_MS);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* What the compaction thread does next. Values take turns with tables, else they would wait as long as writes go on. */
static int compaction_step(db *d) {
    int rc = manual_unit(d);
    d->values_turn = !d->values_turn;
    if (rc == RKV_END && d->values_turn) rc = values_unit(d);
    if (rc == RKV_END) rc = compact_unit(d);
    if (rc == RKV_END && !d->values_turn) rc = values_unit(d);
    return rc;
}

/* Read filters and indexes of the tables that were found at open, upper levels first, so that fewer first reads wait. What fails here fails there, too. */
static void warm_up(db *d) {
    picture *p = picture_take(d);
    for (unsigned i = 0; i < p->version->depth; i++)
        for (size_t k = 0; k < p->version->levels[i].count && !atomic_load(&d->closing); k++)
            table_load(p->version->levels[i].files[k]->table);
    picture_unref(d, p);
}

static void *compact_main(void *context) {
    db *d = context;
    setpriority(PRIO_PROCESS, 0, COMPACTION_NICE); /* on Linux: this thread's */
    warm_up(d);
    pthread_mutex_lock(&d->lock);
    while (!atomic_load(&d->closing)) {
        uint64_t looked_at = d->work_number;
        d->compact_busy = true;
        pthread_mutex_unlock(&d->lock);
        int rc = compaction_step(d);
        pthread_mutex_lock(&d->lock);
        d->compact_busy = false;
        if (rc == RKV_END) d->idle_number = looked_at;
        pthread_cond_broadcast(&d->done);
        if (rc == RKV_OK) continue;
        if (may_pass(rc))
            wait_work(d, TRY_AGAIN_MS);
        else if (d->work_number == looked_at && !atomic_load(&d->closing))
            wait_work(d, LOOK_MS);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

int background_start(db *d) {
    int rc = pool_new(&d->pool, d, d->options.read_threads);
    if (rc || !d->options.background) return rc;
    if (pthread_create(&d->flush_thread, NULL, flush_main, d)) return status_set(RKV_ENOMEM, "no thread for the flush");
    d->flush_started = true;
    if (pthread_create(&d->compact_thread, NULL, compact_main, d))
        return status_set(RKV_ENOMEM, "no thread for compaction");
    d->compact_started = true;
    return RKV_OK;
}

void background_stop(db *d) {
    pthread_mutex_lock(&d->lock);
    atomic_store(&d->closing, true);
    pthread_cond_broadcast(&d->work);
    pthread_mutex_unlock(&d->lock);
    if (d->flush_started) pthread_join(d->flush_thread, NULL);
    if (d->compact_started) pthread_join(d->compact_thread, NULL);
    d->flush_started = d->compact_started = false;
    pool_free(d->pool);
    d->pool = NULL;
}

int db_step(db *d) {
    int rc = flush_unit(d);
    if (rc == RKV_END) rc = compaction_step(d);
    picture_now(d);
    tidy(d);
    return rc;
}

/* --- waiting for it ---------------------------------------------------------------------------------------------------------- */

static size_t mem_count(db *d) {
    pthread_mutex_lock(&d->lock);
    size_t n = d->current->mem_count;
    pthread_mutex_unlock(&d->lock);
    return n;
}

static int wait_flushed(db *d) {
    pthread_mutex_lock(&d->lock);
    while (d->current->mem_count > 1 && atomic_load(&d->failure) == RKV_OK) pthread_cond_wait(&d->done, &d->lock);
    pthread_mutex_unlock(&d->lock);
    return db_failure(d);
}

static int step_flushed(db *d) {
    int rc = RKV_OK;
    while (rc == RKV_OK && mem_count(d) > 1) rc = flush_unit(d);
    return rc == RKV_END ? db_failure(d) : rc;
}

int db_flush(db *d) {
    int rc = db_failure(d);
    if (rc == RKV_OK && !mem_empty(d->active)) rc = mem_freeze(d);
    if (rc == RKV_OK) rc = d->options.background ? wait_flushed(d) : step_flushed(d);
    if (rc == RKV_OK) rc = db_commit(d, NULL); /* gives the log back what is flushed */
    return rc;
}

int db_wait_idle(db *d) {
    int rc = RKV_OK;
    if (!d->options.background) {
        while (rc == RKV_OK) rc = db_step(d);
        return rc == RKV_END ? RKV_OK : rc;
    }
    pthread_mutex_lock(&d->lock);
    while (atomic_load(&d->failure) == RKV_OK &&
           (d->current->mem_count > 1 || d->flush_busy || d->compact_busy || d->idle_number != d->work_number))
        pthread_cond_wait(&d->done, &d->lock);
    pthread_mutex_unlock(&d->lock);
    picture_now(d);
    return db_failure(d);
}

int db_compact(db *d, slice begin, slice end) {
    int rc = db_flush(d);
    if (rc) return rc;
    pthread_mutex_lock(&d->lock);
    d->manual = (manual){.begin = begin, .end = end, .waiting = true, .before = atomic_load(&d->next_file)};
    background_wake(d);
    pthread_mutex_unlock(&d->lock);
    if (!d->options.background) {
        do rc = manual_unit(d);
        while (rc == RKV_OK);
    }
    pthread_mutex_lock(&d->lock);
    while (d->options.background && d->manual.waiting && atomic_load(&d->failure) == RKV_OK)
        pthread_cond_wait(&d->done, &d->lock);
    d->manual.waiting = false;
    pthread_mutex_unlock(&d->lock);
    if (rc && rc != RKV_END) return rc;
    return db_failure(d);
}

/* --- pace -------------------------------------------------------------------------------------------------------------------- */

/* Count the times that writers were told to stop, and how long. */
static void note_stall(db *d, bool stopped) {
    if (stopped == (d->stall_since_ns > 0)) return;
    uint64_t now = d->os->ops->mono_ns(d->os);
    if (stopped) {
        d->stall_since_ns = now;
        atomic_fetch_add(&d->stalls, 1);
        return;
    }
    atomic_fetch_add(&d->stall_ns, now - d->stall_since_ns);
    d->stall_since_ns = 0;
}

uint64_t db_write_delay(db *d) {
    const picture *p = picture_now(d);
    memtable_stats s;
    memtable_get_stats(d->active->table, &s);
    pace_state state = {
        .mems = p->mem_count,
        .mems_stop = MEMS_STOP,
        .mem_fill = (double)s.bytes / (double)d->options.memtable_bytes,
        .runs = p->version->levels[0].count,
        .runs_slowdown = d->options.l0_slowdown,
        .runs_stop = d->options.l0_stop,
        .merge_ns_per_mib = atomic_load_explicit(&d->background.compact_ns_per_mib, memory_order_relaxed),
    };
    uint64_t delay = pace_delay_us(&state);
    note_stall(d, delay == UINT64_MAX);
    return delay;
}
