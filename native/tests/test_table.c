/* test_table.c: a table answers as a sorted array does: get, seek, seek_for_prev, next, prev, for sets of many shapes
 * and under odd options. Damage and failures: test_table_faults.c. */
#include "base/alloc.h"
#include "check.h"
#include "lsm/block.h"
#include "lsm/table_read.h"
#include "table_fixture.h"

static uint64_t seed;

/* --- the same answers as the twin --------------------------------------------------------------------------------- */

static int get(fixture *f, slice key, cell *out, cache_entry **pin) {
    return table_get(f->table, key, hash_bytes(&f->options.seed, key), false, out, pin);
}

static void check_get(fixture *f, const twin *t, slice key) {
    cell got;
    cache_entry *pin = NULL;
    size_t i = twin_lower_bound(t, key);
    bool here = i < t->count && slice_equal(t->entries[i].key, key);
    CHECK(get(f, key, &got, &pin) == (here ? RKV_OK : RKV_NOTFOUND));
    CHECK(!here || same_cell(&got, &t->entries[i].cell));
    CHECK(!here || !table_excludes(f->table, hash_bytes(&f->options.seed, key)));
    cache_release(f->options.cache, pin);
}

/* A key near one of the set: itself, shortened, longer by a zero, or with its last byte one off. Valid until the next
 * call. */
static slice key_near(const twin *t, uint64_t *rng) {
    static uint8_t key[KEY_SIZE_MAX + 1];
    slice base = t->entries[draw_below(rng, t->count)].key;
    if (base.size) memcpy(key, base.data, base.size);
    switch (draw_below(rng, 5)) {
    case 0: return slice_of(key, base.size ? draw_below(rng, base.size) : 0);
    case 1:
        if (base.size == KEY_SIZE_MAX) return slice_of(key, base.size);
        key[base.size] = 0;
        return slice_of(key, base.size + 1);
    case 2:
        if (base.size) key[base.size - 1]++;
        return slice_of(key, base.size);
    case 3:
        if (base.size) key[base.size - 1]--;
        return slice_of(key, base.size);
    default: return slice_of(key, base.size);
    }
}

static void check_gets(fixture *f, const twin *t, uint64_t *rng) {
    for (size_t i = 0; i < t->count; i++) check_get(f, t, t->entries[i].key);
    for (int i = 0; i < 2000; i++) check_get(f, t, key_near(t, rng));
}

/* it must stand on entry i, or nowhere for one outside. */
static void check_at(const iter *it, const twin *t, size_t i) {
    CHECK(it->status == RKV_OK);
    CHECK(it->valid == (i < t->count));
    if (!it->valid) return;
    CHECK(slice_equal(it->key, t->entries[i].key));
    CHECK(same_cell(&it->cell, &t->entries[i].cell));
}

static void check_walks(fixture *f, const twin *t, bool scan) {
    iter *it;
    OK(table_iter_new(&it, f->table, scan));
    CHECK(!it->valid);
    it->ops->seek(it, slice_of(NULL, 0));
    for (size_t i = 0; i < t->count; i++, it->ops->next(it)) check_at(it, t, i);
    check_at(it, t, t->count);
    it->ops->seek_for_prev(it, slice_of(NULL, 0));
    for (size_t i = t->count; i-- > 0; it->ops->prev(it)) check_at(it, t, i);
    check_at(it, t, t->count);
    iter_close(it);
}

static void check_seeks(fixture *f, const twin *t, bool scan, uint64_t *rng) {
    iter *it;
    OK(table_iter_new(&it, f->table, scan));
    for (int round = 0; round < 600; round++) {
        slice target = key_near(t, rng);
        size_t at = twin_lower_bound(t, target);
        if (!target.size || draw_below(rng, 2)) {
            it->ops->seek(it, target);
        } else {
            it->ops->seek_for_prev(it, target);
            at = at ? at - 1 : t->count;
        }
        check_at(it, t, at);
        for (size_t steps = draw_below(rng, 40); steps && it->valid; steps--) {
            bool forward = draw_below(rng, 3) || draw_below(rng, 2);
            if (forward)
                it->ops->next(it);
            else
                it->ops->prev(it);
            at = forward ? at + 1 : at ? at - 1 : t->count;
            check_at(it, t, at);
        }
        if (!it->valid || !it->key.size) continue;
        /* Its own key is a target like any other. */
        it->ops->seek_for_prev(it, it->key);
        at = at ? at - 1 : t->count;
        check_at(it, t, at);
        if (it->valid && it->key.size) it->ops->seek(it, it->key);
        check_at(it, t, at);
    }
    iter_close(it);
}

/* --- the props ---------------------------------------------------------------------------------------------------- */

static void check_props(const table_props *p, const twin *t) {
    table_props e = {.min_hlc = UINT64_MAX, .min_expires_ms = UINT64_MAX};
    for (size_t i = 0; i < t->count; i++) {
        const cell *c = &t->entries[i].cell;
        e.tombstones += c->flags & CELL_TOMBSTONE;
        e.value_bytes += t->entries[i].key.size + c->payload.size;
        if (c->hlc < e.min_hlc) e.min_hlc = c->hlc;
        if (c->hlc > e.max_hlc) e.max_hlc = c->hlc;
        if (!c->expires_at_ms) continue;
        e.expiring++;
        if (c->expires_at_ms < e.min_expires_ms) e.min_expires_ms = c->expires_at_ms;
        if (c->expires_at_ms > e.max_expires_ms) e.max_expires_ms = c->expires_at_ms;
    }
    if (!e.expiring) e.min_expires_ms = 0;
    CHECK(p->number == FIXTURE_NUMBER && p->entries == t->count && p->tombstones == e.tombstones);
    CHECK(p->expiring == e.expiring && p->value_bytes == e.value_bytes);
    CHECK(p->min_hlc == e.min_hlc && p->max_hlc == e.max_hlc);
    CHECK(p->min_expires_ms == e.min_expires_ms && p->max_expires_ms == e.max_expires_ms);
    CHECK(slice_equal(buf_slice(&p->smallest), t->entries[0].key));
    CHECK(slice_equal(buf_slice(&p->largest), t->entries[t->count - 1].key));
}

static void check_whole_file(fixture *f) {
    uint8_t *data;
    size_t size;
    OK(os_read_file(f->options.os, FIXTURE_PATH, SIZE_MAX / 2, &data, &size));
    CHECK(size == f->props.size);
    CHECK(crc32c(0, data, size) == f->props.crc);
    mem_free(data);
    table_props again;
    OK(table_read_props(f->table, &again));
    CHECK(again.crc == f->props.crc && again.size == f->props.size);
    table_props_clear(&again);
    OK(table_verify(f->table, f->props.crc));
    CHECK(table_verify(f->table, f->props.crc ^ 1) == RKV_ECORRUPT);
}

static void check_all(const twin *t, const table_options *options, uint64_t *rng) {
    fixture f = table_fixture_new(t, options);
    table_props from_footer;
    check_props(&f.props, t);
    OK(table_read_props(f.table, &from_footer));
    check_props(&from_footer, t);
    table_props_clear(&from_footer);
    check_whole_file(&f);
    check_gets(&f, t, rng);
    for (int scan = 0; scan < 2; scan++) {
        check_walks(&f, t, scan);
        check_seeks(&f, t, scan, rng);
    }
    cache_stats stats;
    cache_get_stats(f.options.cache, &stats);
    CHECK(stats.pinned == 0);
    table_fixture_free(&f);
}

static void test_twins(void) {
    uint64_t rng = seed;
    for (int shape = 0; shape < SET_SHAPES; shape++) {
        twin t = twin_new(shape, seed);
        for (int variant = 0; variant < 4; variant++) {
            table_options o = table_fixture_options();
            if (variant == 1) o.compression = TABLE_LZ4;
            if (variant == 2) o.resident_max = 1, o.block_bytes = 256, o.bloom_bits = 4;
            if (variant == 3)
                o.bloom_bits = 0, o.block_bytes = 16 * 1024, o.compression = TABLE_LZ4, o.resident_max = 1;
            check_all(&t, &o, &rng);
        }
        twin_free(&t);
    }
}

/* --- what costs --------------------------------------------------------------------------------------------------- */

/* A block is as large as it should be, holds at least 8 entries if 16 KiB can, and large entries are alone. */
static void check_layout(fixture *f, const twin *t, size_t target) {
    index_cursor at = {0};
    size_t i = 0, blocks = 0;
    for (int rc = index_cursor_first(f->table, &at); !rc; rc = index_cursor_next(f->table, &at), blocks++) {
        cache_entry *pin;
        block_view v;
        size_t largest = 0;
        OK(table_cached_body(f->table, at.offset, at.size, false, &pin));
        size_t size = cache_size(pin);
        CHECK(block_open(&v, slice_of(cache_data(pin), size)));
        cache_release(f->options.cache, pin);
        for (uint32_t k = 0; k < v.count; k++, i++) {
            size_t entry = t->entries[i].key.size + t->entries[i].cell.payload.size;
            if (entry > largest) largest = entry;
        }
        CHECK(largest <= target ? size <= target || (size <= BLOCK_STRETCH_MAX && v.count <= BLOCK_ENTRIES_MIN)
                                : v.count == 1);
        if (i == t->count) continue;
        /* The next entry was not let in, for a reason; it might have cost the others their prefix and shorter versions.
         * */
        size_t next = t->entries[i].key.size + t->entries[i].cell.payload.size;
        size_t grown = size + next + 32 + v.count * (v.prefix_size + 8);
        CHECK(largest > target || next > target || grown > BLOCK_STRETCH_MAX ||
              (v.count >= BLOCK_ENTRIES_MIN && grown > target));
    }
    CHECK(i == t->count && blocks > 3);
    index_cursor_clear(f->table, &at);
}

static void test_layout(void) {
    static const enum set_shape shapes[] = {SET_SLOTS, SET_BIG_VALUES, SET_TINY, SET_LONG_KEYS};
    for (size_t i = 0; i < 4; i++) {
        twin t = twin_new(shapes[i], seed);
        for (size_t k = 0; shapes[i] == SET_BIG_VALUES && k < t.count; k++) /* many of 1 KiB and of 3 */
            if (k % 8 && t.entries[k].cell.payload.size > 3000)
                t.entries[k].cell.payload.size = k / 40 % 2 ? 1000 : 3000;
        table_options o = table_fixture_options();
        fixture f = table_fixture_new(&t, &o);
        check_layout(&f, &t, BLOCK_BYTES_DEFAULT);
        table_fixture_free(&f);
        twin_free(&t);
    }
}

/* Two bytes an entry, and the top of the index. */
static void test_memory(void) {
    static const enum set_shape shapes[] = {SET_SLOTS, SET_TINY, SET_PREFIXED, SET_BIG_VALUES};
    for (size_t i = 0; i < 4; i++) {
        twin t = twin_new(shapes[i], seed);
        for (size_t resident_max = 0; resident_max < 2; resident_max++) {
            table_options o = table_fixture_options();
            o.resident_max = resident_max;
            fixture f = table_fixture_new(&t, &o);
            size_t before = table_memory(f.table);
            CHECK(before <= 1024);
            OK(table_load(f.table));
            size_t kept = table_memory(f.table) - before;
            CHECK(resident_max ? kept == 0 : kept > 0);
            CHECK(kept <= 64 + (2 * t.count > RESIDENT_MIN ? 2 * t.count : RESIDENT_MIN));
            table_fixture_free(&f);
        }
        twin_free(&t);
    }
}

/* Only about one in a hundred absent keys costs more than a look at the filter. */
static void test_filter(void) {
    twin t = twin_new(SET_SLOTS, seed);
    for (size_t resident_max = 0; resident_max < 2; resident_max++) {
        enum { ASKED = 5000 };
        table_options o = table_fixture_options();
        o.resident_max = resident_max;
        fixture f = table_fixture_new(&t, &o);
        cache_stats before, after;
        size_t passed = 0;
        OK(table_load(f.table));
        check_gets(&f, &t, &(uint64_t){seed});
        cache_get_stats(f.options.cache, &before);
        for (uint64_t i = 0; i < ASKED; i++) {
            cell got;
            cache_entry *pin;
            uint8_t key[12] = {0, 3, 1, 0};
            put_be64(key + 4, i);
            uint64_t hash = hash_bytes(&o.seed, slice_of(key, sizeof key));
            passed += !table_excludes(f.table, hash);
            CHECK(table_get(f.table, slice_of(key, sizeof key), hash, false, &got, &pin) == RKV_NOTFOUND);
        }
        cache_get_stats(f.options.cache, &after);
        CHECK(passed <= ASKED * 18 / 1000);
        uint64_t lookups = (f.table->keep_filter ? 0 : 2 * ASKED) + passed * (f.table->keep_index ? 1 : 2);
        CHECK(after.hits + after.misses - before.hits - before.misses == lookups);
        table_fixture_free(&f);
    }
    twin_free(&t);
}

/* A scan reads in large steps, in either direction, and leaves the cache alone, wherever the index is. */
static void check_scan_reads(fixture *f, const twin *t, bool backwards, bool resident) {
    cache_stats before, after;
    iter *it;
    size_t seen = 0;
    uint64_t reads = os_fault_calls(f->disk, FAULT_READ);
    cache_get_stats(f->options.cache, &before);
    OK(table_iter_new(&it, f->table, true));
    if (backwards)
        for (it->ops->seek_for_prev(it, slice_of(NULL, 0)); it->valid; it->ops->prev(it)) seen++;
    else
        for (it->ops->seek(it, slice_of(NULL, 0)); it->valid; it->ops->next(it)) seen++;
    OK(it->status);
    iter_close(it);
    cache_get_stats(f->options.cache, &after);
    CHECK(seen == t->count && after.inserts == before.inserts);
    reads = os_fault_calls(f->disk, FAULT_READ) - reads - (resident ? 0 : f->table->top.count);
    CHECK(f->props.size > 200 * 1024 && reads >= 3 && reads <= 5); /* 32, 64, 128, 256 KiB */
}

static void test_scan_reads(void) {
    twin t = twin_new(SET_SLOTS, seed);
    for (int resident = 0; resident < 2; resident++) {
        table_options o = table_fixture_options();
        o.bloom_bits = 0; /* so that the index has the memory to itself */
        o.resident_max = resident ? 0 : 1;
        fixture f = table_fixture_new(&t, &o);
        OK(table_load(f.table));
        for (int backwards = 0; backwards < 2; backwards++) check_scan_reads(&f, &t, backwards, resident);
        table_fixture_free(&f);
    }
    twin_free(&t);
}

/* A filter that does not know the keys, as under another store's seed, is seen by verify. */
static void test_verify_filter(void) {
    twin t = twin_new(SET_SLOTS, seed);
    table_options o = table_fixture_options();
    fixture f = table_fixture_new(&t, &o);
    table *other;
    f.options.seed.k0++;
    OK(table_open(&other, &f.options, FIXTURE_PATH, FIXTURE_NUMBER, f.props.size));
    CHECK(table_verify(other, f.props.crc) == RKV_ECORRUPT);
    CHECK(strstr(status_text(), "filter"));
    table_unref(other);
    table_fixture_free(&f);
    twin_free(&t);
}

int main(void) {
    seed = test_seed();
    RUN(test_twins);
    RUN(test_layout);
    RUN(test_memory);
    RUN(test_filter);
    RUN(test_scan_reads);
    RUN(test_verify_filter);
    return check_done();
}
