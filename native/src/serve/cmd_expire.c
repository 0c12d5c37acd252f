/* cmd_expire.c: the time to live of a key: set, ask, remove. A time that has passed deletes the key. */
#include "resp/number.h"
#include "serve/expiry.h"

static int say_invalid(conn *c, const char *command) {
    return say_format(c, "ERR invalid expire time in '%s' command", command);
}

/* Milliseconds of wall time. False: does not fit. */
static bool to_wall_ms(const server *v, int64_t number, expiry_unit unit, int64_t *out) {
    if (unit.seconds && __builtin_mul_overflow(number, 1000, &number)) return false;
    if (!unit.absolute && __builtin_add_overflow(number, (int64_t)v->now_ms, &number)) return false;
    *out = number;
    return true;
}

int expiry_read(conn *c, slice arg, expiry_unit unit, const char *command, uint64_t *out_ms) {
    int64_t number, at_ms;
    if (!number_read(arg, &number)) return say_not_integer(c);
    if (number <= 0 || !to_wall_ms(c->server, number, unit, &at_ms)) return say_invalid(c, command);
    *out_ms = (uint64_t)at_ms;
    return GO;
}

bool expiry_option(slice arg, expiry_unit *out) {
    static const struct {
        const char *name;
        expiry_unit unit;
    } options[] = {
        {"ex", {.seconds = true}},
        {"px", {0}},
        {"exat", {.seconds = true, .absolute = true}},
        {"pxat", {.absolute = true}},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (is_word(arg, options[i].name)) {
            *out = options[i].unit;
            return true;
        }
    return false;
}

/* --- EXPIRE and its like ------------------------------------------------------------------------------------------------------ */

enum condition { IF_NONE = 1, IF_ANY = 2, IF_LATER = 4, IF_EARLIER = 8 };

static int read_conditions(conn *c, const slice *args, uint32_t count, unsigned *out) {
    unsigned found = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (is_word(args[i], "nx"))
            found |= IF_NONE;
        else if (is_word(args[i], "xx"))
            found |= IF_ANY;
        else if (is_word(args[i], "gt"))
            found |= IF_LATER;
        else if (is_word(args[i], "lt"))
            found |= IF_EARLIER;
        else
            return say_format(c, "ERR Unsupported option %.*s", (int)(args[i].size < 128 ? args[i].size : 128),
                              (const char *)args[i].data);
    }
    if (found & IF_NONE && found & ~(unsigned)IF_NONE)
        return say_error(c, "ERR NX and XX, GT or LT options at the same time are not compatible");
    if (found & IF_LATER && found & IF_EARLIER)
        return say_error(c, "ERR GT and LT options at the same time are not compatible");
    *out = found;
    return GO;
}

/* now_at_ms 0: the key never expires, which is later than any time. */
static bool is_allowed(unsigned conditions, uint64_t now_at_ms, int64_t at_ms) {
    if (conditions & IF_NONE && now_at_ms) return false;
    if (conditions & IF_ANY && !now_at_ms) return false;
    if (conditions & IF_LATER && (!now_at_ms || at_ms <= (int64_t)now_at_ms)) return false;
    if (conditions & IF_EARLIER && now_at_ms && at_ms >= (int64_t)now_at_ms) return false;
    return true;
}

static int expire(conn *c, const slice *args, uint32_t count, expiry_unit unit, const char *command) {
    unsigned conditions = 0;
    int64_t number, at_ms;
    entry *e;
    int r = read_conditions(c, args + 3, count - 3, &conditions);
    if (r != GO) return r;
    if (!number_read(args[2], &number)) return say_not_integer(c);
    if (!to_wall_ms(c->server, number, unit, &at_ms)) return say_invalid(c, command);
    r = entry_get(c, args[1], &e);
    if (r != GO) return r;
    if (!e->exists || !is_allowed(conditions, e->value.cell.expires_at_ms, at_ms)) return say_integer(c, 0);
    bool past = at_ms <= (int64_t)c->server->now_ms;
    r = past ? put_delete(c, e) : put_expiry(c, e, (uint64_t)at_ms);
    return r == GO ? say_integer(c, 1) : r;
}

int run_expire(conn *c, const slice *args, uint32_t count) {
    return expire(c, args, count, (expiry_unit){.seconds = true}, "expire");
}

int run_pexpire(conn *c, const slice *args, uint32_t count) {
    return expire(c, args, count, (expiry_unit){0}, "pexpire");
}

int run_expireat(conn *c, const slice *args, uint32_t count) {
    return expire(c, args, count, (expiry_unit){.seconds = true, .absolute = true}, "expireat");
}

int run_pexpireat(conn *c, const slice *args, uint32_t count) {
    return expire(c, args, count, (expiry_unit){.absolute = true}, "pexpireat");
}

int run_persist(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *e;
    int r = entry_get(c, args[1], &e);
    if (r != GO) return r;
    if (!e->exists || !e->value.cell.expires_at_ms) return say_integer(c, 0);
    r = put_expiry(c, e, 0);
    return r == GO ? say_integer(c, 1) : r;
}

/* --- TTL and its like ---------------------------------------------------------------------------------------------------------- */

/* -2: no such key, -1: it does not expire. Seconds are rounded. */
static int time_left(conn *c, slice key, expiry_unit unit) {
    entry *e;
    int r = entry_read(c, key, &e);
    if (r != GO) return r;
    if (!e->exists) return say_integer(c, -2);
    uint64_t at_ms = e->value.cell.expires_at_ms;
    if (!at_ms) return say_integer(c, -1);
    uint64_t ms = unit.absolute ? at_ms : at_ms - c->server->now_ms;
    return say_integer(c, (int64_t)(unit.seconds ? (ms + 500) / 1000 : ms));
}

int run_ttl(conn *c, const slice *args, uint32_t count) {
    (void)count;
    return time_left(c, args[1], (expiry_unit){.seconds = true});
}

int run_pttl(conn *c, const slice *args, uint32_t count) {
    (void)count;
    return time_left(c, args[1], (expiry_unit){0});
}

int run_expiretime(conn *c, const slice *args, uint32_t count) {
    (void)count;
    return time_left(c, args[1], (expiry_unit){.seconds = true, .absolute = true});
}

int run_pexpiretime(conn *c, const slice *args, uint32_t count) {
    (void)count;
    return time_left(c, args[1], (expiry_unit){.absolute = true});
}
