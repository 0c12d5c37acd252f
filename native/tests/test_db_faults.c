/* test_db_faults.c: the store on a disk whose calls fail, with memory that runs out, and with space that does and comes back; FAULTS.md 2 and
 * rows 5 to 8, 17. Scripts and their states: db_script.h. RKV_SOAK=1: every n of many scripts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "check.h"
#include "db_script.h"
#include "os/os_fault.h"

/* --- the nth call fails ---------------------------------------------------------------------------------------------------------- */

/* A commit that failed before the store was closed is there or not: go on from what was found. */
static void resolve(runner *r) {
    found f;
    uint64_t now = r->options.os->ops->now_ms(r->options.os);
    if (r->begun == r->committed || !found_read(r->d, &f)) return;
    unsigned i = r->begun;
    while (i > r->committed && !found_is(&f, &r->script->states[i], now, r->script->keeps_dead)) i--;
    CHECK(found_is(&f, &r->script->states[i], now, r->script->keeps_dead));
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
        if (rc == RKV_OK && r->begun < r->script->count) rc = runner_commit(r, r->begun);
        failures += rc != RKV_OK;
        if (r->d && db_failure(r->d) == RKV_EREADONLY) break;
        if (r->d) runner_upkeep(r, r->script->commits[r->begun ? r->begun - 1 : 0].then);
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
        script_check_disk(image, s, r.synced, r.begun, what);
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
    for (uint64_t i = 0; i < (script_soak() ? 30 : 3); i++)
        fail_all(seed + i, script_soak() ? COMMITS_MAX : 40, script_soak() ? 1 : 3);
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
        UNTIL_MEMORY(rc, script_put(r.d, c));
        CHECK(rc == RKV_OK);
        r.begun = i + 1;
        UNTIL_MEMORY(rc, db_commit(r.d, NULL));
        CHECK(rc == RKV_OK);
        r.committed = i + 1;
        if (c->then == REOPEN) {
            OK(db_close(r.d));
            UNTIL_MEMORY(rc, db_open(&r.d, &r.options, NULL));
        } else if (c->then != NONE) {
            UNTIL_MEMORY(rc, runner_upkeep(&r, c->then));
        }
        CHECK(rc == RKV_OK);
    }
    OK(script_check(r.d, s, count, count, r.options.os, "failing memory"));
    /* Reads, too, say so and nothing else. */
    UNTIL_MEMORY(rc, twin_compare(r.d, &s->states[count], r.options.os->ops->now_ms(r.options.os), s->keeps_dead));
    CHECK(rc == RKV_OK);
    OK(db_close(r.d));
    os_fault_free(disk);
    script_free(s);
}

static void test_failing_memory(void) {
    uint64_t seed = dice_seed("failing memory", 1);
    for (uint64_t i = 0; i < (script_soak() ? 60 : 4); i++) failing_memory(seed + i, script_soak() ? COMMITS_MAX : 40);
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
        int rc = runner_commit(&r, i);
        CHECK(rc == RKV_OK || rc == RKV_ENOSPC);
        if (rc == RKV_OK || r.begun > i) i = r.begun;
        enum upkeep then = s->commits[i ? i - 1 : 0].then;
        if (then != REOPEN) {
            int kept = runner_upkeep(&r, then);
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
    OK(script_check(r.d, s, s->count, s->count, r.options.os, "space came back"));
    OK(db_close(r.d));
    script_check_disk(disk, s, s->count, s->count, "space came back");
    os_fault_free(disk);
    script_free(s);
}

static void test_space(void) {
    uint64_t seed = dice_seed("space", 1);
    for (uint64_t i = 0; i < (script_soak() ? 300 : 20); i++) space_runs_out(seed + i, 1000 + i * 4000 % 60000);
}

int main(void) {
    twin_shape_now.large = 2500;
    twin_shape_now.large_one_in = 10;
    RUN(test_failing_calls);
    RUN(test_failing_memory);
    RUN(test_space);
    return check_done();
}
