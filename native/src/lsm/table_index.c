/* table_index.c: see table_index.h. */
#include "lsm/table_index.h"

#include <assert.h>

#include "base/status.h"

enum { HEAD_SIZE = 8, MARK_BITS = 4, REST_MAX = 1 << (32 - MARK_BITS) };

/* --- build -------------------------------------------------------------------------------------------------------- */

typedef struct index_item {
    size_t start; /* of the separator */
    uint32_t size;
    uint32_t offset; /* of the child, from base */
} index_item;

static const index_item *item_at(const index_builder *b, uint32_t i) {
    return (const index_item *)(const void *)b->items.data + i;
}

static slice item_separator(const index_builder *b, uint32_t i) {
    return slice_of(b->separators.data + item_at(b, i)->start, item_at(b, i)->size);
}

slice index_builder_first(const index_builder *b) {
    return item_separator(b, 0);
}

void index_builder_reset(index_builder *b) {
    b->separators.size = b->items.size = 0;
    b->count = 0;
}

void index_builder_clear(index_builder *b) {
    buf_clear(&b->separators);
    buf_clear(&b->items);
    *b = (index_builder){0};
}

bool index_builder_full(const index_builder *b, slice separator, uint64_t end) {
    return b->count && (b->count >= INDEX_COUNT_MAX || end - b->base > INDEX_SPAN_MAX ||
                        b->separators.size + separator.size > INDEX_BYTES_MAX);
}

int index_builder_add(index_builder *b, slice separator, uint64_t offset, uint32_t size) {
    assert(!b->count || offset == b->end);
    uint64_t base = b->count ? b->base : offset;
    if (offset + size - base > UINT32_MAX || b->separators.size + separator.size >= REST_MAX)
        return status_set(RKV_ETOOBIG, "table index: beyond %u bytes", UINT32_MAX);
    int rc = buf_reserve(&b->items, sizeof(index_item));
    if (!rc) rc = buf_reserve(&b->separators, separator.size);
    if (rc) return rc;
    index_item item = {b->separators.size, (uint32_t)separator.size, (uint32_t)(offset - base)};
    memcpy(b->items.data + b->items.size, &item, sizeof item);
    b->items.size += sizeof item;
    buf_append(&b->separators, separator.data, separator.size); /* reserved above: cannot fail */
    b->base = base;
    b->end = offset + size;
    b->count++;
    return RKV_OK;
}

/* The first 8 bytes as a number that orders as they do, zeros behind a shorter slice. */
static uint64_t head_of(slice s) {
    if (s.size >= HEAD_SIZE) return get_be64(s.data);
    uint64_t head = 0;
    for (size_t i = 0; i < HEAD_SIZE; i++) head = head << 8 | (i < s.size ? s.data[i] : 0);
    return head;
}

static slice slice_from(slice s, size_t start) {
    if (start > s.size) start = s.size;
    return slice_of(s.data + start, s.size - start);
}

static size_t head_size(slice s) {
    return s.size < HEAD_SIZE ? s.size : HEAD_SIZE;
}

int index_builder_encode(const index_builder *b, buf *out) {
    assert(b->count);
    size_t n = b->count;
    size_t shared = slice_common(item_separator(b, 0), item_separator(b, b->count - 1));
    size_t bound = n * (8 + 4 + 4) + 8 + b->separators.size + INDEX_TAIL_SIZE;
    int rc = buf_reserve(out, bound);
    if (rc) return rc;
    uint8_t *heads = out->data + out->size, *offsets = heads + 8 * n, *marks = offsets + 4 * (n + 1);
    uint8_t *prefix = marks + 4 * (n + 1), *rest = prefix + shared, *p = rest;
    if (shared) memcpy(prefix, b->separators.data, shared);
    for (uint32_t i = 0; i < n; i++) {
        slice own = slice_from(item_separator(b, i), shared);
        slice tail = slice_from(own, HEAD_SIZE);
        put_fixed64(heads + 8 * (size_t)i, head_of(own));
        put_fixed32(offsets + 4 * (size_t)i, item_at(b, i)->offset);
        put_fixed32(marks + 4 * (size_t)i, (uint32_t)((size_t)(p - rest) << MARK_BITS | head_size(own)));
        if (tail.size) memcpy(p, tail.data, tail.size);
        p += tail.size;
    }
    put_fixed32(offsets + 4 * n, (uint32_t)(b->end - b->base));
    put_fixed32(marks + 4 * n, (uint32_t)((size_t)(p - rest) << MARK_BITS));
    put_fixed64(p, b->base);
    put_fixed32(p + 8, b->count);
    put_fixed32(p + 12, (uint32_t)shared);
    out->size = (size_t)(p + INDEX_TAIL_SIZE - out->data);
    return RKV_OK;
}

/* --- read --------------------------------------------------------------------------------------------------------- */

bool index_open(index_view *out, slice body) {
    if (body.size < INDEX_TAIL_SIZE || body.size > UINT32_MAX) return false;
    const uint8_t *tail = body.data + body.size - INDEX_TAIL_SIZE;
    size_t before = body.size - INDEX_TAIL_SIZE;
    size_t count = get_fixed32(tail + 8), prefix_size = get_fixed32(tail + 12);
    if (!count || count > before / 16) return false;
    size_t arrays = count * 16 + 8;
    if (arrays > before || prefix_size > before - arrays) return false;
    *out = (index_view){
        .heads = body.data,
        .offsets = body.data + 8 * count,
        .marks = body.data + 12 * count + 4,
        .prefix = body.data + arrays,
        .rest = body.data + arrays + prefix_size,
        .base = get_fixed64(tail),
        .count = (uint32_t)count,
        .prefix_size = (uint32_t)prefix_size,
        .rest_size = (uint32_t)(before - arrays - prefix_size),
    };
    return true;
}

/* How many heads are below limit, or, if equal ones count too, at most limit. */
static uint32_t count_below(const index_view *v, uint64_t limit, bool equal_too) {
    if (equal_too && limit == UINT64_MAX) return v->count;
    limit += equal_too;
    const uint8_t *first = v->heads;
    uint32_t left = v->count;
    while (left > 1) {
        uint32_t half = left / 2;
        first += get_fixed64(first + 8 * (size_t)(half - 1)) < limit ? 8 * (size_t)half : 0;
        left -= half;
    }
    return (uint32_t)((size_t)(first - v->heads) / 8) + (get_fixed64(first) < limit);
}

/* Is separator i <= the key whose part behind the prefix, with the same head, is own? 1, 0; -1: damaged. */
static int separator_reached(const index_view *v, uint32_t i, slice own) {
    uint32_t mark = get_fixed32(v->marks + 4 * (size_t)i), next = get_fixed32(v->marks + 4 * (size_t)i + 4);
    size_t start = mark >> MARK_BITS, end = next >> MARK_BITS, in_head = mark & 15;
    if (start > end || end > v->rest_size || in_head > HEAD_SIZE) return -1;
    /* Within equal heads one may differ from the other only by zeros that are not there. */
    if (in_head < HEAD_SIZE || own.size < HEAD_SIZE) return in_head <= head_size(own);
    return slice_compare(slice_of(v->rest + start, end - start), slice_from(own, HEAD_SIZE)) <= 0;
}

bool index_find(const index_view *v, slice key, uint32_t *out) {
    *out = 0;
    if (key.size < v->prefix_size || !bytes_equal(key.data, v->prefix, v->prefix_size)) {
        if (slice_compare(key, slice_of(v->prefix, v->prefix_size)) > 0) *out = v->count - 1;
        return true;
    }
    slice own = slice_from(key, v->prefix_size);
    uint64_t head = head_of(own);
    uint32_t high = count_below(v, head, true);
    if (!high) return true;
    uint32_t low = high - 1;
    if (get_fixed64(v->heads + 8 * (size_t)low) == head) {
        low = count_below(v, head, false);
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            int reached = separator_reached(v, middle, own);
            if (reached < 0) return false;
            if (reached)
                low = middle + 1;
            else
                high = middle;
        }
        if (!low) return true;
        low--;
    }
    *out = low;
    return true;
}
