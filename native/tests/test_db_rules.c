/* test_db_rules.c: single laws of the store: order does not matter, what may be dropped is and what may not is not, range deletions retire,
 * values are collected, the pace is smooth, reads that would wait say so.
 */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "db_twin.h"
#include "lsm/manifest.h"
#include "lsm/pace.h"
#include "os/os_fault.h"

typedef struct bench {
    os_fault *disk;
    db_options options;
    db *d;
} bench;

static void bench_open(bench *b, uint64_t horizon) {
    b->disk = os_fault_new(1);
    db_options_init(&b->options);
    b->options.os = os_fault_os(b->disk);
    b->options.dir = "store";
    b->options.memory_bytes = 256 * 1024;
    b->options.memtable_bytes = 16 * 1024;
    b->options.wal_segment_bytes = 32 * 1024;
    b->options.value_log_min = 1024;
    b->options.value_file_bytes = 32 * 1024;
    b->options.block_bytes = 1024;
    b->options.table_bytes = 8 * 1024;
    b->options.level_bytes = 32 * 1024;
    b->options.level_multiplier = 3;
    b->options.background = false;
    b->options.horizon = horizon;
    OK(db_open(&b->d, &b->options, NULL));
}

static void bench_close(bench *b) {
    OK(db_close(b->d));
    os_fault_free(b->disk);
}

static void put(db *d, const char *key, uint64_t hlc, uint8_t flags, uint64_t expires_at_ms, const char *value) {
    slice k = slice_text(key);
    cell c = {.hlc = hlc, .node = 1, .flags = flags, .expires_at_ms = expires_at_ms, .payload = slice_text(value)};
    OK(db_reserve(d, 1, k.size + c.payload.size));
    db_put(d, k, db_hash(d, k), &c);
    OK(db_commit(d, NULL));
}

/* The version found, 0: none; a tombstone or expired cell counts. */
static uint64_t get(db *d, const char *key) {
    db_value v;
    slice k = slice_text(key);
    int rc = db_get(d, k, db_hash(d, k), false, &v);
    if (rc == RKV_NOTFOUND) return 0;
    OK(rc);
    uint64_t hlc = v.cell.hlc;
    db_value_release(d, &v);
    return hlc;
}

static uint64_t entries(db *d) {
    db_stats s;
    OK(db_flush(d));
    db_get_stats(d, &s);
    uint64_t n = 0;
    db_view *v = db_view_acquire(d);
    iter *it;
    CHECK(v);
    OK(db_iter_new(&it, v, (slice){0}, (slice){0}, 0, true));
    for (it->ops->seek(it, (slice){0}); it->valid; it->ops->next(it)) n++;
    OK(it->status);
    iter_close(it);
    db_view_release(v);
    return n;
}

static void merge(db *d) {
    OK(db_compact(d, (slice){0}, (slice){0}));
}

/* --- order --------------------------------------------------------------------------------------------------------------------- */

enum { BATCHES = 150 };

static void apply_some(dice *dice, bench *b, buf *batches, const unsigned *order, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        OK(db_write(b->d, buf_slice(&batches[order[i]]), NULL));
        switch (dice_below(dice, 12)) {
        case 0: OK(db_flush(b->d)); break;
        case 1: merge(b->d); break;
        case 2:
        case 3: CHECK(db_step(b->d) >= 0); break;
        case 4:
            OK(db_close(b->d));
            OK(db_open(&b->d, &b->options, NULL));
            break;
        default: break;
        }
    }
}

/* The same batches in any order, some twice, with flushes and merges anywhere, give the same store. */
static void test_order_does_not_matter(void) {
    dice dice = {dice_seed("order", 1)};
    unsigned rounds = getenv("RKV_SOAK") ? 200 : 8;
    for (unsigned round = 0; round < rounds; round++) {
        static buf batches[BATCHES];
        static unsigned order[2 * BATCHES];
        twin *t = calloc(1, sizeof *t);
        CHECK(t);
        for (unsigned i = 0; i < BATCHES; i++) {
            uint32_t node = (uint32_t)dice_below(&dice, 3);
            batches[i].size = 0;
            OK(batch_begin(&batches[i], 0, node));
            for (uint64_t n = 1 + dice_below(&dice, 15); n > 0; n--) {
                unsigned key = (unsigned)dice_below(&dice, TWIN_KEYS);
                uint64_t hlc = 1 + dice_below(&dice, 4000);
                twin_batch_put(&batches[i], key, hlc, node);
                twin_put(t, key, hlc, node);
            }
            if (!dice_one_in(&dice, 20)) continue;
            uint8_t x[TWIN_KEY_SIZE_MAX], y[TWIN_KEY_SIZE_MAX];
            unsigned begin = (unsigned)dice_below(&dice, TWIN_KEYS - 1),
                     end = begin + 1 + (unsigned)dice_below(&dice, TWIN_KEYS - 1 - begin);
            uint64_t hlc = 1 + dice_below(&dice, 4000);
            OK(batch_delete_range(&batches[i], twin_key(begin, x), twin_key(end, y), hlc));
            twin_delete_range(t, begin, end, hlc, node);
        }
        for (unsigned store = 0; store < 3; store++) {
            bench b;
            unsigned count = BATCHES;
            for (unsigned i = 0; i < BATCHES; i++) order[i] = i;
            for (unsigned i = 0; i < BATCHES; i++)
                if (store && dice_one_in(&dice, 4)) order[count++] = i; /* and again */
            for (unsigned i = count - 1; store && i > 0; i--) {
                unsigned k = (unsigned)dice_below(&dice, i + 1), swap = order[i];
                order[i] = order[k];
                order[k] = swap;
            }
            bench_open(&b, 0);
            apply_some(&dice, &b, batches, order, count);
            OK(twin_compare(b.d, t, twin_shape_now.base_ms, true));
            merge(b.d);
            OK(twin_compare(b.d, t, twin_shape_now.base_ms, true));
            bench_close(&b);
        }
        for (unsigned i = 0; i < BATCHES; i++) buf_clear(&batches[i]);
        free(t);
    }
}

/* --- what is dropped ------------------------------------------------------------------------------------------------------------- */

static void test_tombstones_go_below_the_horizon(void) {
    bench b;
    bench_open(&b, 0);
    put(b.d, "k", 10, 0, 0, "value");
    OK(db_flush(b.d));
    put(b.d, "k", 20, CELL_TOMBSTONE, 0, "");
    merge(b.d);
    CHECK(entries(b.d) == 1 && get(b.d, "k") == 20);
    for (uint32_t slot = 0; slot < DB_SLOTS; slot++) db_set_horizon(b.d, slot, 20); /* not above it yet */
    merge(b.d);
    CHECK(entries(b.d) == 1);
    for (uint32_t slot = 0; slot < DB_SLOTS; slot++) db_set_horizon(b.d, slot, 21);
    merge(b.d);
    CHECK(entries(b.d) == 0 && get(b.d, "k") == 0);
    bench_close(&b);
}

static void test_horizons_are_per_slot(void) {
    bench b;
    bench_open(&b, 0);
    put(b.d, "\x01\x02k", 10, CELL_TOMBSTONE, 0, "");
    put(b.d, "\x01\x03k", 10, CELL_TOMBSTONE, 0, "");
    db_set_horizon(b.d, 0x0102, 11);
    OK(db_flush(b.d));
    CHECK(get(b.d, "\x01\x02k") == 0 && get(b.d, "\x01\x03k") == 10);
    bench_close(&b);
}

/* A tombstone stays while something older may lie elsewhere: in a deeper level, a newer table, a memtable. */
static void test_tombstones_stay_above_older_cells(void) {
    bench b;
    bench_open(&b, UINT64_MAX);
    put(b.d, "k", 10, 0, 0, "old");
    put(b.d, "z", 11, 0, 0, "");
    OK(db_flush(b.d));
    put(b.d, "k", 20, CELL_TOMBSTONE, 0, "");
    OK(db_flush(b.d)); /* the flush sees the older table */
    CHECK(get(b.d, "k") == 20);
    merge(b.d);
    CHECK(get(b.d, "k") == 0 && entries(b.d) == 1);
    put(b.d, "m", 30, CELL_TOMBSTONE, 0, ""); /* here nothing older lies anywhere */
    OK(db_flush(b.d));
    CHECK(get(b.d, "m") == 0);
    bench_close(&b);
}

/* The older cell came later and lies in a memtable that is not flushed yet. */
static void test_tombstones_stay_above_older_memtables(void) {
    bench b;
    db_stats s;
    char filler[1001];
    memset(filler, 'f', 1000);
    filler[1000] = 0;
    bench_open(&b, 0);
    put(b.d, "k", 20, CELL_TOMBSTONE, 0, "");
    for (uint64_t i = 0; i < 20; i++) put(b.d, "filler", 100 + i, 0, 0, filler);
    put(b.d, "k", 10, 0, 0, "late");
    db_get_stats(b.d, &s);
    CHECK(s.memtable_count > 1);
    for (uint32_t slot = 0; slot < DB_SLOTS; slot++) db_set_horizon(b.d, slot, UINT64_MAX);
    OK(db_step(b.d)); /* flushes the tombstone's memtable only */
    CHECK(get(b.d, "k") == 20);
    merge(b.d);
    CHECK(get(b.d, "k") == 0);
    bench_close(&b);
}

static void test_expired_cells_go(void) {
    bench b;
    bench_open(&b, UINT64_MAX);
    uint64_t now = b.options.os->ops->now_ms(b.options.os);
    put(b.d, "k", 10, 0, now + 1000, "short-lived");
    put(b.d, "s", 11, 0, 0, "for ever");
    merge(b.d);
    CHECK(entries(b.d) == 2);
    os_fault_advance_ms(b.disk, 2000);
    OK(db_wait_idle(b.d)); /* half of the table is dead: it is rewritten unasked */
    CHECK(entries(b.d) == 1 && get(b.d, "k") == 0 && get(b.d, "s") == 11);
    bench_close(&b);
}

/* --- range deletions --------------------------------------------------------------------------------------------------------------- */

static size_t recorded_ranges(bench *b, uint64_t *out_tables) {
    manifest_info info;
    edit image = {0};
    OK(manifest_load(b->options.os, "store", &info, &image));
    size_t count = rdel_set_count(image.rdels);
    *out_tables = image.added_count;
    edit_clear(&image);
    return count;
}

static void delete_range(db *d, const char *begin, const char *end, uint64_t hlc) {
    db_set_node(d, 1);
    OK(db_reserve(d, 1, strlen(begin) + strlen(end)));
    db_delete_range(d, slice_text(begin), slice_text(end), hlc);
    OK(db_commit(d, NULL));
}

static void fill(db *d, uint64_t *hlc, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        char key[20], value[100];
        snprintf(key, sizeof key, "key%06u", i * 7919 % count);
        memset(value, 'v', sizeof value);
        value[99] = 0;
        put(d, key, ++*hlc, 0, 0, value);
        while (db_write_delay(d) == UINT64_MAX) CHECK(db_step(d) >= 0);
    }
}

static void test_everything_deleted_goes_unread(void) {
    bench b;
    uint64_t hlc = 0, tables;
    bench_open(&b, UINT64_MAX);
    fill(b.d, &hlc, 2000);
    OK(db_flush(b.d));
    OK(db_wait_idle(b.d));
    recorded_ranges(&b, &tables);
    CHECK(tables > 10);
    delete_range(b.d, "", "", ++hlc);
    CHECK(get(b.d, "key000001") == 0);
    put(b.d, "key000001", ++hlc, 0, 0, "again");
    OK(db_flush(b.d));
    uint64_t reads = os_fault_calls(b.disk, FAULT_READ);
    OK(db_wait_idle(b.d));
    CHECK(os_fault_calls(b.disk, FAULT_READ) < reads + 20);
    CHECK(recorded_ranges(&b, &tables) == 0 && tables == 1);
    CHECK(entries(b.d) == 1);
    OK(db_close(b.d));
    OK(db_open(&b.d, &b.options, NULL));
    CHECK(entries(b.d) == 1 && get(b.d, "key000001") == hlc);
    bench_close(&b);
}

static void test_part_deleted_is_rewritten(void) {
    bench b;
    uint64_t hlc = 0, tables;
    bench_open(&b, UINT64_MAX);
    fill(b.d, &hlc, 1000);
    OK(db_flush(b.d));
    delete_range(b.d, "key000100", "key000900", ++hlc);
    CHECK(get(b.d, "key000100") == 0 && get(b.d, "key000099") && get(b.d, "key000900"));
    OK(db_flush(b.d));
    CHECK(recorded_ranges(&b, &tables) == 1);
    OK(db_wait_idle(b.d));
    CHECK(recorded_ranges(&b, &tables) == 0);
    CHECK(entries(b.d) == 200);
    bench_close(&b);
}

/* While the horizon is low, older cells may still come: the deletion stays and covers them. */
static void test_range_deletions_cover_late_cells(void) {
    bench b;
    uint64_t tables;
    bench_open(&b, 0);
    delete_range(b.d, "a", "m", 100);
    OK(db_flush(b.d));
    OK(db_wait_idle(b.d));
    CHECK(recorded_ranges(&b, &tables) == 1);
    put(b.d, "b", 50, 0, 0, "late");
    put(b.d, "c", 150, 0, 0, "new");
    put(b.d, "n", 50, 0, 0, "outside");
    CHECK(get(b.d, "b") == 0 && get(b.d, "c") == 150 && get(b.d, "n") == 50);
    merge(b.d);
    CHECK(get(b.d, "b") == 0 && get(b.d, "c") == 150 && get(b.d, "n") == 50);
    for (uint32_t slot = 0; slot < DB_SLOTS; slot++) db_set_horizon(b.d, slot, 101);
    OK(db_wait_idle(b.d));
    CHECK(recorded_ranges(&b, &tables) == 0);
    CHECK(get(b.d, "b") == 0);
    bench_close(&b);
}

static void test_many_range_deletions(void) {
    bench b;
    twin *t = calloc(1, sizeof *t);
    CHECK(t);
    bench_open(&b, 0);
    dice dice = {7};
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t x[TWIN_KEY_SIZE_MAX], y[TWIN_KEY_SIZE_MAX];
        unsigned begin = (unsigned)dice_below(&dice, TWIN_KEYS - 1), end = begin + 1 + (unsigned)dice_below(&dice, 3);
        if (end >= TWIN_KEYS) end = TWIN_KEYS - 1;
        db_set_node(b.d, 1);
        OK(db_reserve(b.d, 1, 2 * TWIN_KEY_SIZE_MAX));
        db_delete_range(b.d, twin_key(begin, x), twin_key(end, y), i + 1);
        OK(db_commit(b.d, NULL));
        twin_delete_range(t, begin, end, i + 1, 1);
        unsigned key = (unsigned)dice_below(&dice, TWIN_KEYS);
        uint64_t hlc = 1 + dice_below(&dice, i + 2);
        OK(twin_store_put(b.d, key, hlc, 2));
        twin_put(t, key, hlc, 2);
        OK(db_commit(b.d, NULL));
        if (i % 300 == 0) OK(twin_compare(b.d, t, twin_shape_now.base_ms, true));
        while (db_write_delay(b.d) == UINT64_MAX) CHECK(db_step(b.d) >= 0);
    }
    OK(twin_compare(b.d, t, twin_shape_now.base_ms, true));
    bench_close(&b);
    free(t);
}

/* --- values ------------------------------------------------------------------------------------------------------------------------ */

static uint64_t value_bytes(bench *b) {
    db_stats s;
    db_get_stats(b->d, &s);
    return s.value_log_bytes;
}

/* Overwritten values are given back: by whole files, and by moving what lives out of files that are mostly dead. */
static void test_value_files_are_collected(void) {
    bench b;
    twin *t = calloc(1, sizeof *t);
    twin_shape shape = twin_shape_now;
    uint64_t hlc = 0, live = 0;
    CHECK(t);
    twin_shape_now = (twin_shape){.small = 10, .large = 4000, .large_one_in = 1, .base_ms = shape.base_ms};
    bench_open(&b, UINT64_MAX);
    dice dice = {3};
    for (unsigned i = 0; i < 3000; i++) {
        /* A tenth of the keys is written once in a while, so that their values keep files alive. */
        unsigned key = dice_one_in(&dice, 40) ? (unsigned)dice_below(&dice, 20) : 20 + (unsigned)dice_below(&dice, 180);
        OK(twin_store_put(b.d, key, ++hlc, (uint32_t)dice_below(&dice, 3)));
        OK(db_commit(b.d, NULL));
        (void)t;
        while (db_write_delay(b.d) == UINT64_MAX) CHECK(db_step(b.d) >= 0);
        if (i % 50 == 0) CHECK(db_step(b.d) >= 0);
    }
    for (int i = 0; i < 12; i++) { /* moved cells are flushed, then files go, which makes others worth it */
        merge(b.d);
        OK(db_wait_idle(b.d));
        OK(db_commit(b.d, NULL));
        OK(db_flush(b.d));
    }
    db_view *v = db_view_acquire(b.d);
    iter *it;
    CHECK(v);
    OK(db_iter_new(&it, v, (slice){0}, (slice){0}, twin_shape_now.base_ms, true));
    for (it->ops->seek(it, (slice){0}); it->valid; it->ops->next(it)) {
        uint64_t size;
        OK(db_value_size(&it->cell, &size));
        live += it->cell.flags & CELL_POINTER ? size : 0;
    }
    OK(it->status);
    iter_close(it);
    db_view_release(v);
    printf("values: %llu bytes live, %llu in files, %llu written\n", (unsigned long long)live,
           (unsigned long long)value_bytes(&b), (unsigned long long)hlc * 2000);
    CHECK(value_bytes(&b) < 3 * live + 4 * b.options.value_file_bytes);
    buf report = {0};
    OK(db_verify(b.d, &report));
    buf_clear(&report);
    bench_close(&b);
    twin_shape_now = shape;
    free(t);
}

/* One cell that lies in two tables (a fault, but it may happen) keeps its value while it is the winner. */
static void test_the_same_pointer_twice(void) {
    bench b;
    uint8_t ref[VALUE_REF_SIZE_MAX];
    uint8_t data[2000];
    size_t size;
    db_value v;
    slice k = slice_text("k");
    cell c = {.hlc = 5, .node = 1, .flags = CELL_POINTER};
    bench_open(&b, UINT64_MAX);
    memset(data, 'd', sizeof data);
    OK(db_value_write(b.d, k, &c, slice_of(data, sizeof data), ref, &size));
    c.payload = slice_of(ref, size);
    for (int i = 0; i < 3; i++) {
        OK(db_reserve(b.d, 2, 100));
        db_put(b.d, k, db_hash(b.d, k), &c);
        db_put(b.d, k, db_hash(b.d, k), &c);
        OK(db_commit(b.d, NULL));
        OK(db_flush(b.d));
    }
    merge(b.d);
    OK(db_wait_idle(b.d));
    db_stats s;
    db_get_stats(b.d, &s);
    CHECK(s.value_log_garbage == 0);
    OK(db_get(b.d, k, db_hash(b.d, k), false, &v));
    memset(data, 0, sizeof data);
    OK(db_value_read(b.d, k, &v.cell, false, data));
    CHECK(data[0] == 'd' && data[1999] == 'd');
    db_value_release(b.d, &v);
    bench_close(&b);
}

/* --- limits and waits ---------------------------------------------------------------------------------------------------------------- */

static void test_a_put_larger_than_a_memtable(void) {
    bench b;
    bench_open(&b, UINT64_MAX);
    enum { HUGE = 300000 };
    char *value = malloc(HUGE + 1);
    CHECK(value);
    memset(value, 'x', HUGE);
    value[HUGE] = 0;
    put(b.d, "small", 1, 0, 0, "x");
    put(b.d, "huge", 2, 0, 0, value); /* inline: the caller did not ask the value log */
    CHECK(get(b.d, "small") == 1 && get(b.d, "huge") == 2);
    OK(db_flush(b.d));
    OK(db_close(b.d));
    OK(db_open(&b.d, &b.options, NULL));
    CHECK(get(b.d, "small") == 1 && get(b.d, "huge") == 2);
    bench_close(&b);
    free(value);
}

static void test_foreign_pointers_are_refused(void) {
    bench b;
    buf batch = {0};
    cell c = {.hlc = 5, .flags = CELL_POINTER, .payload = slice_text("12345")};
    bench_open(&b, UINT64_MAX);
    OK(batch_begin(&batch, 0, 0));
    OK(batch_put(&batch, slice_text("k"), &c));
    CHECK(db_write(b.d, buf_slice(&batch), NULL) == RKV_EINVAL);
    CHECK(db_write(b.d, slice_text("not a batch at all"), NULL) == RKV_ECORRUPT);
    CHECK(get(b.d, "k") == 0);
    buf_clear(&batch);
    bench_close(&b);
}

static void test_pace(void) {
    pace_state s = {.mems = 1, .mems_stop = 4, .runs_slowdown = 8, .runs_stop = 16, .merge_ns_per_mib = 3000000};
    uint64_t last = 0;
    for (s.runs = 0; s.runs <= 8; s.runs++) CHECK(pace_delay_us(&s) == 0);
    for (s.runs = 9; s.runs < 16; s.runs++) {
        uint64_t delay = pace_delay_us(&s);
        CHECK(delay > last && delay < 100 * 3000);
        last = delay;
    }
    CHECK(pace_delay_us(&s) == UINT64_MAX);
    s.runs = 0;
    last = 0;
    for (s.mems = 1; s.mems <= 4; s.mems++)
        for (s.mem_fill = 0; s.mem_fill < 0.97; s.mem_fill += 0.05) {
            uint64_t delay = pace_delay_us(&s);
            CHECK(delay >= last && delay != UINT64_MAX);
            last = delay;
        }
    s.mems = 4;
    s.mem_fill = 1;
    CHECK(last > 0 && pace_delay_us(&s) == UINT64_MAX);
    CHECK(cache_share(1000, 100, 1) == 750 && cache_share(1000, 100, 4) == 500 && cache_share(1000, 600, 4) == 62);
}

static void test_a_cold_read_says_so(void) {
    bench b;
    b.disk = os_fault_new(1);
    os *slow = os_slow_new(os_fault_os(b.disk), 0);
    db_value v;
    int rc;
    uint64_t hlc = 0;
    CHECK(slow);
    os_fault_free(b.disk);
    bench_open(&b, UINT64_MAX);
    os_slow_free(slow);
    slow = os_slow_new(os_fault_os(b.disk), 0);
    fill(b.d, &hlc, 500);
    OK(db_flush(b.d));
    OK(db_close(b.d));
    b.options.os = slow;
    OK(db_open(&b.d, &b.options, NULL));
    os_slow_set(slow, 1, 0);
    slice k = slice_text("key000100");
    rc = db_get(b.d, k, db_hash(b.d, k), true, &v);
    CHECK(rc == RKV_WOULDBLOCK);
    OK(db_get(b.d, k, db_hash(b.d, k), false, &v));
    db_value_release(b.d, &v);
    OK(db_get(b.d, k, db_hash(b.d, k), true, &v)); /* now it is cached */
    db_value_release(b.d, &v);
    OK(db_close(b.d));
    os_slow_free(slow);
    os_fault_free(b.disk);
}

/* A view keeps what it shows, whatever goes on. */
static void test_views_hold_their_files(void) {
    bench b;
    uint64_t hlc = 0;
    bench_open(&b, UINT64_MAX);
    fill(b.d, &hlc, 500);
    OK(db_flush(b.d));
    db_view *v = db_view_acquire(b.d);
    CHECK(v);
    delete_range(b.d, "", "", ++hlc);
    merge(b.d);
    OK(db_wait_idle(b.d));
    CHECK(entries(b.d) == 0);
    uint64_t n = 0;
    iter *it;
    OK(db_iter_new(&it, v, (slice){0}, (slice){0}, 1, false));
    db_view_release(v); /* the iterator holds it */
    for (it->ops->seek(it, (slice){0}); it->valid; it->ops->next(it)) n++;
    OK(it->status);
    CHECK(n == 500);
    iter_close(it);
    bench_close(&b);
}

int main(void) {
    twin_shape_now.large_one_in = 12;
    RUN(test_order_does_not_matter);
    RUN(test_tombstones_go_below_the_horizon);
    RUN(test_horizons_are_per_slot);
    RUN(test_tombstones_stay_above_older_cells);
    RUN(test_tombstones_stay_above_older_memtables);
    RUN(test_expired_cells_go);
    RUN(test_everything_deleted_goes_unread);
    RUN(test_part_deleted_is_rewritten);
    RUN(test_range_deletions_cover_late_cells);
    RUN(test_many_range_deletions);
    RUN(test_value_files_are_collected);
    RUN(test_the_same_pointer_twice);
    RUN(test_a_put_larger_than_a_memtable);
    RUN(test_foreign_pointers_are_refused);
    RUN(test_pace);
    RUN(test_a_cold_read_says_so);
    RUN(test_views_hold_their_files);
    return check_done();
}
