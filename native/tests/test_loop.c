/* test_loop.c: real sockets on the loopback interface, driver and clients on one thread.
 *
 * The store is in memory and has no threads; the server's clock is the machine's. Nothing here sleeps: whoever waits does so in poll for what must come.
 */
#include "serve/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "os/os_fault.h"

enum { BUDGET_US = 1000, WAIT_MS = 5000 };

typedef struct world {
    os_fault *disk;
    store store;
    loop *loop;
    int listener;
    struct sockaddr_in address;
} world;

static void world_open(world *w, const limits *l) {
    db_options o;
    db_recovery recovery;
    *w = (world){.disk = os_fault_new(1)};
    db_options_init(&o);
    o.os = os_fault_os(w->disk);
    o.dir = "/store";
    o.memory_bytes = 32 << 20;
    o.wal_segment_bytes = 1 << 20;
    o.background = false;
    OK(db_open(&w->store.db, &o, &recovery));
    w->store.os = os_posix();
    w->store.policy = WAL_EVERYSEC;
    OK(loop_new(&w->loop, &w->store, l));
    w->listener = socket(AF_INET, SOCK_STREAM, 0);
    w->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof w->address;
    CHECK(bind(w->listener, (struct sockaddr *)&w->address, size) == 0 && listen(w->listener, 1000) == 0);
    CHECK(getsockname(w->listener, (struct sockaddr *)&w->address, &size) == 0);
    OK(loop_listen(w->loop, w->listener));
}

static void world_close(world *w) {
    loop_free(w->loop);
    OK(db_close(w->store.db));
    close(w->listener);
    os_fault_free(w->disk);
}

static limits default_limits(void) {
    limits l;
    limits_init(&l);
    return l;
}

static int dial(world *w) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&w->address, sizeof w->address) == 0);
    return fd;
}

static void serve(world *w) {
    CHECK(loop_poll(w->loop, BUDGET_US) >= 0);
}

static size_t try_send(int fd, const void *data, size_t size) {
    ssize_t n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n > 0 ? (size_t)n : 0;
}

static void say(int fd, const char *text) {
    CHECK(try_send(fd, text, strlen(text)) == strlen(text));
}

/* Serve until size bytes have come, or the end of the stream; returns how many came. */
static size_t take(world *w, int fd, void *data, size_t size) {
    size_t at = 0;
    while (at < size) {
        serve(w);
        ssize_t n = recv(fd, (char *)data + at, size - at, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno == ECONNRESET)) break;
        if (n > 0) {
            at += (size_t)n;
            continue;
        }
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = loop_fd(w->loop), .events = POLLIN}};
        CHECK(poll(fds, 2, WAIT_MS) > 0);
    }
    return at;
}

static void expect(world *w, int fd, const char *text) {
    char got[512] = "";
    size_t size = take(w, fd, got, strlen(text));
    if (size != strlen(text) || memcmp(got, text, size) != 0) {
        fprintf(stderr, "got      %s\nexpected %s\n", got, text);
        abort();
    }
}

static void expect_end(world *w, int fd) {
    char byte;
    CHECK(take(w, fd, &byte, 1) == 0);
    close(fd);
}

static void settle(world *w) {
    for (int i = 0; i < 3; i++) serve(w);
}

/* --- tests ------------------------------------------------------------------------------------------------------------------------ */

static void test_talk(void) {
    world w;
    limits l = default_limits();
    world_open(&w, &l);
    int a = dial(&w), b = dial(&w);
    say(a, "SET k 1\r\nGET k\r\nPING\r\n");
    expect(&w, a, "+OK\r\n$1\r\n1\r\n+PONG\r\n");
    say(b, "*2\r\n$4\r\nINCR\r\n$1\r\nk");
    serve(&w);
    say(b, "\r\n");
    expect(&w, b, ":2\r\n");
    const conn *c = server_client(loop_server(w.loop), 1);
    CHECK(strncmp(c->address, "127.0.0.1:", 10) == 0 && strncmp(c->local_address, "127.0.0.1:", 10) == 0);
    close(a);
    close(b);
    settle(&w);
    CHECK(loop_server(w.loop)->client_count == 0 && list_empty(&loop_server(w.loop)->clients));
    world_close(&w);
}

/* Ten megabytes there and back, through sockets that take a little at a time. */
static void test_large(void) {
    enum { SIZE = 10 << 20 };
    world w;
    limits l = default_limits();
    world_open(&w, &l);
    int a = dial(&w), b = dial(&w);
    uint8_t *data = malloc(SIZE), *back = malloc(SIZE + 20);
    char head[64];
    for (size_t i = 0; i < SIZE; i++) data[i] = (uint8_t)(i * 31 + (i >> 9));
    snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", SIZE);
    say(a, head);
    for (size_t at = 0; at < SIZE;) {
        at += try_send(a, data + at, SIZE - at);
        serve(&w);
    }
    say(a, "\r\nGET k\r\n");
    say(b, "PING\r\n");
    expect(&w, b, "+PONG\r\n");
    int n = snprintf(head, sizeof head, "+OK\r\n$%d\r\n", SIZE);
    expect(&w, a, head);
    CHECK(take(&w, a, back, SIZE) == SIZE && memcmp(back, data, SIZE) == 0);
    expect(&w, a, "\r\n");
    (void)n;
    free(data);
    free(back);
    close(a);
    close(b);
    world_close(&w);
}

/* The client says all that it has to say, and hears all before the end. */
static void test_half_close(void) {
    world w;
    limits l = default_limits();
    world_open(&w, &l);
    int a = dial(&w);
    say(a, "SET k 1\r\nINCR k\r\nGET");
    shutdown(a, SHUT_WR);
    expect(&w, a, "+OK\r\n:2\r\n");
    expect_end(&w, a);
    int b = dial(&w);
    settle(&w);
    say(b, "PING\r\n"); /* bytes and end in one event */
    shutdown(b, SHUT_WR);
    expect(&w, b, "+PONG\r\n");
    expect_end(&w, b);
    settle(&w);
    CHECK(list_empty(&loop_server(w.loop)->clients));
    world_close(&w);
}

/* A protocol error is heard, however much the client has sent behind it. */
static void test_last_words(void) {
    world w;
    limits l = default_limits();
    world_open(&w, &l);
    int a = dial(&w);
    say(a, "PING\r\n*1\r\n$x\r\n");
    char junk[60000];
    memset(junk, 'x', sizeof junk);
    for (int i = 0; i < 10; i++) try_send(a, junk, sizeof junk);
    expect(&w, a, "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n");
    expect_end(&w, a);
    int b = dial(&w);
    say(b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_end(&w, b);
    settle(&w);
    CHECK(list_empty(&loop_server(w.loop)->clients));
    world_close(&w);
}

/* One that never reads: its commands stop, others go on, and it costs little. */
static void test_slow_reader(void) {
    world w;
    limits l = default_limits();
    world_open(&w, &l);
    int a = dial(&w), b = dial(&w);
    say(a, "SETRANGE k 99999 x\r\n");
    expect(&w, a, ":100000\r\n");
    size_t sent = 0, wanted = 3000;
    for (size_t i = 0; i < wanted; i++) sent += try_send(a, "GET k\r\n", 7) == 7;
    for (int i = 0; i < 200; i++) serve(&w);
    const conn *c = server_client(loop_server(w.loop), 1);
    CHECK(c->throttled && out_size(&c->out) < OUTPUT_PARSE_MAX + 200000);
    say(b, "PING\r\n");
    expect(&w, b, "+PONG\r\n");
    char *back = malloc(1 << 20);
    size_t all = sent * (9 + 100000 + 2);
    for (size_t at = 0; at < all;) {
        size_t n = take(&w, a, back, all - at < 1 << 20 ? all - at : 1 << 20);
        CHECK(n);
        at += n;
    }
    free(back);
    say(a, "PING\r\n");
    expect(&w, a, "+PONG\r\n");
    close(a);
    close(b);
    world_close(&w);
}

static void test_refusals(void) {
    world w;
    limits l = default_limits();
    l.clients_max = 2;
    world_open(&w, &l);
    int a = dial(&w), b = dial(&w), c = dial(&w);
    expect(&w, c, "-ERR max number of clients reached\r\n");
    expect_end(&w, c);
    CHECK(loop_server(w.loop)->stats.rejected == 1 && loop_server(w.loop)->client_count == 2);
    close(a); /* seen together with who comes next, and before */
    a = dial(&w);
    say(a, "PING\r\n");
    expect(&w, a, "+PONG\r\n");
    l.clients_max = 100;
    l.auth_required = true;
    l.clients_unauthenticated_max = 1;
    server_configure(loop_server(w.loop), &l);
    c = dial(&w);
    say(c, "GET k\r\n");
    expect(&w, c, "-NOAUTH Authentication required.\r\n");
    int d = dial(&w);
    expect(&w, d, "-ERR max number of clients reached\r\n");
    expect_end(&w, d);
    OK(loop_unlisten(w.loop, w.listener));
    CHECK(loop_unlisten(w.loop, w.listener) == RKV_NOTFOUND);
    OK(loop_listen(w.loop, w.listener));
    close(a);
    close(b);
    close(c);
    world_close(&w);
}

/* Without a free descriptor nobody new comes in, and everybody inside is served. */
static void test_no_descriptors(void) {
    world w;
    limits l = default_limits();
    struct rlimit old, small;
    world_open(&w, &l);
    int a = dial(&w), b = socket(AF_INET, SOCK_STREAM, 0);
    say(a, "PING\r\n");
    expect(&w, a, "+PONG\r\n");
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    int spare = dup(b);
    close(spare); /* the lowest free number */
    small = (struct rlimit){(rlim_t)spare, old.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &small) == 0);
    CHECK(connect(b, (struct sockaddr *)&w.address, sizeof w.address) == 0); /* into the backlog */
    say(b, "PING\r\n");
    for (int i = 0; i < 20; i++) serve(&w);
    say(a, "PING\r\n");
    expect(&w, a, "+PONG\r\n");
    struct pollfd fd = {.fd = loop_fd(w.loop), .events = POLLIN};
    settle(&w);
    CHECK(poll(&fd, 1, 0) == 0); /* and the loop does not spin */
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    loop_cron(w.loop);
    expect(&w, b, "+PONG\r\n");
    close(a);
    close(b);
    world_close(&w);
}

/* What is done between polls makes the loop's descriptor readable. */
static void test_wake(void) {
    world w;
    limits l = default_limits();
    world_open(&w, &l);
    struct pollfd fd = {.fd = loop_fd(w.loop), .events = POLLIN};
    server *v = loop_server(w.loop);
    int a = dial(&w);
    say(a, "FOO\r\nPING\r\n");
    while (v->request_count == 0) serve(&w);
    CHECK(loop_poll(w.loop, BUDGET_US) == 1);
    conn *c = server_request(v);
    CHECK(poll(&fd, 1, 0) == 0);
    OK(server_reply(v, c->id, slice_text("+foo\r\n"), 0, true));
    loop_wake(w.loop);
    CHECK(poll(&fd, 1, 0) == 1);
    expect(&w, a, "+foo\r\n+PONG\r\n");
    server_pause(v, v->now_ms + 30, false);
    say(a, "PING\r\n");
    while (v->blocked_count == 0) serve(&w);
    CHECK(poll(&fd, 1, WAIT_MS) == 1); /* the timer */
    expect(&w, a, "+PONG\r\n");
    close(a);
    world_close(&w);
}

/* A client that is reset while the owner runs its command; the reply comes to nothing. */
static void test_reset(void) {
    world w;
    limits l = default_limits();
    world_open(&w, &l);
    server *v = loop_server(w.loop);
    int a = dial(&w);
    say(a, "FOO\r\n");
    while (v->request_count == 0) serve(&w);
    conn *c = server_request(v);
    uint64_t id = c->id;
    struct linger now = {1, 0};
    setsockopt(a, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(a);
    settle(&w);
    CHECK(v->client_count == 0 && !server_client(v, id));
    CHECK(server_reply(v, id, slice_text("+foo\r\n"), 0, true) == RKV_NOTFOUND);
    settle(&w);
    CHECK(list_empty(&v->clients));
    world_close(&w);
}

/* Comes and goes by the thousand: nothing is left. */
static void test_many(void) {
    enum { AT_ONCE = 200 };
    world w;
    limits l = default_limits();
    world_open(&w, &l);
    int fds[AT_ONCE];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < AT_ONCE; i++) fds[i] = dial(&w);
        for (int i = 0; i < AT_ONCE; i++) say(fds[i], i % 3 ? "INCR n\r\n" : "*2\r\n$4\r\nINCR\r\n$1");
        for (int i = 0; i < AT_ONCE; i++)
            if (i % 3 == 1) expect(&w, fds[i], ":");
        for (int i = 0; i < AT_ONCE; i++) close(fds[i]);
        settle(&w);
    }
    settle(&w);
    CHECK(loop_server(w.loop)->client_count == 0 && list_empty(&loop_server(w.loop)->clients));
    CHECK(loop_server(w.loop)->query_total == 0 && loop_server(w.loop)->output_total == 0);
    int a = dial(&w);
    say(a, "GET n\r\n");
    expect(&w, a, "$4\r\n1330\r\n");
    close(a);
    world_close(&w);
}

int main(void) {
    RUN(test_talk);
    RUN(test_large);
    RUN(test_half_close);
    RUN(test_last_words);
    RUN(test_slow_reader);
    RUN(test_refusals);
    RUN(test_no_descriptors);
    RUN(test_wake);
    RUN(test_reset);
    RUN(test_many);
    return check_done();
}
