/* pool.c: threads that run jobs for the owner; see db.h. The queue is a list, bounded by its users. */
#include <pthread.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"

struct pool {
    db *db;
    pthread_mutex_t lock;
    pthread_cond_t work;
    db_job *first, *last;
    db_job *finished; /* newest first */
    bool closing;
    unsigned started;
    pthread_t threads[];
};

static db_job *pool_take(struct pool *p) {
    pthread_mutex_lock(&p->lock);
    while (!p->first && !p->closing) pthread_cond_wait(&p->work, &p->lock);
    db_job *job = p->first;
    if (job) {
        p->first = job->next;
        if (!p->first) p->last = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    return job;
}

static void pool_finish(struct pool *p, db_job *job) {
    pthread_mutex_lock(&p->lock);
    job->next = p->finished;
    p->finished = job;
    pthread_mutex_unlock(&p->lock);
    event_signal(p->db);
}

static void *pool_main(void *context) {
    struct pool *p = context;
    for (db_job *job; (job = pool_take(p));) {
        job->run(job);
        pool_finish(p, job);
    }
    return NULL;
}

int pool_new(struct pool **out, db *d, unsigned threads) {
    struct pool *p = mem_zalloc(sizeof *p + threads * sizeof *p->threads);
    if (!p) return alloc_failed(sizeof *p);
    p->db = d;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    for (; p->started < threads; p->started++)
        if (pthread_create(&p->threads[p->started], NULL, pool_main, p)) {
            pool_free(p);
            return status_set(RKV_ENOMEM, "no thread for the read pool");
        }
    *out = p;
    return RKV_OK;
}

void pool_free(struct pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->started; i++) pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

void db_submit(db *d, db_job *job) {
    struct pool *p = d->pool;
    job->next = NULL;
    if (p->started == 0) {
        job->run(job);
        pool_finish(p, job);
        return;
    }
    pthread_mutex_lock(&p->lock);
    if (p->last)
        p->last->next = job;
    else
        p->first = job;
    p->last = job;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

db_job *db_finished(db *d) {
    struct pool *p = d->pool;
    pthread_mutex_lock(&p->lock);
    db_job *job = p->finished;
    if (job) p->finished = job->next;
    pthread_mutex_unlock(&p->lock);
    return job;
}
