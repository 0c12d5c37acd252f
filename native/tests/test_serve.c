/* test_serve.c: connections as machines: pieces, order, waiting, limits, failures, time. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "check.h"
#include "serve/command.h"
#include "serve/slow.h"
#include "serve_fixture.h"

#define IS(got, expected) CHECK(is(got, expected))
#define FEED(c, text)     client_feed(c, text, sizeof text - 1)

static uint64_t seed;

static uint64_t next_random(void) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t x = seed;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static bool is(const char *got, const char *expected) {
    if (strcmp(got, expected) == 0) return true;
    fprintf(stderr, "got      %.300s\nexpected %.300s\n", got, expected);
    return false;
}

static void open_default(fixture *f) {
    limits l;
    fixture_init(f, &l);
    fixture_open(f, &l);
}

/* "SET key <size bytes>", as a request. */
static buf set_request(const char *command, const char *key, size_t size, uint8_t fill) {
    buf b = {0};
    char head[200];
    int n = snprintf(head, sizeof head, "*3\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(command), command,
                     strlen(key), key, size);
    OK(buf_append(&b, head, (size_t)n));
    OK(buf_reserve(&b, size + 2));
    memset(b.data + b.size, fill, size);
    b.size += size;
    OK(buf_append(&b, "\r\n", 2));
    return b;
}

static const char *set_large(fixture *f, client *c, const char *key, size_t size, uint8_t fill) {
    buf b = set_request("SET", key, size, fill);
    const char *got = client_talk(f, c, b.data, b.size);
    buf_clear(&b);
    return got;
}

/* Is text the bulk reply of size bytes of fill? */
static bool is_large(const char *text, size_t size, uint8_t fill) {
    char head[32];
    size_t n = (size_t)snprintf(head, sizeof head, "$%zu\r\n", size);
    if (strlen(text) != n + size + 2 || memcmp(text, head, n) != 0) return false;
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)text[n + i] != fill) return false;
    return true;
}

/* --- pieces and order ----------------------------------------------------------------------------------------------------------- */

/* The same stream in pieces of up to piece bytes; its replies. */
static buf replies_to(slice stream, size_t piece) {
    fixture f;
    buf all = {0};
    open_default(&f);
    client *c = client_new(&f);
    for (size_t at = 0; at < stream.size;) {
        size_t n = piece == 1 ? 1 : 1 + next_random() % piece;
        if (n > stream.size - at) n = stream.size - at;
        at += client_feed(c, stream.data + at, n);
        if (c->conn && next_random() % 4 && conn_reads(c->conn)) continue;
        fixture_round(&f);
        if (fixture_answer(&f)) fixture_round(&f);
        if (!c->conn) break;
    }
    fixture_round(&f);
    while (fixture_answer(&f)) fixture_round(&f);
    OK(buf_append(&all, c->got.data, c->got.size));
    OK(buf_append(&all, c->conn ? "open" : "shut", 4));
    fixture_free(&f);
    return all;
}

static void add_request(buf *b, int n) {
    static const char *small[] = {"SET k%d v%d\r\n",
                                  "GET k%d\r\n",
                                  "INCR n%d\r\n",
                                  "OWN command %d\r\n",
                                  "APPEND k%d x\r\n",
                                  "MGET k%d k2 n3\r\n",
                                  "*2\r\n$3\r\nGET\r\n$2\r\nk%d\r\n",
                                  "\r\n",
                                  "DEL k%d n%d\r\n"};
    char text[64];
    int i = n % 10, size;
    if (n % 11 == 10) {
        buf large = set_request("SET", "k3", 1000 + (size_t)n * 701, (uint8_t)n);
        OK(buf_append(b, large.data, large.size));
        buf_clear(&large);
        return;
    }
    size = snprintf(text, sizeof text, small[n % 9], i, n);
    OK(buf_append(b, text, (size_t)size));
}

static void test_pieces(void) {
    for (int round = 0; round < 4; round++) {
        buf stream = {0};
        for (int i = 0; i < 60; i++) add_request(&stream, (int)(next_random() % 400));
        if (round == 3) OK(buf_append(&stream, "*1\r\n$x\r\nGET k\r\n", 15));
        buf whole = replies_to(buf_slice(&stream), SIZE_MAX / 2);
        size_t pieces[] = {1, 7, 300, 20000, 100000};
        for (size_t i = 0; i < 5; i++) {
            buf other = replies_to(buf_slice(&stream), pieces[i]);
            CHECK(slice_equal(buf_slice(&whole), buf_slice(&other)));
            buf_clear(&other);
        }
        buf_clear(&whole);
        buf_clear(&stream);
    }
}

static void test_owner_requests(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f), *b = client_new(&f);
    IS(client_ask(&f, a, "SET k 1\r\nHELLO 3\r\nINCR k"), "+OK\r\n");
    IS(client_ask(&f, b, "INCR k"), ":2\r\n"); /* others go on */
    IS(client_ask(&f, b, "FOO"), "");
    CHECK(f.server->request_count == 2 && !conn_reads(a->conn));
    conn *first = server_request(f.server), *second = server_request(f.server);
    CHECK(first == a->conn && second == b->conn && !server_request(f.server));
    CHECK(first->scan.count == 2 && slice_equal(first->scan.args[1], slice_text("3")));
    OK(server_reply(f.server, b->id, slice_text("+b\r\n"), 0, true));
    OK(server_reply(f.server, a->id, slice_text("+a "), 0, false));
    fixture_round(&f);
    IS(client_got(b), "+b\r\n");
    IS(client_got(a), "+a ");
    OK(server_reply(f.server, a->id, slice_text("end\r\n"), 0, true));
    CHECK(server_reply(f.server, a->id, slice_text("x"), 0, true) == RKV_NOTFOUND);
    fixture_round(&f);
    IS(client_got(a), "end\r\n:3\r\n");
    fixture_free(&f);
}

static void test_owner_request_outlives_client(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f), *b = client_new(&f);
    IS(client_ask(&f, a, "FOO argument"), "");
    IS(client_ask(&f, b, "BAR"), "");
    conn *c = server_request(f.server);
    conn_kill(b->conn); /* still waiting: forgotten */
    conn_kill(a->conn);
    fixture_round(&f);
    CHECK(!server_request(f.server) && f.server->request_count == 0 && f.server->client_count == 0);
    CHECK(slice_equal(c->scan.args[1], slice_text("argument")));
    CHECK(server_reply(f.server, a->id, slice_text("+x\r\n"), 0, false) == RKV_NOTFOUND);
    CHECK(server_reply(f.server, a->id, slice_text("+x\r\n"), 0, true) == RKV_NOTFOUND);
    fixture_round(&f);
    CHECK(!server_find(f.server, a->id));
    fixture_free(&f);
}

static void test_reply_modes(void) {
    fixture f;
    open_default(&f);
    client *c = client_new(&f);
    c->conn->reply_mode = 2;
    IS(client_ask(&f, c, "SET k 1\r\nGET k"), "$1\r\n1\r\n");
    c->conn->reply_mode = 1;
    IS(client_ask(&f, c, "SET k 2\r\nGET k\r\nNOSUCH"), "");
    CHECK(fixture_answer(&f) == 1);
    fixture_round(&f);
    IS(client_got(c), "");
    IS(client_ask(&f, c, "CLIENT REPLY ON"), "");
    conn *on = server_request(f.server);
    on->reply_mode = 0;
    on->muted = false;
    OK(server_reply(f.server, c->id, slice_text("+OK\r\n"), 0, true));
    fixture_round(&f);
    IS(client_got(c), "+OK\r\n");
    IS(client_ask(&f, c, "GET k"), "$1\r\n2\r\n");
    fixture_free(&f);
}

static void test_end_of_stream(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f), *b = client_new(&f);
    FEED(a, "SET k 1\r\nFOO\r\nINCR k\r\n*1\r\n$4\r\nINC");
    conn_end(a->conn);
    fixture_round(&f);
    CHECK(a->conn); /* the owner's command is not answered yet */
    CHECK(fixture_answer(&f) == 1);
    fixture_round(&f);
    CHECK(!a->conn);
    IS(client_got(a), "+OK\r\n+owner FOO\r\n:2\r\n");
    IS(client_ask(&f, b, "GET k"), "$1\r\n2\r\n"); /* half a command did nothing */
    conn_close(b->conn);
    CHECK(!conn_reads(b->conn));
    fixture_round(&f);
    CHECK(!b->conn && f.server->client_count == 0);
    fixture_free(&f);
}

/* --- authentication --------------------------------------------------------------------------------------------------------------- */

static void open_locked(fixture *f) {
    limits l;
    fixture_init(f, &l);
    l.auth_required = true;
    fixture_open(f, &l);
}

static void test_before_auth(void) {
    fixture f;
    open_locked(&f);
    client *c = client_new(&f);
    const char *refused = "-NOAUTH Authentication required.\r\n";
    CHECK(f.server->unauthenticated_count == 1);
    IS(client_ask(&f, c, "GET k"), refused);
    IS(client_ask(&f, c, "HGETALL k"), refused);
    IS(client_ask(&f, c, "GET"), "-ERR wrong number of arguments for 'get' command\r\n");
    IS(client_ask(&f, c, "auth secret\r\nGET k"), "");
    conn_authenticate(server_request(f.server), true);
    OK(server_reply(f.server, c->id, slice_text("+OK\r\n"), 0, true));
    fixture_round(&f);
    IS(client_got(c), "+OK\r\n$-1\r\n");
    CHECK(f.server->unauthenticated_count == 0);
    fixture_free(&f);
}

static void check_refused(const char *text, const char *reply) {
    fixture f;
    open_locked(&f);
    client *c = client_new(&f);
    IS(client_talk(&f, c, text, strlen(text)), reply);
    CHECK(!c->conn);
    CHECK(f.server->unauthenticated_count == 0 && f.server->client_count == 0);
    fixture_free(&f);
}

static void test_limits_before_auth(void) {
    check_refused("*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n");
    check_refused("*1\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n");
    char line[1100];
    memset(line, 'x', sizeof line);
    line[1025] = '\0';
    check_refused(line, "-ERR Protocol error: too big inline request\r\n");
    fixture f;
    open_locked(&f);
    client *c = client_new(&f);
    c->stalled = true;
    for (int i = 0; i < 3000 && c->conn; i++) client_ask(&f, c, "GET k");
    CHECK(!c->conn && f.server->stats.output_limit_closed == 1); /* 64 KiB of refusals */
    fixture_free(&f);
}

/* --- limits ------------------------------------------------------------------------------------------------------------------------ */

static void test_oversized_arguments(void) {
    limits l;
    fixture f;
    fixture_init(&f, &l);
    l.value_max = 100000;
    l.key_max = 100;
    fixture_open(&f, &l);
    client *c = client_new(&f);
    IS(set_large(&f, c, "k", 100000, 'a'), "+OK\r\n");
    IS(set_large(&f, c, "k", 100001, 'b'), "-ERR value too large\r\n");
    CHECK(is_large(client_ask(&f, c, "GET k"), 100000, 'a'));
    char key[102];
    memset(key, 'k', sizeof key);
    key[100] = '\0';
    IS(set_large(&f, c, key, 1, 'a'), "+OK\r\n");
    key[100] = 'k';
    key[101] = '\0';
    IS(set_large(&f, c, key, 1, 'a'), "-ERR value too large\r\n");
    char text[300];
    snprintf(text, sizeof text, "MSET a 1 %s 2", key);
    IS(client_ask(&f, c, text), "-ERR value too large\r\n");
    snprintf(text, sizeof text, "MSET a 1 b %s", key);
    IS(client_ask(&f, c, text), "+OK\r\n");
    CHECK(f.server->command_stats[command_find(slice_text("set")) - commands].rejected == 2);
    fixture_free(&f);
}

static void test_protocol_errors_close(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f), *b = client_new(&f), *c = client_new(&f), *d = client_new(&f);
    IS(client_ask(&f, a, "SET k 1\r\n*1\r\n$-5\r\nGET k"), "+OK\r\n-ERR Protocol error: invalid bulk length\r\n");
    CHECK(!a->conn && f.server->stats.protocol_errors == 1);
    IS(client_ask(&f, b, "PING\r\nPOST / HTTP/1.1\r\nHost: x"), "");
    IS(client_ask(&f, c, "host: x"), "");
    IS(client_ask(&f, d, "\x16\x03\x01"), "");
    CHECK(!b->conn && !c->conn && !d->conn && f.server->stats.foreign_protocols == 3);
    fixture_free(&f);
}

static void test_query_limit(void) {
    limits l;
    fixture f;
    fixture_init(&f, &l);
    l.query_max = 50000;
    fixture_open(&f, &l);
    client *c = client_new(&f);
    buf b = set_request("*4", "a", 49990, 'x'); /* of "*3": three arguments of a larger request */
    b.data[1] = '4';
    OK(buf_append(&b, "$3\r\nabc\r\n", 9));
    IS(client_talk(&f, c, b.data, b.size), "");
    CHECK(c->conn && fixture_answer(&f) == 1);
    b.size -= 9;
    OK(buf_append(&b, "$9\r\nabcdefghi\r\n", 15));
    fixture_round(&f);
    client_got(c);
    client_talk(&f, c, b.data, b.size);
    CHECK(c->conn); /* the last argument does not count */
    fixture_answer(&f);
    fixture_round(&f);
    buf_clear(&b);
    b = set_request("*4", "a", 50000, 'x');
    b.data[1] = '4';
    client_talk(&f, c, b.data, b.size);
    CHECK(!c->conn && f.server->stats.query_limit_closed == 1);
    buf_clear(&b);
    fixture_free(&f);
}

/* A client that takes nothing: its commands stop, and go on when it takes again. */
static void test_back_pressure(void) {
    fixture f;
    open_default(&f);
    client *c = client_new(&f), *other = client_new(&f);
    IS(set_large(&f, c, "k", 100000, 'a'), "+OK\r\n");
    c->stalled = true;
    buf gets = {0};
    for (int i = 0; i < 100; i++) OK(buf_append(&gets, "GET k\r\n", 7));
    CHECK(client_feed(c, gets.data, gets.size) == gets.size);
    fixture_round(&f);
    CHECK(c->conn->throttled && !conn_reads(c->conn));
    CHECK(out_size(&c->conn->out) > OUTPUT_PARSE_MAX && out_size(&c->conn->out) < OUTPUT_PARSE_MAX + 200000);
    IS(client_ask(&f, other, "PING"), "+PONG\r\n");
    c->stalled = false;
    conn_send(c->conn);
    fixture_round(&f);
    CHECK(c->got.size == 100 * (9 + 100000 + 2));
    CHECK(conn_reads(c->conn));
    buf_clear(&gets);
    fixture_free(&f);
}

static void test_output_limits(void) {
    limits l;
    fixture f;
    fixture_init(&f, &l);
    l.output_hard_max = 300000;
    l.output_soft_max = 150000;
    l.output_soft_s = 5;
    fixture_open(&f, &l);
    client *a = client_new(&f), *b = client_new(&f);
    IS(set_large(&f, a, "k", 100000, 'a'), "+OK\r\n");
    a->stalled = b->stalled = true;
    client_ask(&f, a, "GET k\r\nGET k");
    CHECK(a->conn && f.server->output_total > 200000);
    client_ask(&f, a, "GET k");
    CHECK(!a->conn && f.server->stats.output_limit_closed == 1 && f.server->output_total == 0);
    client_ask(&f, b, "GET k\r\nGET k");
    fixture_advance(&f, 5000);
    server_cron(f.server);
    CHECK(b->conn->state != CONN_CLOSED);
    fixture_advance(&f, 1);
    server_cron(f.server);
    CHECK(b->conn->state == CONN_CLOSED && f.server->stats.output_limit_closed == 2);
    client *c = client_new(&f);
    IS(client_ask(&f, c, "MGET k k k k"), ""); /* one reply above the limit is not even begun */
    CHECK(!c->conn && f.server->stats.output_limit_closed == 3);
    fixture_free(&f);
}

static void test_largest_goes(void) {
    limits l;
    fixture f;
    fixture_init(&f, &l);
    l.all_buffers_max = 510000;
    fixture_open(&f, &l);
    client *clients[4];
    IS(set_large(&f, client_new(&f), "k", 100000, 'a'), "+OK\r\n");
    for (int i = 0; i < 4; i++) {
        clients[i] = client_new(&f);
        clients[i]->stalled = true;
        for (int k = 0; k <= i; k++) client_ask(&f, clients[i], "GET k");
    }
    clients[3]->conn->no_evict = true;
    server_cron(f.server);
    fixture_round(&f);
    CHECK(clients[0]->conn && !clients[1]->conn && !clients[2]->conn && clients[3]->conn);
    CHECK(f.server->stats.evicted_clients == 2);
    CHECK(f.server->output_total == 5 * 100011);
    fixture_free(&f);
}

static void test_time_outs(void) {
    limits l;
    fixture f;
    fixture_init(&f, &l);
    l.auth_required = true;
    l.auth_timeout_s = 10;
    l.timeout_s = 60;
    fixture_open(&f, &l);
    client *a = client_new(&f), *b = client_new(&f);
    conn_authenticate(b->conn, true);
    fixture_advance(&f, 10000);
    for (int i = 0; i < 10; i++) server_cron(f.server);
    fixture_round(&f);
    CHECK(a->conn && b->conn);
    fixture_advance(&f, 1);
    for (int i = 0; i < 10; i++) server_cron(f.server);
    fixture_round(&f);
    CHECK(!a->conn && b->conn);
    fixture_advance(&f, 40000);
    IS(client_ask(&f, b, "PING"), "+PONG\r\n");
    fixture_advance(&f, 60000);
    for (int i = 0; i < 10; i++) server_cron(f.server);
    fixture_round(&f);
    CHECK(b->conn);
    fixture_advance(&f, 1);
    for (int i = 0; i < 10; i++) server_cron(f.server);
    fixture_round(&f);
    CHECK(!b->conn);
    fixture_free(&f);
}

static void test_idle_costs_nothing(void) {
    fixture f;
    open_default(&f);
    client *c = client_new(&f);
    IS(set_large(&f, c, "k", 300000, 'a'), "+OK\r\n");
    client_ask(&f, c, "GET k\r\nMGET k k k\r\nFOO\r\nPING");
    fixture_answer(&f);
    fixture_round(&f);
    const conn *k = c->conn;
    CHECK(!k->own && !k->scan.args && !k->out.head && !k->out.holds && !k->jobs && !k->names);
    CHECK(f.server->query_total == 0 && f.server->output_total == 0);
    CHECK(sizeof *k <= 1024);
    fixture_free(&f);
}

static void test_many_clients(void) {
    fixture f;
    open_default(&f);
    client *clients[2000];
    for (int i = 0; i < 2000; i++) clients[i] = client_new(&f);
    for (int i = 0; i < 2000; i++)
        if (next_random() % 2) conn_kill(clients[i]->conn);
    fixture_round(&f);
    uint32_t living = 0;
    for (int i = 0; i < 2000; i++) {
        CHECK(server_client(f.server, clients[i]->id) == clients[i]->conn);
        living += clients[i]->conn != NULL;
    }
    CHECK(f.server->client_count == living && !server_client(f.server, 5000));
    fixture_free(&f);
}

/* --- durability -------------------------------------------------------------------------------------------------------------------- */

static void open_always(fixture *f) {
    limits l;
    fixture_init(f, &l);
    f->options.sync = WAL_ALWAYS;
    fixture_open(f, &l);
}

/* Nobody is told of a write, by its reply or by another's, before it is on the disk. */
static void test_replies_wait_for_the_disk(void) {
    fixture f;
    open_always(&f);
    client *a = client_new(&f), *b = client_new(&f), *c = client_new(&f);
    IS(client_ask(&f, a, "PING\r\nSET k 1\r\nPING"), "+PONG\r\n");
    IS(client_ask(&f, b, "GET other\r\nGET k\r\nGET other"), "$-1\r\n");
    IS(client_ask(&f, c, "GET other"), "$-1\r\n");
    OK(db_sync(f.store.db));
    fixture_round(&f);
    IS(client_got(a), "+OK\r\n+PONG\r\n");
    IS(client_got(b), "$1\r\n1\r\n$-1\r\n");
    IS(client_ask(&f, c, "GET k"), "$1\r\n1\r\n");
    IS(client_ask(&f, a, "DEL k"), "");
    IS(client_ask(&f, b, "EXISTS k"), ""); /* that it is gone is news, too */
    OK(db_sync(f.store.db));
    fixture_round(&f);
    IS(client_got(a), ":1\r\n");
    IS(client_got(b), ":0\r\n");
    fixture_free(&f);
}

static void test_owner_reply_waits_for_the_disk(void) {
    fixture f;
    open_always(&f);
    client *a = client_new(&f);
    IS(client_ask(&f, a, "SET k 1"), "");
    IS(client_ask(&f, a, "FOO"), "");
    CHECK(server_request(f.server));
    OK(server_reply(f.server, a->id, slice_text("+foo\r\n"), db_last_seq(f.store.db), true));
    fixture_round(&f);
    IS(client_got(a), "");
    OK(db_sync(f.store.db));
    fixture_round(&f);
    IS(client_got(a), "+OK\r\n+foo\r\n");
    fixture_free(&f);
}

static void test_policy_changes(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f);
    IS(client_ask(&f, a, "SET k 1"), "+OK\r\n");
    OK(db_sync(f.store.db));
    db_set_sync(f.store.db, WAL_ALWAYS);
    f.store.policy = WAL_ALWAYS;
    IS(client_ask(&f, a, "GET k"), "$1\r\n1\r\n");
    IS(client_ask(&f, a, "SET k 2"), "");
    db_set_sync(f.store.db, WAL_NO);
    f.store.policy = WAL_NO;
    fixture_round(&f);
    IS(client_got(a), "+OK\r\n");
    fixture_free(&f);
}

/* A log that cannot be written: who wrote in that round does not know, the others do; later writes are refused. */
static void test_failed_commit(void) {
    fixture f;
    open_always(&f); /* appends are writes, not stores */
    client *a = client_new(&f), *b = client_new(&f);
    IS(client_ask(&f, a, "SET k 1"), "");
    OK(db_sync(f.store.db));
    fixture_round(&f);
    IS(client_got(a), "+OK\r\n");
    os_fault_fail(f.disk, FAULT_WRITE, "wal", 0, RKV_EIO, true);
    FEED(a, "SET k 2\r\n");
    FEED(b, "GET none\r\n");
    fixture_round(&f);
    CHECK(!a->conn && b->conn);
    IS(client_got(a), "");
    IS(client_got(b), "$-1\r\n");
    IS(client_ask(&f, b, "SET k 3"), "-MISCONF disk error, node is read-only\r\n");
    IS(client_ask(&f, b, "DEL k"), "-MISCONF disk error, node is read-only\r\n");
    IS(client_ask(&f, b, "GET k"), "-MISCONF disk error, node is read-only\r\n"); /* k = 2 may never have been */
    IS(client_ask(&f, b, "GET none"), "$-1\r\n");
    os_fault_heal(f.disk);
    fixture_free(&f);
}

static void test_no_space(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f);
    IS(set_large(&f, a, "k", 50000, 'a'), "+OK\r\n");
    os_fault_limit_space(f.disk, os_fault_used(f.disk));
    const char *got = "";
    for (int i = 0; i < 200 && strncmp(got, "-MISCONF no space", 17) != 0; i++)
        got = set_large(&f, a, "l", 300000, 'b');
    CHECK(strncmp(got, "-MISCONF no space", 17) == 0);
    CHECK(is_large(client_ask(&f, a, "GET k"), 50000, 'a'));
    os_fault_limit_space(f.disk, UINT64_MAX);
    fixture_round(&f);
    IS(set_large(&f, a, "l", 300000, 'c'), "+OK\r\n");
    fixture_free(&f);
}

/* --- waiting ------------------------------------------------------------------------------------------------------------------------ */

/* Values in tables, none in memory. */
static void open_cold(fixture *f, client **a, client **b) {
    open_default(f);
    client *c = client_new(f);
    for (int i = 0; i < 50; i++) {
        char line[300];
        snprintf(line, sizeof line, "SET k%d value%d-%0200d", i, i, i);
        IS(client_ask(f, c, line), "+OK\r\n");
    }
    OK(db_flush(f->store.db));
    conn_kill(c->conn);
    fixture_close(f);
    limits l;
    limits_init(&l);
    fixture_open(f, &l);
    *a = client_new(f);
    *b = client_new(f);
    os_slow_set(f->os, 1, 0);
}

/* A read that would wait holds up its own connection only, and nothing it has not sent yet. */
static void test_cold_read(void) {
    fixture f;
    client *a, *b;
    open_cold(&f, &a, &b);
    FEED(a, "PING\r\nSTRLEN k7\r\nPING\r\n");
    CHECK(a->conn->state == CONN_JOB && !conn_reads(a->conn) && f.server->blocked_count == 1);
    FEED(b, "SET fresh 1\r\nGET fresh\r\n");
    CHECK(b->conn->state == CONN_READY);
    fixture_round(&f);
    IS(client_got(a), "+PONG\r\n:207\r\n+PONG\r\n");
    IS(client_got(b), "+OK\r\n$1\r\n1\r\n");
    CHECK(f.server->stats.cold_reads == 1 && f.server->stats.keyspace_hits == 2 && f.server->blocked_count == 0);
    CHECK(f.server->command_stats[command_find(slice_text("strlen")) - commands].calls == 1);
    fixture_free(&f);
}

static void test_cold_reads_of_many(void) {
    fixture f;
    client *a, *b;
    open_cold(&f, &a, &b);
    FEED(a, "EXISTS k1 k2 none k3 k4\r\n");
    CHECK(a->conn->state == CONN_JOB);
    fixture_round(&f);
    IS(client_got(a), ":4\r\n");
    FEED(a, "DEL k1 k10 k20 k30 k40 k1 nope\r\n");
    fixture_round(&f);
    IS(client_got(a), ":5\r\n");
    IS(client_ask(&f, b, "EXISTS k1 k10 k20 k30 k40 k41"), ":1\r\n");
    fixture_free(&f);
}

/* Two increments of a cold key by two clients, one waiting while the other is done. */
static void test_cold_write_after_write(void) {
    fixture f;
    client *a, *b;
    open_default(&f);
    a = client_new(&f);
    IS(client_ask(&f, a, "SET n 41"), "+OK\r\n");
    OK(db_flush(f.store.db));
    fixture_close(&f);
    limits l;
    limits_init(&l);
    fixture_open(&f, &l);
    a = client_new(&f);
    b = client_new(&f);
    os_slow_set(f.os, 1, 0);
    FEED(a, "INCR n\r\n");
    CHECK(a->conn->state == CONN_JOB);
    os_slow_set(f.os, 0, 0);
    FEED(b, "INCR n\r\n");
    CHECK(b->conn->state == CONN_READY);
    fixture_round(&f);
    IS(client_got(b), ":42\r\n");
    IS(client_got(a), ":43\r\n");
    fixture_free(&f);
}

/* --- large values -------------------------------------------------------------------------------------------------------------------- */

enum { LARGE = 300000 }; /* written and read by jobs */

static void test_large_values(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f), *b = client_new(&f);
    buf set = set_request("SET", "k", LARGE, 'a');
    CHECK(client_feed(a, set.data, set.size) == set.size);
    CHECK(a->conn->state == CONN_JOB);
    FEED(b, "GET k\r\nPING\r\n");
    CHECK(b->conn->state == CONN_READY); /* not there yet, and nobody waits */
    fixture_round(&f);
    IS(client_got(a), "+OK\r\n");
    IS(client_got(b), "$-1\r\n+PONG\r\n");
    CHECK(is_large(client_ask(&f, b, "GET k"), LARGE, 'a'));
    IS(client_ask(&f, b, "STRLEN k"), ":300000\r\n");
    IS(client_ask(&f, b, "EXPIRE k 100"), ":1\r\n");
    CHECK(is_large(client_ask(&f, b, "GETEX k PERSIST"), LARGE, 'a'));
    IS(client_ask(&f, b, "TTL k"), ":-1\r\n");
    IS(client_ask(&f, b, "GETRANGE k -2 -1"), "$2\r\naa\r\n");
    IS(client_ask(&f, b, "MSET m k n n"), "+OK\r\n");
    char *got = (char *)client_ask(&f, b, "MGET m k n k");
    CHECK(strlen(got) == 4 + 2 * 7 + 2 * (LARGE + 11));
    buf_clear(&set);
    fixture_free(&f);
}

/* While a large value is being written others write the key: what the client was told happened in some order. */
static void test_large_write_meets_others(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f), *b = client_new(&f);
    buf set = set_request("SET", "k", LARGE, 'a'), append = set_request("APPEND", "l", LARGE, 'x');
    client_feed(a, set.data, set.size);
    FEED(b, "SET k small\r\nGET k\r\n"); /* a newer version than a's job drew */
    fixture_round(&f);
    IS(client_got(b), "+OK\r\n$5\r\nsmall\r\n");
    IS(client_got(a), "+OK\r\n");
    CHECK(is_large(client_ask(&f, b, "GET k"), LARGE, 'a')); /* a came after b */
    IS(client_ask(&f, b, "SET l 12"), "+OK\r\n");
    client_feed(a, append.data, append.size);
    CHECK(a->conn->state == CONN_JOB);
    FEED(b, "APPEND l 345\r\n");
    fixture_round(&f);
    IS(client_got(b), ":5\r\n");
    IS(client_got(a), ":300005\r\n");
    IS(client_ask(&f, b, "GETRANGE l 0 6"), "$7\r\n12345xx\r\n");
    client_feed(a, set.data, set.size);
    FEED(b, "DEL k\r\n");
    fixture_round(&f);
    IS(client_got(b), ":1\r\n");
    CHECK(is_large(client_ask(&f, b, "GET k"), LARGE, 'a'));
    buf_clear(&append);
    buf_clear(&set);
    fixture_free(&f);
}

static void test_large_conditional_write(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f), *b = client_new(&f);
    buf set = set_request("SETNX", "k", LARGE, 'a');
    client_feed(a, set.data, set.size);
    CHECK(a->conn->state == CONN_JOB);
    FEED(b, "SETNX k first\r\n");
    fixture_round(&f);
    IS(client_got(b), ":1\r\n");
    IS(client_got(a), ":0\r\n");
    IS(client_ask(&f, b, "GET k"), "$5\r\nfirst\r\n");
    buf_clear(&set);
    fixture_free(&f);
}

/* Under `always` a value that was written under an earlier version is not shown before it is safe either. */
static void test_large_value_waits_for_the_disk(void) {
    fixture f;
    open_always(&f);
    client *a = client_new(&f), *b = client_new(&f), *c = client_new(&f);
    buf set = set_request("SET", "k", LARGE, 'a');
    client_feed(a, set.data, set.size);
    CHECK(a->conn->state == CONN_JOB);
    FEED(b, "SET l 1\r\n");
    server_commit(f.server);
    OK(db_sync(f.store.db)); /* l, drawn later than k, is durable; k is not */
    fixture_round(&f);
    IS(client_got(b), "+OK\r\n");
    IS(client_got(a), "");
    IS(client_ask(&f, c, "STRLEN k"), "");
    OK(db_sync(f.store.db));
    fixture_round(&f);
    IS(client_got(a), "+OK\r\n");
    IS(client_got(c), ":300000\r\n");
    buf_clear(&set);
    fixture_free(&f);
}

static void test_client_leaves_during_job(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f), *b = client_new(&f);
    buf set = set_request("SET", "k", LARGE, 'a');
    client_feed(a, set.data, set.size);
    conn_end(a->conn); /* it sent a whole command: that is done */
    fixture_round(&f);
    CHECK(!a->conn);
    IS(client_ask(&f, b, "STRLEN k"), ":300000\r\n");
    client_feed(b, set.data, set.size);
    CHECK(b->conn->working);
    conn_kill(b->conn); /* the job still has its memory */
    fixture_round(&f);
    CHECK(!b->conn && f.server->job_count == 0);
    client *c = client_new(&f);
    client_feed(c, set.data, set.size);
    CHECK(c->conn->working); /* and a server that is freed waits for it */
    buf_clear(&set);
    fixture_free(&f);
}

/* --- pauses -------------------------------------------------------------------------------------------------------------------------- */

static void test_pause(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f), *b = client_new(&f);
    server_pause(f.server, f.server->now_ms + 100, true);
    IS(client_ask(&f, a, "GET k\r\nSET k 1\r\nGET k"), "$-1\r\n");
    IS(client_ask(&f, b, "FOO"), ""); /* the owner's commands are the owner's to hold */
    CHECK(fixture_answer(&f) == 1 && f.server->blocked_count == 1);
    CHECK(server_resume_paused(f.server) == 100 * 1000000ull);
    fixture_advance(&f, 99);
    fixture_round(&f);
    IS(client_got(a), "");
    fixture_advance(&f, 1);
    fixture_round(&f);
    IS(client_got(a), "+OK\r\n$1\r\n1\r\n");
    server_pause(f.server, f.server->now_ms + 100, false);
    IS(client_ask(&f, a, "GET k"), "");
    server_pause(f.server, 0, false);
    fixture_round(&f);
    IS(client_got(a), "$1\r\n1\r\n");
    fixture_free(&f);
}

/* When the engine cannot keep up writers wait, readers do not. */
static void test_pacing(void) {
    limits l;
    fixture f;
    fixture_init(&f, &l);
    f.options.memtable_bytes = 64 * 1024;
    fixture_open(&f, &l);
    client *a = client_new(&f), *b = client_new(&f);
    bool was_paced = false;
    for (int written = 0; written < 1000; written++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", written);
        set_large(&f, a, key, 4000, 'a');
        if (a->conn->state != CONN_PAUSED) continue;
        if (db_write_delay(f.store.db) == UINT64_MAX) break;
        was_paced = true; /* for a time that is known, and passes */
        fixture_advance(&f, 10000);
        fixture_round(&f);
        CHECK(a->conn->state == CONN_READY);
    }
    CHECK(was_paced && a->conn->state == CONN_PAUSED && db_write_delay(f.store.db) == UINT64_MAX);
    client_got(a);
    IS(client_ask(&f, b, "STRLEN k0"), ":4000\r\n");
    IS(client_ask(&f, b, "SET k0 x"), "");
    fixture_advance(&f, 1000);
    fixture_round(&f);
    CHECK(a->conn->state == CONN_PAUSED);
    while (db_step(f.store.db) == RKV_OK) continue;
    fixture_advance(&f, 1000);
    fixture_round(&f);
    IS(client_got(b), "+OK\r\n");
    IS(client_got(a), "+OK\r\n");
    fixture_free(&f);
}

/* --- faults and figures ------------------------------------------------------------------------------------------------------------- */

/* A client that does a little of everything, until an allocation fails; returns whether none did. */
static bool talk_without_memory(fixture *f, long n) {
    static const char *lines[] = {
        "SET a 1",          "INCR a",  "GET a",       "MGET a b c d", "APPEND a 2345678901234567890",
        "MSET b 1 c 2",     "DEL b c", "LCS a a IDX", "EXPIRE a 100", "GETEX a PERSIST",
        "SETRANGE a 9000 x"};
    client *c = client_new(f);
    buf large = set_request("SET", "large", LARGE, 'x');
    OK(buf_reserve(&c->got, 1 << 20));
    alloc_fail_after(n);
    for (size_t i = 0; i < sizeof lines / sizeof *lines && c->conn; i++) {
        client_feed(c, lines[i], strlen(lines[i]));
        FEED(c, "\r\n");
        fixture_round(f);
    }
    client_feed(c, large.data, large.size);
    fixture_round(f);
    FEED(c, "FOO bar\r\n");
    fixture_round(f);
    alloc_fail_after(-1);
    buf_clear(&large);
    fixture_answer(f);
    fixture_round(f);
    const char *got = client_got(c);
    bool well = c->conn && !strstr(got, "-OOM");
    if (well) CHECK(strcmp(got + strlen(got) - 28, ":9001\r\n+OK\r\n+owner FOO bar\r\n") == 0);
    if (c->conn) conn_kill(c->conn);
    fixture_round(f);
    return well;
}

static void test_no_memory(void) {
    bool well = false;
    for (long n = 0; !well; n++) {
        fixture f;
        open_default(&f);
        well = talk_without_memory(&f, n);
        client *c = client_new(&f);
        IS(client_ask(&f, c, "SET z 1\r\nGET z"), "+OK\r\n$1\r\n1\r\n");
        IS(set_large(&f, c, "z", LARGE, 'z'), "+OK\r\n");
        CHECK(is_large(client_ask(&f, c, "GET z"), LARGE, 'z'));
        CHECK(f.server->client_count == 1 && f.server->job_count == 0 && f.server->output_total == 0);
        fixture_free(&f);
    }
}

static void test_slow_log(void) {
    limits l;
    fixture f;
    fixture_init(&f, &l);
    l.slow_us = 0;
    fixture_open(&f, &l);
    client *c = client_new(&f);
    char line[600] = "MGET";
    for (int i = 0; i < 40; i++) strcat(line, " k");
    client_ask(&f, c, line);
    set_large(&f, c, "key", 200, 'v');
    for (int i = 0; i < SLOW_ENTRIES - 1; i++) client_ask(&f, c, "PING");
    const slow_entry *e = slow_take(f.server); /* the first has gone */
    CHECK(e && e->argc == 3 && e->argc_all == 3 && e->client == c->id);
    CHECK(e->sizes[2] == SLOW_ARG_BYTES && e->sizes_all[2] == 200 && memcmp(e->bytes, "SETkeyvvv", 9) == 0);
    int count = 1;
    while (slow_take(f.server)) count++;
    CHECK(count == SLOW_ENTRIES);
    client_ask(&f, c, line);
    e = slow_take(f.server);
    CHECK(e->argc == SLOW_ARGS && e->argc_all == 41);
    l.slow_us = -1;
    server_configure(f.server, &l);
    client_ask(&f, c, "PING");
    CHECK(!slow_take(f.server));
    fixture_free(&f);
}

static void test_figures(void) {
    fixture f;
    open_default(&f);
    client *c = client_new(&f);
    IS(client_ask(&f, c, "SET a 1\r\nGET a\r\nGET b\r\nMGET a b c\r\nGET\r\nINCR a x"),
       "+OK\r\n$1\r\n1\r\n$-1\r\n*3\r\n$1\r\n1\r\n$-1\r\n$-1\r\n-ERR wrong number of arguments for 'get' command\r\n"
       "-ERR wrong number of arguments for 'incr' command\r\n");
    IS(client_ask(&f, c, "SET a x\r\nINCR a"), "+OK\r\n-ERR value is not an integer or out of range\r\n");
    const server_stats *s = &f.server->stats;
    CHECK(s->keyspace_hits == 2 && s->keyspace_misses == 3 && s->commands == 8 && c->conn->commands == 8);
    const command_stats *get = &f.server->command_stats[command_find(slice_text("get")) - commands];
    const command_stats *incr = &f.server->command_stats[command_find(slice_text("incr")) - commands];
    CHECK(get->calls == 2 && get->rejected == 1 && get->failed == 0);
    CHECK(incr->calls == 1 && incr->rejected == 1 && incr->failed == 1);
    CHECK(s->bytes_in == c->conn->bytes_in && s->bytes_out == c->conn->bytes_out && s->connections == 1);
    fixture_free(&f);
}

static void test_databases(void) {
    fixture f;
    open_default(&f);
    client *a = client_new(&f), *b = client_new(&f);
    IS(client_ask(&f, a, "SET k zero\r\nSELECT 1\r\nSET k one"), "+OK\r\n+OK\r\n+OK\r\n");
    f.server->map[0] = 1; /* SWAPDB 0 1 */
    f.server->map[1] = 0;
    IS(client_ask(&f, a, "GET k"), "$4\r\nzero\r\n");
    IS(client_ask(&f, b, "GET k"), "$3\r\none\r\n");
    fixture_free(&f);
}

int main(void) {
    seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 1;
    printf("SEED=%llu\n", (unsigned long long)seed);
    RUN(test_pieces);
    RUN(test_owner_requests);
    RUN(test_owner_request_outlives_client);
    RUN(test_reply_modes);
    RUN(test_end_of_stream);
    RUN(test_before_auth);
    RUN(test_limits_before_auth);
    RUN(test_oversized_arguments);
    RUN(test_protocol_errors_close);
    RUN(test_query_limit);
    RUN(test_back_pressure);
    RUN(test_output_limits);
    RUN(test_largest_goes);
    RUN(test_time_outs);
    RUN(test_idle_costs_nothing);
    RUN(test_many_clients);
    RUN(test_replies_wait_for_the_disk);
    RUN(test_owner_reply_waits_for_the_disk);
    RUN(test_policy_changes);
    RUN(test_failed_commit);
    RUN(test_no_space);
    RUN(test_cold_read);
    RUN(test_cold_reads_of_many);
    RUN(test_cold_write_after_write);
    RUN(test_large_values);
    RUN(test_large_write_meets_others);
    RUN(test_large_conditional_write);
    RUN(test_large_value_waits_for_the_disk);
    RUN(test_client_leaves_during_job);
    RUN(test_pause);
    RUN(test_pacing);
    RUN(test_no_memory);
    RUN(test_slow_log);
    RUN(test_figures);
    RUN(test_databases);
    return check_done();
}
