/* test_table_damage.c: a table whose bytes are not what was written gives the right answer or an error that names file
 * and offset, never a wrong one: every bit flipped, every length cut, blocks and files in each other's place, and
 * forgeries, which have good checksums and may say anything but must not lead outside.
 *
 * Random tests print their seed; SEED=n replays one.
 */
#include "base/alloc.h"
#include "check.h"
#include "table_reading.h"

static uint64_t seed;

/* --- damage ------------------------------------------------------------------------------------------------------- */

static void test_every_bit(void) {
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, seed, &all);
        OK(read_all(&f, &all, 0));
        for (uint64_t bit = 0; bit < f.props.size * 8; bit++) {
            os_fault_flip_bit(f.disk, FIXTURE_PATH, bit / 8, bit % 8);
            CHECK(read_all(&f, &all, ALLOW_DAMAGE) == RKV_ECORRUPT); /* verify, if nobody else, sees it */
            os_fault_flip_bit(f.disk, FIXTURE_PATH, bit / 8, bit % 8);
        }
        OK(read_all(&f, &all, 0));
        small_free(&f, &all);
    }
}

/* Some bits at once, in files of several index and filter blocks. */
static void test_some_bits(void) {
    uint64_t rng = seed;
    static const enum set_shape shapes[] = {SET_TINY, SET_BIG_VALUES, SET_SLOTS};
    for (size_t i = 0; i < 3; i++) {
        table_options o = table_fixture_options();
        if (i == 0) o.resident_max = 1, o.block_bytes = 256;
        if (i == 2) o.compression = TABLE_LZ4;
        twin all = twin_new(shapes[i], seed);
        fixture f = table_fixture_new(&all, &o);
        for (int round = 0; round < 12; round++) {
            uint64_t bits[3];
            for (int k = 0; k < 3; k++) {
                /* Half of them at the end, where a small part decides over all. */
                uint64_t near = draw_below(&rng, 2) ? 3000 * 8 : f.props.size * 8;
                bits[k] = f.props.size * 8 - 1 - draw_below(&rng, near < f.props.size * 8 ? near : f.props.size * 8);
                os_fault_flip_bit(f.disk, FIXTURE_PATH, bits[k] / 8, bits[k] % 8);
            }
            CHECK(read_all(&f, &all, ALLOW_DAMAGE) == RKV_ECORRUPT || bits[0] == bits[1] || bits[1] == bits[2] ||
                  bits[0] == bits[2]);
            for (int k = 0; k < 3; k++) os_fault_flip_bit(f.disk, FIXTURE_PATH, bits[k] / 8, bits[k] % 8);
        }
        OK(read_all(&f, &all, 0));
        table_fixture_free(&f);
        twin_free(&all);
    }
}

static void test_truncations(void) {
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, seed, &all);
        for (uint64_t size = f.props.size; size-- > 0;) {
            table *t;
            os_fault_truncate(f.disk, FIXTURE_PATH, size);
            /* Whether the manifest knows how long it was, or, in a repair, nobody does. */
            tolerate(table_open(&t, &f.options, FIXTURE_PATH, FIXTURE_NUMBER, f.props.size), ALLOW_DAMAGE);
            int rc = table_open(&t, &f.options, FIXTURE_PATH, FIXTURE_NUMBER, size);
            CHECK(rc == RKV_ECORRUPT);
            tolerate(rc, ALLOW_DAMAGE);
        }
        small_free(&f, &all);
    }
}

/* A file cut while the table is open: what is read then is an error, not a hang or a wrong answer. */
static void test_cut_under_reader(void) {
    twin all;
    fixture f = small_fixture(0, seed, &all);
    cell got;
    cache_entry *pin;
    slice key = all.entries[0].key;
    os_fault_truncate(f.disk, FIXTURE_PATH, 10);
    int rc = table_get(f.table, key, table_fixture_hash(&f, key), false, &got, &pin);
    CHECK(tolerate(rc, ALLOW_DAMAGE) == RKV_ECORRUPT);
    CHECK(read_walk(f.table, &all, true, false, ALLOW_DAMAGE) == RKV_ECORRUPT);
    CHECK(read_walk(f.table, &all, true, true, ALLOW_DAMAGE) == RKV_ECORRUPT);
    small_free(&f, &all);
}

/* --- the wrong file, the wrong place ------------------------------------------------------------------------------ */

/* A sound block where another of its size belongs. */
static void test_misdirected(void) {
    twin all = some_of(SET_SLOTS, 200, seed);
    table_options o = table_fixture_options();
    o.block_bytes = 512;
    for (size_t i = 0; i < all.count; i++) { /* many blocks of one size */
        all.entries[i].cell.payload.size = 90;
        all.entries[i].cell.hlc = 1;
    }
    fixture f = table_fixture_new(&all, &o);
    index_cursor at = {0};
    OK(index_cursor_first(f.table, &at));
    uint64_t first = at.offset;
    uint32_t size = at.size;
    int found = 0;
    while (!index_cursor_next(f.table, &at)) {
        if (at.size != size) continue;
        uint8_t *mine = mem_alloc(size), *theirs = mem_alloc(size);
        CHECK(mine && theirs);
        table_fixture_read(&f, first, theirs, size);
        table_fixture_read(&f, at.offset, mine, size);
        table_fixture_patch(&f, at.offset, theirs, size);
        CHECK(read_all(&f, &all, ALLOW_DAMAGE) == RKV_ECORRUPT);
        table_fixture_patch(&f, at.offset, mine, size);
        mem_free(mine);
        mem_free(theirs);
        found++;
    }
    CHECK(found);
    index_cursor_clear(f.table, &at);
    OK(read_all(&f, &all, 0));
    small_free(&f, &all);
}

/* The same block of a table that differs in its number only: as if a write had gone to the wrong file. */
static void test_other_file(void) {
    twin all;
    fixture f = small_fixture(0, seed, &all);
    table_builder *b;
    table_props props;
    index_cursor at = {0};
    uint8_t *theirs;
    size_t size;
    OK(table_builder_new(&b, &f.options, "t/other.sst", FIXTURE_NUMBER + 1));
    for (size_t i = 0; i < all.count; i++) OK(table_builder_add(b, all.entries[i].key, &all.entries[i].cell));
    OK(table_builder_finish(b, &props));
    table_props_clear(&props);
    OK(os_read_file(f.options.os, "t/other.sst", SIZE_MAX / 2, &theirs, &size));
    CHECK(size == f.props.size);
    for (int rc = index_cursor_first(f.table, &at); !rc; rc = index_cursor_next(f.table, &at)) {
        uint8_t mine[8192];
        CHECK(at.size <= sizeof mine);
        table_fixture_read(&f, at.offset, mine, at.size);
        CHECK(memcmp(mine, theirs + at.offset, at.size - 4) == 0);
        table_fixture_patch(&f, at.offset, theirs + at.offset, at.size);
        CHECK(read_all(&f, &all, ALLOW_DAMAGE) == RKV_ECORRUPT);
        table_fixture_patch(&f, at.offset, mine, at.size);
    }
    index_cursor_clear(f.table, &at);
    OK(read_all(&f, &all, 0));
    mem_free(theirs);
    small_free(&f, &all);
}

static void test_other_number(void) {
    twin all;
    fixture f = small_fixture(0, seed, &all);
    table *t;
    CHECK(table_open(&t, &f.options, FIXTURE_PATH, FIXTURE_NUMBER + 1, f.props.size) == RKV_ECORRUPT);
    CHECK(strstr(status_text(), FIXTURE_PATH));
    CHECK(table_open(&t, &f.options, "t/none.sst", FIXTURE_NUMBER, f.props.size) == RKV_NOTFOUND);
    small_free(&f, &all);
}

static void test_other_store(void) {
    twin all;
    fixture f = small_fixture(0, seed, &all);
    table *t;
    table_options other = f.options;
    memset(other.store_id, 0xab, sizeof other.store_id);
    CHECK(table_open(&t, &other, FIXTURE_PATH, FIXTURE_NUMBER, f.props.size) == RKV_EFORMAT);
    CHECK(strstr(status_text(), FIXTURE_PATH) && strstr(status_text(), "store 7369787465656e2062797465732e2e2e") &&
          strstr(status_text(), "abababababababababababababababab"));
    small_free(&f, &all);
}

/* The footer's bytes, and a changed one put in its place, with its checksum made good if `seal`. */
static size_t take_footer(fixture *f, uint8_t footer[1024]) {
    uint64_t start = f->table->footer.top_offset + f->table->top_size;
    size_t size = (size_t)(f->props.size - start);
    CHECK(size <= 1024);
    table_fixture_read(f, start, footer, size);
    return size;
}

static void put_footer(fixture *f, uint8_t *footer, size_t size, bool seal) {
    uint8_t *end = footer + size - FOOTER_END_SIZE;
    if (seal) put_fixed32(end + 4, crc32c(crc32c(0, footer, size - FOOTER_END_SIZE + 4), end + 8, FOOTER_END_SIZE - 8));
    table_fixture_patch(f, f->props.size - size, footer, size);
}

static void test_newer_version(void) {
    twin all;
    fixture f = small_fixture(0, seed, &all);
    table *t;
    uint8_t footer[1024];
    size_t size = take_footer(&f, footer);
    put_fixed32(footer + size - 12, TABLE_VERSION + 1);
    put_footer(&f, footer, size, false);
    CHECK(table_open(&t, &f.options, FIXTURE_PATH, FIXTURE_NUMBER, f.props.size) == RKV_ECORRUPT);
    put_footer(&f, footer, size, true);
    CHECK(table_open(&t, &f.options, FIXTURE_PATH, FIXTURE_NUMBER, f.props.size) == RKV_EFORMAT);
    CHECK(strstr(status_text(), FIXTURE_PATH) && strstr(status_text(), "version"));
    small_free(&f, &all);
}

/* A table that says it may be compressed is refused whole where LZ4 is not built in, and not block by block. */
static void test_without_lz4(void) {
    enum { COMPRESSION_AT = 16 + 12 * 8 + 3 * 4 };
    twin all;
    fixture f = small_fixture(0, seed, &all);
    table *t = NULL;
    uint8_t footer[1024];
    size_t size = take_footer(&f, footer);
    put_fixed32(footer + COMPRESSION_AT, TABLE_LZ4);
    put_footer(&f, footer, size, true);
    int rc = table_open(&t, &f.options, FIXTURE_PATH, FIXTURE_NUMBER, f.props.size);
    CHECK(rc == (table_has_lz4() ? RKV_OK : RKV_EFORMAT));
    CHECK(!rc || (strstr(status_text(), FIXTURE_PATH) && strstr(status_text(), "LZ4")));
    table_unref(t);
    small_free(&f, &all);
}

/* Read what can be read of a forged table: any answer, but no wild access. Could it be opened? */
static bool read_forged(fixture *f, const twin *all) {
    table *t;
    cache_forget(f->options.cache, FIXTURE_NUMBER);
    int rc = table_open(&t, &f->options, FIXTURE_PATH, FIXTURE_NUMBER, f->props.size);
    CHECK(rc == RKV_OK || rc == RKV_ECORRUPT || (rc == RKV_EFORMAT && !table_has_lz4()));
    if (rc) return false;
    table_load(t);
    for (size_t k = 0; k < all->count; k++) {
        cell got;
        cache_entry *pin;
        if (!table_get(t, all->entries[k].key, table_fixture_hash(f, all->entries[k].key), false, &got, &pin))
            cache_release(f->options.cache, pin);
    }
    for (int scan = 0; scan < 2; scan++) {
        iter *it;
        OK(table_iter_new(&it, t, scan));
        it->ops->seek(it, all->entries[0].key);
        for (int steps = 0; it->valid && steps < 100; steps++) it->ops->next(it);
        it->ops->seek_for_prev(it, slice_of(NULL, 0));
        for (int steps = 0; it->valid && steps < 100; steps++) it->ops->prev(it);
        iter_close(it);
    }
    table_verify(t, 0);
    table_unref(t);
    cache_forget(f->options.cache, FIXTURE_NUMBER);
    return true;
}

/* Where a random block lies: the top, an index block or a data block. */
static void pick_block(fixture *f, uint64_t *rng, uint64_t *out_offset, uint32_t *out_size) {
    const index_view *top = &f->table->top;
    index_cursor at = {0};
    switch (draw_below(rng, 3)) {
    case 0:
        *out_offset = f->table->footer.top_offset;
        *out_size = (uint32_t)f->table->top_size;
        break;
    case 1: CHECK(index_child(top, (uint32_t)draw_below(rng, top->count), out_offset, out_size)); break;
    default:
        OK(index_cursor_first(f->table, &at));
        for (size_t skip = draw_below(rng, 8); skip && !index_cursor_next(f->table, &at); skip--) continue;
        *out_offset = at.offset;
        *out_size = at.size;
        index_cursor_clear(f->table, &at);
    }
}

static void test_forged_blocks(void) {
    uint64_t rng = seed;
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, seed, &all);
        size_t opened = 0;
        for (int round = 0; round < 3000; round++) {
            uint8_t sound[8192], forged[8192];
            uint64_t offset;
            uint32_t size;
            pick_block(&f, &rng, &offset, &size);
            CHECK(size <= sizeof sound);
            table_fixture_read(&f, offset, sound, size);
            memcpy(forged, sound, size);
            for (size_t n = 1 + draw_below(&rng, 3); n; n--) {
                size_t where = draw_below(&rng, size - 4);
                forged[where] = draw_below(&rng, 2) ? (uint8_t)draw(&rng) : (uint8_t)(forged[where] + 1);
            }
            put_fixed32(forged + size - 4, block_crc(FIXTURE_NUMBER, offset, forged, size - 4));
            table_fixture_patch(&f, offset, forged, size);
            opened += read_forged(&f, &all);
            table_fixture_patch(&f, offset, sound, size);
        }
        CHECK(opened > 0);
        OK(read_all(&f, &all, 0));
        small_free(&f, &all);
    }
}

/* A footer whose checksum is good and whose numbers are not. */
static void test_forged_footers(void) {
    uint64_t rng = seed;
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, seed, &all);
        uint8_t footer[1024], forged[1024];
        size_t size = take_footer(&f, footer), opened = 0;
        for (int round = 0; round < 4000; round++) {
            memcpy(forged, footer, size);
            for (size_t n = 1 + draw_below(&rng, 2); n; n--) {
                size_t word = 24 + 4 * draw_below(&rng, (FOOTER_FIELDS_SIZE - 24) / 4); /* not store and number */
                uint32_t was = get_fixed32(forged + word);
                put_fixed32(forged + word,
                            draw_below(&rng, 2) ? (uint32_t)draw(&rng) : was + (uint32_t)draw_below(&rng, 17) - 8);
            }
            put_footer(&f, forged, size, true);
            opened += read_forged(&f, &all);
        }
        CHECK(opened > 0);
        small_free(&f, &all);
    }
}

int main(void) {
    seed = test_seed();
    RUN(test_every_bit);
    RUN(test_some_bits);
    RUN(test_truncations);
    RUN(test_cut_under_reader);
    RUN(test_misdirected);
    RUN(test_other_file);
    RUN(test_other_number);
    RUN(test_other_store);
    RUN(test_newer_version);
    RUN(test_without_lz4);
    RUN(test_forged_blocks);
    RUN(test_forged_footers);
    return check_done();
}
