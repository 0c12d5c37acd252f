/* test_merge.c: the merge iterator against an obvious twin: the winner of each key over all children, sorted.
 *
 * The children are arrays that behave as badly as iter.h allows: the key and payload they show lie in a block of their own, which
 * is freed at the next move, so that AddressSanitizer sees a merge that holds on to them. Random tests print their seed;
 * SEED=n replays one.
 */
#include "base/alloc.h"
#include "base/hash.h"
#include "check.h"
#include "lsm/iter.h"

enum { KEYS_MAX = 200, CHILDREN_MAX = 9, KEY_BYTES = 24 };

static uint64_t state;

static uint64_t draw(uint64_t below) {
    state += 0x9e3779b97f4a7c15ULL;
    return hash_mix(state) % below;
}

static void begin_random(const char *name) {
    const char *text = getenv("SEED");
    state = text ? strtoull(text, NULL, 10) : 99;
    printf("%s: SEED=%llu\n", name, (unsigned long long)state);
}

/* --- keys and cells ------------------------------------------------------------------------------------------------------ */

typedef struct pool {
    size_t count;
    slice keys[KEYS_MAX];
    uint8_t bytes[KEYS_MAX][KEY_BYTES];
} pool;

static int compare_slices(const void *a, const void *b) {
    return slice_compare(*(const slice *)a, *(const slice *)b);
}

/* Keys in order, none twice: mostly with equal prefixes, some short and ending in zeros, one perhaps empty. */
static void pool_init(pool *p, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t size = draw(3) ? 8 + draw(KEY_BYTES - 7) : draw(9);
        for (size_t k = 0; k < size; k++) p->bytes[i][k] = (uint8_t)(k < 7 ? draw(30) == 0 : draw(3));
        p->keys[i] = slice_of(p->bytes[i], size);
    }
    qsort(p->keys, count, sizeof *p->keys, compare_slices);
    p->count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || !slice_equal(p->keys[i], p->keys[p->count - 1])) p->keys[p->count++] = p->keys[i];
}

typedef struct sorted {
    bool present[KEYS_MAX];
    cell cells[KEYS_MAX];
} sorted;

static const uint8_t payloads[8] = {0, 1, 2, 3, 4, 5, 6, 7};

static cell random_cell(void) {
    cell c = {.hlc = draw(4), .node = (uint32_t)draw(2)};
    if (draw(5) == 0)
        c.flags = CELL_TOMBSTONE;
    else
        c.payload = slice_of(payloads + draw(4), draw(4));
    return c;
}

/* --- a child ------------------------------------------------------------------------------------------------------------- */

typedef struct array_iter {
    iter it;
    const pool *p;
    const sorted *s;
    long at; /* pool index */
    uint8_t *shown;
    long *moves_left; /* of all children; the move after the last fails. NULL: none fails */
} array_iter;

static int open_children;

static void array_show(array_iter *a) {
    mem_free(a->shown);
    a->shown = NULL;
    a->it.status = RKV_OK;
    a->it.valid = a->at >= 0 && a->at < (long)a->p->count;
    if (a->moves_left && (*a->moves_left)-- <= 0) {
        a->it.valid = false;
        a->it.status = RKV_EIO;
    }
    if (!a->it.valid) return;
    slice key = a->p->keys[a->at];
    a->it.cell = a->s->cells[a->at];
    slice payload = a->it.cell.payload;
    a->shown = malloc(key.size + payload.size + 1);
    if (key.size) memcpy(a->shown, key.data, key.size);
    if (payload.size) memcpy(a->shown + key.size, payload.data, payload.size);
    a->it.key = slice_of(a->shown, key.size);
    a->it.cell.payload = slice_of(a->shown + key.size, payload.size);
}

static void array_forward(array_iter *a) {
    while (a->at < (long)a->p->count && !a->s->present[a->at]) a->at++;
    array_show(a);
}

static void array_backward(array_iter *a) {
    while (a->at >= 0 && !a->s->present[a->at]) a->at--;
    array_show(a);
}

static void array_seek(iter *it, slice target) {
    array_iter *a = (array_iter *)it;
    for (a->at = 0; a->at < (long)a->p->count && slice_compare(a->p->keys[a->at], target) < 0;) a->at++;
    array_forward(a);
}

static void array_seek_for_prev(iter *it, slice target) {
    array_iter *a = (array_iter *)it;
    a->at = (long)a->p->count - 1;
    while (target.size && a->at >= 0 && slice_compare(a->p->keys[a->at], target) >= 0) a->at--;
    array_backward(a);
}

static void array_next(iter *it) {
    array_iter *a = (array_iter *)it;
    CHECK(it->valid);
    a->at++;
    array_forward(a);
}

static void array_prev(iter *it) {
    array_iter *a = (array_iter *)it;
    CHECK(it->valid);
    a->at--;
    array_backward(a);
}

static void array_close(iter *it) {
    mem_free(((array_iter *)it)->shown);
    mem_free(it);
    open_children--;
}

static const iter_ops array_ops = {array_seek, array_seek_for_prev, array_next, array_prev, array_close};

static iter *array_new(const pool *p, const sorted *s, long *moves_left) {
    array_iter *a = calloc(1, sizeof *a);
    a->it.ops = &array_ops;
    a->p = p;
    a->s = s;
    a->moves_left = moves_left;
    open_children++;
    return &a->it;
}

/* --- checks -------------------------------------------------------------------------------------------------------------- */

typedef struct scene {
    pool p;
    size_t children;
    sorted child[CHILDREN_MAX], all;
} scene;

enum density { SPARSE = 8, EVEN = 2, FULL = 1 };

static void scene_init(scene *s, size_t children, size_t keys, uint64_t density) {
    pool_init(&s->p, keys);
    s->children = children;
    memset(s->child, 0, sizeof s->child);
    memset(&s->all, 0, sizeof s->all);
    size_t owner = 0;
    for (size_t i = 0; i < s->p.count; i++) {
        if (draw(10) == 0 && children) owner = draw(children); /* runs of keys that one child has alone, too */
        for (size_t c = 0; c < children; c++) {
            if (density == SPARSE ? c != owner : draw(density) != 0) continue;
            cell got = random_cell();
            s->child[c].present[i] = true;
            s->child[c].cells[i] = got;
            if (s->all.present[i] && cell_compare(&got, &s->all.cells[i]) <= 0) continue;
            s->all.present[i] = true;
            s->all.cells[i] = got;
        }
    }
}

static iter *scene_merge(const scene *s, long *moves_left) {
    iter *children[CHILDREN_MAX], *it;
    for (size_t c = 0; c < s->children; c++) children[c] = array_new(&s->p, &s->child[c], moves_left);
    OK(merge_iter_new(&it, children, s->children));
    return it;
}

static void check_same(const iter *got, const iter *want) {
    CHECK(got->status == RKV_OK);
    CHECK(got->valid == want->valid);
    if (!got->valid) return;
    CHECK(slice_equal(got->key, want->key));
    CHECK(cell_compare(&got->cell, &want->cell) == 0);
}

static void to_the_start(iter *it, bool forward) {
    if (forward)
        it->ops->seek(it, (slice){0});
    else
        it->ops->seek_for_prev(it, (slice){0});
}

static void step(iter *it, bool forward) {
    if (forward)
        it->ops->next(it);
    else
        it->ops->prev(it);
}

static void check_walks(iter *got, iter *want) {
    for (int forward = 0; forward < 2; forward++) {
        to_the_start(got, forward);
        to_the_start(want, forward);
        for (check_same(got, want); want->valid; check_same(got, want)) {
            step(got, forward);
            step(want, forward);
        }
    }
}

static void check_random_moves(iter *got, iter *want, const pool *p, int moves) {
    while (moves--) {
        slice target = p->keys[draw(p->count)];
        target.size -= draw(3) == 0 && target.size ? 1 : 0;
        switch (want->valid ? draw(8) : draw(2)) {
        case 0:
            got->ops->seek(got, target);
            want->ops->seek(want, target);
            break;
        case 1:
            got->ops->seek_for_prev(got, target);
            want->ops->seek_for_prev(want, target);
            break;
        case 2:
        case 3:
        case 4:
            got->ops->next(got);
            want->ops->next(want);
            break;
        default: got->ops->prev(got); want->ops->prev(want);
        }
        check_same(got, want);
    }
}

/* --- tests --------------------------------------------------------------------------------------------------------------- */

static void test_against_the_twin(void) {
    static const uint64_t densities[] = {SPARSE, EVEN, FULL};
    begin_random("against_the_twin");
    scene *s = malloc(sizeof *s);
    for (int round = 0; round < 600; round++) {
        scene_init(s, (size_t)round % (CHILDREN_MAX + 1), 1 + draw(KEYS_MAX), densities[round % 3]);
        iter *got = scene_merge(s, NULL), *want = array_new(&s->p, &s->all, NULL);
        CHECK(!got->valid && got->status == RKV_OK);
        check_walks(got, want);
        check_random_moves(got, want, &s->p, 400);
        iter_close(got);
        iter_close(want);
        CHECK(open_children == 0);
    }
    free(s);
}

/* When the nth move of any child fails, the merge ends there with its error, having shown nothing wrong; a seek recovers. */
static void test_errors_of_children(void) {
    begin_random("errors_of_children");
    scene *s = malloc(sizeof *s);
    for (int round = 0; round < 40; round++) {
        scene_init(s, 2 + draw(CHILDREN_MAX - 1), 30, EVEN);
        bool forward = round % 2;
        for (long n = 0, failed = 1; failed; n++) {
            long left = n;
            iter *got = scene_merge(s, &left), *want = array_new(&s->p, &s->all, NULL);
            to_the_start(got, forward);
            to_the_start(want, forward);
            while (got->valid) {
                check_same(got, want);
                step(got, forward);
                step(want, forward);
            }
            failed = got->status != RKV_OK;
            CHECK(got->status == (left < 0 ? RKV_EIO : RKV_OK));
            CHECK(failed || !want->valid);
            left = 1000000;
            check_walks(got, want);
            iter_close(got);
            iter_close(want);
        }
    }
    free(s);
}

static void test_failed_allocation_closes_the_children(void) {
    scene *s = malloc(sizeof *s);
    for (size_t count = 0; count < 4; count++) {
        iter *children[4], *it;
        scene_init(s, count, 10, FULL);
        for (size_t c = 0; c < count; c++) children[c] = array_new(&s->p, &s->child[c], NULL);
        alloc_fail_after(0);
        int rc = merge_iter_new(&it, children, count);
        alloc_fail_after(-1);
        CHECK(rc == (count == 1 ? RKV_OK : RKV_ENOMEM)); /* one child needs nothing */
        if (rc == RKV_OK) iter_close(it);
        CHECK(open_children == 0);
    }
    free(s);
}

int main(void) {
    RUN(test_against_the_twin);
    RUN(test_errors_of_children);
    RUN(test_failed_allocation_closes_the_children);
    return check_done();
}
