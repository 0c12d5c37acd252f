/* block.c: see block.h. */
#include "lsm/block.h"

#include <assert.h>

#include "base/status.h"

/* --- build -------------------------------------------------------------------------------------------------------- */

typedef struct block_item {
    uint64_t hlc, expires_at_ms;
    size_t start; /* of the key in bytes; the payload follows */
    uint32_t key_size, payload_size;
    uint32_t node;
    uint8_t flags, tag;
} block_item;

static block_item *item_at(const block_builder *b, uint32_t i) {
    return (block_item *)(void *)b->items.data + i;
}

static slice item_key(const block_builder *b, uint32_t i) {
    return slice_of(b->bytes.data + item_at(b, i)->start, item_at(b, i)->key_size);
}

slice block_builder_first(const block_builder *b) {
    return item_key(b, 0);
}

slice block_builder_last(const block_builder *b) {
    return item_key(b, b->totals.count - 1);
}

static void builder_reset(block_builder *b) {
    b->bytes.size = b->items.size = 0;
    b->totals = (block_totals){0};
}

void block_builder_clear(block_builder *b) {
    buf_clear(&b->bytes);
    buf_clear(&b->items);
    builder_reset(b);
}

/* The bytes that hold v: 0 to 8. */
static uint8_t bytes_for(uint64_t v) {
    return v ? (uint8_t)(8 - __builtin_clzll(v) / 8) : 0;
}

static uint8_t hlc_size(const block_totals *t) {
    return bytes_for(t->max_hlc - t->min_hlc);
}

/* A lone entry keeps its whole key, so that readers need not put it together. */
static size_t stored_prefix(const block_totals *t) {
    if (t->count == 1) return 0;
    return t->prefix_size < UINT16_MAX ? t->prefix_size : UINT16_MAX;
}

static size_t entries_size(const block_totals *t) {
    return t->bytes - (t->count - 1) * stored_prefix(t) + t->fields_size + (size_t)t->count * hlc_size(t);
}

static size_t offset_size(const block_totals *t) {
    return BLOCK_HEAD_SIZE + (size_t)t->count * 3 + entries_size(t) > UINT16_MAX ? 4 : 2;
}

static size_t body_size(const block_totals *t) {
    if (!t->count) return 0;
    return BLOCK_HEAD_SIZE + (size_t)t->count * (1 + offset_size(t)) + entries_size(t) + BLOCK_PAD;
}

/* The totals with one more entry; prefix: what the keys so far begin with alike. */
static block_totals totals_with(const block_totals *t, slice prefix, slice key, const cell *c) {
    block_totals sum = *t;
    if (!t->count) {
        sum.node = c->node;
        sum.prefix_size = key.size;
        sum.min_hlc = sum.max_hlc = c->hlc;
    } else {
        sum.prefix_size = slice_common(prefix, key);
        if (c->hlc < t->min_hlc) sum.min_hlc = c->hlc;
        if (c->hlc > t->max_hlc) sum.max_hlc = c->hlc;
    }
    sum.count++;
    sum.bytes += key.size + c->payload.size;
    sum.fields_size += 1 + (size_t)varint_size(key.size) + (c->node != sum.node ? 4 : 0) + (c->expires_at_ms ? 8 : 0);
    return sum;
}

/* The first key, at the start of the bytes, as far as all share it. */
static slice shared_prefix(const block_builder *b) {
    return slice_of(b->bytes.data, b->totals.prefix_size);
}

size_t block_builder_size(const block_builder *b) {
    return body_size(&b->totals);
}

size_t block_builder_size_with(const block_builder *b, slice key, const cell *c) {
    block_totals sum = totals_with(&b->totals, shared_prefix(b), key, c);
    return body_size(&sum);
}

int block_builder_add(block_builder *b, slice key, uint64_t hash, const cell *c) {
    assert(!b->totals.count || slice_compare(block_builder_last(b), key) < 0);
    int rc = buf_reserve(&b->items, sizeof(block_item));
    if (!rc) rc = buf_reserve(&b->bytes, key.size + c->payload.size);
    if (rc) return rc;
    b->totals = totals_with(&b->totals, shared_prefix(b), key, c);
    block_item item = {c->hlc,  c->expires_at_ms, b->bytes.size, (uint32_t)key.size, (uint32_t)c->payload.size,
                       c->node, c->flags,         (uint8_t)hash};
    memcpy(b->items.data + b->items.size, &item, sizeof item);
    b->items.size += sizeof item;
    buf_append(&b->bytes, key.data, key.size); /* reserved above: cannot fail */
    buf_append(&b->bytes, c->payload.data, c->payload.size);
    return RKV_OK;
}

/* Write one entry at p; returns the byte after it. May spoil up to 8 bytes behind that. */
static uint8_t *write_entry(uint8_t *p, const block_builder *b, const block_item *item, size_t shared,
                            uint8_t version_size) {
    const uint8_t *key = b->bytes.data + item->start;
    uint8_t flags = item->flags;
    if (item->node != b->totals.node) flags |= BLOCK_NODE;
    if (item->expires_at_ms) flags |= BLOCK_EXPIRES;
    *p++ = flags;
    p = put_varint(p, item->key_size - shared);
    put_fixed64(p, item->hlc - b->totals.min_hlc);
    p += version_size;
    if (flags & BLOCK_NODE) {
        put_fixed32(p, item->node);
        p += 4;
    }
    if (flags & BLOCK_EXPIRES) {
        put_fixed64(p, item->expires_at_ms);
        p += 8;
    }
    size_t rest = item->key_size - shared + item->payload_size;
    if (rest) memcpy(p, key + shared, rest);
    return p + rest;
}

static void write_head(uint8_t *p, const block_totals *t) {
    put_fixed64(p, t->min_hlc);
    put_fixed32(p + 8, t->node);
    uint16_t count = (uint16_t)t->count, shared = (uint16_t)stored_prefix(t);
    memcpy(p + 12, &count, 2);
    memcpy(p + 14, &shared, 2);
    p[16] = hlc_size(t);
    p[17] = (uint8_t)offset_size(t);
}

int block_builder_finish(block_builder *b, buf *out) {
    const block_totals *t = &b->totals;
    assert(t->count && t->count <= UINT16_MAX);
    /* An upper bound; the pad covers what write_entry spoils. */
    int rc = buf_reserve(out, body_size(t));
    if (rc) return rc;
    size_t shared = stored_prefix(t), offset_bytes = offset_size(t);
    uint8_t version_size = hlc_size(t);
    uint8_t *body = out->data + out->size, *tag = body + BLOCK_HEAD_SIZE, *offset = tag + t->count;
    uint8_t *p = offset + t->count * offset_bytes;
    write_head(body, t);
    if (shared) memcpy(p, b->bytes.data, shared);
    p += shared;
    for (uint32_t i = 0; i < t->count; i++, offset += offset_bytes) {
        uint32_t start = (uint32_t)(p - body);
        *tag++ = item_at(b, i)->tag;
        memcpy(offset, &start, offset_bytes);
        p = write_entry(p, b, item_at(b, i), shared, version_size);
    }
    memset(p, 0, BLOCK_PAD);
    out->size += (size_t)(p + BLOCK_PAD - body);
    builder_reset(b);
    return RKV_OK;
}

/* --- read --------------------------------------------------------------------------------------------------------- */

static uint32_t get_fixed16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}

bool block_open(block_view *out, slice body) {
    if (body.size < BLOCK_HEAD_SIZE + BLOCK_PAD || body.size > UINT32_MAX) return false;
    const uint8_t *head = body.data;
    uint32_t count = get_fixed16(head + 12), prefix_size = get_fixed16(head + 14);
    uint8_t hlc_size = head[16], offset_bytes = head[17];
    size_t entries = BLOCK_HEAD_SIZE + (size_t)count * (1 + offset_bytes) + prefix_size;
    if (!count || hlc_size > 8 || (offset_bytes != 2 && offset_bytes != 4)) return false;
    if (entries > body.size - BLOCK_PAD) return false;
    *out = (block_view){
        .data = body.data,
        .tags = head + BLOCK_HEAD_SIZE,
        .offsets = head + BLOCK_HEAD_SIZE + count,
        .base_hlc = get_fixed64(head),
        .hlc_mask = hlc_size ? UINT64_MAX >> (64 - 8 * hlc_size) : 0,
        .node = get_fixed32(head + 8),
        .count = count,
        .prefix_size = prefix_size,
        .entries = (uint32_t)entries,
        .end = (uint32_t)(body.size - BLOCK_PAD),
        .hlc_size = hlc_size,
        .wide = offset_bytes == 4,
    };
    return true;
}

static uint32_t offset_at(const block_view *v, uint32_t i) {
    return v->wide ? get_fixed32(v->offsets + 4 * (size_t)i) : get_fixed16(v->offsets + 2 * (size_t)i);
}

bool block_get(const block_view *v, uint32_t i, block_entry *out) {
    uint32_t start = offset_at(v, i);
    uint32_t end = i + 1 < v->count ? offset_at(v, i + 1) : v->end;
    if (start < v->entries || end > v->end || start >= end) return false;
    const uint8_t *p = v->data + start, *entry_end = v->data + end;
    uint8_t flags = *p++;
    uint32_t suffix_size;
    if (flags & ~(CELL_TOMBSTONE | CELL_POINTER | BLOCK_EXPIRES | BLOCK_NODE)) return false;
    if (p < entry_end && *p < 0x80)
        suffix_size = *p++;
    else if (!get_varint32(&p, entry_end, &suffix_size))
        return false;
    size_t fields = v->hlc_size + (flags & BLOCK_NODE ? 4u : 0) + (flags & BLOCK_EXPIRES ? 8u : 0);
    size_t left = (size_t)(entry_end - p);
    if (fields > left || suffix_size > left - fields) return false;
    out->cell.flags = flags & (CELL_TOMBSTONE | CELL_POINTER);
    out->cell.hlc = v->base_hlc + (get_fixed64(p) & v->hlc_mask);
    p += v->hlc_size;
    out->cell.node = v->node;
    out->cell.expires_at_ms = 0;
    if (flags & BLOCK_NODE) {
        out->cell.node = get_fixed32(p);
        p += 4;
    }
    if (flags & BLOCK_EXPIRES) {
        out->cell.expires_at_ms = get_fixed64(p);
        p += 8;
    }
    out->suffix = slice_of(p, suffix_size);
    out->cell.payload = slice_of(p + suffix_size, left - fields - suffix_size);
    return true;
}

/* A bit at the top of every byte of word that is zero, and perhaps of a byte 1 above such a one. */
static uint64_t zero_bytes(uint64_t word) {
    return (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
}

enum block_found block_find(const block_view *v, slice key, uint64_t hash, cell *out) {
    if (key.size < v->prefix_size || !bytes_equal(key.data, block_prefix(v).data, v->prefix_size)) return BLOCK_ABSENT;
    slice suffix = slice_of(key.data + v->prefix_size, key.size - v->prefix_size);
    uint64_t pattern = (uint8_t)hash * 0x0101010101010101ULL;
    for (uint32_t group = 0; group < v->count; group += 8) {
        /* The last load may reach beyond the tags, not beyond the body: the pad is longer. */
        uint64_t match = zero_bytes(get_fixed64(v->tags + group) ^ pattern);
        for (; match; match &= match - 1) {
            uint32_t i = group + (uint32_t)__builtin_ctzll(match) / 8;
            block_entry e;
            if (i >= v->count) break;
            if (!block_get(v, i, &e)) return BLOCK_BAD;
            if (e.suffix.size != suffix.size || !bytes_equal(e.suffix.data, suffix.data, suffix.size)) continue;
            *out = e.cell;
            return BLOCK_FOUND;
        }
    }
    return BLOCK_ABSENT;
}

bool block_lower_bound(const block_view *v, slice target, uint32_t *out) {
    uint32_t low = 0, high = v->count;
    slice prefix = block_prefix(v);
    size_t common = target.size < prefix.size ? target.size : prefix.size;
    int order = slice_compare(slice_of(target.data, common), prefix);
    if (order > 0) low = high;
    if (order < 0) high = low;
    slice suffix = slice_of(target.data + common, target.size - common);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        block_entry e;
        if (!block_get(v, middle, &e)) return false;
        if (slice_compare(e.suffix, suffix) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out = low;
    return true;
}
