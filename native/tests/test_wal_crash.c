/* test_wal_crash.c: the write-ahead log under crashes at every call, and failing calls and allocations. Each workload
 * is a seed; SEED=n replays one.
 */
#include "wal_model.h"

static uint64_t seed_from_env(uint64_t otherwise) {
    const char *text = getenv("SEED");
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t next_random(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u;
    return hash_mix(*state);
}

/* ---- crashes ----------------------------------------------------------------------------------------------------- */

typedef struct scenario {
    wal *w;                          /* NULL while opening or closing */
    uint64_t first_segment, flushed; /* as a manifest would have them */
    uint64_t acked;                  /* appended */
    uint64_t kept;                   /* survive a killed process */
    uint64_t synced;                 /* survive everything */
    uint64_t seed;
    unsigned states;
    bool mapped;
} scenario;

static wal_options scenario_options(const scenario *s, os *o) {
    wal_options options = options_of(o);
    options.mapped = s->mapped;
    return options;
}

static void verify_open(const scenario *s, uint64_t least, uint64_t most) {
    wal_options options = scenario_options(s, os_fault_os(f));
    wal *w;
    wal_recovery recovery;
    replayed r = {0};
    int rc = wal_open(&w, &options, s->first_segment, s->flushed + 1, replay, &r, &recovery);
    if (rc) fprintf(stderr, "seed %llu: %s\n", (unsigned long long)s->seed, status_text());
    OK(rc);
    CHECK(recovery.last_seq >= least && recovery.last_seq <= most);
    CHECK(r.count == 0 || (r.first <= s->flushed + 1 && r.last == recovery.last_seq));
    CHECK(r.durable <= most && wal_durable(w) <= most);
    for (int i = 0; i < 3; i++) append(w);
    OK(wal_sync(w));
    uint64_t last = wal_last_seq(w);
    append(w);
    os_fault_crash(f);
    CHECK(wal_close(w) != RKV_OK);
    os_fault_reboot(f, FAULT_CUT_RANDOM, s->seed);
    r = (replayed){0};
    OK(wal_open(&w, &options, s->first_segment, s->flushed + 1, replay, &r, &recovery));
    CHECK(recovery.last_seq == last || recovery.last_seq == last + 1);
    OK(wal_close(w));
}

/* What a crash right now leaves, by every model. */
static void crash_here(scenario *s, os_fault *running) {
    uint64_t synced = s->w && wal_durable(s->w) > s->synced ? wal_durable(s->w) : s->synced;
    if (synced < s->flushed) synced = s->flushed;
    uint64_t most = s->acked + 1; /* one may be on its way */
    for (int model = 0; model < FAULT_CUT_COUNT; model++) {
        unsigned repeats = model == FAULT_CUT_KEEP || model == FAULT_CUT_DROP ? 1 : 2;
        for (unsigned i = 0; i < repeats; i++) {
            f = os_fault_clone(running);
            os_fault_reboot(f, (enum fault_cut)model, s->seed * 1000003 + s->states++);
            verify_open(s, model == FAULT_CUT_KEEP ? s->kept : synced, most);
            os_fault_free(f);
        }
    }
    f = running;
}

static void crash_at_call(void *context, unsigned call, const char *path) {
    (void)path;
    if (call & FAULT_CHANGES) crash_here(context, f);
}

/* One step of a random workload. */
static void step(scenario *s, uint64_t *random) {
    uint64_t x = next_random(random), id;
    switch (x % 16) {
    case 0: OK(wal_sync(s->w)); break;
    case 1: wal_set_policy(s->w, (enum wal_policy)(x >> 8) % 3); break;
    case 2:
        OK(wal_rotate(s->w, &id));
        if (x >> 8 & 1) break;
        OK(wal_sync(s->w)); /* the tables of a flush are synced, so what is in them counts as synced */
        s->flushed = s->acked;
        s->first_segment = id;
        wal_release(s->w, id);
        break;
    default:
        for (uint64_t i = 0; i < 1 + (x >> 8) % 4; i++) {
            append(s->w);
            s->acked = s->kept = wal_last_seq(s->w);
        }
    }
}

static unsigned random_workload(uint64_t seed, bool every_call) {
    scenario s = {.seed = seed, .mapped = seed & 1};
    uint64_t random = seed;
    size_mask = seed & 2 ? 127 : seed & 4 ? 2047 : 16383;
    f = machine_new(seed);
    os_fault *running = f;
    if (seed & 8) os_fault_write_back(f, 6);
    for (int life = 0; life < 3; life++) {
        if (every_call) os_fault_on_call(f, crash_at_call, &s);
        wal_options options = scenario_options(&s, os_fault_os(f));
        wal *w;
        wal_recovery recovery;
        replayed r = {0};
        OK(wal_open(&w, &options, s.first_segment, s.flushed + 1, replay, &r, &recovery));
        CHECK(recovery.last_seq >= s.synced && recovery.last_seq <= s.acked);
        s.w = w;
        s.acked = s.kept = recovery.last_seq;
        for (int i = 0; i < 12; i++) {
            step(&s, &random);
            if (s.mapped && i % 3 == 0) crash_here(&s, running); /* stores are no calls */
        }
        s.synced = wal_durable(w) > s.flushed ? wal_durable(w) : s.flushed;
        if (life == 1) {
            os_fault_crash(f);
            CHECK(wal_close(w) != RKV_OK);
            s.w = NULL;
            os_fault_on_call(f, NULL, NULL);
            os_fault_reboot(f, (enum fault_cut)(seed % FAULT_CUT_COUNT), seed);
            s.kept = s.synced;
        } else {
            OK(wal_close(w));
            s.synced = s.acked;
            s.w = NULL;
        }
    }
    os_fault_on_call(f, NULL, NULL);
    os_fault_free(f);
    size_mask = 255;
    return s.states;
}

static void test_crash_at_every_call(void) {
    /* 111, 132, 152: a file given up was gone for good before one behind it. 359: the end that a recovery wrote was
     * taken for synced by the next. */
    static const uint64_t found[] = {111, 132, 152, 359};
    uint64_t first = seed_from_env(1), last = getenv("SEED") ? first : 8;
    unsigned states = 0;
    for (uint64_t seed = first; seed <= last; seed++) states += random_workload(seed, true);
    for (size_t i = 0; i < sizeof found / sizeof *found && !getenv("SEED"); i++)
        states += random_workload(found[i], true);
    printf("%u crash states\n", states);
}

/* A log of three segments, synced up to record seed % 40 + 1, as a cut leaves it. *out_second: where segment 2
 * begins. */
static void machine_cut(scenario *s, uint64_t *out_second) {
    f = machine_new(s->seed);
    wal_options options = scenario_options(s, os_fault_os(f));
    wal *w;
    wal_recovery recovery;
    OK(wal_open(&w, &options, 0, 1, NULL, NULL, &recovery));
    *out_second = 0;
    for (uint64_t i = 0; i < 150; i++) {
        append(w);
        if (i == s->seed % 40) OK(wal_sync(w));
        if (!*out_second && w->active->id == 2) *out_second = i + 1;
    }
    s->synced = s->seed % 40 + 1;
    os_fault_crash(f);
    CHECK(wal_close(w) != RKV_OK);
    os_fault_reboot(f, s->seed % 3 == 1 ? FAULT_CUT_KEEP : FAULT_CUT_RANDOM, s->seed);
}

/* Power cuts that leave holes, over several segments, and then a crash at each change that their recovery makes, as
 * often as there are any. Of three seeds one has its log cut by the caller, one has had it before, at a first
 * record. */
static void crash_in_recovery(uint64_t seed, unsigned *count) {
    scenario s = {.seed = seed, .mapped = seed & 1};
    uint64_t second;
    machine_cut(&s, &second);
    wal_options options = scenario_options(&s, os_fault_os(f));
    wal *w;
    wal_recovery recovery;
    if (seed % 3 == 1 && second > s.synced) {
        replayed r = {.end_at = second};
        OK(wal_open(&w, &options, 0, 1, replay, &r, &recovery));
        CHECK(r.last == second - 1);
        uint64_t size; /* its old records must not come up when it is recycled, some day */
        CHECK(options.os->ops->stat(options.os, "/data/0000000002.wal", &size) == RKV_NOTFOUND);
        os_fault_crash(f);
        CHECK(wal_close(w) != RKV_OK);
        os_fault_reboot(f, FAULT_CUT_KEEP, 0);
    }
    os_fault *cut = f;
    bool crashed = true;
    for (uint64_t n = 0; crashed; n++)
        for (int model = FAULT_CUT_DROP; model < FAULT_CUT_COUNT; model++, ++*count) {
            f = os_fault_clone(cut);
            options.os = os_fault_os(f);
            os_fault_crash_at(f, FAULT_CHANGES, NULL, n);
            replayed r = {.end_at = seed % 3 ? 0 : s.synced + 1 + seed % 50};
            int rc = wal_open(&w, &options, 0, 1, replay, &r, &recovery);
            crashed = os_fault_crashed(f);
            CHECK((rc == RKV_OK) == !crashed);
            if (!rc) wal_close(w);
            os_fault_reboot(f, (enum fault_cut)model, seed + n);
            verify_open(&s, s.synced, 150);
            os_fault_free(f);
        }
    os_fault_free(cut);
}

static void test_crash_in_recovery(void) {
    uint64_t first = seed_from_env(1), last = getenv("SEED") ? first : 60;
    unsigned count = 0;
    for (uint64_t seed = first; seed <= last; seed++) crash_in_recovery(seed, &count);
    CHECK(count > last - first);
}

/* ---- failing calls ----------------------------------------------------------------------------------------------- */

static void test_failed_sync_is_final(void) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    for (int i = 0; i < 5; i++) append(w);
    OK(wal_sync(w));
    for (int i = 0; i < 5; i++) append(w);
    os_fault_fail(f, FAULT_SYNC, NULL, 0, RKV_EIO, false);
    CHECK(wal_sync(w) == RKV_EIO && wal_failure(w) == RKV_EIO && wal_durable(w) == 5);
    uint64_t syncs = os_fault_calls(f, FAULT_SYNC), seq, id;
    CHECK(wal_sync(w) == RKV_EREADONLY && wal_append(w, payload_of(11), &seq) == RKV_EREADONLY);
    CHECK(strstr(status_text(), "injected"));
    CHECK(wal_rotate(w, &id) == RKV_EREADONLY);
    CHECK(wal_close(w) == RKV_EREADONLY && os_fault_calls(f, FAULT_SYNC) == syncs);
    /* The process starts again on the same machine: its page cache shows ten records, of which the medium has five.
     * They are taken, and must really be there after the next sync. */
    w = must_open(&r);
    CHECK(r.last == 10 && r.durable == 5 && wal_durable(w) == 5);
    OK(wal_sync(w));
    CHECK(wal_durable(w) == 10);
    os_fault_crash(f);
    CHECK(wal_close(w) != RKV_OK);
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    w = must_open(&r);
    CHECK(r.last == 10);
    OK(wal_close(w));
    os_fault_free(f);
}

/* A refused write to the log itself is as final: nobody knows what of it is there. */
static void test_failed_write_is_final(void) {
    f = machine_new(1);
    wal_options options = options_of(os_fault_os(f));
    options.mapped = false;
    wal *w;
    wal_recovery recovery;
    OK(wal_open(&w, &options, 0, 1, NULL, NULL, &recovery));
    append(w);
    uint64_t seq;
    os_fault_fail(f, FAULT_WRITE, NULL, 0, RKV_EIO, false);
    CHECK(wal_append(w, payload_of(2), &seq) == RKV_EIO && wal_append(w, payload_of(2), &seq) == RKV_EREADONLY);
    CHECK(wal_failure(w) == RKV_EIO && wal_close(w) == RKV_EREADONLY);
    replayed r;
    w = must_open(&r);
    CHECK(r.last == 1);
    OK(wal_close(w));
    os_fault_free(f);
}

static int before_sync(void *context) {
    int *left = context;
    return (*left)-- > 0 ? RKV_OK : status_set(RKV_EIO, "the value log's sync");
}

static void test_before_sync(void) {
    f = machine_new(1);
    wal_options options = options_of(os_fault_os(f));
    int left = 1;
    options.before_sync = before_sync;
    options.context = &left;
    wal *w;
    wal_recovery recovery;
    OK(wal_open(&w, &options, 0, 1, NULL, NULL, &recovery));
    append(w);
    OK(wal_sync(w));
    CHECK(left == 0);
    OK(wal_sync(w)); /* nothing new: no sync */
    CHECK(left == 0);
    append(w);
    CHECK(wal_sync(w) == RKV_EIO && wal_durable(w) == 1 && wal_failure(w) == RKV_EIO);
    CHECK(wal_close(w) == RKV_EREADONLY);
    os_fault_free(f);
}

static void test_no_space_passes(void) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    os_fault_limit_space(f, os_fault_used(f) + SEGMENT + SEGMENT / 2); /* one more segment, not two */
    uint64_t seq = 0, last = 0;
    int rc;
    while ((rc = wal_append(w, payload_of(last + 1), &seq)) == RKV_OK) last = seq;
    CHECK(rc == RKV_ENOSPC && wal_last_seq(w) == last && wal_failure(w) == RKV_OK);
    uint64_t id;
    CHECK(wal_rotate(w, &id) == RKV_ENOSPC && wal_append(w, payload_of(last + 1), &seq) == RKV_ENOSPC);
    OK(wal_sync(w)); /* what is there can be made durable */
    CHECK(wal_durable(w) == last);
    os_fault_limit_space(f, UINT64_MAX);
    CHECK(append(w) == last + 1);
    OK(wal_close(w));
    w = must_open(&r);
    CHECK(r.last == last + 1);
    OK(wal_close(w));
    os_fault_free(f);
}

/* The nth call of some kind fails, once or from then on: whoever is told of success can rely on it. */
static void fail_nth(unsigned kinds, uint64_t n, int status, bool forever, bool mapped, bool *out_struck) {
    f = machine_new(n);
    wal_options options = options_of(os_fault_os(f));
    options.mapped = mapped;
    os_fault_fail(f, kinds, NULL, n, status, forever);
    uint64_t acked = 0, synced = 0, flushed = 0, first = 0;
    for (int life = 0; life < 2; life++) {
        wal *w;
        wal_recovery recovery;
        replayed r = {0};
        int rc = wal_open(&w, &options, first, flushed + 1, replay, &r, &recovery);
        if (rc) {
            CHECK(rc == status);
            break;
        }
        CHECK(recovery.last_seq >= synced);
        acked = recovery.last_seq;
        for (int i = 0; i < 90; i++) {
            uint64_t seq, id;
            rc = wal_append(w, payload_of(wal_last_seq(w) + 1), &seq);
            CHECK(rc == RKV_OK || rc == status || rc == RKV_EREADONLY);
            if (!rc) acked = seq;
            if (i % 20 == 19 && wal_sync(w) == RKV_OK) {
                synced = acked;
                CHECK(wal_durable(w) == acked);
            }
            if (i == 50 && synced == acked && wal_rotate(w, &id) == RKV_OK) {
                flushed = synced;
                first = id;
                wal_release(w, id);
            }
            CHECK(wal_durable(w) <= acked);
        }
        if (wal_close(w) == RKV_OK) synced = acked;
    }
    *out_struck = os_fault_failed(f);
    os_fault_heal(f);
    for (int model = FAULT_CUT_KEEP; model <= FAULT_CUT_DROP; model++) {
        os_fault_reboot(f, (enum fault_cut)model, n);
        wal *w;
        wal_recovery recovery;
        replayed r = {0};
        OK(wal_open(&w, &options, first, flushed + 1, replay, &r, &recovery));
        CHECK(recovery.last_seq >= (model == FAULT_CUT_KEEP ? acked : synced));
        synced = acked = recovery.last_seq;
        OK(wal_close(w));
    }
    os_fault_free(f);
}

static void test_every_call_fails(void) {
    unsigned count = 0;
    for (int variant = 0; variant < 8; variant++) {
        bool struck = true;
        for (uint64_t n = 0; struck; n++, count++)
            fail_nth(variant & 4 ? FAULT_WRITE | FAULT_ENTRY : FAULT_ANY, n, variant & 4 ? RKV_ENOSPC : RKV_EIO,
                     variant & 1, variant & 2, &struck);
    }
    CHECK(count > 300);
}

static void test_every_allocation_fails(void) {
    machine_with(60, false);
    os_fault *before = f;
    for (long n = 0;; n++) {
        f = os_fault_clone(before);
        wal_options options = options_of(os_fault_os(f));
        wal *w = NULL;
        wal_recovery recovery;
        replayed r = {0};
        alloc_fail_after(n);
        int rc = wal_open(&w, &options, 0, 1, replay, &r, &recovery);
        uint64_t seq, appended = 0;
        for (int i = 0; i < 120 && !rc; i++) {
            int failed = wal_append(w, payload_of(wal_last_seq(w) + 1), &seq);
            CHECK(failed == RKV_OK || failed == RKV_ENOMEM);
            appended += !failed;
        }
        alloc_fail_after(-1);
        bool done = !rc && appended == 120;
        CHECK(rc == RKV_OK || rc == RKV_ENOMEM);
        if (!rc) {
            CHECK(append(w) == 61 + appended);
            OK(wal_close(w));
        }
        w = must_open(&r);
        CHECK(r.last == (rc ? 60 : 61 + appended));
        OK(wal_close(w));
        os_fault_free(f);
        if (done) break;
    }
    os_fault_free(before);
}

int main(void) {
    RUN(test_crash_at_every_call);
    RUN(test_crash_in_recovery);
    RUN(test_failed_sync_is_final);
    RUN(test_failed_write_is_final);
    RUN(test_before_sync);
    RUN(test_no_space_passes);
    RUN(test_every_call_fails);
    RUN(test_every_allocation_fails);
    return check_done();
}
