/* memtable_iter.c: an iterator over a memtable as it was at a mark: a merge of its sorted runs.
 *
 * Runs are shared and may hold entries from after the mark: those are passed over. Moving consumes all entries of a key at
 * once and shows the newest; so between moves the cursors stand beyond the current key in the direction of travel, and a change
 * of direction seeks them anew.
 *
 * Threads: one; it reads what the writer has published and never waits for him, save that the first move sorts under the
 * memtable's order lock.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "lsm/memtable_parts.h"

enum { AHEAD = 16 }; /* items whose entries are asked for before they are reached */

typedef struct memtable_iter {
    iter it;
    memtable *m;
    memtable_mark mark;
    bool ready; /* runs are there */
    bool descending;
    size_t run_count;
    run *runs[MEMTABLE_RUNS];
    size_t
        position[MEMTABLE_RUNS]; /* items before the cursor: it stands on that item, or descending on the one before */
    merge_tree tree;
    merge_node nodes[2 * MEMTABLE_RUNS];
} memtable_iter;

static const run_item *cursor_item(const memtable_iter *c, size_t i) {
    return &c->runs[i]->items[c->position[i] - c->descending];
}

static bool cursor_before(void *context, uint32_t a, uint32_t b) {
    const memtable_iter *c = context;
    int order = run_item_compare(c->m, cursor_item(c, a), cursor_item(c, b));
    return c->descending ? order > 0 : order < 0;
}

/* Pass over what the mark excludes, and say where cursor i stands. */
static merge_node cursor_node(memtable_iter *c, uint32_t i) {
    const run *r = c->runs[i];
    size_t at = c->position[i];
    if (c->descending) {
        while (at > 0 && r->items[at - 1].unit >= c->mark) at--;
        c->position[i] = at;
        if (at == 0) return merge_node_ended(i);
        if (at > AHEAD) entry_prefetch(entry_at(c->m, r->items[at - 1 - AHEAD].unit));
        return merge_node_of(i, r->items[at - 1].prefix, true);
    }
    while (at < r->count && r->items[at].unit >= c->mark) at++;
    c->position[i] = at;
    if (at == r->count) return merge_node_ended(i);
    if (r->count - at > AHEAD) entry_prefetch(entry_at(c->m, r->items[at + AHEAD].unit));
    return merge_node_of(i, r->items[at].prefix, false);
}

static void top_advance(memtable_iter *c) {
    uint32_t i = c->tree.top.source;
    if (c->descending)
        c->position[i]--;
    else
        c->position[i]++;
    merge_update(&c->tree, cursor_node(c, i));
}

/* Show the key that the cursors have reached, and take them past it. */
static void settle(memtable_iter *c) {
    c->it.valid = c->run_count > 0 && !merge_ended(&c->tree);
    if (!c->it.valid) return;
    uint64_t prefix = c->tree.top.prefix;
    const entry *newest = entry_at(c->m, cursor_item(c, c->tree.top.source)->unit);
    slice key = entry_key(newest);
    top_advance(c);
    while (c->tree.top.prefix == prefix && !merge_ended(&c->tree)) {
        const entry *e = entry_at(c->m, cursor_item(c, c->tree.top.source)->unit);
        if (!slice_equal(entry_key(e), key)) break;
        if (c->descending) newest = e;
        top_advance(c);
    }
    c->it.key = entry_key(newest);
    entry_cell(newest, &c->it.cell);
}

/* How many items of a run lie before target; with `after`, before what follows it. */
static size_t run_bound(const memtable *m, const run *r, slice target, bool after) {
    uint64_t prefix = key_chunk(target, 0);
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const run_item *item = &r->items[middle];
        bool before = item->prefix < prefix;
        if (item->prefix == prefix) {
            int order = slice_compare(entry_key(entry_at(m, item->unit)), target);
            before = after ? order <= 0 : order < 0;
        }
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool make_ready(memtable_iter *c) {
    if (!c->ready) {
        c->it.status = memtable_runs(c->m, c->mark, c->runs, &c->run_count);
        c->ready = c->it.status == RKV_OK;
    }
    if (!c->ready) c->it.valid = false;
    return c->ready;
}

/* With all positions set: begin to travel in a direction. */
static void travel(memtable_iter *c, bool descending) {
    c->descending = descending;
    c->tree.count = (uint32_t)c->run_count;
    for (uint32_t i = 0; i < c->run_count; i++) c->nodes[c->run_count + i] = cursor_node(c, i);
    if (c->run_count) merge_build(&c->tree);
    settle(c);
}

static void seek_bounds(memtable_iter *c, slice target, bool after) {
    for (size_t i = 0; i < c->run_count; i++) c->position[i] = run_bound(c->m, c->runs[i], target, after);
}

static void iter_seek(iter *it, slice target) {
    memtable_iter *c = (memtable_iter *)it;
    if (!make_ready(c)) return;
    seek_bounds(c, target, false);
    travel(c, false);
}

static void iter_seek_for_prev(iter *it, slice target) {
    memtable_iter *c = (memtable_iter *)it;
    if (!make_ready(c)) return;
    if (target.size)
        seek_bounds(c, target, false);
    else
        for (size_t i = 0; i < c->run_count; i++) c->position[i] = c->runs[i]->count;
    travel(c, true);
}

static void iter_next(iter *it) {
    memtable_iter *c = (memtable_iter *)it;
    if (!c->descending) {
        settle(c);
        return;
    }
    seek_bounds(c, it->key, true);
    travel(c, false);
}

static void iter_prev(iter *it) {
    memtable_iter *c = (memtable_iter *)it;
    if (c->descending) {
        settle(c);
        return;
    }
    seek_bounds(c, it->key, false);
    travel(c, true);
}

static void iter_end(iter *it) {
    memtable_iter *c = (memtable_iter *)it;
    for (size_t i = 0; i < c->run_count; i++) run_unref(c->runs[i]);
    memtable_unref(c->m);
    mem_free(c);
}

static const iter_ops ops = {
    .seek = iter_seek,
    .seek_for_prev = iter_seek_for_prev,
    .next = iter_next,
    .prev = iter_prev,
    .close = iter_end,
};

int memtable_iter_new_at(iter **out, memtable *m, memtable_mark mark) {
    memtable_iter *c = mem_alloc(sizeof *c);
    if (!c) return alloc_failed(sizeof *c);
    c->it = (iter){.ops = &ops, .status = RKV_OK};
    c->m = m;
    c->mark = mark;
    c->ready = c->descending = false;
    c->run_count = 0;
    c->tree = (merge_tree){.nodes = c->nodes, .before = cursor_before, .context = c};
    memtable_ref(m);
    *out = &c->it;
    return RKV_OK;
}

int memtable_iter_new(iter **out, memtable *m) {
    return memtable_iter_new_at(out, m, memtable_mark_now(m));
}
