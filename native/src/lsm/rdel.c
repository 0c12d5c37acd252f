/* rdel.c: laying range deletions over each other; see rdel.h. */
#include "lsm/rdel.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"

/* Order of upper bounds, where an empty one lies beyond all. */
static int end_compare(slice a, slice b) {
    if (a.size == 0 || b.size == 0) return (a.size == 0) - (b.size == 0);
    return slice_compare(a, b);
}

/* Is the upper bound above key? */
static bool end_above(slice end, slice key) {
    return end.size == 0 || slice_compare(end, key) > 0;
}

static slice later(slice a, slice b) {
    return slice_compare(a, b) > 0 ? a : b;
}

/* A list of fragments whose keys belong to somebody else. */
typedef struct fragments {
    rdel *items;
    size_t count;
} fragments;

/* Append [begin, end) as deleted by r, joined to the fragment before it where that is the same deletion. */
static void fragments_push(fragments *f, slice begin, slice end, const rdel *r) {
    if (!end_above(end, begin)) return;
    rdel *last = f->count ? &f->items[f->count - 1] : NULL;
    if (last && last->hlc == r->hlc && last->node == r->node && last->number == r->number &&
        slice_equal(last->end, begin) && begin.size) {
        last->end = end;
        return;
    }
    f->items[f->count++] = (rdel){begin, end, r->hlc, r->node, r->number};
}

/* *out = base with r over it. out has room for 2 * base->count + 1: each fragment is cut at most at r's two ends. */
static void overlay(fragments *out, const fragments *base, const rdel *r) {
    slice begin = r->begin; /* of the part of r that is not placed yet */
    bool left = true;
    out->count = 0;
    for (size_t i = 0; i < base->count; i++) {
        const rdel *f = &base->items[i];
        if (!left || !end_above(f->end, begin)) {
            fragments_push(out, f->begin, f->end, f);
            continue;
        }
        if (r->end.size && slice_compare(f->begin, r->end) >= 0) {
            fragments_push(out, begin, r->end, r);
            left = false;
            fragments_push(out, f->begin, f->end, f);
            continue;
        }
        if (slice_compare(f->begin, begin) > 0) {
            fragments_push(out, begin, f->begin, r);
        } else if (begin.size) { /* as an upper bound, an empty begin would mean the end of all keys */
            fragments_push(out, f->begin, begin, f);
        }
        slice from = later(f->begin, begin);
        slice to = end_compare(f->end, r->end) < 0 ? f->end : r->end;
        fragments_push(out, from, to, version_compare(f->hlc, f->node, r->hlc, r->node) < 0 ? r : f);
        left = end_compare(f->end, r->end) < 0;
        if (left) begin = f->end;
        if (!left && end_compare(f->end, r->end) > 0) fragments_push(out, r->end, f->end, f);
    }
    if (left) fragments_push(out, begin, r->end, r);
}

/* Copy fragments and their keys into one allocation. */
static int set_pack(rdel_set **out, const rdel *items, size_t count) {
    if (count == 0) {
        *out = NULL;
        return RKV_OK;
    }
    size_t bytes = sizeof(rdel_set) + count * sizeof(rdel);
    size_t keys = bytes;
    for (size_t i = 0; i < count; i++) bytes += items[i].begin.size + items[i].end.size;
    rdel_set *set = mem_alloc(bytes);
    if (!set) return alloc_failed(bytes);
    atomic_init(&set->refs, 1);
    set->count = count;
    uint8_t *p = (uint8_t *)set + keys;
    for (size_t i = 0; i < count; i++) {
        rdel *r = &set->items[i];
        *r = items[i];
        if (r->begin.size) memcpy(p, r->begin.data, r->begin.size);
        r->begin.data = p;
        p += r->begin.size;
        if (r->end.size) memcpy(p, r->end.data, r->end.size);
        r->end.data = p;
        p += r->end.size;
    }
    *out = set;
    return RKV_OK;
}

int rdel_set_add(rdel_set **out, const rdel_set *base, const rdel *items, size_t count) {
    size_t room = 2 * (rdel_set_count(base) + count) + 1;
    fragments a = {mem_alloc(2 * room * sizeof(rdel)), 0};
    if (!a.items) return alloc_failed(2 * room * sizeof(rdel));
    fragments b = {a.items + room, 0};
    void *block = a.items;
    for (size_t i = 0; base && i < base->count; i++) a.items[a.count++] = base->items[i];
    for (size_t i = 0; i < count; i++) {
        if (!end_above(items[i].end, items[i].begin)) continue; /* an empty range would cut fragments apart */
        overlay(&b, &a, &items[i]);
        assert(b.count <= room);
        fragments swap = a;
        a = b;
        b = swap;
    }
    int rc = set_pack(out, a.items, a.count);
    mem_free(block);
    return rc;
}

int rdel_set_select(rdel_set **out, const rdel_set *set, const bool *keep) {
    size_t count = 0;
    size_t all = rdel_set_count(set);
    rdel *items = mem_alloc(all * sizeof *items);
    if (!items) return alloc_failed(all * sizeof *items);
    for (size_t i = 0; i < all; i++)
        if (keep[i]) items[count++] = set->items[i];
    int rc = set_pack(out, items, count);
    mem_free(items);
    return rc;
}

rdel_set *rdel_set_ref(rdel_set *set) {
    if (set) atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void rdel_set_unref(rdel_set *set) {
    if (set && atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) == 1) mem_free(set);
}

/* Index of the first fragment that ends above key. */
static size_t first_above(const rdel_set *set, slice key) {
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (end_above(set->items[middle].end, key))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const rdel *rdel_set_find(const rdel_set *set, slice key) {
    if (!set) return NULL;
    size_t i = first_above(set, key);
    if (i == set->count || slice_compare(set->items[i].begin, key) > 0) return NULL;
    return &set->items[i];
}

bool rdel_set_covers(const rdel_set *set, slice key, uint64_t hlc, uint32_t node) {
    const rdel *r = rdel_set_find(set, key);
    return r && version_compare(hlc, node, r->hlc, r->node) < 0;
}

bool rdel_touches(const rdel *r, slice smallest, slice largest) {
    return slice_compare(r->begin, largest) <= 0 && end_above(r->end, smallest);
}

bool rdel_set_covers_all(const rdel_set *set, slice smallest, slice largest, uint64_t max_hlc) {
    if (!set) return false;
    slice at = smallest;
    for (size_t i = first_above(set, at); i < set->count; i++) {
        const rdel *r = &set->items[i];
        if (slice_compare(r->begin, at) > 0 || r->hlc <= max_hlc) return false;
        if (end_above(r->end, largest)) return true;
        at = r->end;
    }
    return false;
}
