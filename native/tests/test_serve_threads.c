/* test_serve_threads.c: a server beside the engine's threads: jobs on a pool, flush and compaction, syncs. For ThreadSanitizer, too.
 *
 * Each client owns a few keys and knows what each of them holds; whatever it reads must be that, through cold reads, large values, values that move to
 * tables, and other clients' writes.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "serve_fixture.h"

enum { CLIENTS = 6, KEYS = 4, STEPS = 1500, WAIT_MS = 20000, SIZE_MAX_ = 400000 };

typedef struct owner {
    client *client;
    unsigned number;
    size_t size[KEYS]; /* 0: absent */
    uint8_t fill[KEYS];
    buf expected; /* replies to come */
    unsigned steps;
} owner;

static uint64_t seed;

static uint64_t below(uint64_t bound) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t x = seed;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (x ^ x >> 31) % bound;
}

static void feed(owner *o, const buf *b) {
    CHECK(client_feed(o->client, b->data, b->size) == b->size);
}

static void expect(owner *o, const char *text) {
    OK(buf_append(&o->expected, text, strlen(text)));
}

static void append_fill(buf *b, size_t size, uint8_t fill) {
    OK(buf_reserve(b, size));
    memset(b->data + b->size, fill, size);
    b->size += size;
}

static void append_text(buf *b, const char *text) {
    OK(buf_append(b, text, strlen(text)));
}

static size_t draw_size(void) {
    uint64_t kind = below(10);
    if (kind == 0) return 256 * 1024 + below(SIZE_MAX_ - 256 * 1024);
    return 1 + below(kind < 3 ? 20000 : 300);
}

static void set_or_append(owner *o, unsigned key, bool append) {
    buf b = {0};
    char text[100];
    size_t size = draw_size();
    uint8_t fill = append && o->size[key] ? o->fill[key] : (uint8_t)('a' + below(26));
    snprintf(text, sizeof text, "*3\r\n$%d\r\n%s\r\n$4\r\nk%u-%u\r\n$%zu\r\n", append ? 6 : 3,
             append ? "APPEND" : "SET", o->number, key, size);
    append_text(&b, text);
    append_fill(&b, size, fill);
    append_text(&b, "\r\n");
    feed(o, &b);
    buf_clear(&b);
    o->size[key] = append ? o->size[key] + size : size;
    o->fill[key] = fill;
    snprintf(text, sizeof text, ":%zu\r\n", o->size[key]);
    expect(o, append ? text : "+OK\r\n");
}

static void expect_value(owner *o, unsigned key) {
    char text[40];
    if (o->size[key] == 0) {
        expect(o, "$-1\r\n");
        return;
    }
    snprintf(text, sizeof text, "$%zu\r\n", o->size[key]);
    expect(o, text);
    append_fill(&o->expected, o->size[key], o->fill[key]);
    expect(o, "\r\n");
}

static void step(owner *o) {
    unsigned key = (unsigned)below(KEYS);
    char text[200];
    switch (below(10)) {
    case 0:
    case 1:
    case 2: set_or_append(o, key, false); return;
    case 3: set_or_append(o, key, o->size[key] < SIZE_MAX_); return;
    case 4:
        snprintf(text, sizeof text, "DEL k%u-%u\r\n", o->number, key);
        expect(o, o->size[key] ? ":1\r\n" : ":0\r\n");
        o->size[key] = 0;
        break;
    case 5:
        snprintf(text, sizeof text, "LCS k%u-%u k%u-%u LEN\r\n", o->number, key, o->number, key);
        if (o->size[key] > 10000) return; /* minutes under ThreadSanitizer */
        snprintf(text + 150, 50, ":%zu\r\n", o->size[key]);
        expect(o, text + 150);
        break;
    case 6:
        snprintf(text, sizeof text, "MGET k%u-0 k%u-1 k%u-2 k%u-3\r\n", o->number, o->number, o->number, o->number);
        expect(o, "*4\r\n");
        for (unsigned i = 0; i < KEYS; i++) expect_value(o, i);
        break;
    case 7:
        snprintf(text, sizeof text, "EXPIRE k%u-%u 1000\r\n", o->number, key);
        expect(o, o->size[key] ? ":1\r\n" : ":0\r\n");
        break;
    default: snprintf(text, sizeof text, "GET k%u-%u\r\n", o->number, key); expect_value(o, key);
    }
    CHECK(client_feed(o->client, text, strlen(text)) == strlen(text));
}

/* Compare what has come; true when nothing is outstanding. */
static bool answered(owner *o) {
    size_t n = o->client->got.size;
    CHECK(o->client->conn && n <= o->expected.size);
    if (n == 0) return o->expected.size == 0;
    CHECK(memcmp(o->client->got.data, o->expected.data, n) == 0);
    memmove(o->expected.data, o->expected.data + n, o->expected.size - n);
    o->expected.size -= n;
    o->client->got.size = 0;
    return o->expected.size == 0;
}

static void run(enum wal_policy policy) {
    limits l;
    fixture f;
    owner owners[CLIENTS];
    fixture_init(&f, &l);
    f.options.background = true;
    f.options.sync = policy;
    f.options.memory_bytes = 1 << 20;
    f.options.memtable_bytes = 128 * 1024;
    f.options.table_bytes = 256 * 1024;
    f.options.level_bytes = 512 * 1024;
    f.options.read_threads = 3;
    l.all_buffers_max = 0;
    fixture_open(&f, &l);
    for (unsigned i = 0; i < CLIENTS; i++) owners[i] = (owner){.client = client_new(&f), .number = i};
    for (unsigned done = 0; done < CLIENTS;) {
        done = 0;
        bool moved = false;
        for (unsigned i = 0; i < CLIENTS; i++) {
            owner *o = &owners[i];
            bool idle = answered(o);
            done += idle && o->steps == STEPS / CLIENTS;
            if (!idle || o->steps == STEPS / CLIENTS) continue;
            o->steps++;
            step(o);
            moved = true;
            if (below(20) == 0) os_slow_set(f.os, (unsigned)below(2), 0);
        }
        fixture_round(&f);
        fixture_advance(&f, 1); /* so that paced writers go on */
        for (unsigned i = 0; i < CLIENTS; i++) moved |= owners[i].client->got.size > 0;
        if (moved || done == CLIENTS) continue;
        struct pollfd fd = {.fd = db_event_fd(f.store.db), .events = POLLIN};
        CHECK(poll(&fd, 1, f.server->blocked_count ? 1 : WAIT_MS) >= 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++) buf_clear(&owners[i].expected);
    fixture_free(&f);
}

static void test_everysec(void) {
    run(WAL_EVERYSEC);
}

static void test_always(void) {
    run(WAL_ALWAYS);
}

int main(void) {
    seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 1;
    printf("SEED=%llu\n", (unsigned long long)seed);
    RUN(test_everysec);
    RUN(test_always);
    return check_done();
}
