/* job.h: what a command lets the engine's pool do: the wants of its last run, or a computation.
 *
 * A job belongs to the pool from its start until server_events gets it back, then to its connection until the command ends. It touches
 * neither connection nor server meanwhile, only its own items; what those point to is kept by the request (arguments) or by
 * the job itself (keys, computed values).
 *
 * A want that failed makes the command do everything itself when it is run again: it then meets the error on its own
 * and reports it.
 */
#ifndef RKV_SERVE_JOB_H
#define RKV_SERVE_JOB_H

#include "serve/entry.h"

typedef struct job_item {
    want want;    /* key and pointer are the job's copies */
    chunk *chunk; /* VALUE: the string, ready to be sent; whoever uses it takes it */
    uint8_t ref[VALUE_REF_SIZE_MAX];
    size_t ref_size; /* WRITE: the pointer payload */
    bool used;
    int status;
} job_item;

/* Work that is not a want. */
typedef struct computation {
    void (*run)(void *context);   /* on a pool thread */
    void (*clear)(void *context); /* frees what run has made */
} computation;

struct job {
    db_job base; /* first */
    conn *conn;
    job *next; /* in conn.jobs */
    db *db;
    db_view *view;         /* keeps what VALUE items point to */
    scratch_block *memory; /* of the command: computed values */
    const struct computation *compute;
    void *context; /* compute's; mem_free'd with the job */
    uint32_t count, cursor;
    job_item items[];
};

/* Start one for server.wants, or for compute (context: mem_alloc'd, taken). The connection waits. Out of memory: an error reply. */
int job_start(conn *c, const computation *compute, void *context);
/* It came back: its connection may run again. */
void job_done(server *v, job *j);
/* Forget the finished jobs of a command. */
void jobs_clear(conn *c);

/* The fresh item for that key, or NULL. VALUE: of that pointer. */
job_item *job_find(conn *c, enum want_action action, slice key, const cell *pointer);
/* The context of the finished computation, or NULL. */
void *job_computed(conn *c);

#endif
