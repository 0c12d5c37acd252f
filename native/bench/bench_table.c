/* bench_table.c: what a table costs: nanoseconds to build, get, miss and scan an entry, and bytes an entry beyond its
 * key and value. One table of ENTRIES (250,000) cells, keys as the store's (slot, two bytes, "key:000000012345"),
 * values of VALUE_BYTES (100), half compressible, in the directory TMPDIR (/tmp). The best of ROUNDS (5), everything
 * cached. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/status.h"
#include "lsm/table.h"

enum { KEY_SIZE = 20, GETS = 1 << 20 };

static size_t entries, value_bytes, rounds;
static uint8_t *keys, *values;
static uint8_t *asked; /* the keys again, shuffled: their asker has them at hand */
static char path[4096];

static void must(int rc) {
    if (!rc) return;
    fprintf(stderr, "bench_table: %s: %s\n", status_name(rc), status_text());
    exit(1);
}

static size_t setting(const char *name, size_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

static uint64_t now_ns(void) {
    return os_posix()->ops->mono_ns(os_posix());
}

static uint64_t draw(uint64_t *state) {
    return hash_mix(*state += 0x9e3779b97f4a7c15ULL);
}

static int key_order(const void *a, const void *b) {
    return memcmp(a, b, KEY_SIZE);
}

static slice key_at(size_t i) {
    return slice_of(keys + i * KEY_SIZE, KEY_SIZE);
}

static void shuffle_keys(void) {
    uint64_t rng = 6;
    memcpy(asked, keys, entries * KEY_SIZE);
    for (size_t i = entries; i > 1; i--) {
        uint8_t swap[KEY_SIZE], *a = asked + (i - 1) * KEY_SIZE, *b = asked + draw(&rng) % i * KEY_SIZE;
        memcpy(swap, a, KEY_SIZE);
        memcpy(a, b, KEY_SIZE);
        memcpy(b, swap, KEY_SIZE);
    }
}

static slice ask(size_t i) {
    return slice_of(asked + i % entries * KEY_SIZE, KEY_SIZE);
}

static void make_entries(void) {
    uint64_t rng = 1;
    keys = mem_alloc(entries * KEY_SIZE + 1);
    asked = mem_alloc(entries * KEY_SIZE);
    values = mem_alloc(entries * value_bytes + 8);
    if (!keys || !asked || !values) must(alloc_failed(entries * value_bytes));
    for (size_t i = 0; i < entries; i++) {
        uint8_t *key = keys + i * KEY_SIZE;
        snprintf((char *)key + 4, KEY_SIZE - 3, "key:%012zu", i * 7);
        put_be16(key, (uint16_t)(draw(&rng) % 400)); /* what one of 40 tables of a full store holds */
        key[2] = 1;
        key[3] = 0;
    }
    qsort(keys, entries, KEY_SIZE, key_order);
    shuffle_keys();
    for (size_t i = 0; i < entries * value_bytes; i += 8) put_fixed64(values + i, draw(&rng));
    for (size_t i = 0; i < entries; i++) memset(values + i * value_bytes, 'v', value_bytes / 2);
}

static uint64_t build(const table_options *o, table_props *out) {
    table_builder *b;
    unlink(path);
    uint64_t start = now_ns(), rng = 2;
    must(table_builder_new(&b, o, path, 1));
    for (size_t i = 0; i < entries; i++) {
        cell c = {.hlc = (1700000000000 + draw(&rng) % 600000) << 16, .node = 1};
        c.payload = slice_of(values + i * value_bytes, value_bytes);
        must(table_builder_add(b, key_at(i), &c));
    }
    table_props_clear(out);
    must(table_builder_finish(b, out));
    return now_ns() - start;
}

static uint64_t get(table *t, const table_options *o) {
    uint64_t start = now_ns(), sum = 0;
    for (size_t i = 0; i < GETS; i++) {
        slice key = ask(i);
        cell c;
        cache_entry *pin;
        must(table_get(t, key, hash_bytes(&o->seed, key), true, &c, &pin));
        sum += c.payload.data[0];
        cache_release(o->cache, pin);
    }
    if (sum != GETS * (uint64_t)'v') must(RKV_ECORRUPT);
    return now_ns() - start;
}

static uint64_t miss(table *t, const table_options *o, size_t *out_passed) {
    uint64_t start = now_ns();
    size_t passed = 0;
    for (size_t i = 0; i < GETS; i++) {
        uint8_t key[KEY_SIZE];
        memcpy(key, ask(i).data, KEY_SIZE);
        key[KEY_SIZE - 1] ^= 0x40;
        passed += !table_excludes(t, hash_bytes(&o->seed, slice_of(key, KEY_SIZE)));
    }
    *out_passed = passed;
    return now_ns() - start;
}

static uint64_t scan(table *t, bool private) {
    iter *it;
    size_t seen = 0;
    uint64_t start = now_ns(), sum = 0;
    must(table_iter_new(&it, t, private));
    for (it->ops->seek(it, slice_of(NULL, 0)); it->valid; it->ops->next(it)) {
        sum += it->key.data[0] + it->cell.payload.data[0];
        seen++;
    }
    must(it->status);
    iter_close(it);
    if (seen != entries || !sum) must(RKV_ECORRUPT);
    return now_ns() - start;
}

static uint64_t seek(table *t) {
    iter *it;
    must(table_iter_new(&it, t, false));
    uint64_t start = now_ns();
    for (size_t i = 0; i < GETS / 4; i++) {
        slice key = ask(i);
        it->ops->seek(it, key);
        if (!it->valid || !slice_equal(it->key, key)) must(RKV_ECORRUPT);
    }
    uint64_t ns = now_ns() - start;
    iter_close(it);
    return ns;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static void run(const char *name, enum table_compression compression, size_t resident_max) {
    table_options o = {.os = os_posix(), .seed = {1, 2}, .bloom_bits = 10, .compression = compression};
    table_props p = {0};
    table *t;
    uint64_t best[6] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    size_t passed = 0;
    o.resident_max = resident_max;
    must(cache_new(&o.cache, (size_t)1 << 30));
    for (size_t i = 0; i < rounds; i++) best[0] = least(best[0], build(&o, &p));
    must(table_open(&t, &o, path, 1, p.size));
    must(table_load(t));
    scan(t, false); /* into the cache */
    for (size_t i = 0; i < rounds; i++) {
        best[1] = least(best[1], get(t, &o));
        best[2] = least(best[2], miss(t, &o, &passed));
        best[3] = least(best[3], seek(t));
        best[4] = least(best[4], scan(t, false));
        best[5] = least(best[5], scan(t, true));
    }
    printf("%-16s %7.1f %7.1f %7.1f %7.1f %7.1f %7.1f   %6.2f %6.2f %6.3f%%\n", name, (double)best[0] / entries,
           (double)best[1] / GETS, (double)best[2] / GETS, (double)best[3] * 4 / GETS, (double)best[4] / entries,
           (double)best[5] / entries, (double)p.size / entries - KEY_SIZE - value_bytes,
           (double)table_memory(t) / entries, 100.0 * passed / GETS);
    table_unref(t);
    cache_free(o.cache);
    table_props_clear(&p);
    unlink(path);
}

int main(void) {
    const char *dir = getenv("TMPDIR");
    entries = setting("ENTRIES", 250000);
    value_bytes = setting("VALUE_BYTES", 100);
    rounds = setting("ROUNDS", 5);
    snprintf(path, sizeof path, "%s/bench_table.%d.sst", dir ? dir : "/tmp", (int)getpid());
    make_entries();
    printf("ns an entry:       build     get    miss    seek   walk    scan   bytes+ memory  passed\n");
    run("raw", TABLE_RAW, 0);
    run("raw, in cache", TABLE_RAW, 1);
    if (table_has_lz4()) run("lz4", TABLE_LZ4, 0);
    mem_free(keys);
    mem_free(asked);
    mem_free(values);
    return 0;
}
