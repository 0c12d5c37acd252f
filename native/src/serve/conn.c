/* conn.c: one connection: its input, its state, its turn to run; see server.h.
 *
 * Input lies in the server's shared buffer while it is being run, so that an idle connection owns no memory; what is left of an
 * unfinished request, or waits behind a command that waits, is kept in memory of the connection's own.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "serve/ahead.h"
#include "serve/command.h"
#include "serve/job.h"

enum {
    OWN_ROUND = 512,
    ARGS_SPARE_MAX = 4096, /* the spare array is not kept above this */
};

/* --- input ---------------------------------------------------------------------------------------------------------------- */

static bool goes_to_shared(const conn *c) {
    return c->input_size <= INPUT_COPY_MAX;
}

/* Let the input lie at to, where its bytes are already. */
static void input_moved(conn *c, uint8_t *to) {
    scan_moved(&c->scan, slice_of(c->input, c->input_size), to);
    c->input = to;
}

/* Room in own memory for a piece behind the input, which lies there. */
static bool own_grow(conn *c) {
    size_t at = (size_t)(c->input - c->own);
    if (c->own_capacity - at - c->input_size >= INPUT_COPY_MAX) return true;
    size_t capacity = c->input_size * 2 + INPUT_COPY_MAX;
    uint8_t *grown = mem_alloc(capacity);
    if (!grown) return false;
    memcpy(grown, c->input, c->input_size);
    input_moved(c, grown);
    mem_free(c->own);
    c->own = grown;
    c->own_capacity = capacity;
    return true;
}

uint8_t *conn_space(conn *c, size_t *out_size) {
    server *v = c->server;
    uint8_t *space = NULL;
    if (scan_filling(&c->scan)) {
        space = scan_space(&c->scan, out_size);
    } else if (goes_to_shared(c)) {
        if (c->input_size) memcpy(v->shared, c->input, c->input_size);
        *out_size = INPUT_SIZE - c->input_size;
        space = v->shared + c->input_size;
    } else if (own_grow(c)) {
        size_t used = (size_t)(c->input - c->own) + c->input_size;
        *out_size = c->own_capacity - used;
        space = c->own + used;
    }
    if (!space) conn_kill(c);
    return space;
}

void conn_received(conn *c, size_t size) {
    server *v = c->server;
    c->bytes_in += size;
    v->stats.bytes_in += size;
    c->active_ms = v->now_ms;
    if (scan_filling(&c->scan)) {
        scan_received(&c->scan, size);
        return;
    }
    if (goes_to_shared(c)) {
        input_moved(c, v->shared);
        c->in_shared = true;
    }
    c->input_size += size;
}

static void drop_own(conn *c) {
    mem_free(c->own);
    c->own = NULL;
    c->own_capacity = 0;
}

/* Keep what is left of the shared buffer. */
static bool keep_input(conn *c) {
    c->in_shared = false;
    if (c->input_size > c->own_capacity) {
        drop_own(c);
        size_t capacity = (c->input_size + OWN_ROUND - 1) & ~(size_t)(OWN_ROUND - 1);
        c->own = mem_alloc(capacity);
        if (!c->own) return false;
        c->own_capacity = capacity;
    }
    memcpy(c->own, c->input, c->input_size);
    input_moved(c, c->own);
    return true;
}

/* --- the scanner's array of arguments, lent by the server ------------------------------------------------------------------ */

static bool borrow_args(conn *c) {
    server *v = c->server;
    if (c->scan.args) return false;
    c->scan.args = v->args;
    c->scan.capacity = v->args_capacity;
    return true;
}

/* Give the array back; an unfinished request gets one of its own. */
static bool return_args(conn *c, bool borrowed) {
    server *v = c->server;
    scan *s = &c->scan;
    bool idle = s->count == 0;
    if (!borrowed) {
        if (!idle) return true;
        mem_free(s->args);
    } else {
        v->args = s->args;
        v->args_capacity = s->capacity;
    }
    slice *args = s->args;
    s->args = NULL;
    s->capacity = 0;
    if (!idle) {
        s->args = mem_alloc(s->count * sizeof *args);
        if (!s->args) {
            s->count = 0;
            return false;
        }
        memcpy(s->args, args, s->count * sizeof *args);
        s->capacity = s->count;
    }
    if (borrowed && v->args_capacity > ARGS_SPARE_MAX) {
        mem_free(v->args);
        v->args = NULL;
        v->args_capacity = 0;
    }
    return true;
}

/* --- running ---------------------------------------------------------------------------------------------------------------- */

static void protocol_error(conn *c) {
    server *v = c->server;
    char text[128] = "ERR ";
    size_t size = strlen(c->scan.error);
    memcpy(text + 4, c->scan.error, size); /* the scanner's texts are short */
    v->stats.protocol_errors++;
    if (reply_error(&c->out, slice_of(text, 4 + size)))
        conn_kill(c);
    else
        conn_close(c);
}

static void drop_request(conn *c) {
    c->input += c->scan.taken;
    c->input_size -= c->scan.taken;
    scan_finish(&c->scan);
}

/* Find the next request in the input. Returns whether there is one to run. */
static bool next_request(conn *c) {
    server *v = c->server;
    enum scan_result r;
    for (;;) {
        r = scan_next(&c->scan, &v->scan_limits[c->authenticated], slice_of(c->input, c->input_size));
        if (r != SCAN_REQUEST || c->scan.count) break;
        drop_request(c); /* an empty line, or no arguments */
    }
    switch (r) {
    case SCAN_MORE: return false;
    case SCAN_REQUEST: break;
    case SCAN_ERROR: protocol_error(c); return false;
    case SCAN_FOREIGN:
        v->stats.foreign_protocols++;
        conn_kill(c);
        return false;
    case SCAN_OVERFLOW:
        v->stats.query_limit_closed++;
        conn_kill(c);
        return false;
    case SCAN_NOMEM: conn_kill(c); return false;
    }
    c->pending = true;
    c->muted = c->reply_mode != 0;
    if (c->reply_mode == 2) c->reply_mode = 0;
    return true;
}

void conn_finish(conn *c) {
    server *v = c->server;
    if (c->muted) {
        out_return(&c->out, v->mark);
        c->muted = false;
    }
    if (c->wrote) {
        conn_dirty(c, v->mark.end);
        c->wrote = false;
    }
    drop_request(c);
    if (c->jobs) jobs_clear(c);
    c->job_bytes = 0;
    c->tries = 0;
    c->pending = false;
    c->commands++;
    v->stats.commands++;
}

/* Nothing more can be run now: keep what is needed for later, and no more. */
static void settle(conn *c, bool borrowed) {
    if (c->state >= CONN_CLOSING && !c->running && !c->working) {
        scan_finish(&c->scan);
        c->input_size = 0;
    }
    bool kept = return_args(c, borrowed);
    if (c->input_size == 0) {
        drop_own(c);
        c->input = NULL;
        c->in_shared = false;
    } else if (c->in_shared && !keep_input(c)) {
        c->input_size = 0;
        kept = false;
    }
    if (!kept) conn_kill(c);
    if (c->state == CONN_CLOSED) return;
    bool more = c->throttled || !list_empty(&c->ready);
    if (c->ended && c->state == CONN_READY && !more) conn_close(c);
    conn_account(c);
    conn_send(c);
}

void conn_run(conn *c) {
    server *v = c->server;
    bool borrowed = borrow_args(c);
    v->now_ns = store_mono_ns(v->store);
    c->throttled = false;
    for (unsigned n = 0; c->state == CONN_READY; n++) {
        if (!c->pending && !next_request(c)) break;
        if (out_size(&c->out) > OUTPUT_PARSE_MAX) {
            c->throttled = true;
            break;
        }
        if (n == RUN_COMMANDS_MAX) {
            list_append(&v->ready, &c->ready);
            break;
        }
        ahead_look(c);
        command_run(c);
        if (db_uncommitted(v->db) > COMMIT_BYTES) server_commit(v);
    }
    ahead_clear(v);
    settle(c, borrowed);
}

/* --- states ------------------------------------------------------------------------------------------------------------------ */

bool conn_reads(const conn *c) {
    if (c->state == CONN_CLOSING) return false;
    return c->state == CONN_READY && !c->ended && !c->throttled && !c->pending;
}

void conn_end(conn *c) {
    c->ended = true;
    if (c->state == CONN_READY && !c->throttled && list_empty(&c->ready)) conn_close(c);
}

void conn_pause(conn *c) {
    c->state = CONN_PAUSED;
    c->server->blocked_count++;
    list_append(&c->server->paused, &c->waiting);
}

void conn_resume(conn *c) {
    if (c->state == CONN_PAUSED || c->state == CONN_JOB) c->server->blocked_count--;
    assert(c->state != CONN_CLOSED && c->state != CONN_CLOSING);
    c->state = CONN_READY;
    list_remove(&c->waiting);
    list_append(&c->server->ready, &c->ready);
}

void conn_authenticate(conn *c, bool authenticated) {
    if (c->authenticated == authenticated) return;
    c->authenticated = authenticated;
    c->server->unauthenticated_count += authenticated ? (uint32_t)-1 : 1;
}

static void leave_waiting(conn *c) {
    server *v = c->server;
    if (c->state == CONN_PAUSED || c->state == CONN_JOB) v->blocked_count--;
    if (c->state == CONN_REQUEST && !c->running) v->request_count--;
    list_remove(&c->waiting);
}

void conn_close(conn *c) {
    if (c->state >= CONN_CLOSING) return;
    leave_waiting(c);
    c->state = CONN_CLOSING;
    list_remove(&c->ready);
    c->active_ms = c->server->now_ms;
    conn_send(c);
}

void conn_kill(conn *c) {
    server *v = c->server;
    if (c->state == CONN_CLOSED) return;
    leave_waiting(c);
    c->state = CONN_CLOSED;
    v->client_count--;
    if (!c->authenticated) v->unauthenticated_count--;
    list_remove(&c->ready);
    list_remove(&c->dirty);
    list_remove(&c->sending);
    list_remove(&c->held);
    out_clear(&c->out);
    conn_account(c);
    list_append(&v->dead, &c->dead);
}

/* --- replies ------------------------------------------------------------------------------------------------------------------ */

void conn_dirty(conn *c, uint64_t offset) {
    if (!list_empty(&c->dirty)) return;
    c->dirty_offset = offset;
    list_append(&c->server->dirty, &c->dirty);
}

void conn_send(conn *c) {
    if (c->state == CONN_CLOSED || !list_empty(&c->dirty)) return;
    if (out_size(&c->out) || c->state == CONN_CLOSING) list_append(&c->server->sending, &c->sending);
}

void conn_sent(conn *c, size_t size) {
    out_sent(&c->out, size);
    c->bytes_out += size;
    c->server->stats.bytes_out += size;
    c->active_ms = c->server->now_ms;
    conn_account(c);
    if (c->throttled && out_size(&c->out) <= OUTPUT_PARSE_MAX / 2) {
        c->throttled = false;
        list_append(&c->server->ready, &c->ready);
    }
}

void conn_account(conn *c) {
    server *v = c->server;
    bool closed = c->state == CONN_CLOSED;
    uint64_t query = closed ? 0 : c->own_capacity + scan_memory(&c->scan);
    uint64_t output = closed ? 0 : out_size(&c->out) + c->job_bytes;
    v->query_total += query - c->counted_query;
    v->output_total += output - c->counted_output;
    c->counted_query = query;
    c->counted_output = output;
    if (closed) return;
    uint64_t max = c->authenticated ? v->limits.output_hard_max : OUTPUT_UNAUTHENTICATED_MAX;
    if (out_size(&c->out) > max && max) {
        v->stats.output_limit_closed++;
        conn_kill(c);
        return;
    }
    bool soft = v->limits.output_soft_max && out_size(&c->out) > v->limits.output_soft_max;
    if (!soft)
        c->soft_since_ms = 0;
    else if (!c->soft_since_ms)
        c->soft_since_ms = v->now_ms;
}
