/* db_script.c: see db_script.h. */
#include "db_script.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"

bool script_soak(void) {
    return getenv("RKV_SOAK") != NULL;
}

static db_options tiny(os *o, bool mapped, uint64_t horizon) {
    db_options options;
    db_options_init(&options);
    options.os = o;
    options.dir = "store";
    options.memory_bytes = 128 * 1024;
    options.memtable_bytes = 8 * 1024;
    options.wal_segment_bytes = 8 * 1024;
    options.mapped_wal = mapped;
    options.value_log_min = 1024;
    options.value_file_bytes = 12 * 1024;
    options.block_bytes = 1024;
    options.table_bytes = 3 * 1024;
    options.level_bytes = 8 * 1024;
    options.level_multiplier = 3;
    options.l0_slowdown = 4;
    options.l0_stop = 12;
    options.background = false;
    options.horizon = horizon;
    return options;
}

/* --- scripts ----------------------------------------------------------------------------------------------------------------- */

script *script_new(uint64_t seed, unsigned count) {
    dice dice = {seed};
    script *s = calloc(1, sizeof *s);
    CHECK(s && count <= COMMITS_MAX);
    s->seed = seed;
    s->mapped = seed & 1;
    s->keeps_dead = seed & 2;
    s->count = count;
    s->states = calloc(count + 1, sizeof *s->states);
    CHECK(s->states);
    uint64_t hlc = 1;
    for (unsigned i = 0; i < count; i++) {
        commit *c = &s->commits[i];
        twin *t = &s->states[i + 1];
        *t = s->states[i];
        c->hlc = hlc;
        c->puts = 1 + (unsigned)dice_below(&dice, PUTS_MAX);
        c->as_batch = dice_one_in(&dice, 3);
        c->then = dice_one_in(&dice, 2) ? NONE : (enum upkeep)(1 + dice_below(&dice, UPKEEPS - 1));
        if (c->then == COMPACT && !dice_one_in(&dice, 3)) c->then = STEP;
        for (unsigned k = 0; k < PUTS_MAX; k++) c->keys[k] = (unsigned)dice_below(&dice, TWIN_KEYS);
        c->range = dice_one_in(&dice, 10);
        if (c->range) {
            c->puts = 1;
            c->keys[1] = c->keys[0] + 1 + (unsigned)dice_below(&dice, TWIN_KEYS - c->keys[0]);
            twin_delete_range(t, c->keys[0], c->keys[1], hlc, 1);
        }
        for (unsigned k = 0; k < c->puts && !c->range; k++) twin_put(t, c->keys[k], hlc + k, 1);
        hlc += c->puts;
    }
    return s;
}

void script_free(script *s) {
    free(s->states);
    free(s);
}

/* The puts of commit i. An error: none of them was made. */
int script_put(db *d, const commit *c) {
    uint8_t a[TWIN_KEY_SIZE_MAX], b[TWIN_KEY_SIZE_MAX];
    size_t bytes = 0;
    int rc = RKV_OK;
    db_set_node(d, 1);
    if (c->range) {
        slice end = c->keys[1] == TWIN_KEYS ? (slice){0} : twin_key(c->keys[1], b);
        rc = db_reserve(d, 1, 2 * TWIN_KEY_SIZE_MAX);
        if (rc == RKV_OK) db_delete_range(d, twin_key(c->keys[0], a), end, c->hlc);
        return rc;
    }
    /* All payloads first, then one reservation: a commit is whole or not at all. */
    uint8_t refs[PUTS_MAX][VALUE_REF_SIZE_MAX];
    cell whole[PUTS_MAX];
    cell cells[PUTS_MAX];
    for (unsigned k = 0; k < c->puts; k++) {
        cells[k] = whole[k] = twin_cell_of(c->keys[k], c->hlc + k, 1);
        size_t size;
        bytes += TWIN_KEY_SIZE_MAX +
                 (cells[k].payload.size < db_value_log_min(d) ? cells[k].payload.size : VALUE_REF_SIZE_MAX);
        if (rc || cells[k].payload.size < db_value_log_min(d)) continue;
        rc = db_value_write(d, twin_key(c->keys[k], a), &cells[k], cells[k].payload, refs[k], &size);
        cells[k].payload = slice_of(refs[k], rc ? 0 : size);
        cells[k].flags |= CELL_POINTER;
    }
    if (rc == RKV_OK) rc = db_reserve(d, c->puts, bytes);
    for (unsigned k = 0; k < c->puts; k++) {
        slice key = twin_key(c->keys[k], a);
        if (rc == RKV_OK) db_put(d, key, db_hash(d, key), &cells[k]);
        twin_cell_free(&whole[k]);
    }
    return rc;
}

static int write_commit(db *d, const commit *c) {
    buf b = {0};
    OK(batch_begin(&b, c->hlc, 1));
    for (unsigned k = 0; k < c->puts; k++) twin_batch_put(&b, c->keys[k], c->hlc + k, 1);
    int rc = db_write(d, buf_slice(&b), NULL);
    buf_clear(&b);
    return rc;
}

/* Run commit i: RKV_OK, or what failed. */
int runner_commit(runner *r, unsigned i) {
    const commit *c = &r->script->commits[i];
    bool batch = c->as_batch && !c->range;
    int rc = RKV_OK;
    /* As an owner should: no writes while the store asks to stop. */
    while (rc == RKV_OK && db_write_delay(r->d) == UINT64_MAX) rc = db_step(r->d);
    if (rc < 0) return rc;
    rc = batch ? write_commit(r->d, c) : script_put(r->d, c);
    /* After a final failure of the log nobody knows; before, a batch that fails is not there. */
    if (rc && batch && db_failure(r->d) == RKV_EREADONLY) r->begun = i + 1;
    if (rc) return rc;
    r->begun = i + 1;
    if (!batch) rc = db_commit(r->d, NULL);
    if (rc == RKV_OK) r->committed = i + 1;
    return rc;
}

int runner_upkeep(runner *r, enum upkeep what) {
    int rc = RKV_OK;
    unsigned committed = r->committed;
    switch (what) {
    case SYNC:
        rc = db_sync(r->d);
        if (rc == RKV_OK) r->synced = committed;
        break;
    case FLUSH:
        rc = db_flush(r->d);
        if (rc == RKV_OK) r->synced = committed;
        break;
    case STEP: rc = db_step(r->d); break;
    case COMPACT: rc = db_compact(r->d, (slice){0}, (slice){0}); break;
    case REOPEN:
        rc = db_close(r->d);
        r->d = NULL;
        if (rc == RKV_OK) r->synced = committed;
        if (rc == RKV_OK) rc = db_open(&r->d, &r->options, NULL);
        break;
    default: break;
    }
    return rc == RKV_END ? RKV_OK : rc;
}

void runner_init(runner *r, const script *s, os_fault *disk) {
    *r = (runner){.script = s, .disk = disk};
    r->options = tiny(os_fault_os(disk), s->mapped, s->keeps_dead ? 0 : UINT64_MAX);
}

/* --- is it some state of the script? ------------------------------------------------------------------------------------------- */

/* false: a read failed. */
bool found_read(db *d, found *out) {
    for (unsigned key = 0; key < TWIN_KEYS; key++) {
        uint8_t name[TWIN_KEY_SIZE_MAX];
        db_value v;
        slice k = twin_key(key, name);
        int rc = db_get(d, k, db_hash(d, k), false, &v);
        if (rc < 0) return false;
        out->there[key] = rc == RKV_OK;
        if (rc) continue;
        rc = twin_check_cell(d, key, &v.cell);
        out->version[key] = (twin_version){v.cell.hlc, v.cell.node};
        db_value_release(d, &v);
        if (rc) return false;
    }
    return true;
}

bool found_is(const found *f, const twin *t, uint64_t now_ms, bool exact) {
    for (unsigned key = 0; key < TWIN_KEYS; key++) {
        twin_version v;
        bool there = twin_winner(t, key, &v);
        if (f->there[key] && (!there || v.hlc != f->version[key].hlc)) return false;
        if (!f->there[key] && there && (exact || twin_live(t, key, now_ms))) return false;
    }
    return true;
}

/* One of the states [from, to] must be found; returns the status of walking over it once more. */
int script_check(db *d, const script *s, unsigned from, unsigned to, os *o, const char *what) {
    found f;
    uint64_t now_ms = o->ops->now_ms(o);
    if (!found_read(d, &f)) {
        fprintf(stderr, "script %llu: %s: a read failed\n", (unsigned long long)s->seed, what);
        CHECK(!"every key can be read");
    }
    for (unsigned i = from; i <= to; i++)
        if (found_is(&f, &s->states[i], now_ms, s->keeps_dead)) {
            return twin_compare(d, &s->states[i], now_ms, s->keeps_dead);
        }
    fprintf(stderr, "script %llu: %s: not a state from %u to %u\n", (unsigned long long)s->seed, what, from, to);
    for (unsigned i = 0; i <= s->count; i++)
        if (found_is(&f, &s->states[i], now_ms, s->keeps_dead)) fprintf(stderr, "it is state %u\n", i);
    CHECK(!"a state of the script");
    return RKV_ECORRUPT;
}

/* Open what is on the disk, check it, and see that it can go on. */
void script_check_disk(os_fault *disk, const script *s, unsigned from, unsigned to, const char *what) {
    runner r;
    db_recovery recovery;
    runner_init(&r, s, disk);
    int rc = db_open(&r.d, &r.options, &recovery);
    if (rc)
        fprintf(stderr, "script %llu: %s: open: %s: %s\n", (unsigned long long)s->seed, what, status_name(rc),
                status_text());
    CHECK(rc == RKV_OK);
    OK(script_check(r.d, s, from, to, r.options.os, what));
    OK(db_close(r.d));
}
