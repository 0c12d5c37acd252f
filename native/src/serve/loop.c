/* loop.c: see loop.h. */
#include "serve/loop.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/status.h"
#include "resp/reply.h"
#include "serve/socket.h"

enum {
    EVENTS_MAX = 256,
    LISTENERS_MAX = 16,
    ACCEPTS_MAX = 128,      /* of one listener in one round */
    PIECES_MAX = 64,        /* of one sendmsg */
    LINGER_NS = 100 * 1000, /* how long a poll waits for more within its budget */
    RECEIVES_MAX = 16,      /* of one connection in one round: a large value goes on */
};

/* What an event is about: in the low bits of its data; clients are aligned. */
enum source { SOURCE_CLIENT, SOURCE_LISTENER, SOURCE_WAKE, SOURCE_ENGINE, SOURCE_TIMER, SOURCE_MASK = 7 };

typedef struct listener {
    int fd;      /* -1: this place is free */
    bool ready;  /* somebody waits to be let in */
    bool paused; /* out of descriptors: not watched until some are free */
} listener;

struct loop {
    server *server;
    int epoll, wake, timer;
    bool woken;
    listener listeners[LISTENERS_MAX];
    uint32_t listener_count;
};

server *loop_server(loop *p) {
    return p->server;
}

int loop_fd(const loop *p) {
    return p->epoll;
}

static int watch(loop *p, int fd, uint32_t events, uint64_t data) {
    struct epoll_event e = {.events = events, .data.u64 = data};
    return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e) ? status_errno(errno, "epoll_ctl") : RKV_OK;
}

int loop_new(loop **out, store *s, const limits *l) {
    loop *p = mem_zalloc(sizeof *p);
    if (!p) return alloc_failed(sizeof *p);
    p->wake = p->timer = -1;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll >= 0) p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->wake >= 0) p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int rc = p->timer < 0 ? status_errno(errno, "epoll, eventfd or timerfd") : RKV_OK;
    if (!rc) rc = watch(p, p->wake, EPOLLIN, SOURCE_WAKE);
    if (!rc) rc = watch(p, p->timer, EPOLLIN, SOURCE_TIMER);
    if (!rc) rc = watch(p, db_event_fd(s->db), EPOLLIN, SOURCE_ENGINE);
    if (!rc) rc = server_new(&p->server, s, l);
    if (rc)
        loop_free(p);
    else
        *out = p;
    return rc;
}

static void close_socket(conn *c) {
    if (c->fd < 0) return;
    close(c->fd); /* which takes it out of the epoll set */
    c->fd = -1;
}

void loop_free(loop *p) {
    if (!p) return;
    server_free(p->server, close_socket);
    if (p->timer >= 0) close(p->timer);
    if (p->wake >= 0) close(p->wake);
    if (p->epoll >= 0) close(p->epoll);
    mem_free(p);
}

void loop_wake(loop *p) {
    if (p->woken) return;
    uint64_t one = 1;
    p->woken = write(p->wake, &one, sizeof one) == sizeof one;
}

static void wake_seen(loop *p) {
    uint64_t count;
    if (read(p->wake, &count, sizeof count) < 0 && errno != EAGAIN) assert(!"eventfd");
    p->woken = false;
}

/* --- listening ------------------------------------------------------------------------------------------------------------- */

int loop_listen(loop *p, int fd) {
    uint32_t at = 0;
    while (at < p->listener_count && p->listeners[at].fd >= 0) at++;
    if (at == LISTENERS_MAX) return status_set(RKV_EINVAL, "more than %d listening sockets", LISTENERS_MAX);
    int rc = socket_no_wait(fd);
    if (!rc) rc = watch(p, fd, EPOLLIN, (uint64_t)at << 3 | SOURCE_LISTENER);
    if (rc) return rc;
    p->listeners[at] = (listener){.fd = fd};
    if (at == p->listener_count) p->listener_count++;
    return RKV_OK;
}

int loop_unlisten(loop *p, int fd) {
    for (uint32_t i = 0; i < p->listener_count; i++) {
        if (p->listeners[i].fd != fd) continue;
        if (!p->listeners[i].paused) epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, NULL);
        p->listeners[i].fd = -1;
        return RKV_OK;
    }
    return status_set(RKV_NOTFOUND, "descriptor %d does not listen", fd);
}

/* Out of descriptors: look again when time has passed. */
static void pause_accepting(loop *p, listener *l) {
    epoll_ctl(p->epoll, EPOLL_CTL_DEL, l->fd, NULL);
    l->paused = true;
}

static void resume_accepting(loop *p) {
    for (uint32_t i = 0; i < p->listener_count; i++) {
        listener *l = &p->listeners[i];
        if (l->fd >= 0 && l->paused && !watch(p, l->fd, EPOLLIN, (uint64_t)i << 3 | SOURCE_LISTENER)) l->paused = false;
    }
}

/* Why a new client may not stay, or NULL. */
static const char *refusal(const server *v, bool is_remote) {
    const limits *l = &v->limits;
    if (l->protected_mode && is_remote)
        return "-DENIED this server is in protected mode: it has no password, so it takes clients of its own host "
               "only. "
               "Set a password (requirepass), or switch protected-mode off, to let others in.\r\n";
    if (v->client_count >= l->clients_max) return "-ERR max number of clients reached\r\n";
    if (l->auth_required && v->unauthenticated_count >= l->clients_unauthenticated_max)
        return "-ERR max number of clients reached\r\n";
    return NULL;
}

static void refuse(server *v, int fd, const char *why) {
    v->stats.rejected++;
    /* Best effort: the socket is new, so it fits its buffer or never will. */
    if (send(fd, why, strlen(why), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) errno = 0;
    close(fd);
}

static void welcome(loop *p, int fd, const char *address, bool is_remote) {
    server *v = p->server;
    const char *why = refusal(v, is_remote);
    if (why) {
        refuse(v, fd, why);
        return;
    }
    conn *c = server_connect(v);
    if (!c) {
        refuse(v, fd, "-OOM out of memory\r\n");
        return;
    }
    c->fd = fd;
    memcpy(c->address, address, sizeof c->address);
    socket_local_address(fd, c->local_address);
    socket_prepare(fd, v->limits.keepalive_s);
    c->writable = true;
    if (watch(p, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, (uint64_t)(uintptr_t)c | SOURCE_CLIENT)) conn_kill(c);
}

static void accept_all(loop *p, listener *l) {
    for (int i = 0; i < ACCEPTS_MAX && l->fd >= 0; i++) {
        char address[SOCKET_ADDRESS_MAX] = "";
        bool is_remote;
        int fd = socket_accept(l->fd, address, &is_remote);
        if (fd >= 0) {
            welcome(p, fd, address, is_remote);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause_accepting(p, l);
        if (errno != EINTR && errno != ECONNABORTED) return;
    }
}

/* --- receiving ------------------------------------------------------------------------------------------------------------- */

/* Receive what is there and run it. */
static void serve(conn *c) {
    server *v = c->server;
    for (int i = 0; i < RECEIVES_MAX && c->readable && conn_reads(c); i++) {
        size_t room;
        uint8_t *space = conn_space(c, &room);
        if (!space) return;
        ssize_t got = recv(c->fd, space, room, 0);
        if (got > 0) {
            /* Less than asked for: the socket is empty, and what comes will be an event. */
            c->readable = (size_t)got == room || c->hung;
            conn_received(c, (size_t)got);
            conn_run(c);
        } else if (got == 0) {
            c->readable = false;
            conn_end(c);
        } else if (errno == EAGAIN) {
            c->readable = false;
        } else if (errno != EINTR) {
            conn_kill(c);
        }
    }
    if (c->readable && conn_reads(c)) list_append(&v->ready, &c->ready);
}

/* A client that is being closed: what it still sends is of no interest, but must be read, or its last replies are lost. */
static void drain(conn *c) {
    while (c->readable && c->shut) {
        ssize_t got = recv(c->fd, c->server->shared, INPUT_SIZE, 0);
        if (got > 0) continue;
        if (got < 0 && errno == EINTR) continue;
        c->readable = false;
        if (got == 0 || errno != EAGAIN) conn_kill(c);
    }
}

static void client_event(conn *c, uint32_t events) {
    if (c->state == CONN_CLOSED) return;
    if (events & EPOLLOUT) {
        c->writable = true;
        conn_send(c);
    }
    if (!(events & ~(uint32_t)EPOLLOUT)) return;
    c->readable = true;
    c->hung = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    bool broken = events & (EPOLLHUP | EPOLLERR);
    if (c->state == CONN_CLOSING)
        drain(c);
    else if (broken && c->state == CONN_JOB)
        conn_end(c); /* what it has begun is finished, with nobody to tell */
    else if (broken && c->state != CONN_READY)
        conn_kill(c);
    else
        list_append(&c->server->ready, &c->ready);
}

/* --- sending --------------------------------------------------------------------------------------------------------------- */

static void send_some(conn *c) {
    while (c->writable) {
        struct iovec pieces[PIECES_MAX];
        int count = out_pieces(&c->out, pieces, PIECES_MAX);
        if (count == 0) return;
        size_t size = 0;
        for (int i = 0; i < count; i++) size += pieces[i].iov_len;
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
        ssize_t sent =
            count == 1 ? send(c->fd, pieces[0].iov_base, size, MSG_NOSIGNAL) : sendmsg(c->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) {
            conn_kill(c);
            return;
        }
        if (sent < 0 || (size_t)sent < size) c->writable = false;
        if (sent > 0) conn_sent(c, (size_t)sent);
    }
}

/* All replies of a closing client are out: tell it so, and wait for its end. */
static void finish_closing(conn *c) {
    if (c->ended) {
        conn_kill(c);
        return;
    }
    if (c->shut) return;
    c->shut = true;
    c->drain_until_ms = c->server->now_ms + DRAIN_MS;
    if (shutdown(c->fd, SHUT_WR)) conn_kill(c);
    drain(c);
}

static void send_all(server *v) {
    for (list *l; (l = list_pop(&v->sending));) {
        conn *c = list_entry(l, conn, sending);
        send_some(c);
        if (c->state == CONN_CLOSING && out_size(&c->out) == 0 && !c->running) finish_closing(c);
    }
}

/* --- rounds ---------------------------------------------------------------------------------------------------------------- */

static void timer_seen(loop *p) {
    uint64_t count;
    if (read(p->timer, &count, sizeof count) < 0 && errno != EAGAIN) assert(!"timerfd");
}

static void event(loop *p, const struct epoll_event *e) {
    uint64_t data = e->data.u64;
    switch ((enum source)(data & SOURCE_MASK)) {
    case SOURCE_CLIENT: client_event((conn *)(uintptr_t)data, e->events); break;
    case SOURCE_LISTENER: p->listeners[data >> 3].ready = true; break;
    case SOURCE_WAKE: wake_seen(p); break;
    case SOURCE_ENGINE: server_events(p->server); break;
    case SOURCE_TIMER: timer_seen(p); break;
    case SOURCE_MASK: break;
    }
}

static void run_ready(server *v) {
    list now;
    list_init(&now);
    list_take(&now, &v->ready);
    for (list *l; (l = list_pop(&now));) {
        conn *c = list_entry(l, conn, ready);
        if (c->state != CONN_READY) continue;
        if (c->pending || c->input_size || c->throttled) conn_run(c);
        serve(c);
    }
}

/* Let new clients in, after those who have gone made room. */
static void accept_ready(loop *p) {
    for (uint32_t i = 0; i < p->listener_count; i++) {
        listener *l = &p->listeners[i];
        if (l->ready && l->fd >= 0) accept_all(p, l);
        l->ready = false;
    }
}

/* Wake up when the first paused connection may go on. */
static void arm_timer(loop *p, uint64_t in_ns) {
    if (in_ns == UINT64_MAX) return;
    if (in_ns == 0) in_ns = 1;
    struct itimerspec at = {.it_value = {(time_t)(in_ns / 1000000000), (long)(in_ns % 1000000000)}};
    if (timerfd_settime(p->timer, 0, &at, NULL)) assert(!"timerfd");
}

static void round_(loop *p) {
    server *v = p->server;
    run_ready(v);
    server_commit(v);
    send_all(v);
    arm_timer(p, server_resume_paused(v));
    if (v->limits.all_buffers_max && v->query_total + v->output_total > v->limits.all_buffers_max) server_evict(v);
    if (!list_empty(&v->dead)) server_reap(v, close_socket);
    accept_ready(p);
}

/* Wait up to ns for events. */
static int wait_events(loop *p, struct epoll_event *events, uint64_t ns) {
    int count;
    if (ns) {
        struct timespec timeout = {0, (long)ns};
        count = epoll_pwait2(p->epoll, events, EVENTS_MAX, &timeout, NULL);
        if (count < 0 && errno == ENOSYS) count = epoll_wait(p->epoll, events, EVENTS_MAX, 0);
    } else {
        count = epoll_wait(p->epoll, events, EVENTS_MAX, 0);
    }
    return count < 0 && errno == EINTR ? 0 : count;
}

int loop_poll(loop *p, uint32_t budget_us) {
    server *v = p->server;
    struct epoll_event events[EVENTS_MAX];
    server_time(v);
    uint64_t until_ns = v->now_ns + (uint64_t)budget_us * 1000, linger_ns = 0;
    v->stats.polls++;
    for (;;) {
        int count = wait_events(p, events, linger_ns);
        if (count < 0) return status_errno(errno, "epoll_wait");
        server_time(v);
        for (int i = 0; i < count; i++) event(p, &events[i]);
        bool idle = count == 0 && list_empty(&v->ready) && list_empty(&v->sending);
        round_(p);
        bool more = !list_empty(&v->ready);
        if (v->request_count || idle) break;
        if (v->now_ns >= until_ns) {
            if (more) loop_wake(p);
            break;
        }
        linger_ns = more ? 0 : until_ns - v->now_ns < LINGER_NS ? until_ns - v->now_ns : LINGER_NS;
    }
    if (!list_empty(&v->ready)) loop_wake(p);
    return (int)v->request_count;
}

void loop_cron(loop *p) {
    server_cron(p->server);
    resume_accepting(p);
    server_reap(p->server, close_socket);
    if (!list_empty(&p->server->sending)) loop_wake(p);
}
