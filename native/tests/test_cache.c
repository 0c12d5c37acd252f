/* test_cache.c: the block cache keeps its limit, its pins and its blocks apart, alone and among threads (ThreadSanitizer).
 *
 * Random tests print their seed; SEED=n replays one.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/hash.h"
#include "check.h"
#include "lsm/cache.h"

static uint64_t next_random(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15ULL;
    return hash_mix(*state);
}

static uint64_t seed_of(const char *name) {
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 4711;
    printf("%s: SEED=%llu\n", name, (unsigned long long)seed);
    return seed;
}

/* A block's bytes follow from its place, so that a reader knows a wrong one. */
static void fill(cache_entry *e, uint64_t file, uint64_t offset) {
    for (size_t i = 0; i + 8 <= cache_size(e); i += 8) put_fixed64(cache_data(e) + i, file * 1000003 + offset + i);
}

static void check_bytes(cache_entry *e, uint64_t file, uint64_t offset) {
    for (size_t i = 0; i + 8 <= cache_size(e); i += 8)
        CHECK(get_fixed64(cache_data(e) + i) == file * 1000003 + offset + i);
}

static cache_entry *insert(cache *c, uint64_t file, uint64_t offset, size_t size) {
    cache_entry *e = cache_reserve(c, file, offset, size);
    CHECK(e);
    fill(e, file, offset);
    return cache_publish(c, e);
}

static cache_stats stats_of(cache *c) {
    cache_stats s;
    cache_get_stats(c, &s);
    return s;
}

static void test_insert_and_look_up(void) {
    cache *c;
    OK(cache_new(&c, 1 << 20));
    CHECK(!cache_lookup(c, 1, 0));
    cache_entry *e = cache_reserve(c, 1, 0, 100);
    CHECK(!cache_lookup(c, 1, 0)); /* not visible yet */
    CHECK((uintptr_t)cache_data(e) % 8 == 0 && cache_size(e) == 100);
    fill(e, 1, 0);
    CHECK(cache_publish(c, e) == e);
    CHECK(cache_lookup(c, 1, 0) == e);
    CHECK(!cache_lookup(c, 2, 0) && !cache_lookup(c, 1, 1) && !cache_lookup(c, 1 + (1ULL << 32), 0));
    CHECK(stats_of(c).pinned >= 100);
    cache_release(c, e);
    cache_release(c, e);
    cache_release(c, NULL);
    CHECK(stats_of(c).pinned == 0 && stats_of(c).bytes >= 100);
    CHECK(stats_of(c).hits == 1 && stats_of(c).misses == 5 && stats_of(c).inserts == 1);
    e = cache_lookup(c, 1, 0);
    check_bytes(e, 1, 0);
    cache_release(c, e);
    cache_free(c);
    cache_free(NULL);
}

static void test_the_faster_publisher_wins(void) {
    cache *c;
    OK(cache_new(&c, 1 << 20));
    cache_entry *a = cache_reserve(c, 1, 64, 50), *b = cache_reserve(c, 1, 64, 50);
    CHECK(cache_publish(c, a) == a);
    CHECK(cache_publish(c, b) == a);
    cache_release(c, a);
    cache_release(c, a);
    CHECK(stats_of(c).pinned == 0 && stats_of(c).inserts == 1);
    cache_release(c, cache_reserve(c, 1, 128, 50)); /* given up: never there */
    CHECK(!cache_lookup(c, 1, 128));
    cache_free(c);
}

static void test_limit_is_kept(void) {
    uint64_t seed = seed_of("limit_is_kept");
    cache *c;
    size_t capacity = 4 << 20;
    OK(cache_new(&c, capacity));
    size_t slack = capacity / 32; /* one segment */
    for (int i = 0; i < 20000; i++) {
        uint64_t file = next_random(&seed) % 50, offset = next_random(&seed) % 100 * 4096;
        cache_entry *e = cache_lookup(c, file, offset);
        size_t size = next_random(&seed) % 16 ? 4000 : next_random(&seed) % (capacity / 4);
        if (!e) e = insert(c, file, offset, size);
        check_bytes(e, file, offset);
        cache_release(c, e);
        CHECK(stats_of(c).bytes <= capacity + slack);
        if (i % 5000 == 4999) {
            capacity /= 2;
            cache_set_capacity(c, capacity);
            CHECK(stats_of(c).bytes <= capacity && stats_of(c).capacity == capacity);
        }
    }
    CHECK(stats_of(c).evictions > 5000 && stats_of(c).hits > 0);
    cache_set_capacity(c, 0);
    CHECK(stats_of(c).bytes < slack); /* the table */
    for (uint64_t i = 0; i < 100; i++) cache_release(c, insert(c, 9, i, 4000));
    CHECK(stats_of(c).bytes < 3 * slack); /* the current segment and the one before */
    cache_free(c);
}

/* After much coming and going of many sizes, what is there fills most of the memory that is taken. */
static void test_memory_has_no_holes(void) {
    uint64_t seed = seed_of("memory_has_no_holes");
    enum { OFFSETS = 20000 };
    cache *c;
    OK(cache_new(&c, 16 << 20));
    for (int i = 0; i < 100000; i++) {
        uint64_t r = next_random(&seed), offset = r % OFFSETS, kind = r >> 60;
        size_t size = kind == 0 ? r >> 32 & 0xffff : kind < 4 ? 8000 + (r >> 32) % 500 : 3700 + (r >> 32) % 700;
        cache_entry *e = cache_lookup(c, 1, offset);
        cache_release(c, e ? e : insert(c, 1, offset, size));
    }
    size_t found = 0;
    for (uint64_t offset = 0; offset < OFFSETS; offset++) {
        cache_entry *e = cache_lookup(c, 1, offset);
        if (!e) continue;
        check_bytes(e, 1, offset);
        found += cache_size(e);
        cache_release(c, e);
    }
    CHECK(stats_of(c).bytes <= (16 << 20) + (512 << 10));
    CHECK(found * 100 >= stats_of(c).bytes * 85);
    cache_free(c);
}

static void test_a_block_may_take_most_of_it(void) {
    cache *c;
    OK(cache_new(&c, 1 << 20));
    for (int i = 0; i < 2000; i++) cache_release(c, insert(c, 1, (uint64_t)i * 4096, 4096));
    cache_release(c, insert(c, 2, 0, 900 << 10));
    CHECK(stats_of(c).bytes <= 1 << 20);
    cache_entry *e = cache_lookup(c, 2, 0);
    CHECK(e);
    cache_release(c, e);
    cache_free(c);
}

static void test_pinned_blocks_stay(void) {
    enum { PINNED = 200 };
    cache *c;
    OK(cache_new(&c, 256 << 10));
    cache_entry *pinned[PINNED]; /* three times the capacity */
    for (int i = 0; i < PINNED; i++) pinned[i] = insert(c, 7, (uint64_t)i * 4096, 4000);
    for (int i = 0; i < 2000; i++) cache_release(c, insert(c, 8, (uint64_t)i * 4096, 4000));
    for (int i = 0; i < PINNED; i++) check_bytes(pinned[i], 7, (uint64_t)i * 4096);
    cache_set_capacity(c, 1000);
    cache_forget(c, 7);
    CHECK(!cache_lookup(c, 7, 0) && stats_of(c).bytes >= PINNED * 4000);
    for (int i = 0; i < 2000; i++) cache_release(c, insert(c, 8, (uint64_t)i * 4096, 4000));
    for (int i = 0; i < PINNED; i++) {
        check_bytes(pinned[i], 7, (uint64_t)i * 4096);
        cache_release(c, pinned[i]);
    }
    CHECK(stats_of(c).bytes < 3 * (64 << 10) && stats_of(c).pinned == 0);
    cache_free(c);
}

/* Blocks that are read again outlive a scan of blocks that are read once. */
static void test_used_blocks_outlive_a_scan(void) {
    cache *c;
    OK(cache_new(&c, 1 << 20));
    for (int i = 0; i < 60; i++) cache_release(c, insert(c, 1, (uint64_t)i, 4000));
    for (int i = 0; i < 5000; i++) {
        cache_release(c, insert(c, 2, (uint64_t)i, 4000));
        if (i % 2 == 0) cache_release(c, cache_lookup(c, 1, (uint64_t)(i / 2 % 60)));
    }
    int kept = 0;
    for (int i = 0; i < 60; i++) {
        cache_entry *e = cache_lookup(c, 1, (uint64_t)i);
        kept += e != NULL;
        cache_release(c, e);
    }
    CHECK(kept >= 50);
    cache_free(c);
}

/* But not for ever. */
static void test_used_blocks_age(void) {
    cache *c;
    OK(cache_new(&c, 1 << 20));
    for (int i = 0; i < 200; i++) cache_release(c, insert(c, 1, (uint64_t)i, 4000));
    for (int i = 0; i < 200; i++) cache_release(c, cache_lookup(c, 1, (uint64_t)i));
    for (int i = 0; i < 3000; i++) cache_release(c, insert(c, 2, (uint64_t)i, 4000));
    for (int i = 0; i < 200; i++) CHECK(!cache_lookup(c, 1, (uint64_t)i));
    cache_free(c);
}

static void test_forget_drops_one_file(void) {
    cache *c;
    OK(cache_new(&c, 16 << 20));
    for (uint64_t i = 0; i < 3000; i++) cache_release(c, insert(c, i % 3 + (i % 2 << 32), i, 100));
    cache_forget(c, 1);
    for (uint64_t i = 0; i < 3000; i++) {
        uint64_t file = i % 3 + (i % 2 << 32);
        cache_entry *e = cache_lookup(c, file, i);
        CHECK((e != NULL) == (file != 1));
        cache_release(c, e);
    }
    cache_free(c);
}

/* The nth allocation fails, for every n: no block is lost or wrong, and memory is given back. */
static void test_every_allocation_may_fail(void) {
    bool failed = true;
    for (long n = 0; failed; n++) {
        cache *c = NULL;
        alloc_fail_after(n);
        failed = cache_new(&c, 1 << 20) == RKV_ENOMEM;
        for (uint64_t i = 0; c && i < 400; i++) {
            cache_entry *e = cache_reserve(c, 1, i, 64);
            if (!e) {
                failed = true;
                continue;
            }
            fill(e, 1, i);
            e = cache_publish(c, e);
            check_bytes(e, 1, i);
            cache_release(c, e);
        }
        alloc_fail_after(-1);
        if (!c) continue;
        if (stats_of(c).inserts < 400) failed = true;
        cache_set_capacity(c, 0);
        CHECK(stats_of(c).bytes < 32 << 10); /* the table */
        cache_free(c);
    }
}

/* --- threads ------------------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, FILES = 6, BLOCKS = 64, HELD = 3 };

typedef struct worker {
    cache *c;
    uint64_t seed;
    int rounds;
} worker;

static void *work(void *argument) {
    worker *w = argument;
    struct {
        cache_entry *e;
        uint64_t file, offset;
    } held[HELD] = {0};
    for (int i = 0; i < w->rounds; i++) {
        uint64_t r = next_random(&w->seed), file = r % FILES, offset = r / FILES % BLOCKS * 4096;
        size_t at = (r >> 32) % HELD;
        if (held[at].e) {
            check_bytes(held[at].e, held[at].file, held[at].offset);
            cache_release(w->c, held[at].e);
        }
        cache_entry *e = cache_lookup(w->c, file, offset);
        if (!e) e = insert(w->c, file, offset, offset / 4096 % 16 ? 512 : 33000);
        check_bytes(e, file, offset);
        held[at].e = e;
        held[at].file = file;
        held[at].offset = offset;
        if (r >> 40 & 255) continue;
        cache_forget(w->c, file);
        cache_set_capacity(w->c, (r >> 48) % 400000);
        stats_of(w->c);
    }
    for (size_t at = 0; at < HELD; at++) cache_release(w->c, held[at].e);
    return NULL;
}

static void test_threads(void) {
    uint64_t seed = seed_of("threads");
    cache *c;
    OK(cache_new(&c, 400000));
    pthread_t threads[THREADS];
    worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.c = c, .seed = seed + (uint64_t)i * 1000, .rounds = 30000};
        CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    cache_stats s = stats_of(c);
    CHECK(s.pinned == 0 && s.bytes <= 400000 + (128 << 10));
    CHECK(s.hits + s.misses == (uint64_t)THREADS * 30000 && s.hits > 0 && s.inserts <= s.misses);
    cache_free(c);
}

int main(void) {
    RUN(test_insert_and_look_up);
    RUN(test_the_faster_publisher_wins);
    RUN(test_limit_is_kept);
    RUN(test_memory_has_no_holes);
    RUN(test_a_block_may_take_most_of_it);
    RUN(test_pinned_blocks_stay);
    RUN(test_used_blocks_outlive_a_scan);
    RUN(test_used_blocks_age);
    RUN(test_forget_drops_one_file);
    RUN(test_every_allocation_may_fail);
    RUN(test_threads);
    return check_done();
}
