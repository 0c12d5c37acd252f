/* entry.c: looking keys up, and the values behind them; see entry.h. */
#include "serve/entry.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "serve/ahead.h"
#include "serve/job.h"
#include "serve/keys.h"

enum { BATCH = 32 };

static bool may_wait_elsewhere(const conn *c) {
    return c->tries < COMMAND_TRIES;
}

/* --- keys -------------------------------------------------------------------------------------------------------------------- */

/* The reply would be larger than any client may hold unsent. */
static int say_too_much(conn *c) {
    c->server->stats.output_limit_closed++;
    conn_kill(c);
    return DONE;
}

static int no_memory(conn *c, size_t size) {
    return say_status(c, alloc_failed(size));
}

static int internal_key_in(conn *c, uint8_t db, slice key, slice *out, uint64_t *out_hash) {
    server *v = c->server;
    size_t size = KEY_PREFIX_SIZE + key.size;
    uint8_t *bytes = scratch_take(&v->scratch, size);
    if (!bytes) return no_memory(c, size);
    key_write(bytes, KIND_META, v->map[db], key);
    *out = slice_of(bytes, size);
    *out_hash = db_hash(v->db, *out);
    return GO;
}

static int internal_key(conn *c, slice key, slice *out, uint64_t *out_hash) {
    return internal_key_in(c, c->db, key, out, out_hash);
}

int put_key(conn *c, slice key, put *out) {
    const ahead *a = c->server->ahead;
    int at = ahead_take(c->server, key);
    if (at < 0) return internal_key(c, key, &out->key, &out->hash);
    out->key = a->keys[at];
    out->hash = a->hashes[at];
    return GO;
}

static int add_want(conn *c, enum want_action action, const entry *e) {
    want *w = scratch_take(&c->server->scratch, sizeof *w);
    if (!w) return no_memory(c, sizeof *w);
    *w = (want){.next = c->server->wants, .action = action, .key = e->key, .hash = e->hash, .cell = e->value.cell};
    c->server->wants = w;
    return AGAIN;
}

/* A cell is not on the disk yet: whoever is told of it waits for that, and is not told if it will not come. */
static int not_durable(conn *c) {
    int rc = db_failure(c->server->db);
    c->wrote = rc == RKV_OK;
    return rc ? say_status(c, rc) : GO;
}

/* db_get said rc about e. */
static int looked_up(conn *c, entry *e, int rc) {
    server *v = c->server;
    if (rc == RKV_OK) {
        const cell *found = &e->value.cell;
        e->held = true;
        e->exists = cell_live(found, v->now_ms);
        if (!e->exists && !(found->flags & CELL_TOMBSTONE)) v->stats.expired_reads++;
        return found->hlc <= v->durable_hlc ? GO : not_durable(c);
    }
    if (rc == RKV_NOTFOUND) return GO;
    if (rc == RKV_WOULDBLOCK) {
        v->stats.cold_reads++;
        return add_want(c, WANT_BLOCK, e);
    }
    return say_status(c, rc);
}

static int new_entry(conn *c, entry **out) {
    server *v = c->server;
    entry *e = scratch_take(&v->scratch, sizeof *e);
    if (!e) return no_memory(c, sizeof *e);
    *e = (entry){.next = v->entries};
    v->entries = e;
    *out = e;
    return GO;
}

int entry_get(conn *c, slice key, entry **out) {
    int made = new_entry(c, out);
    if (made != GO) return made;
    server *v = c->server;
    entry *e = *out;
    const ahead *a = v->ahead;
    int at = ahead_take(v, key);
    if (at < 0) {
        int r = internal_key(c, key, &e->key, &e->hash);
        if (r != GO) return r;
    } else {
        e->key = a->keys[at];
        e->hash = a->hashes[at];
        e->value = a->values[at];
        if ((uint32_t)at < a->looked_up) return looked_up(c, e, a->status[at]);
    }
    return looked_up(c, e, db_get(v->db, e->key, e->hash, may_wait_elsewhere(c), &e->value));
}

int entry_get_in(conn *c, uint8_t db, slice key, entry **out) {
    int r = new_entry(c, out);
    if (r != GO) return r;
    entry *e = *out;
    r = internal_key_in(c, db, key, &e->key, &e->hash);
    return r == GO ? looked_up(c, e, db_get(c->server->db, e->key, e->hash, may_wait_elsewhere(c), &e->value)) : r;
}

void entry_count(conn *c, const entry *e) {
    if (e->exists)
        c->server->stats.keyspace_hits++;
    else
        c->server->stats.keyspace_misses++;
}

int entry_read(conn *c, slice key, entry **out) {
    int r = entry_get(c, key, out);
    if (r == GO) entry_count(c, *out);
    return r;
}

static void entry_release(server *v, entry *e) {
    if (e->held) db_value_release(v->db, &e->value);
    chunk_free(e->chunk);
    e->held = false;
    e->chunk = NULL;
}

/* One batch of entry_each: GO, DONE, and *wanted if the command has to be run again. */
static int each_batch(conn *c, const slice *args, uint32_t count, uint32_t step, uint32_t first, entry_visit visit,
                      void *context, bool *wanted) {
    server *v = c->server;
    entry entries[BATCH];
    slice keys[BATCH] = {0};
    uint64_t hashes[BATCH] = {0};
    int status[BATCH], r = GO;
    db_value values[BATCH];
    for (uint32_t i = 0; i < count; i++) {
        r = internal_key(c, args[(size_t)i * step], &keys[i], &hashes[i]);
        if (r != GO) return r;
    }
    db_get_many(v->db, keys, hashes, count, may_wait_elsewhere(c), status, values);
    for (uint32_t i = 0; i < count; i++) {
        entry *e = &entries[i];
        *e = (entry){.key = keys[i], .hash = hashes[i]};
        if (status[i] == RKV_OK) {
            e->value = values[i];
            e->held = true;
        }
        if (r == DONE) continue; /* only to be released */
        r = looked_up(c, e, status[i]);
        if (r == GO) r = visit(c, e, first + i, context);
        if (r == AGAIN) *wanted = true;
    }
    for (uint32_t i = 0; i < count; i++) entry_release(v, &entries[i]);
    return r == DONE ? DONE : GO;
}

int entry_each(conn *c, const slice *args, uint32_t count, uint32_t step, entry_visit visit, void *context) {
    bool wanted = false;
    for (uint32_t i = 0; i < count; i += BATCH) {
        uint32_t n = count - i < BATCH ? count - i : BATCH;
        int r = each_batch(c, args + (size_t)i * step, n, step, i, visit, context, &wanted);
        if (r != GO) return r;
    }
    return wanted ? AGAIN : GO;
}

void entries_clear(server *v) {
    for (; v->entries; v->entries = v->entries->next) entry_release(v, v->entries);
    v->wants = NULL;
    v->want_bytes = 0;
}

/* --- values ------------------------------------------------------------------------------------------------------------------ */

uint8_t entry_type(const entry *e) {
    const cell *found = &e->value.cell;
    if (found->flags & CELL_POINTER) return TYPE_STRING;
    return found->payload.size ? found->payload.data[0] : 0;
}

int entry_string(conn *c, const entry *e) {
    return !e->exists || entry_type(e) == TYPE_STRING ? GO : say_wrong_type(c);
}

int entry_size(conn *c, const entry *e, uint64_t *out) {
    uint64_t size;
    int rc = db_value_size(&e->value.cell, &size);
    if (!rc && size == 0) rc = status_set(RKV_ECORRUPT, "a string without its type byte");
    if (rc) return say_status(c, rc);
    *out = size - 1;
    return GO;
}

/* Read a value of size bytes here. RKV_WOULDBLOCK as db_value_read. */
static int read_value(conn *c, entry *e, uint64_t size) {
    chunk *value = chunk_bulk((size_t)size);
    if (!value) return alloc_failed((size_t)size);
    int rc =
        db_value_read(c->server->db, e->key, &e->value.cell, may_wait_elsewhere(c), value->data + value->text_at - 1);
    if (rc) {
        chunk_free(value);
        return rc;
    }
    chunk_bulk_ready(value);
    e->chunk = value;
    return RKV_OK;
}

/* The value of a pointer, in a chunk of the entry or of a job. */
static int load(conn *c, entry *e, chunk **out) {
    server *v = c->server;
    *out = e->item ? e->item->chunk : e->chunk;
    if (*out) return GO;
    uint64_t size;
    int r = entry_size(c, e, &size);
    if (r != GO) return r;
    e->item = job_find(c, WANT_VALUE, e->key, &e->value.cell);
    if (e->item) {
        *out = e->item->chunk;
        return GO;
    }
    if ((size < VALUE_JOB_MIN && !v->wants) || !may_wait_elsewhere(c)) {
        int rc = read_value(c, e, size);
        if (rc != RKV_WOULDBLOCK) {
            *out = e->chunk;
            return rc ? say_status(c, rc) : GO;
        }
    }
    v->stats.cold_reads++;
    v->want_bytes += size;
    bool too_much = v->limits.output_hard_max && v->want_bytes > v->limits.output_hard_max;
    return too_much ? say_too_much(c) : add_want(c, WANT_VALUE, e);
}

int entry_text(conn *c, entry *e, slice *out) {
    const cell *found = &e->value.cell;
    if (!(found->flags & CELL_POINTER)) {
        *out = slice_of(found->payload.data + 1, found->payload.size - 1);
        return GO;
    }
    chunk *value;
    int r = load(c, e, &value);
    if (r == GO) *out = slice_of(value->data + value->text_at, value->text_size);
    return r;
}

int entry_payload(conn *c, entry *e, slice *out) {
    const cell *found = &e->value.cell;
    if (found->flags & CELL_POINTER) {
        slice text;
        int r = entry_text(c, e, &text);
        if (r == GO) *out = payload_of(text);
        return r;
    }
    *out = found->payload;
    if (found->payload.size < VALUE_JOB_MIN) return GO;
    /* A job may have to write it, when the entry is gone. */
    uint8_t *room;
    int r = payload_room(c, found->payload.size - 1, &room);
    if (r != GO) return r;
    memcpy(room - 1, found->payload.data, found->payload.size);
    *out = slice_of(room - 1, found->payload.size);
    return GO;
}

int entry_reply(conn *c, entry *e) {
    uint64_t max = c->server->limits.output_hard_max;
    if (max && out_size(&c->out) > max) return say_too_much(c);
    const cell *found = &e->value.cell;
    if (!(found->flags & CELL_POINTER)) {
        int rc = reply_bulk(&c->out, slice_of(found->payload.data + 1, found->payload.size - 1));
        return rc ? say_status(c, rc) : GO;
    }
    chunk *value;
    int r = load(c, e, &value);
    if (r != GO) return r;
    chunk_bulk_ready(value);
    out_link(&c->out, value);
    if (e->item) e->item->chunk = NULL;
    e->item = NULL;
    e->chunk = NULL;
    return GO;
}
