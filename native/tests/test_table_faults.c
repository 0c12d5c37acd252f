/* test_table_faults.c: a table whose bytes, memory or device fail gives the right answer or an error that names file and offset, never a
 * wrong one: every bit flipped, every length cut, every allocation and call refused, blocks in the wrong place.
 *
 * Random tests print their seed; SEED=n replays one.
 */
#include "base/alloc.h"
#include "check.h"
#include "lsm/table_read.h"
#include "table_fixture.h"

static uint64_t seed;

static uint64_t hash_of(const fixture *f, slice key) {
    return hash_bytes(&f->options.seed, key);
}

/* --- reading all that is there ----------------------------------------------------------------------------------------- */

/* Must a reader accept this status? Set: RKV_OK only. */
enum { ALLOW_DAMAGE = 1, ALLOW_NO_MEMORY = 2, ALLOW_IO = 4 };

/* rc is RKV_OK, or an error that is allowed and says where. */
static int tolerate(int rc, int allowed) {
    if (rc == RKV_ECORRUPT && (allowed & ALLOW_DAMAGE)) {
        CHECK(strstr(status_text(), FIXTURE_PATH) && strstr(status_text(), "offset"));
        return rc;
    }
    if (rc == RKV_ENOMEM && (allowed & ALLOW_NO_MEMORY)) return rc;
    if (rc == RKV_EIO && (allowed & ALLOW_IO)) return rc;
    OK(rc);
    return rc;
}

static int read_get(fixture *f, table *t, const twin *all, size_t i, int allowed) {
    cell got;
    cache_entry *pin;
    int rc = table_get(t, all->entries[i].key, hash_of(f, all->entries[i].key), false, &got, &pin);
    if (tolerate(rc, allowed)) return rc;
    CHECK(same_cell(&got, &all->entries[i].cell));
    cache_release(f->options.cache, pin);
    return RKV_OK;
}

/* Walk from one end to the other: the entries seen are right, and all, unless there is an error. */
static int read_walk(table *t, const twin *all, bool scan, bool backwards, int allowed) {
    iter *it;
    size_t seen = 0;
    int rc = table_iter_new(&it, t, scan);
    if (tolerate(rc, allowed)) return rc;
    if (backwards)
        it->ops->seek_for_prev(it, slice_of(NULL, 0));
    else
        it->ops->seek(it, slice_of(NULL, 0));
    for (; it->valid; seen++) {
        CHECK(seen < all->count);
        const twin_entry *e = &all->entries[backwards ? all->count - 1 - seen : seen];
        CHECK(slice_equal(it->key, e->key) && same_cell(&it->cell, &e->cell));
        if (backwards)
            it->ops->prev(it);
        else
            it->ops->next(it);
    }
    rc = tolerate(it->status, allowed);
    CHECK(rc || seen == all->count);
    iter_close(it);
    return rc;
}

static int read_seeks(table *t, const twin *all, int allowed) {
    iter *it;
    int first = RKV_OK, rc = table_iter_new(&it, t, false);
    if (tolerate(rc, allowed)) return rc;
    for (size_t i = 0; i < all->count; i++) {
        it->ops->seek(it, all->entries[i].key);
        CHECK(it->valid ? slice_equal(it->key, all->entries[i].key) : it->status || !all->entries[i].key.size);
        if (tolerate(it->status, allowed)) first = it->status;
    }
    iter_close(it);
    return first;
}

/* Open the table and read it in every way. The first error of any of them, RKV_OK if there was none. */
static int read_all(fixture *f, const twin *all, int allowed) {
    table *t = NULL;
    table_props props;
    cache_forget(f->options.cache, FIXTURE_NUMBER);
    int rc = table_open(&t, &f->options, FIXTURE_PATH, FIXTURE_NUMBER, f->props.size);
    if (tolerate(rc, allowed)) return rc;
    rc = table_verify(t, f->props.crc);
    tolerate(rc, allowed);
    int first = rc;
    for (size_t i = 0; i < all->count; i++) {
        rc = read_get(f, t, all, i, allowed);
        if (!first) first = rc;
    }
    for (int way = 0; way < 4; way++) {
        rc = read_walk(t, all, way & 1, way & 2, allowed);
        if (!first) first = rc;
    }
    rc = read_seeks(t, all, allowed);
    if (!first) first = rc;
    rc = table_read_props(t, &props);
    if (!tolerate(rc, allowed)) {
        CHECK(props.entries == f->props.entries && props.crc == f->props.crc);
        CHECK(slice_equal(buf_slice(&props.smallest), buf_slice(&f->props.smallest)));
        CHECK(slice_equal(buf_slice(&props.largest), buf_slice(&f->props.largest)));
        table_props_clear(&props);
    }
    if (!first) first = rc;
    table_unref(t);
    return first;
}

/* A few entries of a set, so that a table of them is small but has several blocks of every kind. */
static twin some_of(enum set_shape shape, size_t count) {
    twin t = twin_new(shape, seed);
    if (t.count > count) t.count = count;
    return t;
}

static const struct {
    enum set_shape shape;
    enum table_compression compression;
    size_t resident_max;
    unsigned bloom_bits;
} small[] = {{SET_KINDS, TABLE_RAW, 0, 10},
             {SET_TEXT, TABLE_LZ4, 0, 10},
             {SET_PREFIXED, TABLE_RAW, 1, 10},
             {SET_SHORT, TABLE_RAW, 0, 0}};

enum { SMALL = sizeof small / sizeof *small };

static fixture small_fixture(size_t i, twin *out) {
    table_options o = fixture_options();
    o.block_bytes = 256;
    o.compression = small[i].compression;
    o.resident_max = small[i].resident_max;
    o.bloom_bits = small[i].bloom_bits;
    *out = some_of(small[i].shape, 30);
    return fixture_new(out, &o);
}

static void small_free(fixture *f, twin *all) {
    fixture_free(f);
    twin_free(all);
}

/* --- damage ------------------------------------------------------------------------------------------------------------ */

static void test_every_bit(void) {
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, &all);
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
        table_options o = fixture_options();
        if (i == 0) o.resident_max = 1, o.block_bytes = 256;
        if (i == 2) o.compression = TABLE_LZ4;
        twin all = twin_new(shapes[i], seed);
        fixture f = fixture_new(&all, &o);
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
        fixture_free(&f);
        twin_free(&all);
    }
}

static void test_truncations(void) {
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, &all);
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
    fixture f = small_fixture(0, &all);
    cell got;
    cache_entry *pin;
    slice key = all.entries[0].key;
    os_fault_truncate(f.disk, FIXTURE_PATH, 10);
    int rc = table_get(f.table, key, hash_of(&f, key), false, &got, &pin);
    CHECK(tolerate(rc, ALLOW_DAMAGE) == RKV_ECORRUPT);
    CHECK(read_walk(f.table, &all, true, false, ALLOW_DAMAGE) == RKV_ECORRUPT);
    CHECK(read_walk(f.table, &all, true, true, ALLOW_DAMAGE) == RKV_ECORRUPT);
    small_free(&f, &all);
}

/* --- the wrong file, the wrong place ----------------------------------------------------------------------------------- */

static void patch(fixture *f, uint64_t offset, const void *data, size_t size) {
    os_file *file;
    OK(f->options.os->ops->open(f->options.os, &file, FIXTURE_PATH, OS_WRITE));
    OK(file->ops->write_at(file, offset, data, size));
    OK(file->ops->close(file));
}

static void read_bytes(fixture *f, uint64_t offset, void *data, size_t size) {
    size_t got;
    OK(f->table->file->ops->read_at(f->table->file, offset, data, size, false, &got));
    CHECK(got == size);
}

/* A sound block where another of its size belongs. */
static void test_misdirected(void) {
    twin all = some_of(SET_SLOTS, 200);
    table_options o = fixture_options();
    o.block_bytes = 512;
    for (size_t i = 0; i < all.count; i++) { /* many blocks of one size */
        all.entries[i].cell.payload.size = 90;
        all.entries[i].cell.hlc = 1;
    }
    fixture f = fixture_new(&all, &o);
    index_cursor at = {0};
    OK(index_cursor_first(f.table, &at));
    uint64_t first = at.offset;
    uint32_t size = at.size;
    int found = 0;
    while (!index_cursor_next(f.table, &at)) {
        if (at.size != size) continue;
        uint8_t *mine = mem_alloc(size), *theirs = mem_alloc(size);
        CHECK(mine && theirs);
        read_bytes(&f, first, theirs, size);
        read_bytes(&f, at.offset, mine, size);
        patch(&f, at.offset, theirs, size);
        CHECK(read_all(&f, &all, ALLOW_DAMAGE) == RKV_ECORRUPT);
        patch(&f, at.offset, mine, size);
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
    fixture f = small_fixture(0, &all);
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
        read_bytes(&f, at.offset, mine, at.size);
        CHECK(memcmp(mine, theirs + at.offset, at.size - 4) == 0);
        patch(&f, at.offset, theirs + at.offset, at.size);
        CHECK(read_all(&f, &all, ALLOW_DAMAGE) == RKV_ECORRUPT);
        patch(&f, at.offset, mine, at.size);
    }
    index_cursor_clear(f.table, &at);
    OK(read_all(&f, &all, 0));
    mem_free(theirs);
    small_free(&f, &all);
}

static void test_other_number(void) {
    twin all;
    fixture f = small_fixture(0, &all);
    table *t;
    CHECK(table_open(&t, &f.options, FIXTURE_PATH, FIXTURE_NUMBER + 1, f.props.size) == RKV_ECORRUPT);
    CHECK(strstr(status_text(), FIXTURE_PATH));
    CHECK(table_open(&t, &f.options, "t/none.sst", FIXTURE_NUMBER, f.props.size) == RKV_NOTFOUND);
    small_free(&f, &all);
}

static void test_other_store(void) {
    twin all;
    fixture f = small_fixture(0, &all);
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
    read_bytes(f, start, footer, size);
    return size;
}

static void put_footer(fixture *f, uint8_t *footer, size_t size, bool seal) {
    uint8_t *end = footer + size - FOOTER_END_SIZE;
    if (seal) put_fixed32(end + 4, crc32c(crc32c(0, footer, size - FOOTER_END_SIZE + 4), end + 8, FOOTER_END_SIZE - 8));
    patch(f, f->props.size - size, footer, size);
}

static void test_newer_version(void) {
    twin all;
    fixture f = small_fixture(0, &all);
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

/* A footer whose checksum is good and whose numbers are not: anything but a wild access. */
static void test_forged_footers(void) {
    uint64_t rng = seed;
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, &all);
        uint8_t footer[1024], forged[1024];
        size_t size = take_footer(&f, footer), opened = 0;
        for (int round = 0; round < 4000; round++) {
            table *t;
            cell got;
            cache_entry *pin;
            memcpy(forged, footer, size);
            for (size_t n = 1 + draw_below(&rng, 2); n; n--) {
                size_t word = 24 + 4 * draw_below(&rng, (FOOTER_FIELDS_SIZE - 24) / 4); /* not store and number */
                uint32_t now = get_fixed32(forged + word);
                put_fixed32(forged + word,
                            draw_below(&rng, 2) ? (uint32_t)draw(&rng) : now + (uint32_t)draw_below(&rng, 17) - 8);
            }
            put_footer(&f, forged, size, true);
            cache_forget(f.options.cache, FIXTURE_NUMBER);
            int rc = table_open(&t, &f.options, FIXTURE_PATH, FIXTURE_NUMBER, f.props.size);
            CHECK(rc == RKV_OK || rc == RKV_ECORRUPT);
            if (rc) continue;
            opened++;
            table_load(t);
            for (size_t k = 0; k < all.count; k++)
                if (!table_get(t, all.entries[k].key, hash_of(&f, all.entries[k].key), false, &got, &pin))
                    cache_release(f.options.cache, pin);
            table_verify(t, 0);
            table_unref(t);
        }
        CHECK(opened > 0);
        small_free(&f, &all);
    }
}

/* --- memory and calls that fail ---------------------------------------------------------------------------------------- */

static bool file_is_there(fixture *f) {
    uint64_t size;
    return f->options.os->ops->stat(f->options.os, FIXTURE_PATH, &size) == RKV_OK;
}

/* Build anew with a fault armed by the caller; a failure leaves nothing behind. */
static int rebuild(fixture *f, const twin *all) {
    table_props_clear(&f->props);
    return fixture_build(f, all);
}

static void remove_table(fixture *f) {
    table_unref(f->table);
    f->table = NULL;
    OK(f->options.os->ops->unlink(f->options.os, FIXTURE_PATH));
}

static void test_allocations_of_builder(void) {
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, &all);
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
        fixture f = small_fixture(i, &all);
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
        fixture f = small_fixture(1, &all);
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
        fixture f = small_fixture(i, &all);
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

/* --- a device that lies once ------------------------------------------------------------------------------------------- */

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
    CHECK(table_get(t, key, hash_of(f, key), false, &got, &pin) == expected);
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
        fixture f = small_fixture(i, &all);
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

/* --- a device that would make the caller wait -------------------------------------------------------------------------- */

static void test_nowait(void) {
    for (size_t i = 0; i < SMALL; i++) {
        twin all;
        fixture f = small_fixture(i, &all);
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
        CHECK(!table_excludes(t, hash_of(&f, slice_text("not in it"))));
        CHECK(table_get(t, key, hash_of(&f, key), true, &got, &pin) == RKV_WOULDBLOCK);
        cache_get_stats(o.cache, &after);
        CHECK(after.bytes == before.bytes && after.pinned == 0 && table_memory(t) == memory);
        OK(table_load(t));
        CHECK(table_get(t, key, hash_of(&f, key), true, &got, &pin) == RKV_WOULDBLOCK);
        OK(table_get(t, key, hash_of(&f, key), false, &got, &pin));
        cache_release(o.cache, pin);
        OK(table_get(t, key, hash_of(&f, key), true, &got, &pin));
        CHECK(same_cell(&got, &all.entries[3].cell));
        cache_release(o.cache, pin);
        CHECK((table_memory(t) > memory) == (small[i].resident_max == 0));
        table_unref(t);
        os_slow_free(slow);
        small_free(&f, &all);
    }
}

/* --- misuse and limits ------------------------------------------------------------------------------------------------- */

static void test_limits(void) {
    twin all;
    fixture f = small_fixture(0, &all);
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
    RUN(test_every_bit);
    RUN(test_some_bits);
    RUN(test_truncations);
    RUN(test_cut_under_reader);
    RUN(test_misdirected);
    RUN(test_other_file);
    RUN(test_other_number);
    RUN(test_other_store);
    RUN(test_newer_version);
    RUN(test_forged_footers);
    RUN(test_allocations_of_builder);
    RUN(test_allocations_of_readers);
    RUN(test_calls_of_builder);
    RUN(test_calls_of_readers);
    RUN(test_lies);
    RUN(test_nowait);
    RUN(test_limits);
    return check_done();
}
