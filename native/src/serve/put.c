/* put.c: how a command's decision becomes cells; see entry.h.
 *
 * Order of a put: large values to the value log (by a job, or here), room in the engine, then the cells, which cannot fail. Whoever fails before
 * that has changed nothing that can be seen.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "serve/job.h"
#include "serve/keys.h"

/* A cell that is ready, and its pointer if its value lies in the value log. */
typedef struct placed {
    cell cell; /* flags 0: none yet */
    bool late; /* its version was drawn before the last ones */
    uint8_t ref[VALUE_REF_SIZE_MAX];
} placed;

slice payload_of(slice arg) {
    uint8_t *payload = (uint8_t *)arg.data - 1;
    *payload = TYPE_STRING;
    return slice_of(payload, arg.size + 1);
}

int payload_room(conn *c, uint64_t size, uint8_t **out) {
    uint8_t *room = size < SIZE_MAX ? scratch_take(&c->server->scratch, (size_t)size + 1) : NULL;
    if (!room) return say_status(c, alloc_failed((size_t)size));
    room[0] = TYPE_STRING;
    *out = room + 1;
    return GO;
}

static bool is_large(const server *v, const put *p) {
    return p->payload.size >= v->value_log_min;
}

static cell new_cell(server *v, const put *p) {
    return (cell){
        .hlc = hlc_tick(&v->store->clock, v->now_ms),
        .node = v->store->node,
        .flags = p->payload.size == 0 ? CELL_TOMBSTONE : 0,
        .expires_at_ms = p->expires_at_ms,
        .payload = p->payload,
    };
}

static int want_write(conn *c, const put *p) {
    server *v = c->server;
    want *w = scratch_take(&v->scratch, sizeof *w);
    if (!w) return say_status(c, alloc_failed(sizeof *w));
    *w = (want){.next = v->wants, .action = WANT_WRITE, .key = p->key, .hash = p->hash, .payload = p->payload};
    w->cell = new_cell(v, p);
    v->wants = w;
    return AGAIN;
}

/* Has the key a version above that of the item? Waits for the disk if need be: a newer one would be in memory. */
static int is_newer(conn *c, const put *p, const job_item *item, bool *out) {
    server *v = c->server;
    const cell *own = &item->want.cell;
    db_value value;
    int rc = db_get(v->db, p->key, p->hash, false, &value);
    if (rc < 0) return say_status(c, rc);
    *out = rc == RKV_OK && version_compare(value.cell.hlc, value.cell.node, own->hlc, own->node) > 0;
    if (rc == RKV_OK) db_value_release(v->db, &value);
    return GO;
}

/* A value was written under a version that has become too old to win. Put it all the same: so the engine learns that its bytes are garbage. */
static void put_loser(server *v, const put *p, const cell *loser) {
    if (db_reserve(v->db, 1, p->key.size + loser->payload.size) == RKV_OK) db_put(v->db, p->key, p->hash, loser);
}

/* A value that a job has to write, or has written. */
static int place_by_job(conn *c, const put *p, placed *out) {
    server *v = c->server;
    job_item *item = job_find(c, WANT_WRITE, p->key, NULL);
    if (!item) return want_write(c, p);
    bool newer = false;
    int r = is_newer(c, p, item, &newer);
    if (r != GO) return r;
    out->cell = item->want.cell;
    out->cell.flags = CELL_POINTER;
    out->cell.expires_at_ms = p->expires_at_ms;
    out->cell.payload = slice_of(item->ref, item->ref_size);
    item->used = true;
    if (newer) {
        put_loser(v, p, &out->cell);
        return want_write(c, p);
    }
    out->late = true;
    return GO;
}

/* Write a value on this thread. */
static int place_here(conn *c, const put *p, placed *out) {
    server *v = c->server;
    size_t size;
    out->cell = new_cell(v, p);
    int rc = db_value_write(v->db, p->key, &out->cell, p->payload, out->ref, &size);
    if (rc) return say_status(c, rc);
    out->cell.flags = CELL_POINTER;
    out->cell.payload = slice_of(out->ref, size);
    return GO;
}

/* Bring the large values among puts to the value log. *out: one for each put, or NULL if none is large. Reserves. */
static int place_all(conn *c, const put *puts, uint32_t count, placed **out) {
    server *v = c->server;
    placed *all = NULL;
    size_t bytes = 0;
    int r = GO;
    for (uint32_t i = 0; i < count; i++) {
        bytes += puts[i].key.size + (is_large(v, &puts[i]) ? VALUE_REF_SIZE_MAX : puts[i].payload.size);
        if (all || !is_large(v, &puts[i])) continue;
        all = scratch_take(&v->scratch, count * sizeof *all);
        if (!all) return say_status(c, alloc_failed(count * sizeof *all));
        memset(all, 0, count * sizeof *all);
    }
    /* First what may have to wait. */
    for (uint32_t i = 0; all && i < count; i++) {
        if (!is_large(v, &puts[i]) || puts[i].payload.size < VALUE_JOB_MIN || c->tries >= COMMAND_TRIES) continue;
        int one = place_by_job(c, &puts[i], &all[i]);
        if (one == DONE) return DONE;
        if (one == AGAIN) r = AGAIN;
    }
    if (r != GO) return r;
    int rc = db_reserve(v->db, count, bytes);
    if (rc) return say_status(c, rc);
    for (uint32_t i = 0; all && i < count && r == GO; i++)
        if (is_large(v, &puts[i]) && !all[i].cell.flags) r = place_here(c, &puts[i], &all[i]);
    *out = all;
    return r;
}

/* Of puts of one key keep the last. Large values draw their versions out of order, so order alone would not decide between them. */
static int last_of_each(conn *c, const put **puts, uint32_t *count) {
    scratch *memory = &c->server->scratch;
    size_t slots = 4;
    while (slots < (size_t)*count * 2) slots *= 2;
    uint32_t *seen = scratch_take(memory, slots * sizeof *seen); /* number + 1 */
    put *kept = scratch_take(memory, *count * sizeof *kept);
    if (!seen || !kept) return say_status(c, alloc_failed(slots * sizeof *seen));
    memset(seen, 0, slots * sizeof *seen);
    uint32_t first = *count;
    for (uint32_t i = *count; i-- > 0;) {
        const put *p = &(*puts)[i];
        size_t at = p->hash & (slots - 1);
        while (seen[at] && !slice_equal((*puts)[seen[at] - 1].key, p->key)) at = (at + 1) & (slots - 1);
        if (seen[at]) continue;
        seen[at] = i + 1;
        kept[--first] = *p;
    }
    *count -= first;
    *puts = kept + first;
    return GO;
}

static bool any_large(const server *v, const put *puts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (is_large(v, &puts[i])) return true;
    return false;
}

int put_all(conn *c, const put *puts, uint32_t count) {
    server *v = c->server;
    placed *all = NULL;
    int r = count > 1 && any_large(v, puts, count) ? last_of_each(c, &puts, &count) : GO;
    if (r == GO) r = place_all(c, puts, count, &all);
    if (r != GO) return r;
    for (uint32_t i = 0; i < count; i++) {
        bool large = all && all[i].cell.flags;
        cell new = large ? all[i].cell : new_cell(v, &puts[i]);
        if (large) v->written_values += puts[i].payload.size;
        if (large && all[i].late) v->late = true;
        db_put(v->db, puts[i].key, puts[i].hash, &new);
    }
    c->wrote = true;
    return GO;
}

int put_value(conn *c, const entry *e, slice payload, uint64_t expires_at_ms) {
    put p = {.key = e->key, .hash = e->hash, .payload = payload, .expires_at_ms = expires_at_ms};
    return put_all(c, &p, 1);
}

int put_delete(conn *c, const entry *e) {
    return put_value(c, e, slice_of(NULL, 0), 0);
}

int put_expiry(conn *c, entry *e, uint64_t expires_at_ms) {
    slice payload;
    int r = entry_payload(c, e, &payload);
    return r == GO ? put_value(c, e, payload, expires_at_ms) : r;
}
