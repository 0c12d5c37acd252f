/* test_db_files.c: the store and its directory: locks, foreign and missing files, verify, repair, checkpoint, read-only, options.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "check.h"
#include "db_twin.h"
#include "os/os_fault.h"

static uint64_t now_of(os *o) {
    return o->ops->now_ms(o);
}

static db_options tiny(os *o, const char *dir) {
    db_options options;
    db_options_init(&options);
    options.os = o;
    options.dir = dir;
    options.memory_bytes = 256 * 1024;
    options.memtable_bytes = 8 * 1024;
    options.wal_segment_bytes = 16 * 1024;
    options.value_log_min = 1024;
    options.value_file_bytes = 16 * 1024;
    options.block_bytes = 1024;
    options.table_bytes = 4 * 1024;
    options.level_bytes = 16 * 1024;
    options.level_multiplier = 3;
    options.background = false;
    options.horizon = 0;
    return options;
}

/* Some levels, value files and a log; *t is what it holds. */
static void fill(db *d, twin *t, uint64_t first_hlc, unsigned count) {
    dice dice = {first_hlc};
    for (unsigned i = 0; i < count; i++) {
        unsigned key = (unsigned)dice_below(&dice, TWIN_KEYS);
        OK(twin_store_put(d, key, first_hlc + i, 1));
        twin_put(t, key, first_hlc + i, 1);
        OK(db_commit(d, NULL));
        if (dice_one_in(&dice, 5)) CHECK(db_step(d) >= 0);
        while (db_write_delay(d) == UINT64_MAX) CHECK(db_step(d) >= 0);
    }
}

typedef struct listing {
    char names[300][64];
    size_t count;
    const char *suffix;
} listing;

static void list_name(void *context, const char *name) {
    listing *l = context;
    size_t n = strlen(name), m = strlen(l->suffix);
    if (n < m || strcmp(name + n - m, l->suffix) != 0) return;
    CHECK(l->count < 300 && n < 64);
    snprintf(l->names[l->count++], 64, "%s", name);
}

static listing names(os *o, const char *dir, const char *suffix) {
    listing l = {.suffix = suffix};
    OK(o->ops->list(o, dir, list_name, &l));
    return l;
}

static const char *in(const char *dir, const char *name) {
    static char path[2][400];
    static int turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

static void copy(os *o, const char *from, const char *to) {
    uint8_t *bytes;
    size_t size;
    os_file *file;
    OK(os_read_file(o, from, 1 << 26, &bytes, &size));
    int rc = o->ops->unlink(o, to);
    CHECK(rc == RKV_OK || rc == RKV_NOTFOUND);
    OK(o->ops->open(o, &file, to, OS_CREATE));
    OK(file->ops->write_at(file, 0, bytes, size));
    OK(file->ops->close(file));
    mem_free(bytes);
}

/* --- who may open ------------------------------------------------------------------------------------------------------------- */

static void test_one_at_a_time(void) {
    os_fault *disk = os_fault_new(1);
    db_options o = tiny(os_fault_os(disk), "a");
    twin *t = calloc(1, sizeof *t);
    db *d, *second = NULL;
    buf report = {0};
    CHECK(t);
    OK(db_open(&d, &o, NULL));
    fill(d, t, 1, 100);
    CHECK(db_open(&second, &o, NULL) == RKV_ELOCKED && !second);
    CHECK(db_repair(&o, &report) == RKV_ELOCKED);
    OK(twin_compare(d, t, now_of(o.os), true)); /* the first is unharmed */
    fill(d, t, 200, 100);
    OK(db_close(d));
    OK(db_open(&d, &o, NULL));
    OK(twin_compare(d, t, now_of(o.os), true));
    OK(db_close(d));
    os_fault_free(disk);
    free(t);
}

static void test_foreign_files_are_refused(void) {
    os_fault *disk = os_fault_new(2);
    os *o = os_fault_os(disk);
    twin *t = calloc(1, sizeof *t);
    static const char *suffixes[] = {".sst", ".wal", ".vlog", "STORE"};
    CHECK(t);
    for (int i = 0; i < 2; i++) {
        db_options options = tiny(o, i ? "b" : "a");
        db *d;
        OK(db_open(&d, &options, NULL));
        fill(d, t, 1 + 1000 * (uint64_t)i, 300);
        OK(db_close(d));
    }
    for (int i = 0; i < 4; i++) {
        listing ours = names(o, "a", suffixes[i]), theirs = names(o, "b", suffixes[i]);
        CHECK(ours.count && theirs.count);
        os_fault *mixed = os_fault_clone(disk);
        db_options options = tiny(os_fault_os(mixed), "a");
        db *d = NULL;
        copy(options.os, in("b", theirs.names[theirs.count - 1]), in("a", ours.names[ours.count - 1]));
        int rc = db_open(&d, &options, NULL);
        CHECK(rc == RKV_EFORMAT || rc == RKV_ECORRUPT); /* a table of another length is corrupt before it is foreign */
        CHECK(!d);
        os_fault_free(mixed);
    }
    os_fault_free(disk);
    free(t);
}

static void test_missing_files(void) {
    os_fault *disk = os_fault_new(3);
    os *o = os_fault_os(disk);
    db_options options = tiny(o, "a");
    twin *t = calloc(1, sizeof *t);
    db *d;
    CHECK(t);
    OK(db_open(&d, &options, NULL));
    fill(d, t, 1, 500);
    OK(db_close(d));
    static const char *suffixes[] = {".sst", "CURRENT", ".vlog"};
    for (int i = 0; i < 3; i++)
        for (int how = 0; how < 2; how++) {
            listing l = names(o, "a", suffixes[i]);
            os_fault *lacking = os_fault_clone(disk);
            os *part = os_fault_os(lacking);
            db_options opening = tiny(part, "a");
            const char *path = in("a", l.names[0]);
            CHECK(l.count);
            if (how)
                OK(part->ops->unlink(part, path));
            else
                os_fault_truncate(lacking, path, 0);
            size_t before = names(part, "a", "").count;
            int rc = db_open(&d, &opening, NULL);
            if (rc == RKV_OK) { /* a value file without records: its values are noticed when read */
                CHECK(i == 2 && twin_compare(d, t, now_of(part), true) == RKV_ECORRUPT);
                OK(db_close(d));
            } else {
                CHECK(rc == RKV_ECORRUPT && strstr(status_text(), l.names[0]));
                CHECK(names(part, "a", "").count == before);
            }
            os_fault_free(lacking);
        }
    os_fault_free(disk);
    free(t);
}

static void test_options_are_checked(void) {
    os_fault *disk = os_fault_new(4);
    db *d = NULL;
    db_options good = tiny(os_fault_os(disk), "a"), o;
    o = good, o.dir = "";
    CHECK(db_open(&d, &o, NULL) == RKV_EINVAL);
    o = good, o.memory_bytes = 10;
    CHECK(db_open(&d, &o, NULL) == RKV_EINVAL);
    o = good, o.l0_stop = o.l0_slowdown;
    CHECK(db_open(&d, &o, NULL) == RKV_EINVAL);
    o = good, o.value_log_min = 1;
    CHECK(db_open(&d, &o, NULL) == RKV_EINVAL);
    o = good, o.read_only = true;
    CHECK(db_open(&d, &o, NULL) != RKV_OK); /* nothing there to read */
    CHECK(!d);
    os_fault_free(disk);
}

/* The log may hold more than the memtables of the options that it is opened with. */
static void test_smaller_memtables_than_before(void) {
    os_fault *disk = os_fault_new(10);
    db_options o = tiny(os_fault_os(disk), "a");
    twin *t = calloc(1, sizeof *t);
    db *d;
    CHECK(t);
    o.memtable_bytes = 1 << 20;
    OK(db_open(&d, &o, NULL));
    fill(d, t, 1, 5000);
    OK(db_close(d));
    o.memtable_bytes = 4096;
    OK(db_open(&d, &o, NULL));
    OK(twin_compare(d, t, now_of(o.os), true));
    OK(db_wait_idle(d));
    fill(d, t, 6000, 300);
    OK(db_close(d));
    OK(db_open(&d, &o, NULL));
    OK(twin_compare(d, t, now_of(o.os), true));
    OK(db_close(d));
    os_fault_free(disk);
    free(t);
}

/* One commit with more range deletions than a reservation, and reservations of the largest sizes. */
static void test_many_reservations_in_one_commit(void) {
    os_fault *disk = os_fault_new(11);
    db_options o = tiny(os_fault_os(disk), "a");
    db *d;
    db_value v;
    char key[KEY_SIZE_MAX];
    memset(key, 'k', sizeof key);
    slice last = slice_text("last");
    cell c = {.hlc = 10000, .node = 1};
    o.memtable_bytes = 1 << 20;
    OK(db_open(&d, &o, NULL));
    db_set_node(d, 1);
    for (uint64_t i = 0; i < 900; i++) {
        size_t size = i % 100 == 0 ? sizeof key : 10 + i % 50;
        OK(db_reserve(d, 1, 2 * size));
        db_delete_range(d, slice_of(key, size - 1), slice_of(key, size), i + 1);
    }
    OK(db_reserve(d, 1, last.size));
    db_put(d, last, db_hash(d, last), &c);
    CHECK(db_uncommitted(d) > 900);
    OK(db_commit(d, NULL));
    CHECK(db_reserve(d, 1, (size_t)1 << 31) == RKV_ETOOBIG && db_reserve(d, SIZE_MAX, 1) == RKV_ETOOBIG);
    OK(db_reserve(d, 0, 0));
    OK(db_close(d));
    OK(db_open(&d, &o, NULL));
    OK(db_get(d, last, db_hash(d, last), false, &v));
    db_value_release(d, &v);
    OK(db_close(d));
    os_fault_free(disk);
}

/* --- read only ------------------------------------------------------------------------------------------------------------------ */

static void test_read_only(void) {
    os_fault *disk = os_fault_new(5);
    db_options o = tiny(os_fault_os(disk), "a");
    twin *t = calloc(1, sizeof *t);
    db *d;
    db_recovery recovery;
    buf report = {0};
    CHECK(t);
    OK(db_open(&d, &o, NULL));
    fill(d, t, 1, 400);
    OK(db_sync(d));
    os_fault *copy_of = os_fault_clone(disk); /* as left by a crash: the log counts */
    OK(db_close(d));
    os_fault_free(disk);
    o.os = os_fault_os(copy_of);
    os_fault_reboot(copy_of, FAULT_CUT_KEEP, 1);
    o.read_only = true;
    uint64_t changes = os_fault_calls(copy_of, FAULT_WRITE | FAULT_SYNC | FAULT_SYNC_DIR | FAULT_ENTRY);
    OK(db_open(&d, &o, &recovery));
    CHECK(recovery.wal_records > 0);
    OK(twin_compare(d, t, now_of(o.os), true));
    OK(db_verify(d, &report));
    CHECK(db_reserve(d, 1, 10) == RKV_EREADONLY && db_failure(d) == RKV_EREADONLY);
    CHECK(db_flush(d) == RKV_EREADONLY && db_step(d) == RKV_END);
    OK(db_close(d));
    CHECK(os_fault_calls(copy_of, FAULT_WRITE | FAULT_SYNC | FAULT_SYNC_DIR | FAULT_ENTRY) == changes + 1); /* LOCK */
    os_fault_free(copy_of);
    buf_clear(&report);
    free(t);
}

/* --- verify and repair ------------------------------------------------------------------------------------------------------------ */

static void test_verify_finds_what_is_damaged(void) {
    os_fault *disk = os_fault_new(6);
    db_options o = tiny(os_fault_os(disk), "a");
    twin *t = calloc(1, sizeof *t);
    dice dice = {6};
    db *d;
    buf report = {0};
    CHECK(t);
    OK(db_open(&d, &o, NULL));
    fill(d, t, 1, 500);
    OK(db_verify(d, &report));
    CHECK(report.size == 0);
    static const char *suffixes[] = {".sst", "STORE", "CURRENT"};
    for (int i = 0; i < 60; i++) {
        listing l = names(o.os, "a", suffixes[i % 3]);
        const char *path = in("a", l.names[dice_below(&dice, l.count)]);
        uint64_t size;
        OK(o.os->ops->stat(o.os, path, &size));
        uint64_t at = dice_below(&dice, size);
        unsigned bit = (unsigned)dice_below(&dice, 8);
        os_fault_flip_bit(disk, path, at, bit);
        CHECK(db_verify(d, &report) == RKV_ECORRUPT && report.size > 0);
        os_fault_flip_bit(disk, path, at, bit);
        report.size = 0;
    }
    OK(db_verify(d, &report));
    OK(db_close(d));
    buf_clear(&report);
    os_fault_free(disk);
    free(t);
}

/* A store to damage: closed; a clone each time. */
typedef struct ruin {
    os_fault *whole, *disk;
    db_options options;
    twin *t;
    buf report;
} ruin;

static void ruin_new(ruin *r, uint64_t seed) {
    db *d;
    *r = (ruin){.whole = os_fault_new(seed), .t = calloc(1, sizeof *r->t)};
    CHECK(r->t);
    r->options = tiny(os_fault_os(r->whole), "a");
    OK(db_open(&d, &r->options, NULL));
    fill(d, r->t, 1, 600);
    OK(db_close(d));
}

static void ruin_begin(ruin *r) {
    r->disk = os_fault_clone(r->whole);
    r->options = tiny(os_fault_os(r->disk), "a");
}

/* Repair, open; exact: nothing may be missing. */
static void ruin_repair(ruin *r, bool exact) {
    db *d;
    uint8_t name[TWIN_KEY_SIZE_MAX];
    OK(db_repair(&r->options, &r->report));
    OK(db_open(&d, &r->options, NULL));
    if (exact) {
        OK(twin_compare(d, r->t, now_of(r->options.os), true));
        OK(db_wait_idle(d));
        OK(twin_compare(d, r->t, now_of(r->options.os), true));
    }
    for (unsigned key = 0; key < TWIN_KEYS && !exact; key++) { /* some older version, or none, and never nonsense */
        db_value v;
        slice k = twin_key(key, name);
        int rc = db_get(d, k, db_hash(d, k), false, &v);
        CHECK(rc == RKV_OK || rc == RKV_NOTFOUND);
        if (rc == RKV_NOTFOUND) continue;
        CHECK(v.cell.hlc <= r->t->keys[key].hlc);
        rc = twin_check_cell(d, key, &v.cell);
        CHECK(rc == RKV_OK || rc == RKV_ECORRUPT); /* an older version's value may have been collected */
        db_value_release(d, &v);
    }
    OK(db_close(d));
}

static void ruin_end(ruin *r) {
    os_fault_free(r->disk);
    buf_clear(&r->report);
}

static void test_repair(void) {
    ruin r;
    ruin_new(&r, 7);
    os *o = os_fault_os(r.whole);
    listing tables = names(o, "a", ".sst"), logs = names(o, "a", ".wal");
    char current[64];
    CHECK(tables.count > 2);

    ruin_begin(&r); /* nothing is wrong */
    ruin_repair(&r, true);
    CHECK(r.report.size == 0);
    ruin_end(&r);

    ruin_begin(&r); /* no CURRENT */
    OK(r.options.os->ops->unlink(r.options.os, "a/CURRENT"));
    ruin_repair(&r, true);
    ruin_end(&r);

    ruin_begin(&r); /* no manifest at all */
    listing all = names(o, "a", "");
    for (size_t i = 0; i < all.count; i++)
        if (strncmp(all.names[i], "MANIFEST-", 9) == 0) snprintf(current, sizeof current, "%s", all.names[i]);
    OK(r.options.os->ops->unlink(r.options.os, in("a", current)));
    ruin_repair(&r, true);
    ruin_end(&r);

    ruin_begin(&r); /* a damaged manifest */
    os_fault_flip_bit(r.disk, in("a", current), 100, 1);
    ruin_repair(&r, true);
    CHECK(r.report.size > 0);
    ruin_end(&r);

    ruin_begin(&r); /* no STORE: the manifest knows the identity; and neither */
    OK(r.options.os->ops->unlink(r.options.os, "a/STORE"));
    ruin_repair(&r, true);
    ruin_end(&r);
    ruin_begin(&r);
    OK(r.options.os->ops->unlink(r.options.os, "a/STORE"));
    OK(r.options.os->ops->unlink(r.options.os, in("a", current)));
    CHECK(db_repair(&r.options, &r.report) == RKV_EFORMAT);
    ruin_end(&r);

    for (size_t i = 0; i < tables.count; i++) { /* a damaged table goes to lost/, the rest stays */
        ruin_begin(&r);
        os_fault_flip_bit(r.disk, in("a", tables.names[i]), 50, 1);
        ruin_repair(&r, false);
        CHECK(names(r.options.os, "a/lost", tables.names[i]).count == 1);
        CHECK(r.report.size > 0);
        ruin_end(&r);
    }
    for (size_t i = 0; i < logs.count; i++) { /* a log with a damaged record */
        ruin_begin(&r);
        os_fault_flip_bit(r.disk, in("a", logs.names[i]), 80, 1);
        ruin_repair(&r, false);
        ruin_end(&r);
    }
    os_fault_free(r.whole);
    free(r.t);
}

/* --- checkpoint ------------------------------------------------------------------------------------------------------------------- */

static void test_checkpoint(void) {
    os_fault *disk = os_fault_new(8);
    db_options o = tiny(os_fault_os(disk), "a"), there = tiny(os_fault_os(disk), "b");
    twin *t = calloc(1, sizeof *t), *then = calloc(1, sizeof *then);
    db *d, *second;
    buf report = {0};
    CHECK(t && then);
    OK(db_open(&d, &o, NULL));
    fill(d, t, 1, 500);
    OK(db_checkpoint(d, "b"));
    *then = *t;
    CHECK(db_checkpoint(d, "b") == RKV_EINVAL);
    fill(d, t, 1000, 500);
    OK(db_compact(d, (slice){0}, (slice){0}));
    OK(db_wait_idle(d));
    OK(db_open(&second, &there, NULL)); /* both at once */
    OK(twin_compare(second, then, now_of(o.os), true));
    OK(twin_compare(d, t, now_of(o.os), true));
    OK(db_verify(second, &report));
    fill(second, then, 2000, 300);
    OK(db_close(d));
    OK(db_open(&d, &o, NULL));
    OK(twin_compare(d, t, now_of(o.os), true));
    OK(twin_compare(second, then, now_of(o.os), true));
    OK(db_close(d));
    OK(db_close(second));
    buf_clear(&report);
    free(t);
    free(then);
    os_fault_free(disk);
}

/* A power cut at any moment of a checkpoint leaves the store as it is and, once it has returned, the copy too. */
static void test_checkpoint_and_power_cuts(void) {
    for (unsigned n = 0;; n++) {
        os_fault *disk = os_fault_new(9);
        db_options o = tiny(os_fault_os(disk), "a"), there = tiny(os_fault_os(disk), "b");
        twin *t = calloc(1, sizeof *t);
        db *d;
        CHECK(t);
        OK(db_open(&d, &o, NULL));
        fill(d, t, 1, 150);
        OK(db_sync(d));
        os_fault_crash_at(disk, FAULT_CHANGES, NULL, n);
        int rc = db_checkpoint(d, "b");
        bool crashed = os_fault_crashed(disk);
        db_close(d);
        os_fault_reboot(disk, (enum fault_cut)(n % FAULT_CUT_COUNT), n);
        OK(db_open(&d, &o, NULL));
        OK(twin_compare(d, t, now_of(o.os), true));
        OK(db_close(d));
        if (rc == RKV_OK) {
            OK(db_open(&d, &there, NULL));
            OK(twin_compare(d, t, now_of(o.os), true));
            OK(db_close(d));
        }
        os_fault_free(disk);
        free(t);
        if (!crashed) break;
        CHECK(n < 500);
    }
}

int main(void) {
    twin_shape_now.large = 2500;
    twin_shape_now.large_one_in = 10;
    RUN(test_one_at_a_time);
    RUN(test_foreign_files_are_refused);
    RUN(test_missing_files);
    RUN(test_options_are_checked);
    RUN(test_smaller_memtables_than_before);
    RUN(test_many_reservations_in_one_commit);
    RUN(test_read_only);
    RUN(test_verify_finds_what_is_damaged);
    RUN(test_repair);
    RUN(test_checkpoint);
    RUN(test_checkpoint_and_power_cuts);
    return check_done();
}
