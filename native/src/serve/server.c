/* server.c: what all connections share: the index of clients, the commit of a round, holds, pacing, time-outs. */
#include "serve/server.h"

#include <assert.h>
#include <poll.h>

#include "base/alloc.h"
#include "base/status.h"
#include "serve/ahead.h"
#include "serve/command.h"
#include "serve/job.h"
#include "serve/slow.h"

enum {
    INDEX_MIN = 64,
    CLOCK_PERIOD_NS = 500 * 1000, /* the wall clock is read this often while commands run */
    BULK_BEFORE_AUTH = 16 * 1024,
    LINE_BEFORE_AUTH = 1024,
    LINE_MAX_SIZE = 64 * 1024,
    COUNT_BEFORE_AUTH = 10,
    COUNT_MAX = 1024 * 1024,
    QUERY_BEFORE_AUTH = 64 * 1024,
};

void limits_init(limits *out) {
    *out = (limits){
        .clients_max = 10000,
        .clients_unauthenticated_max = 100,
        .bulk_max = 512 << 20,
        .value_max = 64 << 20,
        .key_max = 64 << 10,
        .query_max = 64 << 20,
        .output_hard_max = 256 << 20,
        .output_soft_max = 64 << 20,
        .output_soft_s = 60,
        .all_buffers_max = 128 << 20,
        .auth_timeout_s = 10,
        .keepalive_s = 300,
        .protected_mode = true,
        .slow_us = 10000,
        .databases = 16,
    };
}

void server_time(server *v) {
    v->now_ms = store_now_ms(v->store);
    v->now_ns = store_mono_ns(v->store);
    v->clock_next_ns = v->now_ns + CLOCK_PERIOD_NS;
    if (v->policy != v->store->policy) server_set_policy(v);
}

void server_configure(server *v, const limits *l) {
    v->limits = *l;
    if (v->limits.databases > DATABASES_MAX) v->limits.databases = DATABASES_MAX;
    v->scan_limits[1] = (scan_limits){
        .line_max = LINE_MAX_SIZE,
        .count_max = COUNT_MAX,
        .bulk_max = l->bulk_max,
        .value_max = l->value_max,
        .buffered_max = l->query_max,
        .authenticated = true,
    };
    v->scan_limits[0] = (scan_limits){
        .line_max = LINE_BEFORE_AUTH,
        .count_max = COUNT_BEFORE_AUTH,
        .bulk_max = l->bulk_max < BULK_BEFORE_AUTH ? l->bulk_max : BULK_BEFORE_AUTH,
        .value_max = BULK_BEFORE_AUTH,
        .buffered_max = QUERY_BEFORE_AUTH,
    };
}

int server_new(server **out, store *s, const limits *l) {
    server *v = mem_zalloc(sizeof *v);
    if (!v) return alloc_failed(sizeof *v);
    list *heads[] = {&v->clients, &v->ready, &v->dirty, &v->sending, &v->requests, &v->paused, &v->held, &v->dead};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) list_init(heads[i]);
    v->store = s;
    v->db = s->db;
    v->value_log_min = db_value_log_min(s->db);
    for (size_t i = 0; i < DATABASES_MAX; i++) v->map[i] = (uint8_t)i;
    v->shared = mem_alloc(INPUT_SIZE);
    v->index = mem_zalloc(INDEX_MIN * sizeof *v->index);
    v->index_capacity = INDEX_MIN;
    v->cron_next = &v->clients;
    v->marks = mem_alloc(MARKS_MAX * sizeof *v->marks);
    v->command_stats = mem_zalloc(command_count * sizeof *v->command_stats);
    v->slow = mem_zalloc(sizeof *v->slow);
    v->ahead = mem_zalloc(sizeof *v->ahead);
    int rc = scratch_init(&v->scratch);
    if (!v->shared || !v->index || !v->marks || !v->command_stats || !v->slow || !v->ahead || rc) {
        server_free(v, NULL);
        return alloc_failed(INPUT_SIZE);
    }
    server_configure(v, l);
    server_time(v);
    server_set_policy(v);
    *out = v;
    return RKV_OK;
}

/* --- clients -------------------------------------------------------------------------------------------------------------- */

static size_t index_at(const server *v, uint64_t id) {
    size_t at = hash_mix(id) & (v->index_capacity - 1);
    while (v->index[at] && v->index[at]->id != id) at = (at + 1) & (v->index_capacity - 1);
    return at;
}

static bool index_grow(server *v, size_t count) {
    if (count * 2 < v->index_capacity) return true;
    size_t old_capacity = v->index_capacity;
    conn **old = v->index, **grown = mem_zalloc(old_capacity * 2 * sizeof *grown);
    if (!grown) return false;
    v->index = grown;
    v->index_capacity = old_capacity * 2;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i]) v->index[index_at(v, old[i]->id)] = old[i];
    mem_free(old);
    return true;
}

static void index_remove(server *v, uint64_t id) {
    size_t mask = v->index_capacity - 1, hole = index_at(v, id);
    v->index[hole] = NULL;
    /* Close the gap: whoever was pushed past it moves back. */
    for (size_t at = (hole + 1) & mask; v->index[at]; at = (at + 1) & mask) {
        size_t home = hash_mix(v->index[at]->id) & mask;
        if (((at - home) & mask) < ((at - hole) & mask)) continue;
        v->index[hole] = v->index[at];
        v->index[at] = NULL;
        hole = at;
    }
    v->index_count--;
}

conn *server_connect(server *v) {
    if (!index_grow(v, v->index_count + 1)) return NULL;
    conn *c = mem_zalloc(sizeof *c);
    if (!c) return NULL;
    c->server = v;
    c->id = ++v->last_id;
    c->fd = -1;
    c->resp = 2;
    c->out.pool = &v->chunks;
    c->authenticated = !v->limits.auth_required;
    c->created_ms = c->active_ms = v->now_ms;
    list *links[] = {&c->all, &c->ready, &c->dirty, &c->sending, &c->waiting, &c->held, &c->dead};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) list_init(links[i]);
    list_append(&v->clients, &c->all);
    v->index[index_at(v, c->id)] = c;
    v->index_count++;
    v->client_count++;
    if (!c->authenticated) v->unauthenticated_count++;
    v->stats.connections++;
    return c;
}

conn *server_find(server *v, uint64_t id) {
    return v->index[index_at(v, id)];
}

conn *server_client(server *v, uint64_t id) {
    conn *c = server_find(v, id);
    return c && c->state != CONN_CLOSED ? c : NULL;
}

static void conn_free(conn *c) {
    if (c->server->cron_next == &c->all) c->server->cron_next = c->all.next;
    list_remove(&c->all);
    list_remove(&c->dead);
    index_remove(c->server, c->id);
    jobs_clear(c);
    out_clear(&c->out);
    scan_clear(&c->scan);
    mem_free(c->own);
    mem_free(c->names);
    mem_free(c);
}

void server_reap(server *v, void (*closed)(conn *c)) {
    for (list *l = v->dead.next, *next; l != &v->dead; l = next) {
        next = l->next;
        conn *c = list_entry(l, conn, dead);
        if (closed) closed(c);
        if (!c->running && !c->working) conn_free(c);
    }
}

/* Wait until no job runs: the pool writes into memory of connections. */
static void wait_for_jobs(server *v) {
    while (v->job_count) {
        struct pollfd fd = {.fd = db_event_fd(v->db), .events = POLLIN};
        poll(&fd, 1, 100);
        server_events(v);
    }
}

void server_free(server *v, void (*closed)(conn *c)) {
    if (!v) return;
    for (list *l = v->clients.next; l != &v->clients; l = l->next) {
        conn *c = list_entry(l, conn, all);
        conn_kill(c);
        c->running = false;
    }
    wait_for_jobs(v);
    server_reap(v, closed);
    chunk_pool_clear(&v->chunks);
    if (v->slow) slow_clear(v);
    mem_free(v->slow);
    mem_free(v->ahead);
    mem_free(v->command_stats);
    mem_free(v->marks);
    mem_free(v->index);
    mem_free(v->args);
    mem_free(v->shared);
    scratch_clear(&v->scratch);
    mem_free(v);
}
