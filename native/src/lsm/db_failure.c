/* db_failure.c: when the store stops taking writes, and when it takes them again; see FAULTS.md 2.1 and 2.11.
 *
 *   RKV_OK -> RKV_ENOSPC -> RKV_OK ...    space ran out, or nearly; the reserve file is freed so that flush and manifest can finish
 *   any    -> RKV_EREADONLY               a sync failed, or the background met damage: final until reopened
 *
 * Reads go on in every state.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"

static uint64_t reserve_bytes(const db *d) {
    return d->options.memtable_bytes < (64u << 20) ? d->options.memtable_bytes : 64u << 20;
}

/* Below it writes are refused: what flushes of full memtables and the largest compaction (of level 0 into level 1) need. */
static uint64_t space_floor(db *d) {
    pthread_mutex_lock(&d->lock);
    const version *v = d->current->version;
    uint64_t merge = v->levels[0].bytes + v->levels[1].bytes;
    pthread_mutex_unlock(&d->lock);
    return 2 * d->options.memtable_bytes + d->options.table_bytes + merge;
}

int reserve_file_create(db *d) {
    char path[PATH_SIZE];
    os_file *file = NULL;
    store_path(path, d->dir, "RESERVE");
    int rc = d->os->ops->unlink(d->os, path);
    if (rc != RKV_OK && rc != RKV_NOTFOUND) return rc;
    rc = d->os->ops->open(d->os, &file, path, OS_CREATE);
    if (rc) return rc;
    rc = file->ops->preallocate(file, reserve_bytes(d));
    int closed = file->ops->close(file);
    if (rc == RKV_OK) rc = closed;
    if (rc) d->os->ops->unlink(d->os, path);
    atomic_store(&d->reserve_file, rc == RKV_OK);
    return rc;
}

static void reserve_file_free(db *d) {
    char path[PATH_SIZE];
    if (!atomic_exchange(&d->reserve_file, false)) return;
    store_path(path, d->dir, "RESERVE");
    d->os->ops->unlink(d->os, path);
}

/* Enter a state that refuses writes; the first text of a state stays. */
static void refuse(db *d, int failure, const char *what, const char *text) {
    pthread_mutex_lock(&d->lock);
    int before = atomic_load(&d->failure);
    if (before != RKV_EREADONLY && before != failure) {
        char *to = failure == RKV_ENOSPC ? d->space_text : d->failure_text;
        snprintf(to, TEXT_SIZE, "%s: %s", what, text);
        atomic_store(&d->failure, failure);
        background_wake(d);
        pthread_cond_broadcast(&d->done);
    }
    pthread_mutex_unlock(&d->lock);
    event_signal(d);
}

int failure_set(db *d, int rc, const char *what) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "%s", status_text());
    refuse(d, RKV_EREADONLY, what, text);
    return rc;
}

void space_ran_out(db *d) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "%s", status_text());
    refuse(d, RKV_ENOSPC, "no space", text);
    reserve_file_free(d);
}

/* Space seems to be back: take the reserve again first, so that the next shortage finds it. */
static void accept_again(db *d) {
    if (!d->reserve_file && reserve_file_create(d) != RKV_OK) return;
    pthread_mutex_lock(&d->lock);
    if (atomic_load(&d->failure) == RKV_ENOSPC) atomic_store(&d->failure, RKV_OK);
    background_wake(d);
    pthread_mutex_unlock(&d->lock);
    event_signal(d);
}

void space_check(db *d) {
    uint64_t free_bytes;
    int failure = atomic_load(&d->failure);
    if (failure == RKV_EREADONLY || d->os->ops->free_space(d->os, d->dir, &free_bytes) != RKV_OK) return;
    uint64_t least = space_floor(d);
    uint64_t need = least + (d->reserve_file ? 0 : reserve_bytes(d));
    if (failure == RKV_OK && free_bytes < least) {
        char text[100];
        snprintf(text, sizeof text, "%llu bytes are free, %llu are kept for flush and compaction",
                 (unsigned long long)free_bytes, (unsigned long long)least);
        refuse(d, RKV_ENOSPC, "no space", text);
    } else if (failure == RKV_ENOSPC && free_bytes >= need) {
        accept_again(d);
    } else if (failure == RKV_OK && !d->reserve_file && free_bytes >= need) {
        reserve_file_create(d);
    }
}

int background_result(db *d, int rc, const char *what) {
    switch (rc) {
    case RKV_OK:
    case RKV_END:
    case RKV_ENOMEM: /* tried again */
    case RKV_ECLOSED: return rc;
    case RKV_ENOSPC: space_ran_out(d); return rc;
    default: return failure_set(d, rc, what);
    }
}

int db_failure(const db *d) {
    switch (atomic_load_explicit(&d->failure, memory_order_acquire)) {
    case RKV_OK: return RKV_OK;
    case RKV_ENOSPC: return status_set(RKV_ENOSPC, "%s", d->space_text);
    default: return status_set(RKV_EREADONLY, "%s", d->failure_text);
    }
}

const char *db_failure_text(const db *d) {
    switch (atomic_load_explicit(&d->failure, memory_order_acquire)) {
    case RKV_OK: return "";
    case RKV_ENOSPC: return d->space_text;
    default: return d->failure_text;
    }
}
