/* test_db.c: the store against its twin: random programs, shuffled versions, stable views, range deletions, pace of memory.
 * On the file system in memory, step by step, so that a seed replays.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "db_twin.h"
#include "os/os_fault.h"

enum { NOW0 = 1 };

static bool soak(void) {
    return getenv("RKV_SOAK") != NULL;
}

static db_options tiny(os *o) {
    db_options options;
    db_options_init(&options);
    options.os = o;
    options.dir = "store";
    options.memory_bytes = 256 * 1024;
    options.memtable_bytes = 16 * 1024;
    options.wal_segment_bytes = 32 * 1024;
    options.value_log_min = 1024;
    options.value_file_bytes = 24 * 1024;
    options.block_bytes = 1024;
    options.table_bytes = 4 * 1024;
    options.level_bytes = 16 * 1024;
    options.level_multiplier = 3;
    options.l0_slowdown = 4;
    options.l0_stop = 12;
    options.background = false;
    return options;
}

/* --- random programs --------------------------------------------------------------------------------------------------------- */

typedef struct held {
    db_view *view;
    twin *picture;
} held;

enum { HELD_MAX = 4 };

typedef struct program {
    dice dice;
    os_fault *disk;
    db_options options;
    db *d;
    twin *t;
    uint64_t hlc;
    bool any_order; /* versions come late and twice; nothing is below the horizon */
    held held[HELD_MAX];
} program;

static uint64_t now_ms(program *p) {
    os *o = os_fault_os(p->disk);
    return o->ops->now_ms(o);
}

static uint64_t next_hlc(program *p) {
    if (p->any_order && dice_one_in(&p->dice, 3)) return 1 + dice_below(&p->dice, p->hlc + 1);
    return p->hlc += 1 + dice_below(&p->dice, 5);
}

static void do_puts(program *p) {
    unsigned count = 1 + (unsigned)dice_below(&p->dice, 20);
    uint32_t node = p->any_order ? (uint32_t)dice_below(&p->dice, 3) : 1;
    db_set_node(p->d, node);
    for (unsigned i = 0; i < count; i++) {
        unsigned key = (unsigned)dice_below(&p->dice, TWIN_KEYS);
        uint64_t hlc = next_hlc(p);
        OK(twin_store_put(p->d, key, hlc, node));
        twin_put(p->t, key, hlc, node);
    }
    OK(db_commit(p->d, NULL));
}

static void do_batch(program *p) {
    unsigned count = 1 + (unsigned)dice_below(&p->dice, 20);
    uint32_t node = (uint32_t)dice_below(&p->dice, p->any_order ? 3 : 1);
    buf b = {0};
    uint64_t base = p->any_order ? 0 : p->hlc;
    OK(batch_begin(&b, base, node));
    for (unsigned i = 0; i < count; i++) {
        unsigned key = (unsigned)dice_below(&p->dice, TWIN_KEYS);
        uint64_t hlc = next_hlc(p);
        twin_batch_put(&b, key, hlc, node);
        twin_put(p->t, key, hlc, node);
    }
    OK(db_write(p->d, buf_slice(&b), NULL));
    buf_clear(&b);
}

static void do_range(program *p) {
    uint8_t a[TWIN_KEY_SIZE_MAX], b[TWIN_KEY_SIZE_MAX];
    unsigned begin = (unsigned)dice_below(&p->dice, TWIN_KEYS);
    unsigned end = begin + 1 + (unsigned)dice_below(&p->dice, TWIN_KEYS - begin);
    uint64_t hlc = next_hlc(p);
    uint32_t node = 1;
    slice lower = dice_one_in(&p->dice, 8) ? (begin = 0, (slice){0}) : twin_key(begin, a);
    slice upper = end == TWIN_KEYS ? (slice){0} : twin_key(end, b);
    db_set_node(p->d, node);
    OK(db_reserve(p->d, 1, lower.size + upper.size));
    db_delete_range(p->d, lower, upper, hlc);
    OK(db_commit(p->d, NULL));
    twin_delete_range(p->t, begin, end, hlc, node);
}

static void release_views(program *p) {
    for (size_t i = 0; i < HELD_MAX; i++) {
        if (!p->held[i].view) continue;
        OK(twin_compare_view(p->d, p->held[i].view, p->held[i].picture, now_ms(p), p->any_order, (slice){0},
                             (slice){0}));
        db_view_release(p->held[i].view);
        free(p->held[i].picture);
        p->held[i] = (held){0};
    }
}

static void do_view(program *p) {
    uint8_t a[TWIN_KEY_SIZE_MAX], b[TWIN_KEY_SIZE_MAX];
    held *h = &p->held[dice_below(&p->dice, HELD_MAX)];
    if (!h->view) {
        h->view = db_view_acquire(p->d);
        h->picture = malloc(sizeof *h->picture);
        CHECK(h->view && h->picture);
        *h->picture = *p->t;
        return;
    }
    slice lower = twin_key((unsigned)dice_below(&p->dice, TWIN_KEYS), a);
    slice upper = twin_key((unsigned)dice_below(&p->dice, TWIN_KEYS), b);
    OK(twin_compare_view(p->d, h->view, h->picture, now_ms(p), p->any_order, lower, upper));
    db_view_release(h->view);
    free(h->picture);
    *h = (held){0};
}

static void do_reopen(program *p) {
    release_views(p);
    OK(db_close(p->d));
    if (dice_one_in(&p->dice, 3)) os_fault_reboot(p->disk, FAULT_CUT_KEEP, dice_next(&p->dice));
    OK(db_open(&p->d, &p->options, NULL));
}

static void do_step(program *p) {
    unsigned steps = (unsigned)dice_below(&p->dice, 4);
    for (unsigned i = 0; i < steps; i++) CHECK(db_step(p->d) >= 0);
}

static void do_compact(program *p) {
    uint8_t a[TWIN_KEY_SIZE_MAX], b[TWIN_KEY_SIZE_MAX];
    slice lower = dice_one_in(&p->dice, 3) ? (slice){0} : twin_key((unsigned)dice_below(&p->dice, TWIN_KEYS), a);
    slice upper = dice_one_in(&p->dice, 3) ? (slice){0} : twin_key((unsigned)dice_below(&p->dice, TWIN_KEYS), b);
    OK(db_compact(p->d, lower, upper));
}

static void program_run(uint64_t seed, bool any_order, unsigned steps) {
    program p = {.dice = {seed}, .any_order = any_order, .hlc = 1};
    p.disk = os_fault_new(seed);
    p.options = tiny(os_fault_os(p.disk));
    p.options.horizon = any_order ? 0 : UINT64_MAX;
    p.t = calloc(1, sizeof *p.t);
    CHECK(p.t);
    OK(db_open(&p.d, &p.options, NULL));
    for (unsigned i = 0; i < steps; i++) {
        switch (dice_below(&p.dice, 32)) {
        case 0: OK(db_flush(p.d)); break;
        case 1: do_compact(&p); break;
        case 2: do_reopen(&p); break;
        case 3: do_range(&p); break;
        case 4:
        case 5: do_view(&p); break;
        case 6: os_fault_advance_ms(p.disk, dice_below(&p.dice, 300)); break;
        case 7: OK(twin_compare(p.d, p.t, now_ms(&p), any_order)); break;
        case 8:
        case 9:
        case 10: do_step(&p); break;
        case 11:
        case 12:
        case 13: do_batch(&p); break;
        default: do_puts(&p); break;
        }
    }
    OK(twin_compare(p.d, p.t, now_ms(&p), any_order));
    release_views(&p);
    OK(db_wait_idle(p.d));
    OK(twin_compare(p.d, p.t, now_ms(&p), any_order));
    buf report = {0};
    OK(db_close(p.d));
    buf_clear(&report);
    free(p.t);
    os_fault_free(p.disk);
}

static void test_programs_in_order(void) {
    uint64_t seed = dice_seed("programs in order", 1);
    unsigned runs = soak() ? 400 : 25;
    for (unsigned i = 0; i < runs; i++) program_run(seed + i, false, 600);
}

static void test_programs_in_any_order(void) {
    uint64_t seed = dice_seed("programs in any order", 1001);
    unsigned runs = soak() ? 400 : 25;
    for (unsigned i = 0; i < runs; i++) program_run(seed + i, true, 600);
}

int main(void) {
    twin_shape_now.large_one_in = 10;
    RUN(test_programs_in_order);
    RUN(test_programs_in_any_order);
    return check_done();
}
