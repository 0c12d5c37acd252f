/* table_iter.c: a table's entries in order, both ways; see iter.h.
 *
 * A key is put together in a buffer, behind the prefix that a block's keys share and that is copied once a block;
 * payloads, and keys without a prefix, point into the block. The block is pinned in the cache, or, for a scan, lies in
 * a private window onto the file, which is read ahead in the direction of travel: 32 KiB at first, doubling to 256. A
 * block is verified each time it is taken from the window.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "lsm/block.h"
#include "lsm/table_read.h"

enum {
    AHEAD_MIN = 32 * 1024,
    AHEAD_MAX = 256 * 1024,
    ATTEMPTS = 2,
    COPY = BLOCK_PAD, /* a suffix is copied in a step of this size, and the rest if it is longer */
};

typedef struct table_iter {
    iter base;
    table *t;
    bool scan;
    bool backwards; /* the last move's direction: where to read ahead */
    index_cursor at;
    block_view view; /* of the block at `at` */
    uint32_t position;
    cache_entry *pin; /* of that block; scan: NULL */
    buf window;       /* scan: file bytes from window_offset */
    uint64_t window_offset;
    size_t ahead;
    buf plain;  /* scan: a block decompressed */
    buf key;    /* the block's prefix and COPY bytes of room; behind it the suffix */
    buf target; /* of a seek, when it pointed into the block that the seek leaves */
} table_iter;

static table_iter *iter_of(iter *it) {
    return (table_iter *)it;
}

static void stop(table_iter *it, int status) {
    it->base.valid = false;
    it->base.status = status == RKV_END ? RKV_OK : status;
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

/* Read the window that has the block in it, and what lies ahead. */
static int fill_window(table_iter *it) {
    uint64_t start = it->at.offset, end = start + it->at.size;
    if (it->at.size < it->ahead) {
        if (it->backwards)
            start = end > it->ahead ? end - it->ahead : 0;
        else
            end = it->t->footer.filter_offset - start > it->ahead ? start + it->ahead : it->t->footer.filter_offset;
    }
    size_t got;
    it->window.size = 0;
    int rc = buf_reserve(&it->window, (size_t)(end - start));
    if (!rc) rc = it->t->file->ops->read_at(it->t->file, start, it->window.data, (size_t)(end - start), false, &got);
    if (rc) return rc;
    if (got < end - start) return table_corrupt(it->t, start + got, "the file ends inside a block");
    it->window.size = got;
    it->window_offset = start;
    it->ahead = it->ahead * 2 < AHEAD_MAX ? it->ahead * 2 : AHEAD_MAX;
    return RKV_OK;
}

static bool in_window(const table_iter *it) {
    return it->at.offset >= it->window_offset && it->at.offset - it->window_offset < it->window.size &&
           it->window.size - (it->at.offset - it->window_offset) >= it->at.size;
}

static int window_body(table_iter *it, slice *out) {
    int rc = RKV_OK;
    for (int i = 0; i < ATTEMPTS; i++) {
        rc = in_window(it) ? RKV_OK : fill_window(it);
        const uint8_t *block = rc ? NULL : it->window.data + (it->at.offset - it->window_offset);
        if (!rc) rc = table_check_block(it->t, it->at.offset, block, it->at.size);
        if (!rc) return table_plain_body(it->t, it->at.offset, slice_of(block, it->at.size), &it->plain, out);
        it->window.size = 0;
    }
    return rc;
}

static int cached_body(table_iter *it, slice *out) {
    cache_release(it->t->cache, it->pin);
    it->pin = NULL;
    int rc = table_cached_body(it->t, it->at.offset, it->at.size, false, &it->pin);
    if (!rc) *out = slice_of(cache_data(it->pin), cache_size(it->pin));
    return rc;
}

/* Take the block that the cursor stands on in hand. */
static int enter_block(table_iter *it) {
    slice body;
    int rc = it->scan ? window_body(it, &body) : cached_body(it, &body);
    if (rc) return rc;
    if (!block_open(&it->view, body)) return table_corrupt(it->t, it->at.offset, "bad data block");
    slice prefix = block_prefix(&it->view);
    it->key.size = 0;
    return buf_append(&it->key, prefix.data, prefix.size);
}

/* --- entries ------------------------------------------------------------------------------------------------------ */

/* The key of a suffix, behind the prefix that lies in the buffer already. */
static int join_key(table_iter *it, slice suffix) {
    size_t prefix_size = it->key.size;
    if (it->key.capacity - prefix_size < suffix.size + COPY) {
        int rc = buf_reserve(&it->key, suffix.size + COPY);
        if (rc) return rc;
    }
    /* The block's pad makes room for a copy of COPY bytes from any suffix. */
    uint8_t *to = it->key.data + prefix_size;
    memcpy(to, suffix.data, COPY);
    if (suffix.size > COPY) memcpy(to + COPY, suffix.data + COPY, suffix.size - COPY);
    it->base.key = slice_of(it->key.data, prefix_size + suffix.size);
    return RKV_OK;
}

static void show(table_iter *it, uint32_t position) {
    block_entry e;
    it->position = position;
    if (!block_get(&it->view, position, &e)) {
        stop(it, table_corrupt(it->t, it->at.offset, "bad data block"));
        return;
    }
    int rc = RKV_OK;
    if (it->key.size)
        rc = join_key(it, e.suffix);
    else
        it->base.key = e.suffix;
    it->base.cell = e.cell;
    it->base.valid = !rc;
    it->base.status = rc;
}

static void show_after(table_iter *it) {
    it->backwards = false;
    int rc = index_cursor_next(it->t, &it->at);
    if (!rc) rc = enter_block(it);
    if (rc)
        stop(it, rc);
    else
        show(it, 0);
}

static void show_before(table_iter *it) {
    it->backwards = true;
    int rc = index_cursor_prev(it->t, &it->at);
    if (!rc) rc = enter_block(it);
    if (rc)
        stop(it, rc);
    else
        show(it, it->view.count - 1);
}

static void table_iter_next(iter *base) {
    table_iter *it = iter_of(base);
    if (it->position + 1 < it->view.count)
        show(it, it->position + 1);
    else
        show_after(it);
}

static void table_iter_prev(iter *base) {
    table_iter *it = iter_of(base);
    if (it->position > 0)
        show(it, it->position - 1);
    else
        show_before(it);
}

/* Go to the block of target and tell its first entry that is not below it (count: none). */
static int find(table_iter *it, slice target, uint32_t *out) {
    it->ahead = AHEAD_MIN;
    /* The target may be this iterator's own key, which goes when another block is entered. */
    it->target.size = 0;
    int rc = buf_append(&it->target, target.data, target.size);
    if (!rc) rc = index_cursor_seek(it->t, &it->at, buf_slice(&it->target), false);
    if (!rc) rc = enter_block(it);
    if (!rc && !block_lower_bound(&it->view, buf_slice(&it->target), out))
        rc = table_corrupt(it->t, it->at.offset, "bad data block");
    return rc;
}

static void table_iter_seek(iter *base, slice target) {
    table_iter *it = iter_of(base);
    uint32_t position = 0;
    int rc;
    it->backwards = false;
    if (target.size) {
        rc = find(it, target, &position);
    } else {
        it->ahead = AHEAD_MIN;
        rc = index_cursor_first(it->t, &it->at);
        if (!rc) rc = enter_block(it);
    }
    if (rc)
        stop(it, rc);
    else if (position < it->view.count)
        show(it, position);
    else
        show_after(it);
}

static void table_iter_seek_for_prev(iter *base, slice target) {
    table_iter *it = iter_of(base);
    uint32_t position = 0;
    int rc;
    it->backwards = true;
    if (target.size) {
        rc = find(it, target, &position);
    } else {
        it->ahead = AHEAD_MIN;
        rc = index_cursor_last(it->t, &it->at);
        if (!rc) rc = enter_block(it);
        position = rc ? 0 : it->view.count;
    }
    if (rc)
        stop(it, rc);
    else if (position > 0)
        show(it, position - 1);
    else
        show_before(it);
}

static void table_iter_close(iter *base) {
    table_iter *it = iter_of(base);
    index_cursor_clear(it->t, &it->at);
    cache_release(it->t->cache, it->pin);
    buf_clear(&it->window);
    buf_clear(&it->plain);
    buf_clear(&it->key);
    buf_clear(&it->target);
    table_unref(it->t);
    mem_free(it);
}

int table_iter_new(iter **out, table *t, bool scan) {
    static const iter_ops ops = {table_iter_seek, table_iter_seek_for_prev, table_iter_next, table_iter_prev,
                                 table_iter_close};
    table_iter *it = mem_zalloc(sizeof *it);
    if (!it) return alloc_failed(sizeof *it);
    it->base.ops = &ops;
    it->t = t;
    it->scan = it->at.leaves_cache = scan;
    table_ref(t);
    *out = &it->base;
    return RKV_OK;
}
