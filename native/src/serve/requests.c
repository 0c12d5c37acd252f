/* requests.c: the commands that are the owner's to run: handed out one by one, answered in any order. */
#include <assert.h>

#include "base/status.h"
#include "serve/server.h"

conn *server_request(server *v) {
    list *l = list_pop(&v->requests);
    if (!l) return NULL;
    conn *c = list_entry(l, conn, waiting);
    v->request_count--;
    c->running = true;
    return c;
}

static int append(conn *c, slice bytes, uint64_t wait_seq) {
    server *v = c->server;
    if (c->muted || bytes.size == 0) return RKV_OK;
    uint64_t offset = c->out.end;
    int rc = out_append(&c->out, bytes);
    if (!rc && wait_seq > db_durable(v->db)) {
        /* A log that failed will never get there: the client has to take the outcome for unknown. */
        rc = db_failure(v->db) == RKV_EREADONLY ? RKV_EREADONLY : out_hold(&c->out, offset, wait_seq);
        if (!rc) list_append(&v->held, &c->held);
    }
    return rc;
}

/* The owner is done with the command: its client goes on. */
static void finish(conn *c) {
    server *v = c->server;
    c->running = false;
    if (c->state == CONN_CLOSED) return;
    v->mark = out_here(&c->out);
    conn_finish(c);
    if (c->state == CONN_REQUEST) conn_resume(c);
    conn_send(c);
}

int server_reply(server *v, uint64_t id, slice bytes, uint64_t wait_seq, bool last) {
    conn *c = server_find(v, id);
    if (!c || !c->running) return RKV_NOTFOUND;
    int rc = RKV_NOTFOUND;
    if (c->state != CONN_CLOSED) {
        rc = append(c, bytes, wait_seq);
        if (rc) conn_kill(c);
    }
    if (rc == RKV_OK) {
        conn_account(c);
        if (c->state == CONN_CLOSED)
            rc = status_set(RKV_ETOOBIG, "client %llu: too many unsent replies", (unsigned long long)id);
    }
    if (last)
        finish(c);
    else
        conn_send(c);
    return rc;
}
