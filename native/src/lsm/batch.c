/* batch.c: encode and decode commit batches; the grammar stands in batch.h. No I/O, no state of its own.
 *
 * The writer trusts its caller (asserts); the reader trusts nobody: a batch may come from a file or a peer. It accepts exactly
 * what the writer can produce, save that varints may be longer than needed.
 */
#include "lsm/batch.h"

#include <assert.h>

#include "base/coding.h"
#include "base/status.h"

enum {
    NODE_AT = 8,
    COUNT_AT = 12,
    ENTRY_SIZE_MIN = 3, /* kind, delta and key size of a tombstone with an empty key */
    KIND_CELL = CELL_TOMBSTONE | CELL_POINTER,
};

int batch_begin(buf *b, uint64_t base_hlc, uint32_t node) {
    int rc = b->capacity >= BATCH_HEADER_SIZE ? RKV_OK : buf_reserve(b, BATCH_HEADER_SIZE - b->size);
    if (rc) return rc;
    put_fixed64(b->data, base_hlc);
    put_fixed32(b->data + NODE_AT, node);
    put_fixed32(b->data + COUNT_AT, 0);
    b->size = BATCH_HEADER_SIZE;
    return RKV_OK;
}

static uint8_t *put_slice(uint8_t *p, slice s) {
    p = put_varint(p, s.size);
    if (s.size) memcpy(p, s.data, s.size);
    return p + s.size;
}

/* Append one entry; value NULL: none. */
static int append_entry(buf *b, unsigned kind, uint64_t hlc, uint64_t expires_at_ms, slice key, const slice *value) {
    assert(b->size >= BATCH_HEADER_SIZE && key.size <= KEY_SIZE_MAX);
    assert(!value || value->size <= UINT32_MAX);
    uint64_t base_hlc = get_fixed64(b->data);
    uint32_t count = get_fixed32(b->data + COUNT_AT);
    assert(hlc >= base_hlc && count < UINT32_MAX);
    int rc = buf_reserve(b, BATCH_ENTRY_OVERHEAD_MAX + key.size + (value ? value->size : 0));
    if (rc) return rc;
    uint8_t *p = b->data + b->size;
    *p++ = (uint8_t)kind;
    p = put_varint(p, hlc - base_hlc);
    if (kind & BATCH_EXPIRES) {
        put_fixed64(p, expires_at_ms);
        p += 8;
    }
    p = put_slice(p, key);
    if (value) p = put_slice(p, *value);
    b->size = (size_t)(p - b->data);
    put_fixed32(b->data + COUNT_AT, count + 1);
    return RKV_OK;
}

int batch_put(buf *b, slice key, const cell *c) {
    assert((c->flags & ~KIND_CELL) == 0 && c->flags != KIND_CELL);
    assert(c->node == get_fixed32(b->data + NODE_AT));
    bool tombstone = c->flags & CELL_TOMBSTONE;
    assert(!tombstone || c->payload.size == 0);
    unsigned kind = c->flags | (c->expires_at_ms ? BATCH_EXPIRES : 0u);
    return append_entry(b, kind, c->hlc, c->expires_at_ms, key, tombstone ? NULL : &c->payload);
}

int batch_delete_range(buf *b, slice begin, slice end, uint64_t hlc) {
    assert(end.size <= KEY_SIZE_MAX);
    return append_entry(b, BATCH_RANGE, hlc, 0, begin, &end);
}

int batch_open(batch_reader *out, slice bytes) {
    if (bytes.size < BATCH_HEADER_SIZE)
        return status_set(RKV_ECORRUPT, "batch: %zu bytes, shorter than its header", bytes.size);
    uint32_t count = get_fixed32(bytes.data + COUNT_AT);
    /* Callers reserve room by the count, so it may not promise more than the bytes can hold. */
    if (count > (bytes.size - BATCH_HEADER_SIZE) / ENTRY_SIZE_MIN)
        return status_set(RKV_ECORRUPT, "batch: %u entries cannot lie in %zu bytes", count, bytes.size);
    *out = (batch_reader){
        .base_hlc = get_fixed64(bytes.data),
        .node = get_fixed32(bytes.data + NODE_AT),
        .count = count,
        .cursor = bytes.data + BATCH_HEADER_SIZE,
        .end = bytes.data + bytes.size,
        .left = count,
    };
    return RKV_OK;
}

static bool kind_valid(unsigned kind) {
    if (kind & BATCH_RANGE) return kind == BATCH_RANGE;
    return (kind & ~(unsigned)(KIND_CELL | BATCH_EXPIRES)) == 0 && (kind & KIND_CELL) != KIND_CELL;
}

static bool get_expiry(const uint8_t **cursor, const uint8_t *end, uint64_t *out) {
    if (end - *cursor < 8) return false;
    *out = get_fixed64(*cursor);
    *cursor += 8;
    return *out != 0;
}

static bool get_slice(const uint8_t **cursor, const uint8_t *end, uint32_t size_max, slice *out) {
    uint32_t size;
    if (!get_varint32(cursor, end, &size) || size > size_max || size > (size_t)(end - *cursor)) return false;
    *out = slice_of(*cursor, size);
    *cursor += size;
    return true;
}

/* Decode the entry at *cursor; false: malformed, and *cursor is anywhere within the batch. */
static bool get_entry(const batch_reader *r, const uint8_t **cursor, batch_entry *out) {
    if (*cursor == r->end) return false;
    unsigned kind = *(*cursor)++;
    uint64_t delta;
    if (!kind_valid(kind) || !get_varint64(cursor, r->end, &delta) || delta > UINT64_MAX - r->base_hlc) return false;
    batch_entry e = {
        .is_range = kind & BATCH_RANGE,
        .cell = {.hlc = r->base_hlc + delta, .node = r->node, .flags = (uint8_t)(kind & KIND_CELL)},
    };
    if (kind & BATCH_EXPIRES && !get_expiry(cursor, r->end, &e.cell.expires_at_ms)) return false;
    if (!get_slice(cursor, r->end, KEY_SIZE_MAX, &e.key)) return false;
    if (e.is_range) {
        if (!get_slice(cursor, r->end, KEY_SIZE_MAX, &e.end)) return false;
    } else if (!(kind & CELL_TOMBSTONE)) {
        if (!get_slice(cursor, r->end, UINT32_MAX, &e.cell.payload)) return false;
    }
    *out = e;
    return true;
}

int batch_next(batch_reader *r, batch_entry *out) {
    if (r->left == 0) {
        if (r->cursor == r->end) return RKV_END;
        return status_set(RKV_ECORRUPT, "batch: %zu bytes after its %u entries", (size_t)(r->end - r->cursor),
                          r->count);
    }
    const uint8_t *cursor = r->cursor;
    if (!get_entry(r, &cursor, out))
        return status_set(RKV_ECORRUPT, "batch: entry %u of %u, %zu bytes before the end, is malformed",
                          r->count - r->left, r->count, (size_t)(r->end - r->cursor));
    r->cursor = cursor;
    r->left--;
    return RKV_OK;
}

int batch_check(slice bytes) {
    batch_reader r;
    batch_entry e;
    int rc = batch_open(&r, bytes);
    while (rc == RKV_OK) rc = batch_next(&r, &e);
    return rc == RKV_END ? RKV_OK : rc;
}
