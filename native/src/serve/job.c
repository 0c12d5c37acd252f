/* job.c: see job.h. */
#include "serve/job.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"

/* --- on a pool thread --------------------------------------------------------------------------------------------------------- */

static int warm(job *j, const want *w) {
    db_value value;
    int rc = db_get_view(j->view, w->key, w->hash, &value);
    if (rc == RKV_OK) db_value_release(j->db, &value);
    return rc < 0 ? rc : RKV_OK;
}

static int read_value(job *j, job_item *item) {
    const want *w = &item->want;
    uint64_t size;
    int rc = db_value_size(&w->cell, &size);
    if (rc) return rc;
    chunk *value = chunk_bulk((size_t)size - 1);
    if (!value) return alloc_failed((size_t)size);
    rc = db_value_read(j->db, w->key, &w->cell, false, value->data + value->text_at - 1);
    if (rc) {
        chunk_free(value);
        return rc;
    }
    chunk_bulk_ready(value);
    item->chunk = value;
    return RKV_OK;
}

static int do_item(job *j, job_item *item) {
    const want *w = &item->want;
    switch (w->action) {
    case WANT_BLOCK: return warm(j, w);
    case WANT_VALUE: return read_value(j, item);
    case WANT_WRITE: return db_value_write(j->db, w->key, &w->cell, w->payload, item->ref, &item->ref_size);
    }
    return RKV_EINVAL;
}

static void run(db_job *base) {
    job *j = (job *)base;
    if (j->compute) j->compute->run(j->context);
    for (uint32_t i = 0; i < j->count; i++) j->items[i].status = do_item(j, &j->items[i]);
    if (j->view) db_view_release(j->view);
    j->view = NULL;
}

/* --- on the owner's thread ---------------------------------------------------------------------------------------------------- */

static void job_free(job *j) {
    for (uint32_t i = 0; i < j->count; i++) chunk_free(j->items[i].chunk);
    if (j->view) db_view_release(j->view);
    if (j->compute) j->compute->clear(j->context);
    scratch_free(j->memory);
    mem_free(j->context);
    mem_free(j);
}

static void fill_item(job_item *item, const want *w, uint8_t **to) {
    item->want = *w;
    item->want.key = slice_of(memcpy(*to, w->key.data, w->key.size), w->key.size);
    *to += w->key.size;
    if (w->action != WANT_VALUE) return;
    slice pointer = w->cell.payload;
    item->want.cell.payload = slice_of(memcpy(item->ref, pointer.data, pointer.size), pointer.size);
}

/* A job for the wants, in the order in which they came. */
static job *job_of_wants(server *v) {
    uint32_t count = 0;
    size_t bytes = 0;
    for (want *w = v->wants; w; w = w->next, count++) bytes += w->key.size;
    job *j = mem_zalloc(sizeof *j + count * sizeof *j->items + bytes);
    if (!j) return NULL;
    j->count = count;
    uint8_t *to = (uint8_t *)&j->items[count];
    uint32_t i = count;
    for (want *w = v->wants; w; w = w->next) fill_item(&j->items[--i], w, &to);
    j->view = db_view_acquire(v->db);
    if (j->view) return j;
    job_free(j);
    return NULL;
}

int job_start(conn *c, const computation *compute, void *context) {
    server *v = c->server;
    job *j = compute ? mem_zalloc(sizeof *j) : job_of_wants(v);
    if (!j) {
        mem_free(context);
        return say_status(c, alloc_failed(sizeof *j));
    }
    j->base.run = run;
    j->conn = c;
    j->db = v->db;
    j->memory = scratch_detach(&v->scratch);
    j->compute = compute;
    j->context = context;
    c->working = j;
    c->job_bytes = v->want_bytes;
    c->tries++;
    c->state = CONN_JOB;
    v->job_count++;
    v->blocked_count++;
    db_submit(v->db, &j->base);
    return AGAIN;
}

void job_done(server *v, job *j) {
    conn *c = j->conn;
    v->job_count--;
    c->working = NULL;
    j->next = c->jobs;
    c->jobs = j;
    for (uint32_t i = 0; i < j->count; i++)
        if (j->items[i].status) c->tries = COMMAND_TRIES; /* meet the error on the owner's thread */
    if (c->state == CONN_JOB) conn_resume(c);
}

void jobs_clear(conn *c) {
    while (c->jobs) {
        job *next = c->jobs->next;
        job_free(c->jobs);
        c->jobs = next;
    }
}

static bool item_is(const job_item *item, enum want_action action, slice key, const cell *pointer) {
    if (item->want.action != action || item->used || item->status || !slice_equal(item->want.key, key)) return false;
    return !pointer || (item->chunk && slice_equal(item->want.cell.payload, pointer->payload));
}

job_item *job_find(conn *c, enum want_action action, slice key, const cell *pointer) {
    for (job *j = c->jobs; j; j = j->next)
        for (uint32_t i = 0; i < j->count; i++) {
            /* Found in the order in which they were wanted: look on from the last one. */
            uint32_t at = j->cursor + i < j->count ? j->cursor + i : j->cursor + i - j->count;
            if (!item_is(&j->items[at], action, key, pointer)) continue;
            j->cursor = at + 1 < j->count ? at + 1 : 0;
            return &j->items[at];
        }
    return NULL;
}

void *job_computed(conn *c) {
    for (job *j = c->jobs; j; j = j->next)
        if (j->compute) return j->context;
    return NULL;
}
