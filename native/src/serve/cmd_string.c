/* cmd_string.c: one string as a whole: GET, SET and what combines them. */
#include "base/alloc.h"
#include "serve/expiry.h"
#include "serve/keys.h"

/* Look up a string that may be absent. */
static int get_string(conn *c, slice key, entry **out) {
    int r = entry_get(c, key, out);
    return r == GO ? entry_string(c, *out) : r;
}

/* The value, or null; GO. */
static int reply_value(conn *c, entry *e) {
    if (e->exists) return entry_reply(c, e);
    int rc = reply_null(&c->out, c->resp);
    return rc ? say_status(c, rc) : GO;
}

/* What has been replied stands, unless the command failed or has to be run again. */
static int replied(int r) {
    return r == GO ? DONE : r;
}

int run_get(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *e;
    int r = entry_read(c, args[1], &e);
    if (r == GO) r = entry_string(c, e);
    if (r == GO) r = reply_value(c, e);
    return replied(r);
}

/* --- SET ------------------------------------------------------------------------------------------------------------------------ */

enum set_condition { SET_ALWAYS, SET_IF_ABSENT, SET_IF_PRESENT, SET_IF_EQUAL, SET_IF_DIFFERENT };

typedef struct set_options {
    enum set_condition condition;
    slice compared; /* with EQUAL and DIFFERENT */
    bool get, keep_ttl, expires;
    expiry_unit unit;
    slice expiry;
} set_options;

/* A condition may be repeated, but not combined with another. */
static bool set_condition(set_options *o, enum set_condition condition) {
    bool fits = o->condition == SET_ALWAYS || o->condition == condition;
    o->condition = condition;
    return fits;
}

/* One option at args[0], of count arguments left. Returns how many it took; 0: syntax error. */
static uint32_t read_option(set_options *o, const slice *args, uint32_t count) {
    expiry_unit unit;
    slice word = args[0];
    if (is_word(word, "nx")) return set_condition(o, SET_IF_ABSENT);
    if (is_word(word, "xx")) return set_condition(o, SET_IF_PRESENT);
    if (is_word(word, "get")) {
        o->get = true;
        return 1;
    }
    if (is_word(word, "keepttl")) {
        o->keep_ttl = true;
        return !o->expires;
    }
    if (count < 2) return 0;
    bool equal = is_word(word, "ifeq");
    if (equal || is_word(word, "ifne")) {
        o->compared = args[1];
        return set_condition(o, equal ? SET_IF_EQUAL : SET_IF_DIFFERENT) ? 2 : 0;
    }
    if (!expiry_option(word, &unit) || o->keep_ttl) return 0;
    if (o->expires && (unit.seconds != o->unit.seconds || unit.absolute != o->unit.absolute)) return 0;
    o->expires = true;
    o->unit = unit;
    o->expiry = args[1];
    return 2;
}

static int set_allowed(conn *c, const set_options *o, entry *e, bool *out) {
    slice text;
    *out = o->condition == SET_ALWAYS || o->condition == (e->exists ? SET_IF_PRESENT : SET_IF_ABSENT);
    if (o->condition != SET_IF_EQUAL && o->condition != SET_IF_DIFFERENT) return GO;
    *out = o->condition == SET_IF_DIFFERENT;
    if (!e->exists) return GO;
    int r = entry_string(c, e);
    if (r == GO) r = entry_text(c, e, &text);
    if (r == GO) *out = slice_equal(text, o->compared) == (o->condition == SET_IF_EQUAL);
    return r;
}

/* Set a value; one that has expired already is a delete. */
static int put_string(conn *c, const put *key, slice value, uint64_t expires_at_ms) {
    put p = *key;
    bool past = expires_at_ms && expires_at_ms <= c->server->now_ms;
    p.payload = past ? slice_of(NULL, 0) : payload_of(value);
    p.expires_at_ms = past ? 0 : expires_at_ms;
    return put_all(c, &p, 1);
}

static int set_blindly(conn *c, slice key, slice value, uint64_t expires_at_ms) {
    put p = {0};
    int r = put_key(c, key, &p);
    if (r == GO) r = put_string(c, &p, value, expires_at_ms);
    return r == GO ? say_ok(c) : r;
}

/* SET with an option that asks what is there. */
static int set_after_look(conn *c, const slice *args, const set_options *o, uint64_t expires_at_ms) {
    entry *e;
    bool allowed;
    int r = entry_get(c, args[1], &e);
    if (r == GO && o->get) r = entry_string(c, e);
    if (r == GO) r = set_allowed(c, o, e, &allowed);
    if (r == GO && o->get) r = reply_value(c, e);
    if (r != GO) return r;
    if (!allowed) return o->get ? DONE : say_null(c);
    if (o->keep_ttl && e->exists) expires_at_ms = e->value.cell.expires_at_ms;
    r = put_string(c, &(put){.key = e->key, .hash = e->hash}, args[2], expires_at_ms);
    if (r != GO) return r;
    return o->get ? DONE : say_ok(c);
}

int run_set(conn *c, const slice *args, uint32_t count) {
    if (count == 3) return set_blindly(c, args[1], args[2], 0);
    set_options o = {0};
    uint64_t expires_at_ms = 0;
    for (uint32_t i = 3, n; i < count; i += n) {
        n = read_option(&o, args + i, count - i);
        if (n == 0) return say_syntax(c);
    }
    if (o.expires) {
        int r = expiry_read(c, o.expiry, o.unit, "set", &expires_at_ms);
        if (r != GO) return r;
    }
    if (o.condition == SET_ALWAYS && !o.get && !o.keep_ttl) return set_blindly(c, args[1], args[2], expires_at_ms);
    return set_after_look(c, args, &o, expires_at_ms);
}

int run_setnx(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *e;
    int r = entry_get(c, args[1], &e);
    if (r != GO) return r;
    if (e->exists) return say_integer(c, 0);
    r = put_value(c, e, payload_of(args[2]), 0);
    return r == GO ? say_integer(c, 1) : r;
}

static int setex(conn *c, const slice *args, expiry_unit unit, const char *command) {
    uint64_t expires_at_ms;
    int r = expiry_read(c, args[2], unit, command, &expires_at_ms);
    return r == GO ? set_blindly(c, args[1], args[3], expires_at_ms) : r;
}

int run_setex(conn *c, const slice *args, uint32_t count) {
    (void)count;
    return setex(c, args, (expiry_unit){.seconds = true}, "setex");
}

int run_psetex(conn *c, const slice *args, uint32_t count) {
    (void)count;
    return setex(c, args, (expiry_unit){0}, "psetex");
}

/* --- GET with an effect ---------------------------------------------------------------------------------------------------------- */

int run_getset(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *e;
    int r = get_string(c, args[1], &e);
    if (r == GO) r = reply_value(c, e);
    if (r == GO) r = put_value(c, e, payload_of(args[2]), 0);
    return replied(r);
}

int run_getdel(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *e;
    int r = get_string(c, args[1], &e);
    if (r == GO) r = reply_value(c, e);
    if (r == GO && e->exists) r = put_delete(c, e);
    return replied(r);
}

typedef struct getex_options {
    bool persist, expires;
    expiry_unit unit;
    slice expiry;
} getex_options;

static bool read_getex(const slice *args, uint32_t count, getex_options *o) {
    for (uint32_t i = 2; i < count; i++) {
        expiry_unit unit;
        if (is_word(args[i], "persist") && !o->expires) {
            o->persist = true;
            continue;
        }
        if (!expiry_option(args[i], &unit) || i + 1 == count || o->persist) return false;
        if (o->expires && (unit.seconds != o->unit.seconds || unit.absolute != o->unit.absolute)) return false;
        *o = (getex_options){.expires = true, .unit = unit, .expiry = args[++i]};
    }
    return true;
}

static int change_expiry(conn *c, entry *e, const getex_options *o, uint64_t expires_at_ms) {
    if (o->persist) return e->value.cell.expires_at_ms ? put_expiry(c, e, 0) : GO;
    if (!o->expires) return GO;
    return expires_at_ms <= c->server->now_ms ? put_delete(c, e) : put_expiry(c, e, expires_at_ms);
}

int run_getex(conn *c, const slice *args, uint32_t count) {
    getex_options o = {0};
    uint64_t expires_at_ms = 0;
    entry *e;
    if (!read_getex(args, count, &o)) return say_syntax(c);
    int r = entry_read(c, args[1], &e);
    if (r == GO) r = entry_string(c, e);
    if (r != GO) return r;
    if (!e->exists) return say_null(c);
    if (o.expires) r = expiry_read(c, o.expiry, o.unit, "getex", &expires_at_ms);
    /* A large value is sent from the memory that it is written anew from, so it is linked last, which cannot fail. */
    bool last = e->value.cell.flags & CELL_POINTER;
    slice text;
    if (r == GO) r = last ? entry_text(c, e, &text) : entry_reply(c, e);
    if (r == GO) r = change_expiry(c, e, &o, expires_at_ms);
    if (r == GO && last) r = entry_reply(c, e);
    return replied(r);
}

/* --- many ------------------------------------------------------------------------------------------------------------------------ */

static int reply_each(conn *c, entry *e, uint32_t number, void *context) {
    (void)number;
    (void)context;
    entry_count(c, e);
    if (e->exists && entry_type(e) == TYPE_STRING) return entry_reply(c, e);
    int rc = reply_null(&c->out, c->resp);
    return rc ? say_status(c, rc) : GO;
}

int run_mget(conn *c, const slice *args, uint32_t count) {
    int rc = reply_array(&c->out, count - 1);
    if (rc) return say_status(c, rc);
    return replied(entry_each(c, args + 1, count - 1, 1, reply_each, NULL));
}

/* Puts for the pairs of MSET. */
static int put_pairs(conn *c, const slice *args, uint32_t count) {
    uint32_t pairs = (count - 1) / 2;
    put *puts = scratch_take(&c->server->scratch, pairs * sizeof *puts);
    if (!puts) return say_status(c, alloc_failed(pairs * sizeof *puts));
    for (uint32_t i = 0; i < pairs; i++) {
        puts[i] = (put){.payload = payload_of(args[2 + 2 * i])};
        int r = put_key(c, args[1 + 2 * i], &puts[i]);
        if (r != GO) return r;
    }
    return put_all(c, puts, pairs);
}

int run_mset(conn *c, const slice *args, uint32_t count) {
    if (count % 2 == 0) return say_error(c, "ERR wrong number of arguments for 'mset' command");
    int r = put_pairs(c, args, count);
    return r == GO ? say_ok(c) : r;
}

static int note_existing(conn *c, entry *e, uint32_t number, void *context) {
    (void)c;
    (void)number;
    if (e->exists) *(bool *)context = true;
    return GO;
}

int run_msetnx(conn *c, const slice *args, uint32_t count) {
    if (count % 2 == 0) return say_error(c, "ERR wrong number of arguments for 'msetnx' command");
    bool any = false;
    int r = entry_each(c, args + 1, (count - 1) / 2, 2, note_existing, &any);
    if (r != GO) return r;
    if (any) return say_integer(c, 0);
    r = put_pairs(c, args, count);
    return r == GO ? say_integer(c, 1) : r;
}
