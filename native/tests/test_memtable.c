/* test_memtable.c: the memtable against an obvious twin: an array of winners over a fixed set of keys, in key order.
 *
 * Random tests print their seed; SEED=n replays one. The threaded ones are also for ThreadSanitizer.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/hash.h"
#include "check.h"
#include "lsm/memtable.h"

enum { POOL_MAX = 4000, VALUE_MAX = 300 };

static const hash_seed seed = {1, 2};
static uint64_t state;
static uint8_t noise[4096];

static uint64_t draw(uint64_t below) {
    state += 0x9e3779b97f4a7c15ULL;
    return hash_mix(state) % below;
}

static void begin_random(const char *name) {
    const char *text = getenv("SEED");
    state = text ? strtoull(text, NULL, 10) : 31337;
    printf("%s: SEED=%llu\n", name, (unsigned long long)state);
}

static uint64_t hash_of(slice key) {
    return hash_bytes(&seed, key);
}

/* --- the twin ------------------------------------------------------------------------------------------------------------ */

/* Keys in order, none twice. */
typedef struct pool {
    size_t count;
    slice keys[POOL_MAX];
    uint8_t *bytes;
} pool;

typedef struct twin {
    bool present[POOL_MAX];
    cell winner[POOL_MAX];
} twin;

enum shape { SHORT, BINARY, SHARED, CHAIN, MIXED, SHAPES };

static size_t random_key(uint8_t key[300], enum shape shape, size_t i) {
    size_t size = 0;
    switch (shape) {
    case SHORT: /* all of few bytes, the empty key too */
        size = draw(6);
        for (size_t k = 0; k < size; k++) key[k] = (uint8_t)draw(5);
        return size;
    case BINARY:
        for (; size < 16; size++) key[size] = (uint8_t)draw(256);
        return size;
    case SHARED: /* long common beginnings that part late */
        size = draw(2) ? 40 : 200;
        memset(key, 'x', size);
        for (size_t k = 0; k < 3; k++) key[size++] = (uint8_t)draw(8);
        return size;
    case CHAIN: /* each a beginning of the next; zeros, so that filled-up prefixes tie */
        size = i % 290;
        memset(key, i % 2 ? 0 : 'a', size);
        return size;
    default: return random_key(key, (enum shape)draw(MIXED), i);
    }
}

static int compare_slices(const void *a, const void *b) {
    return slice_compare(*(const slice *)a, *(const slice *)b);
}

static void pool_init(pool *p, enum shape shape, size_t count) {
    p->bytes = mem_alloc(count * 300);
    for (size_t i = 0; i < count; i++) {
        uint8_t *key = p->bytes + i * 300;
        p->keys[i] = slice_of(key, random_key(key, shape, i));
    }
    qsort(p->keys, count, sizeof *p->keys, compare_slices);
    p->count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || !slice_equal(p->keys[i], p->keys[p->count - 1])) p->keys[p->count++] = p->keys[i];
}

static bool cell_equal(const cell *a, const cell *b) {
    return cell_compare(a, b) == 0;
}

static cell random_cell(uint64_t hlc_max) {
    cell c = {.hlc = 1 + draw(hlc_max), .node = (uint32_t)draw(3)};
    if (draw(4) == 0) c.expires_at_ms = 1 + draw(UINT64_MAX);
    if (draw(6) == 0)
        c.flags = CELL_TOMBSTONE;
    else
        c.payload = slice_of(noise + draw(sizeof noise - VALUE_MAX), draw(8) ? draw(40) : draw(VALUE_MAX));
    return c;
}

static int apply(memtable *m, slice key, const cell *c) {
    OK(memtable_reserve(m, 1, key.size + c->payload.size));
    return memtable_apply(m, key, hash_of(key), c);
}

static void apply_both(memtable *m, twin *t, const pool *p, size_t i, const cell *c) {
    bool wins = !t->present[i] || cell_compare(c, &t->winner[i]) > 0;
    CHECK(apply(m, p->keys[i], c) == (wins ? RKV_OK : RKV_STALE));
    if (!wins) return;
    t->present[i] = true;
    t->winner[i] = *c;
}

static void check_gets(memtable *m, memtable_mark mark, const twin *t, const pool *p) {
    for (size_t i = 0; i < p->count; i++) {
        cell c;
        int rc = memtable_get_at(m, p->keys[i], hash_of(p->keys[i]), mark, &c);
        CHECK(rc == (t->present[i] ? RKV_OK : RKV_NOTFOUND));
        if (rc == RKV_OK) CHECK(cell_equal(&c, &t->winner[i]));
    }
}

/* Where in the pool the iterator must stand: the first present key from i on, or p->count; or the last before i, or -1. */
static size_t twin_from(const twin *t, const pool *p, size_t i) {
    while (i < p->count && !t->present[i]) i++;
    return i;
}

static long twin_before(const twin *t, long i) {
    do i--;
    while (i >= 0 && !t->present[i]);
    return i;
}

static void check_at(const iter *it, const twin *t, const pool *p, long i) {
    CHECK(it->status == RKV_OK);
    CHECK(it->valid == (i >= 0 && i < (long)p->count));
    if (!it->valid) return;
    CHECK(slice_equal(it->key, p->keys[i]));
    CHECK(cell_equal(&it->cell, &t->winner[i]));
}

static size_t pool_bound(const pool *p, slice target) {
    size_t i = 0;
    while (i < p->count && slice_compare(p->keys[i], target) < 0) i++;
    return i;
}

static void check_walks(iter *it, const twin *t, const pool *p) {
    it->ops->seek(it, (slice){0});
    for (size_t i = twin_from(t, p, 0);; i = twin_from(t, p, i + 1)) {
        check_at(it, t, p, (long)i);
        if (!it->valid) break;
        it->ops->next(it);
    }
    it->ops->seek_for_prev(it, (slice){0});
    for (long i = twin_before(t, (long)p->count);; i = twin_before(t, i)) {
        check_at(it, t, p, i);
        if (!it->valid) break;
        it->ops->prev(it);
    }
}

static void check_random_moves(iter *it, const twin *t, const pool *p, int moves) {
    long at = -1;
    while (moves--) {
        uint8_t fresh[300];
        slice target = draw(2) ? p->keys[draw(p->count)] : slice_of(fresh, random_key(fresh, MIXED, draw(290)));
        switch (at >= 0 && at < (long)p->count ? draw(8) : draw(2)) {
        case 0:
            it->ops->seek(it, target);
            at = (long)twin_from(t, p, pool_bound(p, target));
            break;
        case 1:
            it->ops->seek_for_prev(it, target);
            at = twin_before(t, target.size ? (long)pool_bound(p, target) : (long)p->count);
            break;
        case 2:
        case 3:
        case 4:
            it->ops->next(it);
            at = (long)twin_from(t, p, (size_t)at + 1);
            break;
        default: it->ops->prev(it); at = twin_before(t, at);
        }
        check_at(it, t, p, at);
    }
}

/* --- tests --------------------------------------------------------------------------------------------------------------- */

static void test_empty(void) {
    memtable *m;
    iter *it;
    cell c;
    OK(memtable_new(&m, 1 << 16, &seed));
    CHECK(memtable_get(m, slice_text("k"), hash_of(slice_text("k")), &c) == RKV_NOTFOUND);
    OK(memtable_iter_new(&it, m));
    it->ops->seek(it, slice_text("k"));
    CHECK(!it->valid && it->status == RKV_OK);
    it->ops->seek_for_prev(it, (slice){0});
    CHECK(!it->valid && it->status == RKV_OK);
    iter_close(it);
    memtable_stats s;
    memtable_get_stats(m, &s);
    CHECK(s.bytes == 0 && s.entries == 0 && s.keys == 0 && s.min_hlc == UINT64_MAX && s.max_hlc == 0);
    memtable_unref(m);
    memtable_unref(NULL);
    CHECK(memtable_new(&m, (size_t)33 << 30, &seed) == RKV_EINVAL);
}

static void test_winners_and_order(void) {
    begin_random("winners_and_order");
    pool *p = mem_alloc(sizeof *p);
    twin *t = mem_alloc(sizeof *t);
    for (int round = 0; round < 4 * SHAPES; round++) {
        pool_init(p, (enum shape)(round % SHAPES), round < SHAPES ? POOL_MAX : 1 + draw(200));
        memset(t, 0, sizeof *t);
        memtable *m;
        OK(memtable_new(&m, 8 << 20, &seed));
        size_t writes = draw(2) ? p->count / 2 : p->count * 4;
        for (size_t i = 0; i < writes; i++) {
            cell c = random_cell(20);
            apply_both(m, t, p, draw(p->count), &c);
        }
        check_gets(m, UINT64_MAX, t, p);
        iter *it;
        OK(memtable_iter_new(&it, m));
        check_walks(it, t, p);
        check_random_moves(it, t, p, 500);
        iter_close(it);
        CHECK(memtable_unsorted(m) == 0);
        memtable_unref(m);
        mem_free(p->bytes);
    }
    mem_free(p);
    mem_free(t);
}

/* The same cells in another order, some twice: the same winners. */
static void test_order_of_arrival_is_nothing(void) {
    enum { CELLS = 3000, KEYS = 200 };
    begin_random("order_of_arrival_is_nothing");
    static cell cells[CELLS];
    static size_t keys[CELLS];
    pool *p = mem_alloc(sizeof *p);
    pool_init(p, MIXED, KEYS);
    memtable *a, *b;
    OK(memtable_new(&a, 4 << 20, &seed));
    OK(memtable_new(&b, 8 << 20, &seed));
    for (size_t i = 0; i < CELLS; i++) {
        cells[i] = random_cell(50);
        keys[i] = draw(p->count);
        apply(a, p->keys[keys[i]], &cells[i]);
    }
    for (size_t i = CELLS; i-- > 0;) {
        apply(b, p->keys[keys[i]], &cells[i]);
        size_t again = i + draw(CELLS - i);
        CHECK(apply(b, p->keys[keys[again]], &cells[again]) == RKV_STALE);
    }
    for (size_t i = 0; i < p->count; i++) {
        cell x, y;
        int rc = memtable_get(a, p->keys[i], hash_of(p->keys[i]), &x);
        CHECK(memtable_get(b, p->keys[i], hash_of(p->keys[i]), &y) == rc);
        if (rc == RKV_OK) CHECK(cell_equal(&x, &y));
    }
    memtable_unref(a);
    memtable_unref(b);
    mem_free(p->bytes);
    mem_free(p);
}

/* Views at many moments, looked at in any order and after more writes, each show their moment. */
static void test_marks_are_snapshots(void) {
    enum { VIEWS = 12 };
    begin_random("marks_are_snapshots");
    pool *p = mem_alloc(sizeof *p);
    twin *t = mem_alloc(VIEWS * sizeof *t), *now = mem_zalloc(sizeof *now);
    for (int round = 0; round < 20; round++) {
        memtable *m;
        memtable_mark marks[VIEWS];
        iter *its[VIEWS];
        pool_init(p, (enum shape)(round % SHAPES), 300);
        memset(now, 0, sizeof *now);
        OK(memtable_new(&m, 8 << 20, &seed));
        for (int v = 0; v < VIEWS; v++) {
            for (uint64_t i = draw(round % 2 ? 300 : 3); i > 0; i--) {
                cell c = random_cell(1000);
                apply_both(m, now, p, draw(p->count), &c);
            }
            marks[v] = memtable_mark_now(m);
            t[v] = *now;
            OK(memtable_iter_new(&its[v], m));
            if (draw(3) == 0) check_walks(its[v], &t[v], p);
        }
        for (int look = 0; look < 2 * VIEWS; look++) {
            uint64_t v = draw(VIEWS);
            check_gets(m, marks[v], &t[v], p);
            check_walks(its[v], &t[v], p);
            iter_close(its[v]);
            OK(memtable_iter_new_at(&its[v], m, marks[v]));
            check_random_moves(its[v], &t[v], p, 50);
        }
        memtable_unref(m); /* the iterators hold it */
        for (int v = 0; v < VIEWS; v++) {
            check_walks(its[v], &t[v], p);
            iter_close(its[v]);
        }
        mem_free(p->bytes);
    }
    mem_free(p);
    mem_free(t);
    mem_free(now);
}

/* Whole ascending, descending and equal sequences take their own ways through the sort. */
static void test_sequences(void) {
    enum { COUNT = 3000, STEP = 500 };
    for (int kind = 0; kind < 3; kind++) {
        memtable *m;
        OK(memtable_new(&m, 4 << 20, &seed));
        iter *it;
        for (uint64_t i = 0; i < COUNT; i++) {
            uint8_t key[12] = "key-";
            put_be64(key + 4, kind == 0 ? i : kind == 1 ? COUNT - i : 0);
            cell c = {.hlc = i + 1, .payload = slice_of(noise, i % 50)};
            CHECK(apply(m, slice_of(key, 12), &c) == RKV_OK);
            if (i % STEP != STEP - 1) continue;
            OK(memtable_iter_new(&it, m));
            uint64_t seen = 0, last = 0;
            for (it->ops->seek(it, (slice){0}); it->valid; it->ops->next(it), seen++) {
                uint64_t number = get_be64(it->key.data + 4);
                CHECK(seen == 0 || number == last + 1);
                CHECK(it->cell.hlc == (kind == 0 ? number + 1 : kind == 1 ? COUNT - number + 1 : i + 1));
                last = number;
            }
            CHECK(seen == (kind < 2 ? i + 1 : 1));
            iter_close(it);
        }
        memtable_stats s;
        memtable_get_stats(m, &s);
        CHECK(s.entries == COUNT && s.keys == (kind < 2 ? COUNT : 1) && s.min_hlc == 1 && s.max_hlc == COUNT);
        memtable_unref(m);
    }
}

/* Small entries make the index grow many times, and nothing is lost; large ones do not make it grow at all. */
static void test_index_grows(void) {
    begin_random("index_grows");
    memtable *m;
    OK(memtable_new(&m, 16 << 20, &seed));
    uint64_t count = 0;
    uint8_t key[8];
    cell c = {.hlc = 1};
    while (memtable_reserve(m, 1, 8) == RKV_OK) {
        put_fixed64(key, hash_mix(count++));
        CHECK(memtable_apply(m, slice_of(key, 8), hash_of(slice_of(key, 8)), &c) == RKV_OK);
    }
    CHECK(memtable_reserve(m, 1, 8) == RKV_ETOOBIG);
    CHECK(count > 400000);
    memtable_stats s;
    memtable_get_stats(m, &s);
    CHECK(s.keys == count && s.memory > s.bytes + 8 * count && s.memory < s.bytes + 32 * count);
    for (uint64_t i = 0; i < 2 * count; i++) {
        put_fixed64(key, hash_mix(i));
        cell got;
        CHECK(memtable_get(m, slice_of(key, 8), hash_of(slice_of(key, 8)), &got) ==
              (i < count ? RKV_OK : RKV_NOTFOUND));
    }
    memtable_unref(m);
}

static void test_reservations(void) {
    memtable *m;
    uint8_t *large = mem_zalloc(3 << 20);
    OK(memtable_new(&m, 1 << 20, &seed));
    OK(memtable_reserve(m, 1, 3 << 20)); /* grows while empty */
    cell c = {.hlc = 1, .payload = slice_of(large, (3 << 20) - 1)};
    CHECK(memtable_apply(m, slice_text("k"), hash_of(slice_text("k")), &c) == RKV_OK);
    CHECK(memtable_reserve(m, 1, 3 << 20) == RKV_ETOOBIG); /* not any more */
    CHECK(memtable_reserve(m, SIZE_MAX, 1) == RKV_ETOOBIG);
    CHECK(memtable_reserve(m, 1, SIZE_MAX) == RKV_ETOOBIG);
    cell got;
    OK(memtable_get(m, slice_text("k"), hash_of(slice_text("k")), &got));
    CHECK(cell_equal(&c, &got));
    memtable_unref(m);
    OK(memtable_new(&m, 1 << 20, &seed));
    CHECK(memtable_reserve(m, SIZE_MAX / 64, 0) == RKV_ETOOBIG);
    CHECK(memtable_reserve(m, 1, SIZE_MAX) == RKV_ETOOBIG);
    memtable_unref(m);
    /* What one reservation covers can be applied to the last byte, without an allocation: entries that waste all they may. */
    for (size_t count = 1; count < 3000; count = count * 3 / 2 + 1) {
        OK(memtable_new(&m, 0, &seed));
        OK(memtable_reserve(m, count, count * (4 + 5)));
        alloc_fail_after(0);
        for (uint32_t i = 0; i < count; i++) {
            uint8_t key[4];
            put_fixed32(key, i);
            c = (cell){.hlc = 1, .expires_at_ms = 5, .payload = slice_of(large, 5)};
            CHECK(memtable_apply(m, slice_of(key, 4), hash_of(slice_of(key, 4)), &c) == RKV_OK);
        }
        alloc_fail_after(-1);
        CHECK(memtable_reserve(m, 1, 0) == RKV_ETOOBIG);
        memtable_unref(m);
    }
    mem_free(large);
}

static void test_limits_of_a_cell(void) {
    memtable *m;
    iter *it;
    uint8_t *key = mem_zalloc(KEY_SIZE_MAX);
    OK(memtable_new(&m, 1 << 20, &seed));
    cell c = {.hlc = UINT64_MAX, .node = UINT32_MAX, .flags = CELL_POINTER, .expires_at_ms = UINT64_MAX};
    c.payload = slice_text("\x01\x02\x03\x04");
    CHECK(apply(m, slice_of(key, KEY_SIZE_MAX), &c) == RKV_OK);
    CHECK(apply(m, slice_of(key, KEY_SIZE_MAX - 1), &c) == RKV_OK);
    OK(memtable_iter_new(&it, m));
    it->ops->seek(it, slice_of(key, KEY_SIZE_MAX));
    CHECK(it->valid && it->key.size == KEY_SIZE_MAX && cell_equal(&it->cell, &c));
    CHECK(it->cell.hlc == c.hlc && it->cell.node == c.node && it->cell.expires_at_ms == c.expires_at_ms);
    CHECK(it->cell.flags == CELL_POINTER);
    iter_close(it);
    memtable_unref(m);
    mem_free(key);
}

/* The nth allocation fails, for every n: an error, nothing lost, and the next try goes well. */
static void test_every_allocation_may_fail(void) {
    enum { KEYS = 600 };
    bool failed = true;
    for (long n = 0; failed; n++) {
        memtable *m = NULL;
        failed = false;
        alloc_fail_after(n);
        if (memtable_new(&m, 1 << 18, &seed) == RKV_ENOMEM) {
            failed = true;
            alloc_fail_after(-1);
            OK(memtable_new(&m, 1 << 18, &seed));
            alloc_fail_after(0);
        }
        for (uint64_t i = 0; i < KEYS; i++) {
            uint8_t key[8];
            put_be64(key, hash_mix(i));
            cell c = {.hlc = 1};
            if (memtable_reserve(m, 1, 8) == RKV_ENOMEM) {
                failed = true;
                alloc_fail_after(-1);
                OK(memtable_reserve(m, 1, 8));
                alloc_fail_after(n % 3);
            }
            CHECK(memtable_apply(m, slice_of(key, 8), hash_of(slice_of(key, 8)), &c) == RKV_OK);
            if (i % 30) continue;
            iter *it = NULL;
            if (memtable_iter_new(&it, m) == RKV_ENOMEM) {
                failed = true;
                continue;
            }
            it->ops->seek(it, (slice){0});
            if (it->status == RKV_ENOMEM) {
                CHECK(!it->valid);
                failed = true;
                alloc_fail_after(-1);
                it->ops->seek(it, (slice){0});
                alloc_fail_after(n % 5);
            }
            uint64_t seen = 0;
            for (; it->valid; it->ops->next(it)) seen++;
            CHECK(it->status == RKV_OK && seen == i + 1);
            iter_close(it);
        }
        alloc_fail_after(-1);
        memtable_unref(m);
    }
}

/* --- threads --------------------------------------------------------------------------------------------------------------- */

/* The writer gives key number k the versions 1, 2, 3 ... in rounds; a payload says which key and version it belongs to. */
enum { SHARED_KEYS = 500, READERS = 3 };

typedef struct shared {
    memtable *m;
    int rounds;
    atomic_uint version; /* all keys have it */
    atomic_bool done;
} shared;

static slice shared_key(uint8_t key[16], uint32_t number) {
    put_be64(key, hash_mix(number) % 4);
    put_be64(key + 8, number);
    return slice_of(key, 16);
}

static void check_payload(const cell *c, uint32_t number) {
    CHECK(c->payload.size == 12 + number % 64);
    CHECK(get_fixed32(c->payload.data) == number && get_fixed64(c->payload.data + 4) == c->hlc);
}

static void *write_rounds(void *argument) {
    shared *s = argument;
    for (uint32_t version = 1; version <= (uint32_t)s->rounds; version++) {
        for (uint32_t i = 0; i < SHARED_KEYS; i++) {
            uint32_t number = (i * 7919 + version) % SHARED_KEYS;
            uint8_t bytes[16], payload[80] = {0};
            put_fixed32(payload, number);
            put_fixed64(payload + 4, version);
            cell c = {.hlc = version, .payload = slice_of(payload, 12 + number % 64)};
            CHECK(apply(s->m, shared_key(bytes, number), &c) == RKV_OK);
        }
        atomic_store(&s->version, version);
    }
    atomic_store(&s->done, true);
    return NULL;
}

static void read_some(shared *s, uint64_t *random) {
    for (int i = 0; i < 200; i++) {
        *random += 0x9e3779b97f4a7c15ULL;
        uint32_t number = (uint32_t)(hash_mix(*random) % SHARED_KEYS), version = atomic_load(&s->version);
        uint8_t bytes[16];
        slice key = shared_key(bytes, number);
        cell c;
        memtable_prefetch(s->m, hash_of(key));
        int rc = memtable_get(s->m, key, hash_of(key), &c);
        CHECK(rc == RKV_OK || version == 0);
        if (rc != RKV_OK) continue;
        CHECK(c.hlc >= version);
        check_payload(&c, number);
    }
}

/* A view of one moment: at least what was complete before, no two versions apart, and the same both ways. */
static void view_some(shared *s, bool backward) {
    uint32_t version = atomic_load(&s->version), seen = 0;
    iter *it;
    uint64_t sum[2] = {0}, low = UINT64_MAX, high = 0;
    OK(memtable_iter_new(&it, s->m));
    for (int way = 0; way < 2; way++) {
        bool down = backward != (way == 1);
        if (down)
            it->ops->seek_for_prev(it, (slice){0});
        else
            it->ops->seek(it, (slice){0});
        for (seen = 0; it->valid; seen++) {
            check_payload(&it->cell, (uint32_t)get_be64(it->key.data + 8));
            if (it->cell.hlc < low) low = it->cell.hlc;
            if (it->cell.hlc > high) high = it->cell.hlc;
            sum[way] += hash_mix(it->cell.hlc * SHARED_KEYS + get_be64(it->key.data + 8));
            if (down)
                it->ops->prev(it);
            else
                it->ops->next(it);
        }
        OK(it->status);
        CHECK(version == 0 || (seen == SHARED_KEYS && low >= version && high <= low + 1));
    }
    CHECK(sum[0] == sum[1]);
    iter_close(it);
}

static void *read_rounds(void *argument) {
    shared *s = argument;
    uint64_t random = (uint64_t)(uintptr_t)&random;
    for (int i = 0; !atomic_load(&s->done); i++) {
        read_some(s, &random);
        view_some(s, i % 2);
        memtable_stats stats;
        memtable_get_stats(s->m, &stats);
        CHECK(stats.keys <= SHARED_KEYS && memtable_unsorted(s->m) <= (uint64_t)s->rounds * SHARED_KEYS);
    }
    memtable_unref(s->m);
    return NULL;
}

static void test_readers_beside_a_writer(void) {
    shared s = {.rounds = 200};
    OK(memtable_new(&s.m, 32 << 20, &seed));
    pthread_t threads[READERS + 1];
    for (int i = 0; i < READERS; i++) {
        memtable_ref(s.m);
        CHECK(pthread_create(&threads[i], NULL, read_rounds, &s) == 0);
    }
    CHECK(pthread_create(&threads[READERS], NULL, write_rounds, &s) == 0);
    for (int i = 0; i <= READERS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    view_some(&s, false);
    memtable_unref(s.m);
}

/* New keys all the time, so that the index grows under the readers. */
static void *write_new_keys(void *argument) {
    shared *s = argument;
    for (uint32_t number = 1; number <= (uint32_t)s->rounds; number++) {
        uint8_t bytes[16];
        cell c = {.hlc = number};
        CHECK(apply(s->m, shared_key(bytes, number), &c) == RKV_OK);
        atomic_store(&s->version, number);
    }
    atomic_store(&s->done, true);
    return NULL;
}

static void *read_new_keys(void *argument) {
    shared *s = argument;
    uint64_t random = 1;
    while (!atomic_load(&s->done)) {
        random += 0x9e3779b97f4a7c15ULL;
        uint32_t there = atomic_load(&s->version);
        uint32_t number = 1 + (uint32_t)(hash_mix(random) % (2 * there + 1));
        uint8_t bytes[16];
        slice key = shared_key(bytes, number);
        cell c;
        int rc = memtable_get(s->m, key, hash_of(key), &c);
        CHECK(rc == RKV_OK || (rc == RKV_NOTFOUND && number > there));
        if (rc == RKV_OK) CHECK(c.hlc == number);
    }
    return NULL;
}

static void test_index_grows_under_readers(void) {
    shared s = {.rounds = 100000};
    OK(memtable_new(&s.m, 16 << 20, &seed));
    pthread_t threads[READERS + 1];
    for (int i = 0; i <= READERS; i++)
        CHECK(pthread_create(&threads[i], NULL, i ? read_new_keys : write_new_keys, &s) == 0);
    for (int i = 0; i <= READERS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    memtable_unref(s.m);
}

int main(void) {
    begin_random("noise");
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)draw(256);
    RUN(test_empty);
    RUN(test_winners_and_order);
    RUN(test_order_of_arrival_is_nothing);
    RUN(test_marks_are_snapshots);
    RUN(test_sequences);
    RUN(test_index_grows);
    RUN(test_reservations);
    RUN(test_limits_of_a_cell);
    RUN(test_every_allocation_may_fail);
    RUN(test_readers_beside_a_writer);
    RUN(test_index_grows_under_readers);
    return check_done();
}
