/* api_server.c: the public interface of a server: native/include/respkv.h. It converts, never decides. */
#include <assert.h>
#include <stdio.h>

#include "api.h"
#include "base/alloc.h"
#include "base/status.h"
#include "serve/command.h"
#include "serve/loop.h"
#include "serve/slow.h"

enum { DATABASE = 1, RESP = 2, AUTH = 4, NAME = 8, LIBRARY = 16, NO_EVICT = 32, NO_TOUCH = 64, REPLY_MODE = 128 };

struct rkv_server {
    loop *loop;
    server *core;
};

/* --- life -------------------------------------------------------------------------------------------------------------------- */

void rkv_limits_init(rkv_limits *out) {
    limits l;
    limits_init(&l);
    *out = (rkv_limits){
        .clients_max = l.clients_max,
        .clients_unauthenticated_max = l.clients_unauthenticated_max,
        .bulk_bytes_max = l.bulk_max,
        .value_bytes_max = l.value_max,
        .key_bytes_max = l.key_max,
        .query_buffer_max = l.query_max,
        .output_hard_max = l.output_hard_max,
        .output_soft_max = l.output_soft_max,
        .output_soft_seconds = l.output_soft_s,
        .all_buffers_max = l.all_buffers_max,
        .timeout_s = l.timeout_s,
        .auth_timeout_s = l.auth_timeout_s,
        .tcp_keepalive_s = l.keepalive_s,
        .auth_required = l.auth_required,
        .protected_mode = l.protected_mode,
        .slowlog_us = l.slow_us,
        .databases = l.databases,
    };
}

static int to_limits(const rkv_limits *l, limits *out) {
    if (l->databases < 1 || l->databases > DATABASES_MAX)
        return status_set(RKV_EINVAL, "databases %u: 1 to %d", l->databases, DATABASES_MAX);
    if (l->bulk_bytes_max > INT64_MAX / 2) return status_set(RKV_EINVAL, "bulk_bytes_max: too large");
    if (l->key_bytes_max > KEY_SIZE_MAX - 16)
        return status_set(RKV_EINVAL, "key_bytes_max: at most %d", KEY_SIZE_MAX - 16);
    *out = (limits){
        .clients_max = l->clients_max,
        .clients_unauthenticated_max = l->clients_unauthenticated_max,
        .bulk_max = l->bulk_bytes_max,
        .value_max = l->value_bytes_max,
        .key_max = l->key_bytes_max,
        .query_max = l->query_buffer_max,
        .output_hard_max = l->output_hard_max,
        .output_soft_max = l->output_soft_max,
        .output_soft_s = l->output_soft_seconds,
        .all_buffers_max = l->all_buffers_max,
        .timeout_s = l->timeout_s,
        .auth_timeout_s = l->auth_timeout_s,
        .keepalive_s = l->tcp_keepalive_s,
        .auth_required = l->auth_required,
        .protected_mode = l->protected_mode,
        .slow_us = l->slowlog_us,
        .databases = l->databases,
    };
    return RKV_OK;
}

int rkv_server_new(rkv_server **out, rkv_store *s, const rkv_limits *limits_) {
    limits l;
    int rc = to_limits(limits_, &l);
    if (rc) return rc;
    rkv_server *v = mem_zalloc(sizeof *v);
    if (!v) return alloc_failed(sizeof *v);
    rc = loop_new(&v->loop, &s->store, &l);
    if (rc) {
        mem_free(v);
        return rc;
    }
    v->core = loop_server(v->loop);
    *out = v;
    return RKV_OK;
}

void rkv_server_free(rkv_server *v) {
    if (!v) return;
    loop_free(v->loop);
    mem_free(v);
}

int rkv_server_configure(rkv_server *v, const rkv_limits *limits_) {
    limits l;
    int rc = to_limits(limits_, &l);
    if (!rc) server_configure(v->core, &l);
    return rc;
}

int rkv_server_listen(rkv_server *v, int fd) {
    return loop_listen(v->loop, fd);
}

int rkv_server_unlisten(rkv_server *v, int fd) {
    return loop_unlisten(v->loop, fd);
}

int rkv_server_fd(rkv_server *v) {
    return loop_fd(v->loop);
}

int rkv_server_poll(rkv_server *v, uint32_t budget_us) {
    return loop_poll(v->loop, budget_us);
}

void rkv_server_cron(rkv_server *v) {
    loop_cron(v->loop);
}

/* --- requests ------------------------------------------------------------------------------------------------------------------ */

static_assert(sizeof(rkv_bytes) == sizeof(slice) && offsetof(rkv_bytes, size) == offsetof(slice, size),
              "arguments are given out as they lie in the scanner");

int rkv_server_request(rkv_server *v, rkv_request *out) {
    conn *c = server_request(v->core);
    if (!c) return RKV_END;
    *out = (rkv_request){
        .client = c->id,
        .argc = c->scan.count,
        .args = (const rkv_bytes *)c->scan.args,
        .db = c->db,
        .resp = c->resp,
        .authenticated = c->authenticated,
    };
    return RKV_OK;
}

int rkv_server_reply(rkv_server *v, uint64_t client, const uint8_t *data, size_t size, uint64_t wait_seq, bool last) {
    int rc = server_reply(v->core, client, slice_of(data, size), wait_seq, last);
    loop_wake(v->loop);
    return rc;
}

size_t rkv_server_unsent(rkv_server *v, uint64_t client) {
    const conn *c = server_client(v->core, client);
    return c ? (size_t)out_size(&c->out) : 0;
}

/* --- clients ------------------------------------------------------------------------------------------------------------------- */

static void copy_text(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text);
}

int rkv_client_get(rkv_server *v, uint64_t client, rkv_client *out) {
    const conn *c = server_client(v->core, client);
    if (!c) return RKV_NOTFOUND;
    *out = (rkv_client){
        .id = c->id,
        .fd = c->fd,
        .db = c->db,
        .resp = c->resp,
        .authenticated = c->authenticated,
        .no_evict = c->no_evict,
        .no_touch = c->no_touch,
        .blocked = c->state == CONN_JOB || c->state == CONN_PAUSED,
        .reply_mode = c->reply_mode,
        .created_ms = c->created_ms,
        .active_ms = c->active_ms,
        .query_bytes = c->input_size,
        .query_capacity = c->own_capacity + scan_memory(&c->scan),
        .output_bytes = out_size(&c->out),
        .commands = c->commands,
        .bytes_in = c->bytes_in,
        .bytes_out = c->bytes_out,
    };
    copy_text(out->address, sizeof out->address, c->address);
    copy_text(out->local_address, sizeof out->local_address, c->local_address);
    copy_text(out->last_command, sizeof out->last_command, c->last_command ? c->last_command->name : c->last_name);
    if (!c->names) return RKV_OK;
    copy_text(out->name, sizeof out->name, c->names->name);
    copy_text(out->lib_name, sizeof out->lib_name, c->names->lib_name);
    copy_text(out->lib_version, sizeof out->lib_version, c->names->lib_version);
    copy_text(out->user, sizeof out->user, c->names->user);
    return RKV_OK;
}

size_t rkv_client_list(rkv_server *v, uint64_t *out_ids, size_t count) {
    size_t found = 0;
    for (list *l = v->core->clients.next; l != &v->core->clients; l = l->next) {
        const conn *c = list_entry(l, conn, all);
        if (c->state == CONN_CLOSED) continue;
        if (found < count) out_ids[found] = c->id;
        found++;
    }
    return found;
}

static int set_names(conn *c, const rkv_client *values, uint32_t mask) {
    if (!c->names) c->names = mem_zalloc(sizeof *c->names);
    if (!c->names) return alloc_failed(sizeof *c->names);
    conn_names *n = c->names;
    if (mask & AUTH) copy_text(n->user, sizeof n->user, values->user);
    if (mask & NAME) copy_text(n->name, sizeof n->name, values->name);
    if (mask & LIBRARY) {
        copy_text(n->lib_name, sizeof n->lib_name, values->lib_name);
        copy_text(n->lib_version, sizeof n->lib_version, values->lib_version);
    }
    return RKV_OK;
}

int rkv_client_set(rkv_server *v, const rkv_client *values, uint32_t mask) {
    conn *c = server_client(v->core, values->id);
    if (!c) return RKV_NOTFOUND;
    if (mask & DATABASE && values->db >= v->core->limits.databases)
        return status_set(RKV_EINVAL, "database %u of %u", values->db, v->core->limits.databases);
    int rc = mask & (AUTH | NAME | LIBRARY) ? set_names(c, values, mask) : RKV_OK;
    if (rc) return rc;
    if (mask & DATABASE) c->db = (uint8_t)values->db;
    if (mask & RESP) c->resp = values->resp;
    if (mask & AUTH) conn_authenticate(c, values->authenticated);
    if (mask & NO_EVICT) c->no_evict = values->no_evict;
    if (mask & NO_TOUCH) c->no_touch = values->no_touch;
    if (mask & REPLY_MODE) {
        c->reply_mode = (uint8_t)values->reply_mode;
        if (!c->reply_mode) c->muted = false;
    }
    return RKV_OK;
}

int rkv_client_close(rkv_server *v, uint64_t client, bool after_replies) {
    conn *c = server_client(v->core, client);
    if (!c) return RKV_NOTFOUND;
    if (after_replies)
        conn_close(c);
    else
        conn_kill(c);
    loop_wake(v->loop);
    return RKV_OK;
}

void rkv_server_pause(rkv_server *v, uint64_t until_ms, bool writes_only) {
    server_pause(v->core, until_ms, writes_only);
    loop_wake(v->loop);
}

int rkv_server_map_databases(rkv_server *v, const uint8_t *map, size_t count) {
    if (count > DATABASES_MAX) return status_set(RKV_EINVAL, "%zu databases, at most %d", count, DATABASES_MAX);
    memcpy(v->core->map, map, count);
    return RKV_OK;
}

/* --- figures ------------------------------------------------------------------------------------------------------------------- */

size_t rkv_server_commands(rkv_command *out, size_t count) {
    for (size_t i = 0; i < command_count && i < count; i++)
        out[i] = (rkv_command){
            .name = commands[i].name,
            .arity = commands[i].arity,
            .write = commands[i].flags & COMMAND_WRITE,
            .first_key = commands[i].first_key,
            .last_key = commands[i].last_key,
            .key_step = commands[i].key_step,
        };
    return command_count;
}

size_t rkv_server_command_stats(rkv_server *v, rkv_command_stats *out, size_t count) {
    for (size_t i = 0; i < command_count && i < count; i++) {
        const command_stats *s = &v->core->command_stats[i];
        out[i] = (rkv_command_stats){commands[i].name, s->calls, s->ns, s->rejected, s->failed};
    }
    return command_count;
}

int rkv_server_slow(rkv_server *v, rkv_slow *out) {
    const slow_entry *e = slow_take(v->core);
    if (!e) return RKV_END;
    *out = (rkv_slow){.client = e->client, .at_ms = e->at_ms, .us = e->us, .argc_all = e->argc_all, .argc = e->argc};
    const uint8_t *at = e->bytes;
    for (uint32_t i = 0; i < e->argc; i++) {
        out->argv[i] = at;
        out->sizes[i] = e->sizes[i];
        out->sizes_all[i] = e->sizes_all[i];
        at += e->sizes[i];
    }
    return RKV_OK;
}

void rkv_server_get_stats(rkv_server *v, rkv_server_stats *out) {
    const server *s = v->core;
    const server_stats *t = &s->stats;
    *out = (rkv_server_stats){
        .clients = s->client_count,
        .clients_unauthenticated = s->unauthenticated_count,
        .connections = t->connections,
        .rejected = t->rejected,
        .commands = t->commands,
        .protocol_errors = t->protocol_errors,
        .foreign_protocols = t->foreign_protocols,
        .bytes_in = t->bytes_in,
        .bytes_out = t->bytes_out,
        .keyspace_hits = t->keyspace_hits,
        .keyspace_misses = t->keyspace_misses,
        .expired_reads = t->expired_reads,
        .evicted_clients = t->evicted_clients,
        .output_limit_closed = t->output_limit_closed,
        .query_limit_closed = t->query_limit_closed,
        .cold_reads = t->cold_reads,
        .query_bytes = s->query_total,
        .output_bytes = s->output_total,
        .blocked = s->blocked_count,
        .polls = t->polls,
    };
}

void rkv_server_reset_stats(rkv_server *v) {
    v->core->stats = (server_stats){0};
    memset(v->core->command_stats, 0, command_count * sizeof *v->core->command_stats);
}
