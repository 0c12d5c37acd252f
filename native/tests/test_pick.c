/* test_pick.c: versions and the choice of compactions, without any file: tables are made up, and a made-up compaction carries out what is picked. */
#include <stdio.h>

#include "check.h"
#include "db_twin.h"
#include "lsm/pick.h"

enum { KEYS = 1000, TABLE = 100 };

static uint64_t numbers;

static slice name_of(unsigned key, char out[16]) {
    return slice_of(out, (size_t)snprintf(out, 16, "common%04u", key));
}

static unsigned key_of(slice name) {
    unsigned key = 0;
    for (size_t i = 6; i < name.size; i++) key = key * 10 + (unsigned)(name.data[i] - '0');
    return key;
}

static table_file *table_of(unsigned smallest, unsigned largest, uint64_t size) {
    char a[16], b[16];
    table_props p = {.number = ++numbers, .size = size, .entries = size, .min_hlc = 10, .max_hlc = 20};
    slice x = name_of(smallest, a), y = name_of(largest, b);
    table_file *f;
    OK(buf_append(&p.smallest, x.data, x.size));
    OK(buf_append(&p.largest, y.data, y.size));
    OK(table_file_new(&f, &p, NULL, NULL));
    return f;
}

/* base with one more table; takes base. */
static version *with(version *base, unsigned level, table_file *f) {
    version_add add = {f, level};
    version_change change = {.added = &add, .added_count = 1, .rdels = base ? base->rdels : NULL};
    version *v;
    OK(version_new(&v, base, &change));
    version_unref(base);
    table_file_unref(f);
    return v;
}

static version *with_range(version *base, unsigned begin, unsigned end, uint64_t hlc, uint64_t number) {
    char a[16], b[16];
    rdel r = {name_of(begin, a), name_of(end, b), hlc, 1, number};
    rdel_set *set, *old = base ? base->rdels : NULL;
    OK(rdel_set_add(&set, old, &r, 1));
    version_change change = {.rdels = set};
    version *v;
    OK(version_new(&v, base, &change));
    rdel_set_unref(set);
    version_unref(base);
    return v;
}

static pick_options options(void) {
    return (pick_options){.l0_trigger = 4,
                          .level_bytes = 10 * TABLE,
                          .multiplier = 4,
                          .table_bytes = TABLE,
                          .now_ms = 1000,
                          .horizon_min = UINT64_MAX,
                          .mem_min_hlc = UINT64_MAX};
}

/* --- versions ------------------------------------------------------------------------------------------------------------------ */

static void test_search_in_a_level(void) {
    dice d = {dice_seed("levels", 1)};
    for (int round = 0; round < 200; round++) {
        version *v = NULL;
        bool covered[KEYS + 1] = {0};
        unsigned at = (unsigned)dice_below(&d, 50);
        while (at < KEYS) {
            unsigned end = at + (unsigned)dice_below(&d, 30);
            if (end >= KEYS) break;
            v = with(v, 2, table_of(at, end, 1));
            for (unsigned k = at; k <= end; k++) covered[k] = true;
            at = end + 1 + (unsigned)dice_below(&d, 30);
        }
        if (!v) continue;
        for (unsigned k = 0; k < KEYS; k++) {
            char name[16];
            table_file *f = level_file(&v->levels[2], name_of(k, name));
            CHECK((f != NULL) == covered[k]);
            CHECK(!f || table_in_range(f, name_of(k, name)));
        }
        /* Keys that do not share the level's prefix, or are nothing but it. */
        CHECK(level_find(&v->levels[2], slice_text("commo")) == 0 &&
              level_find(&v->levels[2], slice_text("common")) == 0);
        CHECK(level_find(&v->levels[2], slice_text("comnon0500")) == v->levels[2].count);
        CHECK(level_find(&v->levels[2], (slice){0}) == 0 && !level_file(&v->levels[2], slice_text("a")));
        version_unref(v);
    }
}

static void test_versions_refuse_nonsense(void) {
    version *v = with(NULL, 1, table_of(10, 20, 1)), *none = NULL;
    table_file *overlapping = table_of(20, 30, 1), *other = table_of(40, 50, 1);
    version_add add = {overlapping, 1};
    version_change change = {.added = &add, .added_count = 1};
    CHECK(version_new(&none, v, &change) == RKV_ECORRUPT);
    change = (version_change){.removed = &other, .removed_count = 1};
    CHECK(version_new(&none, v, &change) == RKV_ECORRUPT);
    table_file_unref(overlapping);
    table_file_unref(other);
    version_unref(v);
}

/* --- single picks ---------------------------------------------------------------------------------------------------------------- */

static int pick_of(version *v, pick_options o, pick *out) {
    pick_cursor cursor = {0};
    int rc = pick_next(out, v, &o, &cursor);
    pick_cursor_clear(&cursor);
    return rc;
}

static void test_level_0_as_a_whole(void) {
    pick p;
    version *v = with(with(NULL, 1, table_of(0, 400, TABLE)), 1, table_of(500, 999, TABLE));
    for (int i = 0; i < 3; i++) v = with(v, 0, table_of(100, 200, TABLE));
    CHECK(pick_of(v, options(), &p) == RKV_END);
    v = with(v, 0, table_of(150, 300, TABLE));
    OK(pick_of(v, options(), &p));
    CHECK(p.kind == PICK_MERGE && p.level == 0 && p.output == 1 && p.upper_count == 4 && p.count == 5);
    pick_clear(&p);
    version_unref(v);
}

static void test_what_stands_alone_moves(void) {
    pick p;
    version *v = with(NULL, 1, table_of(0, 90, TABLE));
    for (unsigned i = 0; i < 4; i++) v = with(v, 0, table_of(100 + 100 * i, 190 + 100 * i, TABLE));
    OK(pick_of(v, options(), &p));
    CHECK(p.kind == PICK_MOVE && p.upper_count == 4 && p.output == 1);
    pick_clear(&p);
    v = with(v, 0, table_of(150, 250, TABLE)); /* overlaps the first two */
    OK(pick_of(v, options(), &p));
    CHECK(p.kind == PICK_MOVE && p.upper_count == 2);
    pick_clear(&p);
    version_unref(v);
}

static void test_least_overlap_first(void) {
    pick p;
    version *v = NULL;
    for (unsigned i = 0; i < 11; i++) v = with(v, 1, table_of(i * 50, i * 50 + 40, TABLE));
    for (unsigned i = 0; i < 11; i++)
        for (unsigned k = 0; k < 1 + (i != 7); k++)
            v = with(v, 2, table_of(i * 50 + 20 * k, i * 50 + 20 * k + 10, TABLE));
    OK(pick_of(v, options(), &p));
    CHECK(p.kind == PICK_MERGE && p.level == 1 && p.output == 2 && p.upper_count == 1 && p.count == 2);
    CHECK(key_of(table_smallest(p.inputs[0])) == 350);
    pick_clear(&p);
    version_unref(v);
}

static void test_covered_tables_go_unread(void) {
    pick p;
    version *v = with(with(NULL, 3, table_of(100, 200, TABLE)), 3, table_of(300, 400, TABLE));
    v = with_range(v, 50, 250, 21, 100);
    OK(pick_of(v, options(), &p));
    CHECK(p.kind == PICK_DROP && p.level == 3 && p.count == 1 && key_of(table_smallest(p.inputs[0])) == 100);
    pick_clear(&p);
    version_unref(v);
}

static void test_partly_covered_is_rewritten_once(void) {
    pick p;
    table_file *f = table_of(100, 200, TABLE);
    version *v = with_range(with(NULL, 3, f), 150, 250, 21, 100);
    f->clean = 100;
    OK(pick_of(v, options(), &p));
    CHECK(p.kind == PICK_MERGE && p.level == 3 && p.output == 3 && p.count == 1);
    pick_clear(&p);
    f->clean = 101; /* as it would be after the rewrite */
    CHECK(pick_of(v, options(), &p) == RKV_END);
    version_unref(v);
}

static void test_dead_tables(void) {
    pick p;
    table_file *f = table_of(100, 200, TABLE);
    version *v = with(NULL, 3, f);
    pick_options o = options();
    f->props.tombstones = TABLE * DEAD_PERCENT / 100;
    CHECK(pick_of(v, o, &p) == RKV_END);
    f->props.tombstones++;
    OK(pick_of(v, o, &p));
    CHECK(p.level == 3 && p.output == 3);
    pick_clear(&p);
    o.horizon_min = 20; /* a replica may lack them */
    CHECK(pick_of(v, o, &p) == RKV_END);
    o.horizon_min = UINT64_MAX;
    o.mem_min_hlc = 20; /* something as old may lie in a memtable */
    CHECK(pick_of(v, o, &p) == RKV_END);
    o.mem_min_hlc = UINT64_MAX;
    v = with(v, 1, table_of(150, 160, TABLE)); /* or in a table */
    CHECK(pick_of(v, o, &p) == RKV_END);
    v = with(v, 4, table_of(150, 160, TABLE)); /* merge with what lies below */
    OK(pick_of(v, o, &p));
    CHECK(p.level == 3 && p.output == 4 && p.count == 2);
    pick_clear(&p);
    version_unref(v);
}

static void test_expired_tables(void) {
    pick p;
    table_file *f = table_of(100, 200, TABLE);
    version *v = with(NULL, 3, f);
    pick_options o = options();
    f->props.expiring = TABLE;
    f->props.min_expires_ms = 900;
    f->props.max_expires_ms = 1300; /* a quarter of them by now */
    CHECK(pick_of(v, o, &p) == RKV_END);
    o.now_ms = 1100;
    OK(pick_of(v, o, &p));
    pick_clear(&p);
    version_unref(v);
}

/* --- whole histories --------------------------------------------------------------------------------------------------------------- */

/* Carry out a pick as a compaction would: merged key ranges, cut into tables; some of it vanishes. */
static version *carry_out(dice *d, version *v, const pick *p, const pick_options *o) {
    version_add added[400];
    size_t count = 0;
    if (p->kind == PICK_MOVE)
        for (size_t i = 0; i < p->count; i++) added[count++] = (version_add){p->inputs[i], p->output};
    if (p->kind == PICK_MERGE) {
        static bool there[KEYS];
        uint64_t bytes = 0;
        memset(there, 0, sizeof there);
        for (size_t i = 0; i < p->count; i++) {
            bytes += p->inputs[i]->props.size;
            for (unsigned k = key_of(table_smallest(p->inputs[i])); k <= key_of(table_largest(p->inputs[i])); k++)
                there[k] = true;
        }
        unsigned keys = 0;
        for (unsigned k = 0; k < KEYS; k++) keys += there[k];
        cutter c;
        cutter_init(&c, v, p->output, o->table_bytes);
        uint64_t size = 0;
        unsigned first = KEYS, last = 0;
        for (unsigned k = 0; k <= KEYS; k++) {
            char name[16];
            if (k < KEYS && !there[k]) continue;
            if (first < KEYS && (k == KEYS || cutter_cuts(&c, name_of(k, name), size))) {
                CHECK(size < 2 * o->table_bytes + bytes / keys + 1 && count < 400);
                table_file *f = table_of(first, last, size ? size : 1);
                f->clean = numbers + 1;
                added[count++] = (version_add){f, p->output};
                first = KEYS;
                size = 0;
            }
            if (k == KEYS) break;
            if (first == KEYS) first = k;
            last = k;
            size += bytes / keys * (dice_one_in(d, 8) ? 0 : 1);
        }
    }
    version_change change = {added, count, p->inputs, p->count, v->rdels};
    version *next;
    OK(version_new(&next, v, &change));
    if (p->kind == PICK_MERGE)
        for (size_t i = 0; i < count; i++) table_file_unref(added[i].file);
    version_unref(v);
    return next;
}

/* A job takes all that it overlaps below: no key changes its order of arrival. */
static void check_pick(const version *v, const pick *p) {
    CHECK(p->count > 0 && p->upper_count <= p->count && p->output < LEVELS);
    if (p->kind == PICK_DROP || p->output == p->level) return;
    for (size_t i = 0; i < p->upper_count; i++) {
        size_t first;
        size_t n =
            level_overlap(&v->levels[p->output], table_smallest(p->inputs[i]), table_largest(p->inputs[i]), &first);
        CHECK(p->kind == PICK_MERGE || n == 0);
        for (size_t k = 0; k < n; k++) {
            bool taken = false;
            for (size_t m = p->upper_count; m < p->count; m++)
                taken |= p->inputs[m] == v->levels[p->output].files[first + k];
            CHECK(taken);
        }
    }
}

static void test_histories_end_in_balance(void) {
    dice d = {dice_seed("histories", 1)};
    for (int round = 0; round < 30; round++) {
        pick_options o = options();
        pick_cursor cursor = {0};
        version *v = NULL;
        for (int step = 0; step < 150; step++) {
            unsigned begin = (unsigned)dice_below(&d, KEYS), end = begin + (unsigned)dice_below(&d, KEYS - begin);
            v = with(v, 0, table_of(begin, end, 1 + dice_below(&d, 3 * TABLE)));
            if (dice_one_in(&d, 30)) v = with_range(v, begin, end + 1, 15 + dice_below(&d, 10), ++numbers);
            for (int jobs = 0;; jobs++) {
                pick p;
                int rc = pick_next(&p, v, &o, &cursor);
                if (rc == RKV_END) break;
                OK(rc);
                CHECK(jobs < 2000); /* every pick makes progress */
                check_pick(v, &p);
                v = carry_out(&d, v, &p, &o);
                pick_clear(&p);
            }
            for (unsigned n = 0; n + 1 < LEVELS; n++) CHECK(pick_score(v, &o, n) <= 1);
            CHECK(pick_debt(v, &o) == 0);
        }
        pick_cursor_clear(&cursor);
        version_unref(v);
    }
}

int main(void) {
    RUN(test_search_in_a_level);
    RUN(test_versions_refuse_nonsense);
    RUN(test_level_0_as_a_whole);
    RUN(test_what_stands_alone_moves);
    RUN(test_least_overlap_first);
    RUN(test_covered_tables_go_unread);
    RUN(test_partly_covered_is_rewritten_once);
    RUN(test_dead_tables);
    RUN(test_expired_tables);
    RUN(test_histories_end_in_balance);
    return check_done();
}
