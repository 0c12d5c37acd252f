/* table_fixture.c: see table_fixture.h. */
#include "table_fixture.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "check.h"

uint64_t draw(uint64_t *state) {
    return hash_mix(*state += 0x9e3779b97f4a7c15ULL);
}

uint64_t test_seed(void) {
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : os_posix()->ops->mono_ns(os_posix());
    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* --- twin --------------------------------------------------------------------------------------------------------- */

static size_t make_slot_key(uint8_t *key, uint64_t *rng) {
    key[0] = 0;
    key[1] = (uint8_t)draw_below(rng, 12);
    key[2] = 1;
    key[3] = 0;
    return 4 + (size_t)sprintf((char *)key + 4, "key:%012u", (unsigned)draw_below(rng, 100000));
}

static size_t make_key(enum set_shape shape, uint8_t *key, uint64_t *rng, size_t i) {
    static const uint8_t odd[] = {0, 1, 255};
    size_t size;
    switch (shape) {
    case SET_SHORT:
    case SET_KINDS:
        size = draw_below(rng, 7);
        for (size_t k = 0; k < size; k++) key[k] = (uint8_t)draw(rng);
        return size;
    case SET_ZEROS:
        size = draw_below(rng, 14);
        for (size_t k = 0; k < size; k++) key[k] = odd[draw_below(rng, 8) ? 0 : draw_below(rng, 3)];
        return size;
    case SET_LONG_KEYS:
        size = draw_below(rng, 3) ? KEY_SIZE_MAX - draw_below(rng, 20) : draw_below(rng, 2000);
        memset(key, 'k', size);
        for (size_t k = 0; k < 4 && k < size; k++) key[size - 1 - k] = (uint8_t)draw_below(rng, 3);
        return size;
    case SET_TINY: put_be64(key, draw(rng)); return 4;
    case SET_PREFIXED: return (size_t)sprintf((char *)key, "a prefix that all keys have in common:%zu", i * 7);
    default: return make_slot_key(key, rng);
    }
}

static size_t make_value(enum set_shape shape, uint8_t *value, uint64_t *rng) {
    size_t size;
    switch (shape) {
    case SET_SHORT:
    case SET_KINDS:
    case SET_ZEROS:
    case SET_LONG_KEYS: size = draw_below(rng, 24); break;
    case SET_BIG_VALUES:
        size = draw_below(rng, 100) ? draw_below(rng, draw_below(rng, 4) ? 9000 : 40000) : 200000;
        break;
    case SET_TINY: return 0;
    default: size = 90 + draw_below(rng, 20);
    }
    for (size_t k = 0; k < size; k += 8) {
        uint64_t word = shape == SET_TEXT ? draw(rng) & 0x0101010101010101ULL : draw(rng);
        memcpy(value + k, &word, 8);
    }
    return size;
}

static cell make_cell(enum set_shape shape, uint64_t *rng) {
    static const uint64_t extremes[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, 1ULL << 40};
    cell c = {.hlc = (1700000000000ULL + draw_below(rng, 100000)) << 16 | draw_below(rng, 3), .node = 1};
    if (shape != SET_KINDS) return c;
    c.node = (uint32_t)draw_below(rng, 3);
    if (!draw_below(rng, 50)) c.hlc = extremes[draw_below(rng, 5)];
    if (!draw_below(rng, 3)) c.expires_at_ms = draw(rng);
    c.flags = (uint8_t)draw_below(rng, 3); /* none, tombstone, pointer */
    return c;
}

static size_t set_size(enum set_shape shape) {
    switch (shape) {
    case SET_ONE: return 1;
    case SET_LONG_KEYS: return 60;
    case SET_BIG_VALUES: return 200;
    case SET_TINY: return 30000;
    default: return 3000;
    }
}

static int entry_order(const void *a, const void *b) {
    const twin_entry *x = a, *y = b;
    return slice_compare(x->key, y->key);
}

twin twin_new(enum set_shape shape, uint64_t seed) {
    twin t = {0};
    size_t count = set_size(shape);
    static uint8_t key[KEY_SIZE_MAX + 64], value[256 * 1024];
    buf offsets = {0};
    uint64_t rng = seed + shape;
    t.entries = mem_zalloc(count * sizeof *t.entries);
    CHECK(t.entries);
    for (size_t i = 0; i < count; i++) {
        cell c = make_cell(shape, &rng);
        size_t key_size = make_key(shape, key, &rng, i);
        size_t value_size = c.flags & CELL_TOMBSTONE ? 0 : make_value(shape, value, &rng);
        size_t start = t.bytes.size;
        OK(buf_append(&offsets, &start, sizeof start));
        OK(buf_append(&t.bytes, key, key_size));
        OK(buf_append(&t.bytes, value, value_size));
        t.entries[i] = (twin_entry){slice_of(NULL, key_size), c};
        t.entries[i].cell.payload.size = value_size;
    }
    for (size_t i = 0; i < count; i++) { /* the bytes lie still now */
        size_t start;
        memcpy(&start, offsets.data + i * sizeof start, sizeof start);
        t.entries[i].key.data = t.bytes.data + start;
        t.entries[i].cell.payload.data = t.bytes.data + start + t.entries[i].key.size;
    }
    qsort(t.entries, count, sizeof *t.entries, entry_order);
    for (size_t i = 0; i < count; i++)
        if (!t.count || !slice_equal(t.entries[t.count - 1].key, t.entries[i].key)) t.entries[t.count++] = t.entries[i];
    buf_clear(&offsets);
    return t;
}

void twin_free(twin *t) {
    mem_free(t->entries);
    buf_clear(&t->bytes);
    *t = (twin){0};
}

size_t twin_lower_bound(const twin *t, slice target) {
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_compare(t->entries[middle].key, target) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool same_cell(const cell *a, const cell *b) {
    return a->hlc == b->hlc && a->node == b->node && a->flags == b->flags && a->expires_at_ms == b->expires_at_ms &&
           slice_equal(a->payload, b->payload);
}

/* --- fixture ------------------------------------------------------------------------------------------------------ */

table_options table_fixture_options(void) {
    return (table_options){.store_id = "sixteen bytes...", .seed = {11, 22}, .bloom_bits = 10};
}

int table_fixture_build(fixture *f, const twin *t) {
    table_builder *b;
    int rc = table_builder_new(&b, &f->options, FIXTURE_PATH, FIXTURE_NUMBER);
    if (rc) return rc;
    for (size_t i = 0; i < t->count && !rc; i++) rc = table_builder_add(b, t->entries[i].key, &t->entries[i].cell);
    if (!rc) return table_builder_finish(b, &f->props);
    table_builder_abort(b);
    return rc;
}

fixture table_fixture_new(const twin *t, const table_options *options) {
    fixture f = {.disk = os_fault_new(1), .options = *options};
    f.options.os = os_fault_os(f.disk);
    OK(cache_new(&f.options.cache, 8 << 20));
    OK(f.options.os->ops->make_dir(f.options.os, "t"));
    OK(table_fixture_build(&f, t));
    OK(table_open(&f.table, &f.options, FIXTURE_PATH, FIXTURE_NUMBER, f.props.size));
    return f;
}

void table_fixture_free(fixture *f) {
    table_unref(f->table);
    table_props_clear(&f->props);
    cache_free(f->options.cache);
    os_fault_free(f->disk);
}
