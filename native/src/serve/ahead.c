/* ahead.c: see ahead.h. */
#include "serve/ahead.h"

#include "base/status.h"
#include "resp/peek.h"
#include "serve/command.h"
#include "serve/keys.h"

/* Returns whether there is room for more. */
static bool add(conn *c, slice key) {
    server *v = c->server;
    ahead *a = v->ahead;
    uint32_t i = a->count;
    size_t size = KEY_PREFIX_SIZE + key.size;
    if (size > AHEAD_KEY_MAX) return false;
    key_write(a->bytes[i], KIND_META, v->map[c->db], key);
    a->args[i] = key.data;
    a->keys[i] = slice_of(a->bytes[i], size);
    a->hashes[i] = db_hash(v->db, a->keys[i]);
    db_prefetch(v->db, a->keys[i], a->hashes[i]);
    return ++a->count < AHEAD_MAX;
}

/* Collect the keys of the requests from the current one on, all of commands with one key first; returns how many of the first are GETs. */
static uint32_t collect(conn *c, const command *cmd) {
    ahead *a = c->server->ahead;
    slice rest = slice_of(c->input + c->scan.taken, c->input_size - c->scan.taken);
    peeked p = {.key = c->scan.args[1], .count = c->scan.count};
    uint32_t gets = 0;
    for (;;) {
        bool is_get = cmd->run == run_get && p.count == 2 && gets == a->count;
        if (!add(c, p.key)) return gets + (is_get && gets < a->count);
        gets += is_get;
        size_t size = peek_request(rest, &p);
        cmd = size ? command_find(p.name) : NULL;
        if (!cmd || cmd->first_key != 1) return gets;
        rest = slice_of(rest.data + size, rest.size - size);
    }
}

/* Whoever is passed over was refused, or took another way. */
static void drop_until(server *v, uint32_t end) {
    ahead *a = v->ahead;
    for (; a->next < end; a->next++)
        if (a->next < a->looked_up && a->status[a->next] == RKV_OK) db_value_release(v->db, &a->values[a->next]);
}

/* The same place tells keys apart quickly, but memory is used again: only the bytes say that it is the same key. */
static bool is_item(const ahead *a, uint32_t i, slice arg) {
    slice key = slice_of(a->keys[i].data + KEY_PREFIX_SIZE, a->keys[i].size - KEY_PREFIX_SIZE);
    return a->args[i] == arg.data && slice_equal(key, arg);
}

static bool move_to(server *v, slice arg) {
    ahead *a = v->ahead;
    uint32_t i = a->next;
    while (i < a->count && !is_item(a, i, arg)) i++;
    drop_until(v, i);
    return i < a->count;
}

void ahead_look(conn *c) {
    server *v = c->server;
    ahead *a = v->ahead;
    if (c->input_size <= c->scan.taken || c->scan.count < 2 || !c->authenticated) return;
    if (c->tries) return; /* run again: it looks for itself, and waits if it must */
    if (move_to(v, c->scan.args[1])) return;
    const command *cmd = command_find(c->scan.args[0]);
    if (!cmd || cmd->first_key != 1) return;
    a->next = a->count = a->looked_up = 0;
    uint32_t gets = collect(c, cmd);
    if (gets < 2) return;
    db_get_many(v->db, a->keys, a->hashes, gets, true, a->status, a->values);
    a->looked_up = gets;
}

int ahead_take(server *v, slice arg) {
    return move_to(v, arg) ? (int)v->ahead->next++ : -1;
}

void ahead_clear(server *v) {
    drop_until(v, v->ahead->count);
    v->ahead->next = v->ahead->count = v->ahead->looked_up = 0;
}
