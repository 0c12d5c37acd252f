/* cron.c: what time does to connections: time-outs, limits that last, memory that all share.
 *
 * A call looks at a tenth of the clients, so each is looked at once a second however many there are.
 */
#include "serve/server.h"

enum {
    SHARE = 10,
    EVICTED_AT_ONCE = 16,
    CLOSING_S = 10, /* how long a closing client may take nothing */
};

static bool longer_than(uint64_t now_ms, uint64_t since_ms, uint32_t seconds) {
    return seconds && now_ms > since_ms && now_ms - since_ms > seconds * 1000ull;
}

static bool is_idle(const conn *c) {
    return c->state == CONN_READY && !c->pending && out_size(&c->out) == 0;
}

static void look_at(server *v, conn *c) {
    const limits *l = &v->limits;
    if (c->state == CONN_CLOSED) return;
    if (c->drain_until_ms && v->now_ms >= c->drain_until_ms)
        conn_kill(c);
    else if (c->state == CONN_CLOSING && !c->running && longer_than(v->now_ms, c->active_ms, CLOSING_S))
        conn_kill(c);
    else if (!c->authenticated && longer_than(v->now_ms, c->created_ms, l->auth_timeout_s))
        conn_kill(c);
    else if (is_idle(c) && longer_than(v->now_ms, c->active_ms, l->timeout_s))
        conn_kill(c);
    else if (c->soft_since_ms && longer_than(v->now_ms, c->soft_since_ms, l->output_soft_s)) {
        v->stats.output_limit_closed++;
        conn_kill(c);
    }
}

static conn *largest(server *v) {
    conn *found = NULL;
    for (list *l = v->clients.next; l != &v->clients; l = l->next) {
        conn *c = list_entry(l, conn, all);
        if (c->state == CONN_CLOSED || c->no_evict) continue;
        if (!found || c->counted_query + c->counted_output > found->counted_query + found->counted_output) found = c;
    }
    return found;
}

void server_evict(server *v) {
    for (int i = 0; i < EVICTED_AT_ONCE && v->query_total + v->output_total > v->limits.all_buffers_max; i++) {
        conn *c = largest(v);
        if (!c) return;
        v->stats.evicted_clients++;
        conn_kill(c);
    }
}

void server_cron(server *v) {
    server_time(v);
    for (size_t i = v->index_count / SHARE + 1; i; i--) {
        if (v->cron_next == &v->clients) v->cron_next = v->clients.next;
        if (v->cron_next == &v->clients) break;
        conn *c = list_entry(v->cron_next, conn, all);
        v->cron_next = v->cron_next->next;
        look_at(v, c);
    }
    if (v->limits.all_buffers_max) server_evict(v);
}
