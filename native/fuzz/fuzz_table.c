/* fuzz_table.c: a table's file broken anywhere. Every look-up and every step of an iterator shows the cell that was put, or says that
 * the file is damaged; nothing else is ever shown, and nothing is missing without a word. */
#include "fuzz.h"

#include "base/status.h"
#include "table_fixture.h"

enum { SHAPES = 3 };

static const enum set_shape shapes[SHAPES] = {SET_SHORT, SET_SLOTS, SET_KINDS};
static twin twins[SHAPES];
static uint8_t *images[SHAPES];
static size_t sizes[SHAPES];

/* Build the tables once. Small blocks, so that there are many. */
static void build(void) {
    for (int i = 0; i < SHAPES; i++) {
        twins[i] = twin_new(shapes[i], 42);
        table_options options = table_fixture_options();
        options.block_bytes = 1024;
        fixture f = table_fixture_new(&twins[i], &options);
        FUZZ_CHECK(os_read_file(f.options.os, FIXTURE_PATH, 1 << 28, &images[i], &sizes[i]) == RKV_OK);
        table_fixture_free(&f);
    }
}

/* The first byte of an input says which table it was. */
static void fuzz_valid(uint64_t n, buf *out) {
    if (!images[0]) build();
    uint8_t shape = (uint8_t)(n % SHAPES);
    fuzz_append(out, &shape, 1);
    fuzz_append(out, images[shape], sizes[shape]);
}

static void look_up(table *t, const table_options *options, const twin *w) {
    for (size_t i = 0; i < w->count; i += 1 + w->count / 50) {
        cell found;
        cache_entry *pin = NULL;
        uint64_t hash = hash_bytes(&options->seed, w->entries[i].key);
        int rc = table_get(t, w->entries[i].key, hash, false, &found, &pin);
        FUZZ_CHECK(rc == RKV_ECORRUPT || rc == RKV_OK);
        if (rc == RKV_OK) {
            FUZZ_CHECK(same_cell(&found, &w->entries[i].cell));
            cache_release(options->cache, pin);
        }
    }
}

static void walk(table *t, const twin *w) {
    iter *it = NULL;
    size_t i = 0;
    FUZZ_CHECK(table_iter_new(&it, t, false) == RKV_OK);
    for (it->ops->seek(it, slice_of(NULL, 0)); it->valid; it->ops->next(it), i++)
        FUZZ_CHECK(i < w->count && slice_equal(it->key, w->entries[i].key) &&
                   same_cell(&it->cell, &w->entries[i].cell));
    FUZZ_CHECK(it->status == RKV_ECORRUPT || (it->status == RKV_OK && i == w->count));
    iter_close(it);
}

static void fuzz_one(slice input) {
    if (input.size < 2 || input.data[0] >= SHAPES) return;
    const twin *w = &twins[input.data[0]];
    table_options options = table_fixture_options();
    os_fault *f = os_fault_new(3);
    os_file *file = NULL;
    table *t = NULL;
    options.os = os_fault_os(f);
    FUZZ_CHECK(cache_new(&options.cache, 1 << 20) == RKV_OK);
    FUZZ_CHECK(options.os->ops->open(options.os, &file, "table", OS_CREATE) == RKV_OK);
    FUZZ_CHECK(file->ops->write_at(file, 0, input.data + 1, input.size - 1) == RKV_OK);
    FUZZ_CHECK(file->ops->close(file) == RKV_OK);
    int rc = table_open(&t, &options, "table", FIXTURE_NUMBER, sizes[input.data[0]]);
    FUZZ_CHECK(rc == RKV_OK || rc == RKV_ECORRUPT || rc == RKV_EFORMAT);
    if (rc == RKV_OK) {
        look_up(t, &options, w);
        walk(t, w);
    }
    table_unref(t);
    cache_free(options.cache);
    os_fault_free(f);
}
