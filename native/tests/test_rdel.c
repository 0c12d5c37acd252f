/* test_rdel.c: range deletions laid over each other against a list that is simply searched. */
#include "check.h"
#include "db_twin.h"
#include "lsm/rdel.h"

enum { POINTS = 24, LIST_MAX = 40 };

static slice point(unsigned n, uint8_t out[4]) {
    /* Point 0 is the empty key; prefixes are among the rest. */
    if (n == 0) return slice_of(out, 0);
    out[0] = (uint8_t)(n / 2);
    out[1] = 0;
    return slice_of(out, n % 2 ? 2 : 1);
}

/* The obvious answer: the newest of all that hold the key. */
static const rdel *newest(const rdel *list, size_t count, slice key) {
    const rdel *best = NULL;
    for (size_t i = 0; i < count; i++) {
        bool in =
            slice_compare(key, list[i].begin) >= 0 && (list[i].end.size == 0 || slice_compare(key, list[i].end) < 0);
        if (in && (!best || version_compare(list[i].hlc, list[i].node, best->hlc, best->node) > 0)) best = &list[i];
    }
    return best;
}

static void check_set(const rdel_set *set, const rdel *list, size_t count) {
    for (unsigned n = 0; n < POINTS; n++) {
        uint8_t bytes[4];
        slice key = point(n, bytes);
        const rdel *want = newest(list, count, key);
        const rdel *got = rdel_set_find(set, key);
        CHECK(!want == !got);
        if (!want) continue;
        CHECK(got->hlc == want->hlc && got->node == want->node);
        CHECK(rdel_set_covers(set, key, want->hlc - 1, 9) && !rdel_set_covers(set, key, want->hlc, want->node));
    }
    for (size_t i = 1; set && i < set->count; i++) {
        CHECK(set->items[i - 1].end.size > 0);
        CHECK(slice_compare(set->items[i - 1].end, set->items[i].begin) <= 0);
    }
}

static void check_ranges(dice *d, const rdel_set *set, const rdel *list, size_t count) {
    uint8_t a[4], b[4];
    unsigned low = (unsigned)dice_below(d, POINTS);
    unsigned high = low + (unsigned)dice_below(d, POINTS - low);
    uint64_t hlc = dice_below(d, 30);
    bool all = true;
    for (unsigned n = low; n <= high; n++) {
        uint8_t bytes[4];
        const rdel *r = newest(list, count, point(n, bytes));
        all &= r && r->hlc > hlc;
    }
    /* Between the points lie other keys, so the set may only be more careful than the points say. */
    bool covers = rdel_set_covers_all(set, point(low, a), point(high, b), hlc);
    CHECK(all || !covers);
}

static void test_overlays(void) {
    dice d = {dice_seed("range deletions", 1)};
    for (int round = 0; round < 3000; round++) {
        static uint8_t bytes[LIST_MAX][2][4];
        rdel list[LIST_MAX];
        rdel_set *set = NULL;
        size_t count = 1 + dice_below(&d, LIST_MAX - 1);
        for (size_t i = 0; i < count; i++) {
            unsigned begin = (unsigned)dice_below(&d, POINTS);
            unsigned end = begin + 1 + (unsigned)dice_below(&d, POINTS - begin);
            list[i] = (rdel){point(begin, bytes[i][0]), end == POINTS ? (slice){0} : point(end, bytes[i][1]),
                             1 + dice_below(&d, 25), (uint32_t)dice_below(&d, 3), i + 1};
        }
        for (size_t i = 0; i < count;) { /* in parts */
            size_t part = 1 + dice_below(&d, count - i);
            rdel_set *next;
            OK(rdel_set_add(&next, set, list + i, part));
            rdel_set_unref(set);
            set = next;
            i += part;
        }
        CHECK(set && set->count <= 2 * count);
        check_set(set, list, count);
        for (int i = 0; i < 10; i++) check_ranges(&d, set, list, count);
        rdel_set_unref(set);
    }
}

static void test_same_again_stays_one(void) {
    rdel all = {.hlc = 5, .node = 1, .number = 1};
    rdel_set *set = NULL;
    for (int i = 0; i < 5; i++) {
        rdel_set *next;
        all.hlc++;
        all.number++;
        OK(rdel_set_add(&next, set, &all, 1));
        rdel_set_unref(set);
        set = next;
    }
    CHECK(set->count == 1 && set->items[0].hlc == 10);
    CHECK(rdel_set_covers_all(set, (slice){0}, slice_text("zzz"), 9));
    CHECK(!rdel_set_covers_all(set, (slice){0}, slice_text("zzz"), 10));
    bool keep = false;
    rdel_set *none = set;
    OK(rdel_set_select(&none, set, &keep));
    CHECK(!none);
    rdel_set_unref(set);
}

static void test_touching_ranges_cover_together(void) {
    rdel parts[] = {{slice_text("a"), slice_text("c"), 9, 1, 1}, {slice_text("c"), slice_text("f"), 7, 1, 2}};
    rdel_set *set;
    OK(rdel_set_add(&set, NULL, parts, 2));
    CHECK(rdel_set_covers_all(set, slice_text("b"), slice_text("e"), 6));
    CHECK(!rdel_set_covers_all(set, slice_text("b"), slice_text("e"), 7));
    CHECK(!rdel_set_covers_all(set, slice_text("b"), slice_text("f"), 6));
    CHECK(rdel_touches(&parts[0], slice_text("b"), slice_text("b")) &&
          !rdel_touches(&parts[0], slice_text("c"), slice_text("d")));
    rdel_set_unref(set);
}

int main(void) {
    RUN(test_overlays);
    RUN(test_same_again_stays_one);
    RUN(test_touching_ranges_cover_together);
    return check_done();
}
