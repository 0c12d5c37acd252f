/* test_crash.c: the store after a power cut at any moment, and with any bit flipped; FAULTS.md 2 and rows 1 to 4, 9, 13, 22.
 *
 * Whatever happens, what is found after a reopen must be the state after some commit of the script, not before the last that was synced, and not
 * after the last attempted. Default runs take some seconds; RKV_SOAK=1 takes every point of many scripts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "db_script.h"
#include "os/os_fault.h"

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
        script_check_disk(disk, r->script, from, to, what);
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
        OK(runner_commit(&r, i));
        OK(runner_upkeep(&r, s->commits[i].then));
    }
    OK(db_close(r.d));
    os_fault_on_call(disk, NULL, NULL);
    script_check_disk(disk, s, count, count, "the end");
    CHECK(c.looked > 100 / every);
    os_fault_free(disk);
    script_free(s);
}

static void test_power_cuts(void) {
    uint64_t seed = dice_seed("power cuts", 1);
    if (script_soak()) {
        for (uint64_t i = 0; i < 60; i++) power_cuts(seed + i, COMMITS_MAX, 1);
        return;
    }
    for (uint64_t i = 0; i < 4; i++) power_cuts(seed + i, 40, 1);
    for (uint64_t i = 4; i < 12; i++) power_cuts(seed + i, COMMITS_MAX, 11);
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
        OK(runner_commit(&r, i));
        if (i + 1 < s->count) OK(runner_upkeep(&r, s->commits[i].then));
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
        noticed = !found_read(r.d, &f);
        if (!noticed) {
            rc = script_check(r.d, s, clean ? s->count : s->count - 1, s->count, r.options.os, what);
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
    for (uint64_t i = 0; i < (script_soak() ? 40 : 6); i++) flip_bits(seed + i, i % 2, script_soak() ? 20000 : 600);
}

int main(void) {
    twin_shape_now.large = 2500;
    twin_shape_now.large_one_in = 10;
    RUN(test_power_cuts);
    RUN(test_flipped_bits);
    return check_done();
}
