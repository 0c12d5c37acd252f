/* merge_iter.c: one iterator over many, each key once with its winner; see iter.h and merge_tree.h.
 *
 * Of children that stand on the same key the winner by cell_compare comes first out of the tree. The others have lost a match
 * against that key on the way, and that match marks them superseded (each match of equal keys does); so when they come up they are
 * only moved on. No key is ever copied: the current child stays where it is until the next move.
 *
 * A child that ends with an error ends the merge with it: to go on without it would show older cells as winners.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "lsm/iter.h"
#include "lsm/merge_tree.h"

typedef struct merge_iter {
    iter it;
    bool descending;
    size_t count;
    merge_tree tree;
    iter **children;
    bool *superseded;
    merge_node nodes[]; /* 2 * count; behind them lie the children, then the marks */
} merge_iter;

static bool child_before(void *context, uint32_t a, uint32_t b) {
    merge_iter *m = context;
    const iter *x = m->children[a], *y = m->children[b];
    int order = slice_compare(x->key, y->key);
    if (order) return (order < 0) != m->descending;
    order = cell_compare(&x->cell, &y->cell);
    bool first = order ? order > 0 : a < b;
    m->superseded[first ? b : a] = true;
    return first;
}

/* Where child i stands after a move. */
static merge_node child_node(merge_iter *m, uint32_t i) {
    const iter *child = m->children[i];
    m->superseded[i] = false;
    if (child->valid) return merge_node_of(i, key_chunk(child->key, 0), m->descending);
    if (child->status && !m->it.status) m->it.status = child->status;
    return merge_node_ended(i);
}

static void top_advance(merge_iter *m) {
    uint32_t i = m->tree.top.source;
    iter *child = m->children[i];
    if (m->descending)
        child->ops->prev(child);
    else
        child->ops->next(child);
    merge_update(&m->tree, child_node(m, i));
}

static void settle(merge_iter *m) {
    while (!merge_ended(&m->tree) && m->superseded[m->tree.top.source]) top_advance(m);
    m->it.valid = !m->it.status && !merge_ended(&m->tree);
    if (!m->it.valid) return;
    const iter *child = m->children[m->tree.top.source];
    m->it.key = child->key;
    m->it.cell = child->cell;
}

/* With all children moved: begin to travel in a direction. */
static void travel(merge_iter *m, bool descending) {
    m->descending = descending;
    m->it.status = RKV_OK;
    for (uint32_t i = 0; i < m->count; i++) m->nodes[m->count + i] = child_node(m, i);
    merge_build(&m->tree);
    settle(m);
}

static void iter_seek(iter *it, slice target) {
    merge_iter *m = (merge_iter *)it;
    for (size_t i = 0; i < m->count; i++) m->children[i]->ops->seek(m->children[i], target);
    travel(m, false);
}

static void iter_seek_for_prev(iter *it, slice target) {
    merge_iter *m = (merge_iter *)it;
    for (size_t i = 0; i < m->count; i++) m->children[i]->ops->seek_for_prev(m->children[i], target);
    travel(m, true);
}

static void iter_next(iter *it) {
    merge_iter *m = (merge_iter *)it;
    if (!m->descending) {
        top_advance(m);
        settle(m);
        return;
    }
    iter *current = m->children[m->tree.top.source];
    for (size_t i = 0; i < m->count; i++) {
        iter *child = m->children[i];
        if (child == current) continue;
        child->ops->seek(child, current->key);
        if (child->valid && slice_equal(child->key, current->key)) child->ops->next(child);
    }
    current->ops->next(current); /* last: the others were moved by its key */
    travel(m, false);
}

static void iter_prev(iter *it) {
    merge_iter *m = (merge_iter *)it;
    if (m->descending) {
        top_advance(m);
        settle(m);
        return;
    }
    iter *current = m->children[m->tree.top.source];
    if (it->key.size == 0) { /* nothing lies before it, and to seek_for_prev it would mean the end */
        it->valid = false;
        return;
    }
    for (size_t i = 0; i < m->count; i++) {
        iter *child = m->children[i];
        if (child != current) child->ops->seek_for_prev(child, current->key);
    }
    current->ops->prev(current);
    travel(m, true);
}

static void iter_end(iter *it) {
    merge_iter *m = (merge_iter *)it;
    for (size_t i = 0; i < m->count; i++) iter_close(m->children[i]);
    mem_free(m);
}

static const iter_ops ops = {
    .seek = iter_seek,
    .seek_for_prev = iter_seek_for_prev,
    .next = iter_next,
    .prev = iter_prev,
    .close = iter_end,
};

static void none_seek(iter *it, slice target) {
    (void)it;
    (void)target;
}

static void none_move(iter *it) {
    (void)it;
}

static void none_close(iter *it) {
    mem_free(it);
}

static const iter_ops none_ops = {
    .seek = none_seek,
    .seek_for_prev = none_seek,
    .next = none_move,
    .prev = none_move,
    .close = none_close,
};

static iter *none_new(void) {
    iter *it = mem_alloc(sizeof *it);
    if (it) *it = (iter){.ops = &none_ops, .status = RKV_OK};
    return it;
}

static iter *merge_new(iter **children, size_t count) {
    size_t nodes = 2 * count * sizeof(merge_node), pointers = count * sizeof(iter *);
    merge_iter *m = mem_zalloc(sizeof *m + nodes + pointers + count * sizeof(bool));
    if (!m) return NULL;
    m->it = (iter){.ops = &ops, .status = RKV_OK};
    m->count = count;
    m->children = (iter **)(m->nodes + 2 * count);
    memcpy(m->children, children, pointers);
    m->superseded = (bool *)(m->children + count);
    m->tree = (merge_tree){.nodes = m->nodes, .count = (uint32_t)count, .before = child_before, .context = m};
    return &m->it;
}

int merge_iter_new(iter **out, iter **children, size_t count) {
    if (count == 1) {
        *out = children[0];
        return RKV_OK;
    }
    iter *it = count ? merge_new(children, count) : none_new();
    if (it) {
        *out = it;
        return RKV_OK;
    }
    for (size_t i = 0; i < count; i++) iter_close(children[i]);
    return alloc_failed(sizeof(merge_iter) + count * (2 * sizeof(merge_node) + sizeof(iter *) + sizeof(bool)));
}
