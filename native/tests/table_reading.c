/* table_reading.c: see table_reading.h. */
#include "table_reading.h"

#include "check.h"

uint64_t table_fixture_hash(const fixture *f, slice key) {
    return hash_bytes(&f->options.seed, key);
}

int tolerate(int rc, int allowed) {
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
    int rc = table_get(t, all->entries[i].key, table_fixture_hash(f, all->entries[i].key), false, &got, &pin);
    if (tolerate(rc, allowed)) return rc;
    CHECK(same_cell(&got, &all->entries[i].cell));
    cache_release(f->options.cache, pin);
    return RKV_OK;
}

/* Walk from one end to the other: the entries seen are right, and all, unless there is an error. */
int read_walk(table *t, const twin *all, bool scan, bool backwards, int allowed) {
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
int read_all(fixture *f, const twin *all, int allowed) {
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
twin some_of(enum set_shape shape, size_t count, uint64_t seed) {
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

_Static_assert(sizeof small / sizeof *small == SMALL, "the header says how many");

bool small_is_resident(size_t i) {
    return small[i].resident_max == 0;
}

fixture small_fixture(size_t i, uint64_t seed, twin *out) {
    table_options o = table_fixture_options();
    o.block_bytes = 256;
    o.compression = small[i].compression;
    o.resident_max = small[i].resident_max;
    o.bloom_bits = small[i].bloom_bits;
    *out = some_of(small[i].shape, 30, seed);
    return table_fixture_new(out, &o);
}

void small_free(fixture *f, twin *all) {
    table_fixture_free(f);
    twin_free(all);
}

void table_fixture_patch(fixture *f, uint64_t offset, const void *data, size_t size) {
    os_file *file;
    OK(f->options.os->ops->open(f->options.os, &file, FIXTURE_PATH, OS_WRITE));
    OK(file->ops->write_at(file, offset, data, size));
    OK(file->ops->close(file));
}

void table_fixture_read(fixture *f, uint64_t offset, void *data, size_t size) {
    size_t got;
    OK(f->table->file->ops->read_at(f->table->file, offset, data, size, false, &got));
    CHECK(got == size);
}
