/* test_table_faults.c: when memory, device or caller fail a table: every allocation and call refused, a device that
 * lies or would make the caller wait, limits. The answer is right, or an error, and nothing leaks or stays behind.
 *
 * Random tests print their seed; SEED=n replays one.
 */
#include "base/alloc.h"
#include "check.h"
#include "table_reading.h"

static uint64_t seed;

/* --- memory and calls that fail ----------------------------------------------------------------------------------- */

static bool file_is_there(fixture *f) {
    uint64_t size;
    return f->options.os->ops->stat(f->options.os, FIXTURE_PATH, &size) == RKV_OK;
}

/* Build anew with a fault armed by the caller; a failure leaves nothing behind. */
static int rebuild(fixture *f, const twin *all) {
    table_props_clear(&f->props);
    return table_fixture_build(f, all);
}

static void remove_table(fixture *f) {
    table_unref(f->table);
    f->table = NULL;
    OK(f->options.os->ops->unlink(f->options.os, FIXTURE_PATH));
}

static void test_allocations_of_builder(void) {
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, seed, &all);
        int rc = RKV_ENOMEM;
        remove_table(&f);
        for (long n = 0; rc; n++) {
            alloc_fail_after(n);
            rc = rebuild(&f, &all);
            alloc_fail_after(-1);
            CHECK(n < 10000 && (rc == RKV_OK || rc == RKV_ENOMEM));
            CHECK(file_is_there(&f) == !rc);
        }
        OK(read_all(&f, &all, 0));
        small_free(&f, &all);
    }
}

static void test_allocations_of_readers(void) {
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, seed, &all);
        int rc = RKV_ENOMEM;
        for (long n = 0; rc; n++) {
            alloc_fail_after(n);
            rc = read_all(&f, &all, ALLOW_NO_MEMORY);
            alloc_fail_after(-1);
            CHECK(n < 10000);
        }
        small_free(&f, &all);
    }
}

/* Every call of a build fails once: an error, and no file, unless it was the hint or the removal itself. */
static void test_calls_of_builder(void) {
    static const int statuses[] = {RKV_EIO, RKV_ENOSPC};
    for (int s = 0; s < 2; s++) {
        twin all;
        fixture f = small_fixture(1, seed, &all);
        remove_table(&f);
        uint64_t failed = 0;
        for (uint64_t n = 0;; n++) {
            os_fault_fail(f.disk, FAULT_ANY, NULL, n, statuses[s], false);
            int rc = rebuild(&f, &all);
            bool struck = os_fault_failed(f.disk);
            os_fault_heal(f.disk);
            CHECK(rc == (struck ? statuses[s] : RKV_OK));
            CHECK(file_is_there(&f) == !rc);
            CHECK(os_fault_handles(f.disk) == 0);
            if (!struck) break;
            failed++;
        }
        CHECK(failed >= 4); /* create, write, sync, close */
        OK(read_all(&f, &all, 0));
        small_free(&f, &all);
    }
}

/* A read that fails once is tried again, and nobody hears of it; one that keeps failing is reported. */
static void test_calls_of_readers(void) {
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, seed, &all);
        for (uint64_t n = 0;; n++) {
            os_fault_fail(f.disk, FAULT_READ, NULL, n, RKV_EIO, false);
            int rc = read_all(&f, &all, ALLOW_IO);
            bool struck = os_fault_failed(f.disk);
            os_fault_heal(f.disk);
            /* Only the CRC of the whole file is not tried twice: a scrub comes again. */
            CHECK(rc == RKV_OK || n > 0);
            if (!struck) break;
        }
        for (uint64_t n = 0;; n++) {
            os_fault_fail(f.disk, FAULT_ANY, NULL, n, RKV_EIO, true);
            int rc = read_all(&f, &all, ALLOW_IO);
            bool struck = os_fault_failed(f.disk);
            os_fault_heal(f.disk);
            CHECK(rc == (struck ? RKV_EIO : RKV_OK));
            if (!struck) break;
        }
        small_free(&f, &all);
    }
}

/* --- a device that lies once -------------------------------------------------------------------------------------- */

/* An os whose files, while armed, flip a bit of the next read or cut it short. */
typedef struct liar {
    os base;
    os *inner;
    int flips, cuts; /* reads to spoil */
} liar;

typedef struct liar_file {
    os_file base;
    liar *liar;
    os_file *inner;
} liar_file;

static int liar_read(os_file *file, uint64_t offset, void *data, size_t size, bool nowait, size_t *out_got) {
    liar_file *f = (liar_file *)file;
    int rc = f->inner->ops->read_at(f->inner, offset, data, size, nowait, out_got);
    if (!rc && f->liar->flips && size > 20) {
        f->liar->flips--;
        ((uint8_t *)data)[size / 2] ^= 1;
    } else if (!rc && f->liar->cuts) {
        f->liar->cuts--;
        *out_got = size / 2;
    }
    return rc;
}

static int liar_size(os_file *file, uint64_t *out) {
    liar_file *f = (liar_file *)file;
    return f->inner->ops->size(f->inner, out);
}

static int liar_close(os_file *file) {
    liar_file *f = (liar_file *)file;
    int rc = f->inner->ops->close(f->inner);
    mem_free(f);
    return rc;
}

static int liar_open(os *self, os_file **out, const char *path, enum os_open_mode mode) {
    static const os_file_ops ops = {.read_at = liar_read, .size = liar_size, .close = liar_close};
    liar *l = (liar *)self;
    liar_file *f = mem_alloc(sizeof *f);
    CHECK(f);
    *f = (liar_file){{&ops}, l, NULL};
    OK(l->inner->ops->open(l->inner, &f->inner, path, mode));
    *out = &f->base;
    return RKV_OK;
}

static void check_lie(fixture *f, table *t, liar *l, const twin *all, int flips, int cuts, int expected) {
    slice key = all->entries[all->count / 2].key;
    cell got;
    cache_entry *pin = NULL;
    cache_forget(f->options.cache, FIXTURE_NUMBER);
    l->flips = flips;
    l->cuts = cuts;
    CHECK(table_get(t, key, table_fixture_hash(f, key), false, &got, &pin) == expected);
    cache_release(f->options.cache, pin);
    l->flips = flips;
    l->cuts = cuts;
    CHECK(read_walk(t, all, true, false, ALLOW_DAMAGE) == expected);
    l->flips = l->cuts = 0;
}

static void test_lies(void) {
    static const os_ops ops = {.open = liar_open};
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, seed, &all);
        liar l = {{&ops}, f.options.os, 0, 0};
        table_options o = f.options;
        table *t;
        o.os = &l.base;
        l.flips = 1;
        OK(table_open(&t, &o, FIXTURE_PATH, FIXTURE_NUMBER, f.props.size));
        check_lie(&f, t, &l, &all, 1, 0, RKV_OK);
        check_lie(&f, t, &l, &all, 0, 1, RKV_OK);
        check_lie(&f, t, &l, &all, 1000, 0, RKV_ECORRUPT);
        check_lie(&f, t, &l, &all, 0, 1000, RKV_ECORRUPT);
        check_lie(&f, t, &l, &all, 0, 0, RKV_OK);
        table_unref(t);
        small_free(&f, &all);
    }
}

/* --- a device that would make the caller wait --------------------------------------------------------------------- */

static void test_nowait(void) {
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, seed, &all);
        os *slow = os_slow_new(f.options.os, 0);
        table_options o = f.options;
        table *t;
        cell got;
        cache_entry *pin;
        cache_stats before, after;
        slice key = all.entries[3].key;
        CHECK(slow);
        o.os = slow;
        OK(table_open(&t, &o, FIXTURE_PATH, FIXTURE_NUMBER, f.props.size));
        size_t memory = table_memory(t);
        os_slow_set(slow, 1, 0);
        cache_get_stats(o.cache, &before);
        CHECK(!table_excludes(t, table_fixture_hash(&f, slice_text("not in it"))));
        CHECK(table_get(t, key, table_fixture_hash(&f, key), true, &got, &pin) == RKV_WOULDBLOCK);
        cache_get_stats(o.cache, &after);
        CHECK(after.bytes == before.bytes && after.pinned == 0 && table_memory(t) == memory);
        OK(table_load(t));
        CHECK(table_get(t, key, table_fixture_hash(&f, key), true, &got, &pin) == RKV_WOULDBLOCK);
        OK(table_get(t, key, table_fixture_hash(&f, key), false, &got, &pin));
        cache_release(o.cache, pin);
        OK(table_get(t, key, table_fixture_hash(&f, key), true, &got, &pin));
        CHECK(same_cell(&got, &all.entries[3].cell));
        cache_release(o.cache, pin);
        CHECK((table_memory(t) > memory) == (small_is_resident(i)));
        table_unref(t);
        os_slow_free(slow);
        small_free(&f, &all);
    }
}

/* --- misuse and limits -------------------------------------------------------------------------------------------- */

static void test_limits(void) {
    twin all;
    fixture f = small_fixture(0, seed, &all);
    table_builder *b;
    cell c = {.hlc = 1};
    uint8_t *key = mem_zalloc(KEY_SIZE_MAX + 1);
    CHECK(key);
    CHECK(table_builder_new(&b, &f.options, FIXTURE_PATH, FIXTURE_NUMBER) == RKV_EIO); /* it is there */
    remove_table(&f);
    OK(table_builder_new(&b, &f.options, FIXTURE_PATH, FIXTURE_NUMBER));
    CHECK(table_builder_add(b, slice_of(key, KEY_SIZE_MAX + 1), &c) == RKV_ETOOBIG);
    c.payload = slice_of(key, (size_t)PAYLOAD_SIZE_MAX + 1); /* refused before it is read */
    CHECK(table_builder_add(b, slice_of(key, 1), &c) == RKV_ETOOBIG);
    c.payload.size = 0;
    OK(table_builder_add(b, slice_of(key, KEY_SIZE_MAX), &c));
    CHECK(table_builder_entries(b) == 1 && table_builder_size(b) > KEY_SIZE_MAX);
    table_builder_abort(b);
    CHECK(!file_is_there(&f));
    OK(table_builder_new(&b, &f.options, FIXTURE_PATH, FIXTURE_NUMBER));
    CHECK(table_builder_finish(b, &f.props) == RKV_EINVAL);
    CHECK(!file_is_there(&f));
    table_builder_abort(NULL);
    table_unref(NULL);
    mem_free(key);
    small_free(&f, &all);
}

int main(void) {
    seed = test_seed();
    RUN(test_allocations_of_builder);
    RUN(test_allocations_of_readers);
    RUN(test_calls_of_builder);
    RUN(test_calls_of_readers);
    RUN(test_lies);
    RUN(test_nowait);
    RUN(test_limits);
    return check_done();
}
