/* test_crash.c: the store on a disk that crashes, fails, fills up and lies (os_fault.h); FAULTS.md 2 and rows 1 to 13, 17, 22, 23.
 *
 * A script is a list of commits with upkeep between them; its state after each commit is known. Whatever happens, what is found after a reopen
 * must be the state after some commit, not before the last that was synced, and after the last attempted at most. Default runs take some
 * seconds; RKV_SOAK=1 takes every point of many scripts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "check.h"
#include "db_twin.h"
#include "os/os_fault.h"

enum { COMMITS_MAX = 80, PUTS_MAX = 12 };

static bool soak(void) {
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

enum upkeep { NONE, SYNC, FLUSH, STEP, COMPACT, REOPEN, UPKEEPS };

typedef struct commit {
    unsigned puts;
    unsigned keys[PUTS_MAX];
    uint64_t hlc; /* of the first put; ascending by one */
    bool range;   /* instead of puts: delete keys [keys[0], keys[1]) */
    bool as_batch;
    enum upkeep then;
} commit;

typedef struct script {
    uint64_t seed;
    bool mapped;
    bool keeps_dead; /* horizon 0: tombstones stay, so states are told apart exactly */
    unsigned count;
    commit commits[COMMITS_MAX];
    twin *states; /* states[i]: after i commits */
} script;

static script *script_new(uint64_t seed, unsigned count) {
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

static void script_free(script *s) {
    free(s->states);
    free(s);
}

/* A run of a script, and what it has been promised. */
typedef struct runner {
    const script *script;
    os_fault *disk;
    db_options options;
    db *d;
    unsigned begun;     /* commits whose puts were made, at least in part */
    unsigned committed; /* of them: db_commit said RKV_OK */
    unsigned synced;    /* of them: synced */
} runner;

/* The puts of commit i. An error: none of them was made. */
static int put_commit(db *d, const commit *c) {
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
static int run_commit(runner *r, unsigned i) {
    const commit *c = &r->script->commits[i];
    bool batch = c->as_batch && !c->range;
    int rc = RKV_OK;
    /* As an owner should: no writes while the store asks to stop. */
    while (rc == RKV_OK && db_write_delay(r->d) == UINT64_MAX) rc = db_step(r->d);
    if (rc < 0) return rc;
    rc = batch ? write_commit(r->d, c) : put_commit(r->d, c);
    /* After a final failure of the log nobody knows; before, a batch that fails is not there. */
    if (rc && batch && db_failure(r->d) == RKV_EREADONLY) r->begun = i + 1;
    if (rc) return rc;
    r->begun = i + 1;
    if (!batch) rc = db_commit(r->d, NULL);
    if (rc == RKV_OK) r->committed = i + 1;
    return rc;
}

static int run_upkeep(runner *r, enum upkeep what) {
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

static void runner_init(runner *r, const script *s, os_fault *disk) {
    *r = (runner){.script = s, .disk = disk};
    r->options = tiny(os_fault_os(disk), s->mapped, s->keeps_dead ? 0 : UINT64_MAX);
}

/* --- is it some state of the script? ------------------------------------------------------------------------------------------- */

typedef struct found {
    bool there[TWIN_KEYS];
    twin_version version[TWIN_KEYS];
} found;

/* false: a read failed. */
static bool read_all(db *d, found *out) {
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

static bool is_state(const found *f, const twin *t, uint64_t now_ms, bool exact) {
    for (unsigned key = 0; key < TWIN_KEYS; key++) {
        twin_version v;
        bool there = twin_winner(t, key, &v);
        if (f->there[key] && (!there || v.hlc != f->version[key].hlc)) return false;
        if (!f->there[key] && there && (exact || twin_live(t, key, now_ms))) return false;
    }
    return true;
}

/* One of the states [from, to] must be found; returns the status of walking over it once more. */
static int check_states(db *d, const script *s, unsigned from, unsigned to, os *o, const char *what) {
    found f;
    uint64_t now_ms = o->ops->now_ms(o);
    if (!read_all(d, &f)) {
        fprintf(stderr, "script %llu: %s: a read failed\n", (unsigned long long)s->seed, what);
        CHECK(!"every key can be read");
    }
    for (unsigned i = from; i <= to; i++)
        if (is_state(&f, &s->states[i], now_ms, s->keeps_dead)) {
            return twin_compare(d, &s->states[i], now_ms, s->keeps_dead);
        }
    fprintf(stderr, "script %llu: %s: not a state from %u to %u\n", (unsigned long long)s->seed, what, from, to);
    for (unsigned i = 0; i <= s->count; i++)
        if (is_state(&f, &s->states[i], now_ms, s->keeps_dead)) fprintf(stderr, "it is state %u\n", i);
    CHECK(!"a state of the script");
    return RKV_ECORRUPT;
}

/* Open what is on the disk, check it, and see that it can go on. */
static void check_disk(os_fault *disk, const script *s, unsigned from, unsigned to, const char *what) {
    runner r;
    db_recovery recovery;
    runner_init(&r, s, disk);
    int rc = db_open(&r.d, &r.options, &recovery);
    if (rc)
        fprintf(stderr, "script %llu: %s: open: %s: %s\n", (unsigned long long)s->seed, what, status_name(rc),
                status_text());
    CHECK(rc == RKV_OK);
    OK(check_states(r.d, s, from, to, r.options.os, what));
    OK(db_close(r.d));
}

/* --- a power cut at every call ------------------------------------------------------------------------------------------------- */

typedef struct cutter {
    runner *runner;
    uint64_t calls; /* seen */
    uint64_t every; /* look at one in so many */
    uint64_t looked;
} cutter;

static void cut_here(void *context, unsigned call, const char *path) {
    cutter *c = context;
    runner *r = c->runner;
    char what[300];
    if (!(call & FAULT_CHANGES) || ++c->calls % c->every) return;
    for (unsigned model = 0; model < FAULT_CUT_COUNT; model++) {
        os_fault *disk = os_fault_clone(r->disk);
        os_fault_reboot(disk, (enum fault_cut)model, r->script->seed * 1000003 + c->calls);
        snprintf(what, sizeof what, "cut %llu, model %u, before call %u on %s", (unsigned long long)c->calls, model,
                 call, path);
        /* A killed process loses nothing that was committed. */
        unsigned from = model == FAULT_CUT_KEEP ? r->committed : r->synced;
        unsigned to = r->begun < r->script->count ? r->begun + 1 : r->begun; /* the one being written */
        check_disk(disk, r->script, from, to, what);
        os_fault_free(disk);
    }
    c->looked++;
}

static void power_cuts(uint64_t seed, unsigned count, uint64_t every) {
    script *s = script_new(seed, count);
    os_fault *disk = os_fault_new(seed);
    if (seed % 3 == 0) os_fault_write_back(disk, 4);
    runner r;
    runner_init(&r, s, disk);
    cutter c = {&r, 0, every, 0};
    os_fault_on_call(disk, cut_here, &c);
    OK(db_open(&r.d, &r.options, NULL));
    for (unsigned i = 0; i < count; i++) {
        OK(run_commit(&r, i));
        OK(run_upkeep(&r, s->commits[i].then));
    }
    OK(db_close(r.d));
    os_fault_on_call(disk, NULL, NULL);
    check_disk(disk, s, count, count, "the end");
    CHECK(c.looked > 100 / every);
    os_fault_free(disk);
    script_free(s);
}

static void test_power_cuts(void) {
    uint64_t seed = dice_seed("power cuts", 1);
    if (soak()) {
        for (uint64_t i = 0; i < 60; i++) power_cuts(seed + i, COMMITS_MAX, 1);
        return;
    }
    for (uint64_t i = 0; i < 4; i++) power_cuts(seed + i, 40, 1);
    for (uint64_t i = 4; i < 12; i++) power_cuts(seed + i, COMMITS_MAX, 11);
}

/* --- the nth call fails ---------------------------------------------------------------------------------------------------------- */

/* A commit that failed before the store was closed is there or not: go on from what was found. */
static void resolve(runner *r) {
    found f;
    uint64_t now = r->options.os->ops->now_ms(r->options.os);
    if (r->begun == r->committed || !read_all(r->d, &f)) return;
    unsigned i = r->begun;
    while (i > r->committed && !is_state(&f, &r->script->states[i], now, r->script->keeps_dead)) i--;
    CHECK(is_state(&f, &r->script->states[i], now, r->script->keeps_dead));
    r->begun = r->committed = i;
}

/* Run the whole script, whatever fails; a store that could not be opened is opened again later. */
static void run_through(runner *r) {
    int failures = 0;
    while (r->begun < r->script->count && failures < 100) {
        int rc = RKV_OK;
        if (failures > 6) os_fault_heal(r->disk);
        if (!r->d) {
            rc = db_open(&r->d, &r->options, NULL);
            if (rc == RKV_OK) resolve(r);
        }
        if (rc == RKV_OK && r->begun < r->script->count) rc = run_commit(r, r->begun);
        failures += rc != RKV_OK;
        if (r->d && db_failure(r->d) == RKV_EREADONLY) break;
        if (r->d) run_upkeep(r, r->script->commits[r->begun ? r->begun - 1 : 0].then);
        if (r->d && db_failure(r->d) == RKV_EREADONLY) break;
    }
}

/* What can still be read is right: an error is allowed, a wrong answer or a missing key is not. What was put is seen, whatever became of its
 * commit; of a db_write that failed, either. */
static void check_reads(runner *r, const char *what) {
    if (!r->d) return;
    const twin *before = &r->script->states[r->committed];
    const twin *after = &r->script->states[r->begun];
    uint64_t now = r->options.os->ops->now_ms(r->options.os);
    for (unsigned key = 0; key < TWIN_KEYS; key++) {
        uint8_t name[TWIN_KEY_SIZE_MAX];
        db_value v;
        twin_version x;
        twin_version y;
        slice k = twin_key(key, name);
        int rc = db_get(r->d, k, db_hash(r->d, k), false, &v);
        bool was = twin_winner(before, key, &x);
        bool is = twin_winner(after, key, &y);
        bool right = rc < 0;
        if (rc == RKV_NOTFOUND) right = !twin_live(before, key, now) || !twin_live(after, key, now);
        if (rc == RKV_OK) {
            right = (was && x.hlc == v.cell.hlc) || (is && y.hlc == v.cell.hlc);
            right &= twin_check_cell(r->d, key, &v.cell) != RKV_ECORRUPT;
            db_value_release(r->d, &v);
        }
        if (!right)
            fprintf(stderr, "script %llu: %s: key %u: %s\n", (unsigned long long)r->script->seed, what, key,
                    status_name(rc));
        CHECK(right);
    }
}

/* One run in which call n of a kind fails. false: the script makes fewer calls. */
static bool fail_nth(const script *s, unsigned calls, uint64_t n, int status, bool forever) {
    os_fault *disk = os_fault_new(s->seed);
    runner r;
    char what[200];
    runner_init(&r, s, disk);
    os_fault_fail(disk, calls, NULL, n, status, forever);
    run_through(&r);
    bool struck = os_fault_failed(disk);
    os_fault_heal(disk);
    snprintf(what, sizeof what, "call %llu of kinds %u fails with %s%s", (unsigned long long)n, calls,
             status_name(status), forever ? " for ever" : "");
    check_reads(&r, what);
    if (r.d && db_close(r.d) == RKV_OK) r.synced = r.committed;
    snprintf(what, sizeof what, "call %llu of kinds %u fails with %s%s", (unsigned long long)n, calls,
             status_name(status), forever ? " for ever" : "");
    for (unsigned model = 0; model < FAULT_CUT_COUNT; model++) {
        os_fault *image = os_fault_clone(disk);
        os_fault_reboot(image, (enum fault_cut)model, s->seed + n);
        check_disk(image, s, r.synced, r.begun, what);
        os_fault_free(image);
    }
    os_fault_free(disk);
    return struck;
}

static void fail_all(uint64_t seed, unsigned count, uint64_t step) {
    static const struct {
        unsigned calls;
        int status;
        bool forever;
    } ways[] = {
        {FAULT_WRITE | FAULT_ENTRY, RKV_EIO, false},   {FAULT_WRITE | FAULT_ENTRY, RKV_ENOSPC, false},
        {FAULT_WRITE | FAULT_ENTRY, RKV_ENOSPC, true}, {FAULT_SYNC | FAULT_SYNC_DIR, RKV_EIO, false},
        {FAULT_SYNC | FAULT_SYNC_DIR, RKV_EIO, true},  {FAULT_READ | FAULT_OPEN | FAULT_QUERY, RKV_EIO, false},
        {FAULT_CLOSE | FAULT_MAP, RKV_EIO, false},
    };
    script *s = script_new(seed, count);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        uint64_t n = seed % step;
        while (fail_nth(s, ways[w].calls, n, ways[w].status, ways[w].forever)) n += step;
        CHECK(n > 0);
    }
    script_free(s);
}

static void test_failing_calls(void) {
    uint64_t seed = dice_seed("failing calls", 1);
    for (uint64_t i = 0; i < (soak() ? 30 : 3); i++) fail_all(seed + i, soak() ? COMMITS_MAX : 40, soak() ? 1 : 3);
}

/* --- the nth allocation fails ---------------------------------------------------------------------------------------------------- */

/* Try an operation with ever more allocations allowed, until it works. */
#define UNTIL_MEMORY(rc, operation)                                                                                    \
    for (long allowed = 0;; allowed++) {                                                                               \
        alloc_fail_after(allowed);                                                                                     \
        rc = operation;                                                                                                \
        alloc_fail_after(-1);                                                                                          \
        if (rc != RKV_ENOMEM) break;                                                                                   \
        CHECK(allowed < 10000);                                                                                        \
    }

static void failing_memory(uint64_t seed, unsigned count) {
    script *s = script_new(seed, count);
    os_fault *disk = os_fault_new(seed);
    runner r;
    int rc;
    runner_init(&r, s, disk);
    UNTIL_MEMORY(rc, db_open(&r.d, &r.options, NULL));
    CHECK(rc == RKV_OK);
    for (unsigned i = 0; i < count; i++) {
        const commit *c = &s->commits[i];
        UNTIL_MEMORY(rc, put_commit(r.d, c));
        CHECK(rc == RKV_OK);
        r.begun = i + 1;
        UNTIL_MEMORY(rc, db_commit(r.d, NULL));
        CHECK(rc == RKV_OK);
        r.committed = i + 1;
        if (c->then == REOPEN) {
            OK(db_close(r.d));
            UNTIL_MEMORY(rc, db_open(&r.d, &r.options, NULL));
        } else if (c->then != NONE) {
            UNTIL_MEMORY(rc, run_upkeep(&r, c->then));
        }
        CHECK(rc == RKV_OK);
    }
    OK(check_states(r.d, s, count, count, r.options.os, "failing memory"));
    /* Reads, too, say so and nothing else. */
    UNTIL_MEMORY(rc, twin_compare(r.d, &s->states[count], r.options.os->ops->now_ms(r.options.os), s->keeps_dead));
    CHECK(rc == RKV_OK);
    OK(db_close(r.d));
    os_fault_free(disk);
    script_free(s);
}

static void test_failing_memory(void) {
    uint64_t seed = dice_seed("failing memory", 1);
    for (uint64_t i = 0; i < (soak() ? 60 : 4); i++) failing_memory(seed + i, soak() ? COMMITS_MAX : 40);
}

/* --- flipped bits ---------------------------------------------------------------------------------------------------------------- */

typedef struct listing {
    char names[200][64];
    size_t count;
} listing;

static void list_name(void *context, const char *name) {
    listing *l = context;
    CHECK(l->count < 200 && strlen(name) < 64);
    snprintf(l->names[l->count++], 64, "%s", name);
}

/* The disk of a finished script: closed, or (not clean) left after a sync and one more commit, which says how far the log is synced. */
static os_fault *finished_disk(const script *s, bool clean) {
    os_fault *disk = os_fault_new(s->seed);
    runner r;
    runner_init(&r, s, disk);
    OK(db_open(&r.d, &r.options, NULL));
    for (unsigned i = 0; i < s->count; i++) {
        OK(run_commit(&r, i));
        if (i + 1 < s->count) OK(run_upkeep(&r, s->commits[i].then));
        if (i + 2 == s->count) OK(db_sync(r.d));
    }
    os_fault *result = clean ? NULL : os_fault_clone(disk);
    OK(db_close(r.d));
    if (clean) return disk;
    os_fault_free(disk);
    return result;
}

/* 0 wrong values: open refuses, a read refuses, or everything is right (but for the last record of a log that was not closed). */
static bool survive_flip(os_fault *whole, const script *s, bool clean, const char *path, uint64_t offset,
                         unsigned bit) {
    os_fault *disk = os_fault_clone(whole);
    char what[200];
    runner r;
    found f;
    os_fault_flip_bit(disk, path, offset, bit);
    snprintf(what, sizeof what, "flip of bit %u in %s:%llu", bit, path, (unsigned long long)offset);
    runner_init(&r, s, disk);
    int rc = db_open(&r.d, &r.options, NULL);
    bool noticed = rc != RKV_OK;
    if (rc == RKV_OK) {
        noticed = !read_all(r.d, &f);
        if (!noticed) {
            rc = check_states(r.d, s, clean ? s->count : s->count - 1, s->count, r.options.os, what);
            CHECK(rc == RKV_OK || rc == RKV_ECORRUPT);
            noticed = rc != RKV_OK;
        }
        OK(db_close(r.d));
    } else {
        CHECK(rc == RKV_ECORRUPT || rc == RKV_EFORMAT);
    }
    os_fault_free(disk);
    return noticed;
}

static void flip_bits(uint64_t seed, bool clean, uint64_t tries) {
    dice dice = {seed};
    script *s = script_new(seed, 60);
    os_fault *disk = finished_disk(s, clean);
    os *o = os_fault_os(disk);
    listing l = {0};
    uint64_t noticed = 0;
    OK(o->ops->list(o, "store", list_name, &l));
    for (uint64_t i = 0; i < tries; i++) {
        char path[100];
        uint64_t size;
        snprintf(path, sizeof path, "store/%s", l.names[i % l.count]);
        OK(o->ops->stat(o, path, &size));
        if (size)
            noticed += survive_flip(disk, s, clean, path, dice_below(&dice, size), (unsigned)dice_below(&dice, 8));
    }
    CHECK(noticed > tries / 50);
    os_fault_free(disk);
    script_free(s);
}

static void test_flipped_bits(void) {
    uint64_t seed = dice_seed("flipped bits", 1);
    for (uint64_t i = 0; i < (soak() ? 40 : 6); i++) flip_bits(seed + i, i % 2, soak() ? 20000 : 600);
}

/* --- space ----------------------------------------------------------------------------------------------------------------------- */

static void space_runs_out(uint64_t seed, uint64_t room) {
    script *s = script_new(seed, COMMITS_MAX);
    os_fault *disk = os_fault_new(seed);
    runner r;
    unsigned refused = 0;
    runner_init(&r, s, disk);
    OK(db_open(&r.d, &r.options, NULL));
    db_step(r.d);
    os_fault_limit_space(disk, os_fault_used(disk) + room);
    for (unsigned i = 0; i < s->count;) {
        int rc = run_commit(&r, i);
        CHECK(rc == RKV_OK || rc == RKV_ENOSPC);
        if (rc == RKV_OK || r.begun > i) i = r.begun;
        enum upkeep then = s->commits[i ? i - 1 : 0].then;
        if (then != REOPEN) {
            int kept = run_upkeep(&r, then);
            CHECK(kept == RKV_OK || kept == RKV_ENOSPC);
        }
        if (rc == RKV_OK) continue;
        refused++;
        CHECK(db_failure(r.d) == RKV_ENOSPC || db_failure(r.d) == RKV_OK);
        check_reads(&r, "space ran out");
        if (refused % 4) continue;
        os_fault_limit_space(disk, os_fault_used(disk) + room + refused * 4096); /* and now there is more */
    }
    os_fault_limit_space(disk, UINT64_MAX);
    OK(db_wait_idle(r.d));
    OK(db_failure(r.d));
    OK(check_states(r.d, s, s->count, s->count, r.options.os, "space came back"));
    OK(db_close(r.d));
    check_disk(disk, s, s->count, s->count, "space came back");
    os_fault_free(disk);
    script_free(s);
}

static void test_space(void) {
    uint64_t seed = dice_seed("space", 1);
    for (uint64_t i = 0; i < (soak() ? 300 : 20); i++) space_runs_out(seed + i, 1000 + i * 4000 % 60000);
}

int main(void) {
    twin_shape_now.large = 2500;
    twin_shape_now.large_one_in = 10;
    RUN(test_power_cuts);
    RUN(test_failing_calls);
    RUN(test_failing_memory);
    RUN(test_flipped_bits);
    RUN(test_space);
    return check_done();
}
