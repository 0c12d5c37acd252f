/* bench_memtable.c: what the memtable, its order and the merge cost, in ns an operation of this thread's processor time.
 *
 *   bench_memtable [KEYS [VALUE_SIZE]]      default 450000 random 16 B keys, 100 B values
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/memtable.h"

enum { KEY_SIZE = 16, RUNS = 5, ARENA = 64 << 20, ROUNDS = 3 };

static const hash_seed seed = {11, 22};
static uint64_t count = 450000;
static size_t value_size = 100;
static uint8_t value[65536];

static void must(int rc) {
    if (rc == RKV_OK) return;
    fprintf(stderr, "bench_memtable: %s: %s\n", status_name(rc), status_text());
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void report(const char *what, uint64_t since, uint64_t operations) {
    printf("  %-44s %7.1f ns\n", what, (double)(now_ns() - since) / (double)operations);
}

enum order { RANDOM, ASCENDING, SLOTTED };

/* Key number i: 16 random bytes, 16 ascending digits, or the engine's form of "key:" and 8 digits. */
static slice key_number(uint8_t data[KEY_SIZE], uint64_t i, enum order order) {
    if (order == RANDOM) {
        uint64_t a = hash_mix(i), b = hash_mix(a + 1);
        memcpy(data, &a, 8);
        memcpy(data + 8, &b, 8);
        return slice_of(data, KEY_SIZE);
    }
    char digits[32];
    snprintf(digits, sizeof digits, "%016llu", (unsigned long long)i);
    memcpy(data, digits, KEY_SIZE);
    if (order == SLOTTED) {
        uint16_t slot = (uint16_t)(hash_mix(i) & 16383);
        memcpy(data, &slot, 2);
        memcpy(data + 2, "\x01\x00key:", 6);
    }
    return slice_of(data, KEY_SIZE);
}

static void fill(memtable *m, uint64_t from, uint64_t to, enum order order, uint64_t hlc) {
    uint8_t data[KEY_SIZE];
    for (uint64_t i = from; i < to; i++) {
        slice key = key_number(data, i, order);
        cell c = {.hlc = hlc + i, .node = 1, .payload = slice_of(value, value_size)};
        must(memtable_reserve(m, 1, key.size + value_size));
        memtable_apply(m, key, hash_bytes(&seed, key), &c);
    }
}

static void get(memtable *m, uint64_t offset) {
    uint8_t data[KEY_SIZE];
    uint64_t found = 0;
    for (uint64_t i = 0; i < count; i++) {
        slice key = key_number(data, hash_mix(i + 77) % count + offset, RANDOM);
        cell c;
        if (memtable_get(m, key, hash_bytes(&seed, key), &c) == RKV_OK) found += 1 + c.payload.data[0];
    }
    if (found != (offset ? 0 : count)) exit(1);
}

/* Hits in batches: the index lines of a whole batch are asked for first. */
static void get_many(memtable *m) {
    enum { BATCH = 16 };
    uint8_t data[BATCH][KEY_SIZE];
    slice keys[BATCH];
    uint64_t hashes[BATCH], found = 0;
    for (uint64_t i = 0; i < count; i += BATCH) {
        for (uint64_t k = 0; k < BATCH; k++) {
            keys[k] = key_number(data[k], hash_mix(i + k + 77) % count, RANDOM);
            hashes[k] = hash_bytes(&seed, keys[k]);
            memtable_prefetch(m, hashes[k]);
        }
        cell c;
        for (uint64_t k = 0; k < BATCH; k++) found += memtable_get(m, keys[k], hashes[k], &c) == RKV_OK;
    }
    if (found < count) exit(1);
}

static uint64_t walk(iter *it) {
    uint64_t seen = 0, bytes = 0;
    for (it->ops->seek(it, (slice){0}); it->valid; it->ops->next(it), seen++)
        bytes += it->key.data[0] + it->cell.payload.size;
    must(it->status);
    return bytes ? seen : 0;
}

static void bench_one(enum order order, const char *name) {
    memtable *m;
    iter *it;
    printf("%s, %llu keys, %zu B values\n", name, (unsigned long long)count, value_size);
    uint8_t data[KEY_SIZE];
    uint64_t sum = 0, since = now_ns();
    for (uint64_t i = 0; i < count; i++) sum += hash_bytes(&seed, key_number(data, i, order));
    report("make a key and hash it (part of what follows)", since, sum ? count : 1);
    must(memtable_new(&m, count * (KEY_SIZE + value_size + 32), &seed));
    since = now_ns();
    fill(m, 0, count, order, 1);
    report("insert", since, count);
    if (order == RANDOM) {
        since = now_ns();
        get(m, 0);
        report("get, hit", since, count);
        since = now_ns();
        get_many(m);
        report("get, hit, 16 at once", since, count);
        since = now_ns();
        get(m, count);
        report("get, miss", since, count);
    }
    must(memtable_iter_new(&it, m));
    since = now_ns();
    it->ops->seek(it, (slice){0});
    report("sort", since, count);
    since = now_ns();
    if (walk(it) != count) exit(1);
    report("next", since, count);
    iter_close(it);
    memtable_stats s;
    memtable_get_stats(m, &s);
    double over = (double)s.memory / (double)count - KEY_SIZE - (double)value_size;
    printf("  %-44s %7.1f B\n", "memory beyond key and value", over);
    memtable_unref(m);
}

static void bench_merge(void) {
    iter *children[RUNS], *it;
    for (uint64_t r = 0; r < RUNS; r++) {
        memtable *m;
        must(memtable_new(&m, ARENA, &seed));
        fill(m, count / RUNS * r, count / RUNS * (r + 1), RANDOM, 1);
        must(memtable_iter_new(&children[r], m));
        memtable_unref(m);
        children[r]->ops->seek(children[r], (slice){0});
    }
    uint64_t since = now_ns(), seen = 0;
    for (int r = 0; r < RUNS; r++) seen += walk(children[r]);
    printf("%d runs of together %llu keys\n", RUNS, (unsigned long long)seen);
    report("next of the runs one by one", since, seen);
    must(merge_iter_new(&it, children, RUNS));
    it->ops->seek(it, (slice){0});
    since = now_ns();
    if (walk(it) != seen) exit(1);
    report("next of their merge", since, seen);
    iter_close(it);
}

/* One write, then one short scan, on a full memtable. */
static void bench_mixed(void) {
    enum { SCANS = 20000, LENGTH = 10 };
    memtable *m;
    must(memtable_new(&m, ARENA * 2, &seed));
    fill(m, 0, count, RANDOM, 1);
    iter *it;
    must(memtable_iter_new(&it, m));
    it->ops->seek(it, (slice){0});
    iter_close(it);
    uint64_t since = now_ns();
    uint8_t data[KEY_SIZE];
    for (uint64_t i = 0; i < SCANS; i++) {
        fill(m, count + i, count + i + 1, RANDOM, 1);
        must(memtable_iter_new(&it, m));
        it->ops->seek(it, key_number(data, hash_mix(i), RANDOM));
        for (int k = 0; k < LENGTH && it->valid; k++) it->ops->next(it);
        iter_close(it);
    }
    printf("a write and a scan of %d, by turns\n", LENGTH);
    report("both together", since, SCANS);
    memtable_unref(m);
}

int main(int argc, char **argv) {
    if (argc > 1) count = strtoull(argv[1], NULL, 10);
    if (argc > 2) value_size = strtoull(argv[2], NULL, 10);
    if (count < RUNS || value_size > sizeof value) return 1;
    for (int round = 0; round < ROUNDS; round++) {
        bench_one(RANDOM, "random");
        bench_one(ASCENDING, "ascending");
        bench_one(SLOTTED, "slotted");
        bench_merge();
        bench_mixed();
    }
    return 0;
}
