/* test_table_threads.c: threads that open the same table's blocks, filter and index at once, under a cache too small
 * for it, all get right answers (ThreadSanitizer).
 *
 * Random tests print their seed; SEED=n replays one, as far as the scheduler lets it.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"
#include "table_fixture.h"

enum { THREADS = 4, ROUNDS = 6, GETS = 1500 };

typedef struct worker {
    fixture *f;
    table *table;
    const twin *all;
    uint64_t rng;
    atomic_int *waiting; /* threads that have not come to the start */
} worker;

static void get_some(worker *w) {
    for (int i = 0; i < GETS; i++) {
        const twin_entry *e = &w->all->entries[draw_below(&w->rng, w->all->count)];
        uint64_t hash = hash_bytes(&w->f->options.seed, e->key);
        cell got;
        cache_entry *pin;
        table_prefetch(w->table, hash);
        CHECK(!table_excludes(w->table, hash));
        OK(table_get(w->table, e->key, hash, false, &got, &pin));
        CHECK(same_cell(&got, &e->cell));
        cache_release(w->f->options.cache, pin);
        table_excludes(w->table, ~hash);
    }
}

static void walk(worker *w, bool scan) {
    iter *it;
    OK(table_iter_new(&it, w->table, scan));
    size_t i = draw_below(&w->rng, w->all->count);
    for (it->ops->seek(it, w->all->entries[i].key); it->valid; it->ops->next(it), i++)
        CHECK(slice_equal(it->key, w->all->entries[i].key) && same_cell(&it->cell, &w->all->entries[i].cell));
    OK(it->status);
    CHECK(i == w->all->count);
    iter_close(it);
}

static void *work(void *context) {
    worker *w = context;
    atomic_fetch_sub(w->waiting, 1);
    while (atomic_load(w->waiting) > 0) continue; /* so that all come upon a table that nothing is loaded of */
    get_some(w);
    walk(w, false);
    walk(w, true);
    CHECK(table_memory(w->table) > 0);
    table_unref(w->table);
    return NULL;
}

static void race(fixture *f, const twin *all, uint64_t seed) {
    pthread_t threads[THREADS];
    worker workers[THREADS];
    atomic_int waiting = THREADS;
    table *t;
    OK(table_open(&t, &f->options, FIXTURE_PATH, FIXTURE_NUMBER, f->props.size));
    for (int i = 0; i < THREADS; i++) {
        table_ref(t);
        workers[i] = (worker){f, t, all, seed + (uint64_t)i, &waiting};
        CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    table_unref(t); /* the last thread closes it */
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

static void test_race(void) {
    uint64_t seed = test_seed();
    for (int round = 0; round < ROUNDS; round++) {
        table_options o = table_fixture_options();
        if (round % 3 == 1) o.compression = TABLE_LZ4;
        if (round % 3 == 2) o.resident_max = 1;
        twin all = twin_new(SET_TEXT, seed + (uint64_t)round);
        fixture f = table_fixture_new(&all, &o);
        cache_set_capacity(f.options.cache, 64 * 1024);
        race(&f, &all, seed + 100 * (uint64_t)round);
        table_fixture_free(&f);
        twin_free(&all);
    }
}

int main(void) {
    RUN(test_race);
    return check_done();
}
