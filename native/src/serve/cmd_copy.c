/* cmd_copy.c: a value under another name or in another database: RENAME, COPY, MOVE. Its expiry goes with it. */
#include "resp/number.h"
#include "serve/entry.h"

int database_read(conn *c, slice arg, uint8_t *out) {
    int64_t db;
    if (!number_read(arg, &db)) return say_not_integer(c);
    if (db < INT32_MIN || db > INT32_MAX)
        return say_format(c, "ERR value is out of range, value must between %d and %d", INT32_MIN, INT32_MAX);
    if (db < 0 || db >= c->server->limits.databases) return say_error(c, "ERR DB index is out of range");
    *out = (uint8_t)db;
    return GO;
}

static int say_same(conn *c) {
    return say_error(c, "ERR source and destination objects are the same");
}

/* Look two keys up, the second in database db, so that both may be waited for at once. */
static int get_both(conn *c, slice from_key, entry **from, uint8_t db, slice to_key, entry **to) {
    int first = entry_get(c, from_key, from);
    int second = entry_get_in(c, db, to_key, to);
    return first == DONE || second == DONE ? DONE : first == AGAIN || second == AGAIN ? AGAIN : GO;
}

/* Put what `from` holds under the key of *to, and delete `from` unless keep. */
static int put_copy(conn *c, entry *from, put to, bool keep) {
    int r = entry_payload(c, from, &to.payload);
    if (r != GO) return r;
    to.expires_at_ms = from->value.cell.expires_at_ms;
    put puts[] = {to, {.key = from->key, .hash = from->hash}};
    return put_all(c, puts, keep ? 1 : 2);
}

int run_rename(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *from;
    put to = {0};
    int r = entry_get(c, args[1], &from);
    if (r != GO) return r;
    if (!from->exists) return say_error(c, "ERR no such key");
    if (slice_equal(args[1], args[2])) return say_ok(c);
    r = put_key(c, args[2], &to);
    if (r == GO) r = put_copy(c, from, to, false);
    return r == GO ? say_ok(c) : r;
}

int run_renamenx(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *from, *to;
    int r = get_both(c, args[1], &from, c->db, args[2], &to);
    if (r != GO) return r;
    if (!from->exists) return say_error(c, "ERR no such key");
    if (to->exists) return say_integer(c, 0);
    r = put_copy(c, from, (put){.key = to->key, .hash = to->hash}, false);
    return r == GO ? say_integer(c, 1) : r;
}

int run_move(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *from, *to;
    uint8_t db;
    int r = database_read(c, args[2], &db);
    if (r == GO && db == c->db) r = say_same(c);
    if (r == GO) r = get_both(c, args[1], &from, db, args[1], &to);
    if (r != GO) return r;
    if (!from->exists || to->exists) return say_integer(c, 0);
    r = put_copy(c, from, (put){.key = to->key, .hash = to->hash}, false);
    return r == GO ? say_integer(c, 1) : r;
}

int run_copy(conn *c, const slice *args, uint32_t count) {
    entry *from, *to;
    uint8_t db = c->db;
    bool replace = false;
    int r = GO;
    for (uint32_t i = 3; i < count && r == GO; i++) {
        if (is_word(args[i], "replace"))
            replace = true;
        else if (is_word(args[i], "db") && i + 1 < count)
            r = database_read(c, args[++i], &db);
        else
            r = say_syntax(c);
    }
    if (r == GO && db == c->db && slice_equal(args[1], args[2])) r = say_same(c);
    if (r == GO) r = get_both(c, args[1], &from, db, args[2], &to);
    if (r != GO) return r;
    if (!from->exists || (to->exists && !replace)) return say_integer(c, 0);
    r = put_copy(c, from, (put){.key = to->key, .hash = to->hash}, true);
    return r == GO ? say_integer(c, 1) : r;
}
