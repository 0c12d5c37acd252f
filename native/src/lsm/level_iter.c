/* level_iter.c: see level_iter.h. */
#include "lsm/level_iter.h"

#include "base/alloc.h"
#include "base/status.h"

typedef struct level_iter {
    iter base;
    table_file *const *files;
    size_t count;
    bool scan;
    size_t index; /* of the table that `table` is on */
    iter *table;  /* NULL: none open */
} level_iter;

/* Show what the table's iterator stands on. */
static void show(level_iter *l) {
    l->base.valid = l->table && l->table->valid;
    l->base.status = l->table ? l->table->status : RKV_OK;
    if (!l->base.valid) return;
    l->base.key = l->table->key;
    l->base.cell = l->table->cell;
}

static void leave(level_iter *l) {
    iter_close(l->table);
    l->table = NULL;
}

/* Have table `index` open; false: the iterator has failed, or there is no such table. */
static bool enter(level_iter *l, size_t index) {
    if (l->table && l->index == index && l->table->status == RKV_OK) return true;
    leave(l);
    l->base.valid = false;
    l->base.status = RKV_OK;
    if (index >= l->count) return false;
    l->index = index;
    l->base.status = table_iter_new(&l->table, l->files[index]->table, l->scan);
    return l->base.status == RKV_OK;
}

/* The table is exhausted: go on with the first entry of the next ones. */
static void forward(level_iter *l) {
    while (!l->table->valid && l->table->status == RKV_OK) {
        if (!enter(l, l->index + 1)) return;
        l->table->ops->seek(l->table, (slice){0});
    }
    show(l);
}

static void backward(level_iter *l) {
    while (!l->table->valid && l->table->status == RKV_OK) {
        if (l->index == 0) break;
        if (!enter(l, l->index - 1)) return;
        l->table->ops->seek_for_prev(l->table, (slice){0});
    }
    show(l);
}

/* Index of the first table whose largest key is >= target. */
static size_t find(const level_iter *l, slice target) {
    size_t low = 0;
    size_t high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(table_largest(l->files[middle]), target) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void level_seek(iter *it, slice target) {
    level_iter *l = (level_iter *)it;
    if (!enter(l, target.size ? find(l, target) : 0)) return;
    l->table->ops->seek(l->table, target);
    forward(l);
}

static void level_seek_for_prev(iter *it, slice target) {
    level_iter *l = (level_iter *)it;
    size_t index = target.size ? find(l, target) : l->count;
    if (index == l->count) { /* all of the last table is below */
        index = l->count - 1;
        target = (slice){0};
    }
    if (!enter(l, index)) return;
    l->table->ops->seek_for_prev(l->table, target);
    backward(l);
}

static void level_next(iter *it) {
    level_iter *l = (level_iter *)it;
    l->table->ops->next(l->table);
    if (l->table->valid)
        show(l);
    else
        forward(l);
}

static void level_prev(iter *it) {
    level_iter *l = (level_iter *)it;
    l->table->ops->prev(l->table);
    if (l->table->valid)
        show(l);
    else
        backward(l);
}

static void level_close(iter *it) {
    level_iter *l = (level_iter *)it;
    leave(l);
    mem_free(l);
}

static const iter_ops OPS = {level_seek, level_seek_for_prev, level_next, level_prev, level_close};

int level_iter_new(iter **out, table_file *const *files, size_t count, bool scan) {
    level_iter *l = mem_alloc(sizeof *l);
    if (!l) return alloc_failed(sizeof *l);
    *l = (level_iter){.base = {.ops = &OPS}, .files = files, .count = count, .scan = scan};
    *out = &l->base;
    return RKV_OK;
}
