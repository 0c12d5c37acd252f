/* merge_tree.h: a tournament that always knows which of several sorted sources comes first.
 *
 *                 top = 2                 Each inner node keeps the loser of its match, and the winner goes up; so when the
 *                    |                    first source moves on, only the matches on its way up are played again.
 *              [1: loser 0]
 *              /          \               A source stands in the tree by the first 8 bytes of its key as a number (turned over
 *       [2: loser 3]    [3: loser 1]      for descending order); only equal numbers ask `before`, which sees whole keys.
 *        /      \        /      \
 *       0        3      1        2        While one source keeps winning, the runner-up is remembered: one compare a move.
 *
 * No allocation, no ownership, no threads: a part of the iterators that embed it.
 */
#ifndef RKV_LSM_MERGE_TREE_H
#define RKV_LSM_MERGE_TREE_H

#include "base/coding.h"
#include "base/slice.h"

enum { MERGE_ENDED = 1u << 31, MERGE_STREAK = 3 };

typedef struct merge_node {
    uint64_t prefix;
    uint32_t source; /* | MERGE_ENDED: it has no more, and comes after all that have */
} merge_node;

typedef struct merge_tree {
    merge_node *nodes; /* of the embedder: count matches (0 is unused), then count leaves used while building */
    uint32_t count;    /* sources, >= 1 */
    uint32_t streak;   /* moves that the top has stayed the same */
    merge_node top, second;
    /* Does source a come before source b, whose prefixes are equal? */
    bool (*before)(void *context, uint32_t a, uint32_t b);
    void *context;
} merge_tree;

/* The 8 key bytes from `from` on as a number that sorts like them; a key that ends is filled up with zeros, so keys of
 * equal numbers may still differ. */
static inline uint64_t key_chunk(slice key, size_t from) {
    if (key.size >= from + 8) return get_be64(key.data + from);
    uint64_t chunk = 0;
    for (size_t i = from; i < key.size; i++) chunk |= (uint64_t)key.data[i] << (56 - 8 * (i - from));
    return chunk;
}

static inline merge_node merge_node_of(uint32_t source, uint64_t prefix, bool descending) {
    return (merge_node){.prefix = descending ? ~prefix : prefix, .source = source};
}

static inline merge_node merge_node_ended(uint32_t source) {
    return (merge_node){.prefix = UINT64_MAX, .source = source | MERGE_ENDED};
}

static inline bool merge_ended(const merge_tree *t) {
    return t->top.source & MERGE_ENDED;
}

static inline bool merge_before(const merge_tree *t, const merge_node *a, const merge_node *b) {
    if (a->prefix != b->prefix) return a->prefix < b->prefix;
    if ((a->source | b->source) & MERGE_ENDED) return !(a->source & MERGE_ENDED);
    return t->before(t->context, a->source, b->source);
}

/* Play all matches, once nodes[count + i] is set for every source i. */
static inline void merge_build(merge_tree *t) {
    t->streak = 0;
    /* Until its turn comes an inner node holds the winner below it: afterwards the parent has read that, and keeps the loser there. */
    for (uint32_t i = t->count - 1; i > 0; i--) {
        merge_node *left = &t->nodes[2 * i], *right = &t->nodes[2 * i + 1];
        t->nodes[i] = merge_before(t, right, left) ? *right : *left;
    }
    t->top = t->nodes[1];
    for (uint32_t i = 1; i < t->count; i++) {
        merge_node *left = &t->nodes[2 * i], *right = &t->nodes[2 * i + 1];
        t->nodes[i] = t->nodes[i].source == left->source ? *right : *left;
    }
}

static inline uint32_t merge_parent_of_leaf(const merge_tree *t) {
    return (t->count + (t->top.source & ~(uint32_t)MERGE_ENDED)) / 2;
}

/* Who would be first if the top were not there: the best of the losers that it met. */
static inline merge_node merge_runner_up(const merge_tree *t) {
    merge_node best = merge_node_ended(0);
    for (uint32_t i = merge_parent_of_leaf(t); i > 0; i /= 2)
        if (merge_before(t, &t->nodes[i], &best)) best = t->nodes[i];
    return best;
}

/* The first source has moved on and now stands at `now`. */
static inline void merge_update(merge_tree *t, merge_node now) {
    if (t->streak == MERGE_STREAK && merge_before(t, &now, &t->second)) {
        t->top = now;
        return;
    }
    merge_node winner = now;
    for (uint32_t i = merge_parent_of_leaf(t); i > 0; i /= 2) {
        merge_node *loser = &t->nodes[i];
        bool swap = loser->prefix < winner.prefix;
        if (__builtin_expect(loser->prefix == winner.prefix, 0)) swap = merge_before(t, loser, &winner);
        /* Who wins is a coin toss, which no branch can foresee: exchange by arithmetic. */
        uint64_t prefixes = (loser->prefix ^ winner.prefix) & -(uint64_t)swap;
        uint32_t sources = (loser->source ^ winner.source) & -(uint32_t)swap;
        loser->prefix ^= prefixes;
        winner.prefix ^= prefixes;
        loser->source ^= sources;
        winner.source ^= sources;
    }
    t->streak = winner.source == now.source ? t->streak + 1 : 0;
    t->top = winner;
    if (t->streak == MERGE_STREAK) t->second = merge_runner_up(t);
}

#endif
