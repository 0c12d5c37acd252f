/* command.c: the table of native commands, and what happens to a request between the scanner and its reply. */
#include "serve/command.h"

#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/coding.h"
#include "base/status.h"
#include "serve/entry.h"
#include "serve/job.h"
#include "serve/slow.h"

enum {
    INDEX_SIZE = 256,
    NAME_SIZE_MAX = 15,
    REPLY_ROOM = 256, /* there when a command starts: a short reply cannot fail */
};

const command commands[] = {
    {"append", 3, COMMAND_WRITE, 1, 1, 1, run_append},
    {"copy", -3, COMMAND_WRITE, 1, 2, 1, run_copy},
    {"decr", 2, COMMAND_WRITE, 1, 1, 1, run_decr},
    {"decrby", 3, COMMAND_WRITE, 1, 1, 1, run_decrby},
    {"del", -2, COMMAND_WRITE, 1, -1, 1, run_del},
    {"echo", 2, 0, 0, 0, 0, run_echo},
    {"exists", -2, 0, 1, -1, 1, run_exists},
    {"expire", -3, COMMAND_WRITE, 1, 1, 1, run_expire},
    {"expireat", -3, COMMAND_WRITE, 1, 1, 1, run_expireat},
    {"expiretime", 2, 0, 1, 1, 1, run_expiretime},
    {"get", 2, 0, 1, 1, 1, run_get},
    {"getdel", 2, COMMAND_WRITE, 1, 1, 1, run_getdel},
    {"getex", -2, COMMAND_WRITE, 1, 1, 1, run_getex},
    {"getrange", 4, 0, 1, 1, 1, run_getrange},
    {"getset", 3, COMMAND_WRITE, 1, 1, 1, run_getset},
    {"incr", 2, COMMAND_WRITE, 1, 1, 1, run_incr},
    {"incrby", 3, COMMAND_WRITE, 1, 1, 1, run_incrby},
    {"incrbyfloat", 3, COMMAND_WRITE, 1, 1, 1, run_incrbyfloat},
    {"lcs", -3, 0, 1, 2, 1, run_lcs},
    {"mget", -2, 0, 1, -1, 1, run_mget},
    {"move", 3, COMMAND_WRITE, 1, 1, 1, run_move},
    {"mset", -3, COMMAND_WRITE, 1, -1, 2, run_mset},
    {"msetnx", -3, COMMAND_WRITE, 1, -1, 2, run_msetnx},
    {"persist", 2, COMMAND_WRITE, 1, 1, 1, run_persist},
    {"pexpire", -3, COMMAND_WRITE, 1, 1, 1, run_pexpire},
    {"pexpireat", -3, COMMAND_WRITE, 1, 1, 1, run_pexpireat},
    {"pexpiretime", 2, 0, 1, 1, 1, run_pexpiretime},
    {"ping", -1, 0, 0, 0, 0, run_ping},
    {"psetex", 4, COMMAND_WRITE, 1, 1, 1, run_psetex},
    {"pttl", 2, 0, 1, 1, 1, run_pttl},
    {"rename", 3, COMMAND_WRITE, 1, 2, 1, run_rename},
    {"renamenx", 3, COMMAND_WRITE, 1, 2, 1, run_renamenx},
    {"select", 2, 0, 0, 0, 0, run_select},
    {"set", -3, COMMAND_WRITE, 1, 1, 1, run_set},
    {"setex", 4, COMMAND_WRITE, 1, 1, 1, run_setex},
    {"setnx", 3, COMMAND_WRITE, 1, 1, 1, run_setnx},
    {"setrange", 4, COMMAND_WRITE, 1, 1, 1, run_setrange},
    {"strlen", 2, 0, 1, 1, 1, run_strlen},
    {"substr", 4, 0, 1, 1, 1, run_getrange},
    {"touch", -2, 0, 1, -1, 1, run_exists},
    {"ttl", 2, 0, 1, 1, 1, run_ttl},
    {"type", 2, 0, 1, 1, 1, run_type},
    {"unlink", -2, COMMAND_WRITE, 1, -1, 1, run_del},
    {"host:", -1, COMMAND_FOREIGN, 0, 0, 0, NULL},
    {"post", -1, COMMAND_FOREIGN, 0, 0, 0, NULL},
};

enum { ALL_COUNT = sizeof commands / sizeof *commands, FOREIGN_COUNT = 2 };

const uint32_t command_count = ALL_COUNT - FOREIGN_COUNT;

/* --- lookup -------------------------------------------------------------------------------------------------------------- */

/* A name as two words: lower case, zeros, its size. */
typedef struct packed {
    uint64_t low, high;
} packed;

static packed names[ALL_COUNT];
static uint8_t index_[INDEX_SIZE]; /* number in commands + 1, open addressing */
static pthread_once_t index_once = PTHREAD_ONCE_INIT;

/* The bit makes letters lower case, and nothing else a letter. */
static packed pack(slice name) {
    const uint64_t bits = 0x2020202020202020;
    uint8_t bytes[NAME_SIZE_MAX + 1] = {0};
    memcpy(bytes, name.data, name.size);
    bytes[NAME_SIZE_MAX] = (uint8_t)name.size;
    return (packed){get_fixed64(bytes) | bits, get_fixed64(bytes + 8) | bits};
}

static size_t packed_hash(packed p) {
    return ((p.low ^ p.high * 31) * 0x9e3779b97f4a7c15) >> 56;
}

static void make_index(void) {
    for (size_t i = 0; i < ALL_COUNT; i++) {
        names[i] = pack(slice_text(commands[i].name));
        size_t at = packed_hash(names[i]);
        while (index_[at]) at = (at + 1) % INDEX_SIZE;
        index_[at] = (uint8_t)(i + 1);
    }
}

const command *command_find(slice name) {
    if (name.size == 0 || name.size > NAME_SIZE_MAX) return NULL;
    pthread_once(&index_once, make_index);
    packed p = pack(name);
    for (size_t at = packed_hash(p); index_[at]; at = (at + 1) % INDEX_SIZE) {
        size_t i = index_[at] - 1u;
        if (names[i].low == p.low && names[i].high == p.high) return &commands[i];
    }
    return NULL;
}

bool is_word(slice arg, const char *word) {
    size_t i = 0;
    for (; i < arg.size && word[i]; i++)
        if (tolower(arg.data[i]) != word[i]) return false;
    return i == arg.size && !word[i];
}

/* --- replies ------------------------------------------------------------------------------------------------------------- */

/* An error is the whole reply: what the command wrote before it goes. */
static int say_error_slice(conn *c, slice text) {
    c->server->failed = true;
    out_return(&c->out, c->server->mark);
    if (reply_error(&c->out, text)) conn_kill(c);
    return DONE;
}

int say_error(conn *c, const char *text) {
    return say_error_slice(c, slice_text(text));
}

int say_format(conn *c, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return say_error_slice(c, slice_of(text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1));
}

int say_status(conn *c, int code) {
    switch (code) {
    case RKV_ENOMEM: return say_error(c, "OOM out of memory");
    case RKV_ENOSPC: return say_error(c, "MISCONF no space left on the disk: writes are refused until there is some");
    case RKV_EREADONLY: return say_error(c, "MISCONF disk error, node is read-only");
    case RKV_ECORRUPT: return say_format(c, "CORRUPT %s", status_text());
    case RKV_EIO: return say_format(c, "IOERR %s", status_text());
    default: return say_format(c, "ERR %s: %s", status_name(code), status_text());
    }
}

int say(conn *c, int rc) {
    return rc ? say_status(c, rc) : DONE;
}

int say_ok(conn *c) {
    return say(c, reply_ok(&c->out));
}

int say_integer(conn *c, int64_t v) {
    return say(c, reply_integer(&c->out, v));
}

int say_bulk(conn *c, slice data) {
    return say(c, reply_bulk(&c->out, data));
}

int say_null(conn *c) {
    return say(c, reply_null(&c->out, c->resp));
}

int say_syntax(conn *c) {
    return say_error(c, "ERR syntax error");
}

int say_wrong_type(conn *c) {
    return say_error(c, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

int say_not_integer(conn *c) {
    return say_error(c, "ERR value is not an integer or out of range");
}

/* --- from request to reply ------------------------------------------------------------------------------------------------ */

static void reject(conn *c, const command *cmd, const char *format, const char *name) {
    if (cmd) c->server->command_stats[cmd - commands].rejected++;
    say_format(c, format, name);
}

static bool arity_fits(const command *cmd, uint32_t count) {
    return cmd->arity >= 0 ? count == (uint32_t)cmd->arity : count >= (uint32_t)-cmd->arity;
}

static bool keys_fit(const conn *c, const command *cmd) {
    if (!cmd->first_key) return true;
    uint64_t max = c->server->limits.key_max;
    int last = cmd->last_key < 0 ? (int)c->scan.count + cmd->last_key : cmd->last_key;
    for (int i = cmd->first_key; i <= last; i += cmd->key_step)
        if (c->scan.args[i].size > max) return false;
    return true;
}

/* Does the command have to wait for a time? */
static bool is_paced(server *v, const command *cmd) {
    bool writes = cmd && cmd->flags & COMMAND_WRITE;
    if (v->now_ms < v->pause_until_ms && (writes || !v->pause_writes_only)) return true;
    return writes && v->now_ns < v->write_at_ns;
}

/* What may run before AUTH: the owner's commands of these names. */
static bool is_open(slice name) {
    return is_word(name, "auth") || is_word(name, "hello") || is_word(name, "quit") || is_word(name, "reset");
}

static void to_owner(conn *c) {
    slice name = c->scan.args[0];
    size_t size = name.size < sizeof c->last_name ? name.size : sizeof c->last_name - 1;
    for (size_t i = 0; i < size; i++) c->last_name[i] = (char)tolower(name.data[i]);
    c->last_name[size] = '\0';
    c->last_command = NULL;
    c->state = CONN_REQUEST;
    list_append(&c->server->requests, &c->waiting);
    c->server->request_count++;
}

/* The clock is read once a command: what ends one begins the next. */
static void count_run(conn *c, const command *cmd) {
    server *v = c->server;
    uint64_t begin_ns = v->now_ns;
    v->now_ns = store_mono_ns(v->store);
    command_stats *s = &v->command_stats[cmd - commands];
    uint64_t ns = v->now_ns - begin_ns;
    s->calls++;
    s->ns += ns;
    s->failed += v->failed;
    if (v->now_ns >= v->clock_next_ns) server_time(v);
    if (v->limits.slow_us >= 0 && ns >= (uint64_t)v->limits.slow_us * 1000) slow_add(v, c, ns / 1000);
}

static void run_native(conn *c, const command *cmd) {
    server *v = c->server;
    v->failed = false;
    int r = cmd->run(c, c->scan.args, c->scan.count);
    if (r == AGAIN && v->wants) r = job_start(c, NULL, NULL);
    entries_clear(v);
    scratch_reset(&v->scratch);
    if (c->state == CONN_CLOSED) return;
    if (r == AGAIN) {
        out_return(&c->out, v->mark);
        c->wrote = false;
        return;
    }
    count_run(c, cmd);
    c->last_command = cmd;
    conn_finish(c);
}

void command_run(conn *c) {
    server *v = c->server;
    slice name = c->scan.args[0];
    const command *cmd = command_find(name);
    if (cmd && cmd->flags & COMMAND_FOREIGN) {
        v->stats.foreign_protocols++;
        conn_kill(c);
        return;
    }
    if (!out_room(&c->out, REPLY_ROOM)) {
        conn_kill(c);
        return;
    }
    v->mark = out_here(&c->out);
    if (cmd && !arity_fits(cmd, c->scan.count))
        reject(c, cmd, "ERR wrong number of arguments for '%s' command", cmd->name);
    else if (!c->authenticated && (cmd || !is_open(name)))
        reject(c, cmd, "NOAUTH Authentication required.%s", "");
    else if (c->scan.oversized || (cmd && !keys_fit(c, cmd)))
        reject(c, cmd, "ERR value too large%s", "");
    else if (is_paced(v, cmd)) {
        conn_pause(c);
        return;
    } else if (cmd) {
        run_native(c, cmd);
        return;
    } else {
        to_owner(c);
        return;
    }
    conn_finish(c);
}
