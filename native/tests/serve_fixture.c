/* serve_fixture.c: see serve_fixture.h. */
#include "serve_fixture.h"

#include <stdio.h>

#include "base/alloc.h"
#include "check.h"

void fixture_init(fixture *f, limits *out_limits) {
    *f = (fixture){.disk = os_fault_new(1)};
    f->os = os_slow_new(os_fault_os(f->disk), 0);
    CHECK(f->os);
    db_options_init(&f->options);
    f->options.os = f->os;
    f->options.dir = "/store";
    f->options.memory_bytes = 8 << 20;
    f->options.background = false;
    f->options.wal_segment_bytes = 1 << 20;
    limits_init(out_limits);
}

void fixture_open(fixture *f, const limits *l) {
    db_recovery recovery;
    OK(db_open(&f->store.db, &f->options, &recovery));
    f->store.os = f->os;
    f->store.node = 7;
    f->store.policy = f->options.sync;
    f->store.clock.last = recovery.max_hlc;
    db_set_node(f->store.db, 7);
    OK(server_new(&f->server, &f->store, l));
}

static fixture *reaping;

static void closed(conn *c) {
    for (client *i = reaping->clients; i; i = i->next)
        if (i->conn == c) i->conn = NULL;
}

static void reap(fixture *f) {
    reaping = f;
    server_reap(f->server, closed);
}

void fixture_close(fixture *f) {
    reaping = f;
    server_free(f->server, closed);
    f->server = NULL;
    db_close(f->store.db); /* the disk may be broken by now */
}

void fixture_free(fixture *f) {
    if (f->server) fixture_close(f);
    while (f->clients) {
        client *next = f->clients->next;
        buf_clear(&f->clients->got);
        mem_free(f->clients);
        f->clients = next;
    }
    os_slow_free(f->os);
    os_fault_free(f->disk);
}

client *client_new(fixture *f) {
    client *c = mem_zalloc(sizeof *c);
    CHECK(c);
    server_time(f->server);
    c->conn = server_connect(f->server);
    CHECK(c->conn);
    c->id = c->conn->id;
    c->next = f->clients;
    f->clients = c;
    return c;
}

size_t client_feed(client *c, const void *data, size_t size) {
    size_t at = 0;
    while (at < size && c->conn && conn_reads(c->conn)) {
        size_t room;
        uint8_t *space = conn_space(c->conn, &room);
        if (!space) break;
        if (room > size - at) room = size - at;
        memcpy(space, (const uint8_t *)data + at, room);
        conn_received(c->conn, room);
        conn_run(c->conn);
        at += room;
    }
    return at;
}

static client *client_of(fixture *f, const conn *c) {
    for (client *i = f->clients; i; i = i->next)
        if (i->conn == c) return i;
    return NULL;
}

static void receive(fixture *f, conn *c) {
    client *to = client_of(f, c);
    struct iovec pieces[8];
    int count;
    CHECK(to);
    if (to->stalled) return;
    while (c->state != CONN_CLOSED && (count = out_pieces(&c->out, pieces, 8)))
        for (int i = 0; i < count; i++) {
            OK(buf_append(&to->got, pieces[i].iov_base, pieces[i].iov_len));
            conn_sent(c, pieces[i].iov_len);
            if (c->state == CONN_CLOSED) break;
        }
    if (c->state == CONN_CLOSING && out_size(&c->out) == 0 && !c->running) conn_kill(c);
}

void fixture_round(fixture *f) {
    server *v = f->server;
    for (int i = 0; i < 100; i++) {
        server_time(v);
        server_events(v);
        list now;
        list_init(&now);
        list_take(&now, &v->ready);
        for (list *l; (l = list_pop(&now));) conn_run(list_entry(l, conn, ready));
        server_commit(v);
        for (list *l; (l = list_pop(&v->sending));) receive(f, list_entry(l, conn, sending));
        server_resume_paused(v);
        reap(f);
        if (list_empty(&v->ready) && !v->job_count && list_empty(&v->sending)) return;
    }
}

void fixture_advance(fixture *f, uint64_t ms) {
    os_fault_advance_ms(f->disk, ms);
    server_time(f->server);
}

const char *client_got(client *c) {
    OK(buf_append(&c->got, "", 1));
    c->got.size = 0;
    return (const char *)c->got.data;
}

const char *client_talk(fixture *f, client *c, const void *data, size_t size) {
    server_time(f->server);
    CHECK(client_feed(c, data, size) == size || !c->conn || !conn_reads(c->conn));
    fixture_round(f);
    return client_got(c);
}

const char *client_ask(fixture *f, client *c, const char *line) {
    char text[4096];
    int size = snprintf(text, sizeof text, "%s\r\n", line);
    CHECK(size < (int)sizeof text);
    return client_talk(f, c, text, (size_t)size);
}

int fixture_answer(fixture *f) {
    int count = 0;
    for (conn *c; (c = server_request(f->server)); count++) {
        buf reply = {0};
        OK(buf_append(&reply, "+owner", 6));
        for (uint32_t i = 0; i < c->scan.count; i++) {
            OK(buf_append(&reply, " ", 1));
            OK(buf_append(&reply, c->scan.args[i].data, c->scan.args[i].size));
        }
        OK(buf_append(&reply, "\r\n", 2));
        server_reply(f->server, c->id, buf_slice(&reply), 0, true);
        buf_clear(&reply);
    }
    return count;
}
