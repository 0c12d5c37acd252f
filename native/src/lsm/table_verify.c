/* table_verify.c: read a whole table from the device and hold it against itself; see table_verify in table.h.
 *
 * Neither cache nor resident memory answers here: what is checked is what lies on the device now. Blocks come first, so
 * that damage has an offset; the CRC of the whole file comes last, for what is no block's.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "lsm/block.h"
#include "lsm/table_read.h"

enum { CHUNK = 256 * 1024 };

typedef struct verifier {
    table *t;
    uint8_t *filter; /* all blocks of the filter, with trailers; NULL: none */
    buf index, block, plain;
    buf last; /* the key before */
    bool any; /* there was one */
    buf key;
    uint64_t entries, tombstones, expiring;
    uint64_t offset; /* where the next data block must lie */
} verifier;

static int read_into(table *t, buf *to, uint64_t offset, uint64_t size) {
    to->size = 0;
    int rc = buf_reserve(to, (size_t)size);
    if (!rc) rc = table_read_checked(t, offset, to->data, (size_t)size, false);
    if (!rc) to->size = (size_t)size;
    return rc;
}

static int load_filter(verifier *v) {
    const table_footer *f = &v->t->footer;
    size_t size = (size_t)(f->index_offset - f->filter_offset), part = bloom_partition_bytes(&f->filter) + TRAILER_SIZE;
    if (!size) return RKV_OK;
    v->filter = mem_alloc(size);
    if (!v->filter) return alloc_failed(size);
    int rc = RKV_OK;
    for (size_t at = 0; at < size && !rc; at += part)
        rc = table_read_checked(v->t, f->filter_offset + at, v->filter + at, part, false);
    return rc;
}

static bool filter_has(const verifier *v, uint64_t hash) {
    const bloom_shape *s = &v->t->footer.filter;
    if (!v->filter) return true;
    size_t line = bloom_line(s, hash);
    return bloom_has(v->filter + line * BLOOM_LINE + line / s->lines * TRAILER_SIZE, hash, s->probes);
}

static int check_entry(verifier *v, const block_view *view, uint32_t i, uint64_t offset) {
    block_entry e;
    cell found;
    if (!block_get(view, i, &e)) return table_corrupt(v->t, offset, "bad data block");
    slice prefix = block_prefix(view);
    v->key.size = 0;
    int rc = buf_append(&v->key, prefix.data, prefix.size);
    if (!rc) rc = buf_append(&v->key, e.suffix.data, e.suffix.size);
    if (rc) return rc;
    if (v->any && slice_compare(buf_slice(&v->last), buf_slice(&v->key)) >= 0)
        return table_corrupt(v->t, offset, "keys out of order");
    uint64_t hash = hash_bytes(&v->t->seed, buf_slice(&v->key));
    if (!filter_has(v, hash)) return table_corrupt(v->t, offset, "a key is not in the filter");
    if (block_find(view, buf_slice(&v->key), hash, &found) != BLOCK_FOUND || found.hlc != e.cell.hlc)
        return table_corrupt(v->t, offset, "a key is not found by its hash");
    buf swap = v->last;
    v->last = v->key;
    v->key = swap;
    v->any = true;
    v->entries++;
    v->tombstones += e.cell.flags & CELL_TOMBSTONE ? 1 : 0;
    v->expiring += e.cell.expires_at_ms ? 1 : 0;
    if (e.cell.hlc < v->t->footer.min_hlc || e.cell.hlc > v->t->footer.max_hlc)
        return table_corrupt(v->t, offset, "a version outside what the footer says");
    return RKV_OK;
}

static int check_data(verifier *v, uint64_t offset, uint32_t size) {
    slice body;
    block_view view;
    if (offset != v->offset || size > v->t->footer.filter_offset - offset)
        return table_corrupt(v->t, offset, "a data block that is not where the last one ends");
    int rc = read_into(v->t, &v->block, offset, size);
    if (!rc) rc = table_plain_body(v->t, offset, buf_slice(&v->block), &v->plain, &body);
    if (!rc && !block_open(&view, body)) rc = table_corrupt(v->t, offset, "bad data block");
    for (uint32_t i = 0; !rc && i < view.count; i++) rc = check_entry(v, &view, i, offset);
    v->offset = offset + size;
    return rc;
}

/* Would a search for the block's first and last key come to it? */
static int check_child(verifier *v, const index_view *index, uint32_t i, uint64_t offset) {
    block_view view;
    block_entry first;
    slice body;
    uint32_t found;
    int rc = table_plain_body(v->t, offset, buf_slice(&v->block), &v->plain, &body);
    if (rc) return rc;
    if (!block_open(&view, body) || !block_get(&view, 0, &first)) return table_corrupt(v->t, offset, "bad data block");
    slice prefix = block_prefix(&view);
    v->key.size = 0;
    rc = buf_append(&v->key, prefix.data, prefix.size);
    if (!rc) rc = buf_append(&v->key, first.suffix.data, first.suffix.size);
    if (rc) return rc;
    if (!index_find(index, buf_slice(&v->key), &found) || found != i ||
        !index_find(index, buf_slice(&v->last), &found) || found != i)
        return table_corrupt(v->t, offset, "the index does not lead to this block");
    return RKV_OK;
}

static int check_index(verifier *v, uint64_t offset, uint32_t size) {
    index_view index;
    int rc = read_into(v->t, &v->index, offset, size);
    if (rc) return rc;
    if (!index_open(&index, slice_of(v->index.data, v->index.size - TRAILER_SIZE)))
        return table_corrupt(v->t, offset, "bad index block");
    for (uint32_t i = 0; i < index.count && !rc; i++) {
        uint64_t child;
        uint32_t child_size;
        if (!index_child(&index, i, &child, &child_size)) return table_corrupt(v->t, offset, "bad index block");
        rc = check_data(v, child, child_size);
        if (!rc) rc = check_child(v, &index, i, child);
    }
    return rc;
}

static int check_blocks(verifier *v) {
    const table_footer *f = &v->t->footer;
    int rc = load_filter(v);
    for (uint32_t i = 0; i < v->t->top.count && !rc; i++) {
        uint64_t offset;
        uint32_t size;
        if (!index_child(&v->t->top, i, &offset, &size)) return table_corrupt(v->t, f->top_offset, "bad top index");
        rc = check_index(v, offset, size);
    }
    if (!rc) rc = read_into(v->t, &v->block, f->top_offset, v->t->top_size);
    if (!rc && (v->offset != f->filter_offset || v->entries != f->entries || v->tombstones != f->tombstones ||
                v->expiring != f->expiring))
        rc = table_corrupt(v->t, f->top_offset, "not as many blocks or entries as the footer says");
    return rc;
}

static int check_file(verifier *v, uint32_t expected) {
    table *t = v->t;
    uint32_t crc = 0;
    v->block.size = 0;
    int rc = buf_reserve(&v->block, CHUNK);
    for (uint64_t at = 0; at < t->size && !rc; at += CHUNK) {
        size_t size = t->size - at < CHUNK ? (size_t)(t->size - at) : CHUNK, got = 0;
        rc = t->file->ops->read_at(t->file, at, v->block.data, size, false, &got);
        if (!rc && got < size) rc = table_corrupt(t, at + got, "the file ends early");
        if (!rc) crc = crc32c(crc, v->block.data, size);
    }
    if (!rc && crc != expected)
        rc = status_set(RKV_ECORRUPT, "%s: offset 0: checksum of the whole file is %08x, not %08x", t->path, crc,
                        expected);
    return rc;
}

int table_verify(table *t, uint32_t crc) {
    verifier v = {.t = t};
    int rc = check_blocks(&v);
    if (!rc) rc = check_file(&v, crc);
    mem_free(v.filter);
    buf_clear(&v.index);
    buf_clear(&v.block);
    buf_clear(&v.plain);
    buf_clear(&v.last);
    buf_clear(&v.key);
    return rc;
}
