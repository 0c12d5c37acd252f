/* table_read.c: see table_read.h. */
#include "lsm/table_read.h"

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/compress.h"

enum {
    SCRATCH_SIZE = 20 * 1024, /* of stack: a data block is rarely larger */
    ATTEMPTS = 2,
    LINE_ALIGN = 64,
};

int table_corrupt(const table *t, uint64_t offset, const char *what) {
    return status_set(RKV_ECORRUPT, "%s: offset %llu: %s", t->path, (unsigned long long)offset, what);
}

int table_check_block(const table *t, uint64_t offset, const uint8_t *block, size_t size) {
    if (size <= TRAILER_SIZE) return table_corrupt(t, offset, "a block too short to be one");
    if (get_fixed32(block + size - 4) != block_crc(t->number, offset, block, size - 4))
        return table_corrupt(t, offset, "block fails its checksum");
    return RKV_OK;
}

static int read_exactly(table *t, uint64_t offset, uint8_t *to, size_t size, bool nowait) {
    size_t got;
    int rc = t->file->ops->read_at(t->file, offset, to, size, nowait, &got);
    if (!rc && got < size) return table_corrupt(t, offset + got, "the file ends inside a block");
    return rc;
}

int table_read_checked(table *t, uint64_t offset, uint8_t *to, size_t size, bool nowait) {
    int rc = RKV_OK;
    for (int i = 0; i < ATTEMPTS; i++) {
        rc = read_exactly(t, offset, to, size, nowait);
        if (!rc) rc = table_check_block(t, offset, to, size);
        if (rc >= 0) break;
    }
    return rc;
}

/* --- bodies ------------------------------------------------------------------------------------------------------- */

/* The raw size of a verified block's body; 0 with *out_raw: it is the body as it lies. */
static int plain_size(const table *t, uint64_t offset, slice block, bool *out_raw, size_t *out_size) {
    slice body = slice_of(block.data, block.size - TRAILER_SIZE);
    uint8_t compression = block.data[body.size];
    *out_raw = compression == TABLE_RAW;
    *out_size = body.size;
    if (*out_raw || (compression == TABLE_LZ4 && compress_raw_size(body, out_size))) return RKV_OK;
    return table_corrupt(t, offset, "block of an unknown compression");
}

static int decompress(const table *t, uint64_t offset, slice block, uint8_t *to, size_t size) {
    if (compress_decode(slice_of(block.data, block.size - TRAILER_SIZE), to, size)) return RKV_OK;
    return table_corrupt(t, offset, "block does not decompress");
}

int table_plain_body(const table *t, uint64_t offset, slice block, buf *plain, slice *out) {
    bool raw;
    size_t size;
    int rc = plain_size(t, offset, block, &raw, &size);
    if (rc) return rc;
    if (raw) {
        *out = slice_of(block.data, size);
        return RKV_OK;
    }
    plain->size = 0;
    rc = buf_reserve(plain, size);
    if (!rc) rc = decompress(t, offset, block, plain->data, size);
    if (!rc) *out = slice_of(plain->data, size);
    return rc;
}

static int cache_block(table *t, uint64_t offset, slice block, cache_entry **out_pin) {
    bool raw;
    size_t size;
    int rc = plain_size(t, offset, block, &raw, &size);
    if (rc) return rc;
    cache_entry *e = cache_reserve(t->cache, t->number, offset, size);
    if (!e) return alloc_failed(size);
    if (raw)
        memcpy(cache_data(e), block.data, size);
    else
        rc = decompress(t, offset, block, cache_data(e), size);
    if (rc) {
        cache_release(t->cache, e);
        return rc;
    }
    *out_pin = cache_publish(t->cache, e);
    return RKV_OK;
}

/* Read first, reserve later: a read that would block must not have pushed anything out of the cache. */
static int load_block(table *t, uint64_t offset, uint32_t size, bool nowait, cache_entry **out_pin) {
    uint8_t scratch[SCRATCH_SIZE];
    uint8_t *block = size <= sizeof scratch ? scratch : mem_alloc(size);
    if (!block) return alloc_failed(size);
    int rc = table_read_checked(t, offset, block, size, nowait);
    if (!rc) rc = cache_block(t, offset, slice_of(block, size), out_pin);
    if (block != scratch) mem_free(block);
    return rc;
}

int table_cached_body(table *t, uint64_t offset, uint32_t size, bool nowait, cache_entry **out_pin) {
    *out_pin = cache_lookup(t->cache, t->number, offset);
    return *out_pin ? RKV_OK : load_block(t, offset, size, nowait, out_pin);
}

/* --- resident filter and index ------------------------------------------------------------------------------------ */

/* Partition by partition, so that lines lie end to end and aligned: each read's trailer is overwritten by the next. */
static int read_filter(table *t, uint8_t *lines, bool nowait) {
    size_t part = bloom_partition_bytes(&t->footer.filter);
    int rc = RKV_OK;
    for (uint32_t i = 0; i < t->footer.filter.partitions && !rc; i++)
        rc = table_read_checked(t, t->footer.filter_offset + i * (uint64_t)(part + TRAILER_SIZE), lines + i * part,
                                part + TRAILER_SIZE, nowait);
    return rc;
}

static int check_index(table *t, const uint8_t *index) {
    for (uint32_t i = 0; i < t->top.count; i++) {
        uint64_t offset;
        uint32_t size;
        if (!index_child(&t->top, i, &offset, &size)) return table_corrupt(t, t->footer.top_offset, "bad top index");
        int rc = table_check_block(t, offset, index + (offset - t->footer.index_offset), size);
        if (rc) return rc;
    }
    return RKV_OK;
}

/* All blocks in one read. */
static int read_index(table *t, uint8_t *index, size_t size, bool nowait) {
    int rc = RKV_OK;
    for (int i = 0; i < ATTEMPTS; i++) {
        rc = read_exactly(t, t->footer.index_offset, index, size, nowait);
        if (!rc) rc = check_index(t, index);
        if (rc >= 0) break;
    }
    return rc;
}

static int resident_new(table_resident **out, table *t, bool nowait) {
    size_t filter_size = t->keep_filter ? (size_t)(t->footer.index_offset - t->footer.filter_offset) : 0;
    size_t index_size = t->keep_index ? (size_t)(t->footer.top_offset - t->footer.index_offset) : 0;
    size_t size = LINE_ALIGN + filter_size + index_size;
    uint8_t *memory = mem_aligned(LINE_ALIGN, size);
    if (!memory) return alloc_failed(size);
    uint8_t *lines = memory + LINE_ALIGN, *index = lines + filter_size;
    int rc = t->keep_filter ? read_filter(t, lines, nowait) : RKV_OK;
    if (!rc && t->keep_index) rc = read_index(t, index, index_size, nowait);
    if (rc) {
        mem_free(memory);
        return rc;
    }
    _Static_assert(sizeof(table_resident) <= LINE_ALIGN, "the lines follow it");
    *out = (table_resident *)(void *)memory;
    **out = (table_resident){size, t->keep_filter ? lines : NULL, t->keep_index ? index : NULL};
    return RKV_OK;
}

int table_make_resident(table *t, bool nowait) {
    if ((!t->keep_filter && !t->keep_index) || atomic_load_explicit(&t->resident, memory_order_acquire)) return RKV_OK;
    table_resident *mine, *none = NULL;
    int rc = resident_new(&mine, t, nowait);
    if (rc) return rc;
    /* Two threads may have loaded it: the first stays. */
    if (!atomic_compare_exchange_strong_explicit(&t->resident, &none, mine, memory_order_acq_rel, memory_order_acquire))
        mem_free(mine);
    return RKV_OK;
}

/* --- index cursor ------------------------------------------------------------------------------------------------- */

static void cursor_unpin(table *t, index_cursor *c) {
    cache_release(t->cache, c->pin);
    c->pin = NULL;
}

void index_cursor_clear(table *t, index_cursor *c) {
    cursor_unpin(t, c);
    buf_clear(&c->own);
}

/* The body of an index block: resident, cached, or, for who leaves the cache alone, read anew. */
static int index_body(table *t, index_cursor *c, uint64_t offset, uint32_t size, bool nowait, slice *out) {
    const table_resident *r = atomic_load_explicit(&t->resident, memory_order_acquire);
    int rc = RKV_OK;
    if (r && r->index) {
        *out = slice_of(r->index + (offset - t->footer.index_offset), size - TRAILER_SIZE);
        return RKV_OK;
    }
    if (c->leaves_cache)
        c->pin = cache_lookup(t->cache, t->number, offset);
    else
        rc = table_cached_body(t, offset, size, nowait, &c->pin);
    if (rc) return rc;
    if (c->pin) {
        *out = slice_of(cache_data(c->pin), cache_size(c->pin));
        return RKV_OK;
    }
    c->own.size = 0;
    rc = buf_reserve(&c->own, size);
    if (!rc) rc = table_read_checked(t, offset, c->own.data, size, nowait);
    if (!rc) *out = slice_of(c->own.data, size - TRAILER_SIZE);
    return rc;
}

/* Take index block `part` in hand. */
static int cursor_open(table *t, index_cursor *c, uint32_t part, bool nowait) {
    uint64_t offset;
    uint32_t size;
    slice body;
    cursor_unpin(t, c);
    if (!index_child(&t->top, part, &offset, &size)) return table_corrupt(t, t->footer.top_offset, "bad top index");
    int rc = index_body(t, c, offset, size, nowait, &body);
    if (rc) return rc;
    if (!index_open(&c->view, body)) return table_corrupt(t, offset, "bad index block");
    c->part = part;
    return RKV_OK;
}

/* Stand on child i of the index block in hand. */
static int cursor_stand(table *t, index_cursor *c, uint32_t i) {
    uint64_t offset;
    uint32_t size;
    if (!index_child(&c->view, i, &offset, &size) || size <= TRAILER_SIZE || offset > t->footer.filter_offset ||
        size > t->footer.filter_offset - offset)
        return table_corrupt(t, t->footer.index_offset, "bad index block");
    c->child = i;
    c->offset = offset;
    c->size = size;
    return RKV_OK;
}

static int cursor_done(table *t, index_cursor *c, int rc) {
    if (rc) cursor_unpin(t, c);
    return rc;
}

int index_cursor_seek(table *t, index_cursor *c, slice key, bool nowait) {
    uint32_t part, child;
    int rc = index_find(&t->top, key, &part) ? RKV_OK : table_corrupt(t, t->footer.top_offset, "bad top index");
    if (!rc) rc = cursor_open(t, c, part, nowait);
    if (!rc && !index_find(&c->view, key, &child)) rc = table_corrupt(t, t->footer.index_offset, "bad index block");
    if (!rc) rc = cursor_stand(t, c, child);
    return cursor_done(t, c, rc);
}

int index_cursor_first(table *t, index_cursor *c) {
    int rc = cursor_open(t, c, 0, false);
    if (!rc) rc = cursor_stand(t, c, 0);
    return cursor_done(t, c, rc);
}

int index_cursor_last(table *t, index_cursor *c) {
    int rc = cursor_open(t, c, t->top.count - 1, false);
    if (!rc) rc = cursor_stand(t, c, c->view.count - 1);
    return cursor_done(t, c, rc);
}

int index_cursor_next(table *t, index_cursor *c) {
    if (c->child + 1 < c->view.count) return cursor_done(t, c, cursor_stand(t, c, c->child + 1));
    if (c->part + 1 == t->top.count) return RKV_END;
    int rc = cursor_open(t, c, c->part + 1, false);
    if (!rc) rc = cursor_stand(t, c, 0);
    return cursor_done(t, c, rc);
}

int index_cursor_prev(table *t, index_cursor *c) {
    if (c->child > 0) return cursor_done(t, c, cursor_stand(t, c, c->child - 1));
    if (c->part == 0) return RKV_END;
    int rc = cursor_open(t, c, c->part - 1, false);
    if (!rc) rc = cursor_stand(t, c, c->view.count - 1);
    return cursor_done(t, c, rc);
}
