/* memtable_order.c: makes order of a memtable's entries when somebody asks: radix sort into runs, merges of runs.
 *
 *   arena:  [ in runs            ][ tail, unsorted     ][ after the mark ]
 *   runs:   [================][====][=]  <- tail becomes one more; while its left neighbour is less than RATIO times as large they merge
 *
 * So an entry is moved O(log n) times over all sorts, and an iterator meets O(log n) runs. A tail that already
 * ascends (sequential load) is only copied, and two runs that do not overlap are only joined.
 *
 * The sort: the first 8 key bytes as a number, of which a window of DIGITS digits, from the highest bit in which any two differ,
 * is sorted lowest digit first; the few that tie in the window are sorted by the rest in the same way. Keys that agree in all 8
 * bytes are then taken group by group: what the whole group has in common is skipped, and the next 8 bytes decide. Equal keys end
 * newest (highest unit) first.
 *
 * Threads: any; one sorts at a time, under order_lock. Runs are immutable once in the list.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/memtable_parts.h"

enum {
    RATIO = 2,
    INSERTION_MAX = 48,  /* below it moving neighbours is cheaper than counting digits */
    GATHER_AHEAD = 2048, /* bytes */
    GROUP_AHEAD = 64,    /* items */
    MAPPED_MIN = 2 << 20,
    DIGITS = 2,
    DIGIT_BITS_MAX =
        11, /* of half a million random keys one in ten ties in 22 bits and is put right among its neighbours */
    DIGIT_BITS_FEW = 6, /* for few items, which would count in vain through 2,048 digits */
    FEW = 4096,
};

typedef struct sorter {
    const memtable *m;
    run_item *spare; /* room for as many items as are sorted */
} sorter;

static slice key_of(const memtable *m, const run_item *item) {
    return entry_key(entry_at(m, item->unit));
}

int run_item_compare(const memtable *m, const run_item *a, const run_item *b) {
    if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
    int order = slice_compare(key_of(m, a), key_of(m, b));
    return order ? order : (a->unit < b->unit) - (a->unit > b->unit);
}

/* --- sort ------------------------------------------------------------------------------------------------------------------ */

static void insertion_sort(run_item *items, size_t count) {
    for (size_t i = 1; i < count; i++) {
        run_item item = items[i];
        size_t k = i;
        for (; k > 0 && items[k - 1].prefix > item.prefix; k--) items[k] = items[k - 1];
        items[k] = item;
    }
}

static void prefix_sort(sorter *s, run_item *items, size_t count);

/* One pass over the digit of `bits` bits from `shift` up. */
static void digit_sort(const run_item *from, run_item *to, size_t count, unsigned shift, unsigned bits) {
    uint32_t next[1 << DIGIT_BITS_MAX];
    uint32_t mask = (1u << bits) - 1, sum = 0;
    memset(next, 0, (mask + 1) * sizeof *next);
    for (size_t i = 0; i < count; i++) next[from[i].prefix >> shift & mask]++;
    for (uint32_t v = 0; v <= mask; v++) {
        uint32_t here = next[v];
        next[v] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++) to[next[from[i].prefix >> shift & mask]++] = from[i];
}

static void radix_sort(sorter *s, run_item *items, size_t count) {
    uint64_t differ = 0;
    for (size_t i = 1; i < count; i++) differ |= items[i].prefix ^ items[0].prefix;
    if (!differ) return;
    unsigned digit_bits = count < FEW ? DIGIT_BITS_FEW : DIGIT_BITS_MAX;
    unsigned bits = 64 - (unsigned)__builtin_clzll(differ);
    unsigned shift = bits > DIGITS * digit_bits ? bits - DIGITS * digit_bits : 0;
    run_item *from = items, *to = s->spare;
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        digit_sort(from, to, count, shift + digit * digit_bits, digit_bits);
        run_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, count * sizeof *items);
    for (size_t i = 0, end; shift && i < count; i = end) {
        uint64_t top = items[i].prefix >> shift;
        for (end = i + 1; end < count && items[end].prefix >> shift == top; end++) {
        }
        if (end - i > 1) prefix_sort(s, items + i, end - i);
    }
}

/* By prefix, keeping the order of equals. */
static void prefix_sort(sorter *s, run_item *items, size_t count) {
    if (count <= INSERTION_MAX)
        insertion_sort(items, count);
    else
        radix_sort(s, items, count);
}

/* The first place, from `from` on, where a and b differ or one ends. */
static size_t mismatch(slice a, slice b, size_t from) {
    size_t limit = a.size < b.size ? a.size : b.size;
    for (; from + 8 <= limit; from += 8) {
        uint64_t differ = get_fixed64(a.data + from) ^ get_fixed64(b.data + from);
        if (differ) return from + (size_t)__builtin_ctzll(differ) / 8;
    }
    while (from < limit && a.data[from] == b.data[from]) from++;
    return from;
}

/* Up to where all keys of the group agree; they do up to `from`. *out_shortest: the size of the shortest. */
static size_t common_size(const memtable *m, const run_item *items, size_t count, size_t from, size_t *out_shortest) {
    slice common = key_of(m, &items[0]);
    size_t shortest = common.size;
    for (size_t i = 1; i < count; i++) {
        slice key = key_of(m, &items[i]);
        if (key.size < shortest) shortest = key.size;
        common.size = mismatch(common, key, from);
    }
    *out_shortest = shortest;
    return common.size;
}

/* Move the keys of exactly this size (equal, all of them) to the front, newest first, the others behind in their old order. */
static size_t ended_first(sorter *s, run_item *items, size_t count, size_t size) {
    size_t ended = 0, others = 0;
    for (size_t i = 0; i < count; i++) {
        if (key_of(s->m, &items[i]).size == size)
            s->spare[count - 1 - ended++] = items[i];
        else
            items[others++] = items[i];
    }
    memmove(items + ended, items, others * sizeof *items);
    memcpy(items, s->spare + count - ended, ended * sizeof *items);
    return ended;
}

static void groups_sort(sorter *s, run_item *items, size_t count, size_t from, bool keep_prefix);

/* Order items whose keys agree up to `from`, oldest first on entry. Spoils their prefixes. */
static void group_sort(sorter *s, run_item *items, size_t count, size_t from) {
    size_t shortest, common = common_size(s->m, items, count, from, &shortest);
    size_t ended = shortest == common ? ended_first(s, items, count, common) : 0;
    items += ended;
    count -= ended;
    if (count < 2) return;
    for (size_t i = 0; i < count; i++) items[i].prefix = key_chunk(key_of(s->m, &items[i]), common);
    prefix_sort(s, items, count);
    groups_sort(s, items, count, common, false);
}

/* Order the groups of equal prefix within items sorted by prefix. */
static void groups_sort(sorter *s, run_item *items, size_t count, size_t from, bool keep_prefix) {
    size_t fetched = 0;
    for (size_t i = 0, end; i < count; i = end) {
        uint64_t prefix = items[i].prefix;
        for (end = i + 1; end < count && items[end].prefix == prefix; end++) {
        }
        if (end - i == 1) continue;
        for (; keep_prefix && fetched < count && fetched < end + GROUP_AHEAD; fetched++)
            if (fetched >= i) entry_prefetch(entry_at(s->m, items[fetched].unit));
        group_sort(s, items + i, end - i, from);
        for (size_t k = i; keep_prefix && k < end; k++) items[k].prefix = prefix;
    }
}

/* --- runs ------------------------------------------------------------------------------------------------------------------ */

/* Large blocks in whole pages: to fault them in 4 KiB by 4 KiB took a fifth of the sort. */
static void *block_alloc(size_t size) {
    void *block = size >= MAPPED_MIN ? mem_map(size) : mem_alloc(size);
    if (!block) alloc_failed(size);
    return block;
}

static void block_free(void *block, size_t size) {
    if (size >= MAPPED_MIN)
        mem_unmap(block, size);
    else
        mem_free(block);
}

static run *run_new(size_t count) {
    size_t size = sizeof(run) + count * sizeof(run_item);
    run *r = block_alloc(size);
    if (!r) return NULL;
    atomic_init(&r->refs, 1);
    r->size = size;
    r->count = count;
    return r;
}

void run_unref(run *r) {
    if (r && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1) block_free(r, r->size);
}

/* The entries of [begin, end) as items in arena order; returns whether they are in key order already. */
static bool gather(const memtable *m, uint64_t begin, uint64_t end, run *out) {
    bool ascends = true;
    size_t count = 0;
    for (uint64_t unit = begin; unit < end; unit += entry_units(entry_at(m, unit))) {
        assert(count < out->count);
        /* Where the next entry begins is read from this one: without help each would be waited for. */
        __builtin_prefetch((const char *)entry_at(m, unit) + GATHER_AHEAD);
        run_item *item = &out->items[count++];
        *item = (run_item){.prefix = key_chunk(entry_key(entry_at(m, unit)), 0), .unit = (uint32_t)unit};
        if (ascends && count > 1) ascends = run_item_compare(m, item - 1, item) < 0;
    }
    out->count = count;
    return ascends;
}

/* A run of the entries of [begin, end), of which there are at most count_max. */
static run *run_sorted(const memtable *m, uint64_t begin, uint64_t end, size_t count_max) {
    run *r = run_new(count_max);
    if (!r || gather(m, begin, end, r)) return r;
    size_t spare_size = r->count * sizeof(run_item);
    sorter s = {.m = m, .spare = block_alloc(spare_size)};
    if (!s.spare) {
        run_unref(r);
        return NULL;
    }
    prefix_sort(&s, r->items, r->count);
    groups_sort(&s, r->items, r->count, 0, true);
    block_free(s.spare, spare_size);
    return r;
}

static run *run_merged(const memtable *m, const run *a, const run *b) {
    run *r = run_new(a->count + b->count);
    if (!r) return NULL;
    const run_item *x = a->items, *x_end = x + a->count, *y = b->items, *y_end = y + b->count;
    run_item *to = r->items;
    if (x < x_end && y < y_end && run_item_compare(m, y_end - 1, x) < 0) { /* b lies before a */
        memcpy(to, y, b->count * sizeof *to);
        to += b->count;
        y = y_end;
    } else if (x < x_end && y < y_end && run_item_compare(m, x_end - 1, y) < 0) {
        memcpy(to, x, a->count * sizeof *to);
        to += a->count;
        x = x_end;
    }
    while (x < x_end && y < y_end) *to++ = run_item_compare(m, x, y) < 0 ? *x++ : *y++;
    memcpy(to, x, (size_t)(x_end - x) * sizeof *to);
    to += x_end - x;
    memcpy(to, y, (size_t)(y_end - y) * sizeof *to);
    return r;
}

/* Merge from the right while the sizes ask for it. Out of memory is no reason to fail: the runs are right as they are. */
static void runs_merge(memtable *m) {
    while (m->run_count >= 2) {
        run *a = m->runs[m->run_count - 2], *b = m->runs[m->run_count - 1];
        if (a->count >= RATIO * b->count) return;
        run *merged = run_merged(m, a, b);
        if (!merged) return;
        m->runs[--m->run_count - 1] = merged;
        run_unref(a);
        run_unref(b);
    }
}

/* Bring everything below mark into runs; under order_lock. */
static int tail_sort(memtable *m, memtable_mark mark) {
    if (mark <= m->sorted_used) return RKV_OK;
    if (m->run_count == MEMTABLE_RUNS) return alloc_failed(sizeof(run)); /* so many merges have */
    uint64_t sorted = atomic_load_explicit(&m->sorted_entries, memory_order_relaxed);
    /* Counted before `used` moved past them, so at least as many as lie below the mark. */
    uint64_t entries = atomic_load_explicit(&m->entries, memory_order_relaxed);
    run *r = run_sorted(m, m->sorted_used, mark, entries - sorted);
    if (!r) return RKV_ENOMEM;
    m->runs[m->run_count++] = r;
    m->sorted_used = mark;
    atomic_store_explicit(&m->sorted_entries, sorted + r->count, memory_order_relaxed);
    runs_merge(m);
    return RKV_OK;
}

int memtable_runs(memtable *m, memtable_mark mark, run *out[MEMTABLE_RUNS], size_t *out_count) {
    pthread_mutex_lock(&m->order_lock);
    int rc = tail_sort(m, mark);
    if (rc == RKV_OK) {
        for (size_t i = 0; i < m->run_count; i++) {
            out[i] = m->runs[i];
            atomic_fetch_add_explicit(&out[i]->refs, 1, memory_order_relaxed);
        }
        *out_count = m->run_count;
    }
    pthread_mutex_unlock(&m->order_lock);
    return rc;
}
