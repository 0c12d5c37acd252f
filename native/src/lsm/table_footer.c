/* table_footer.c: see table_footer.h. */
#include "lsm/table_footer.h"

#include "base/status.h"

enum { NUMBERS = 12, WORDS = 7 };

static uint32_t end_crc(const uint8_t *footer, size_t size) {
    const uint8_t *end = footer + size - FOOTER_END_SIZE;
    uint32_t crc = crc32c(0, footer, size - FOOTER_END_SIZE + 4);
    return crc32c(crc, end + 8, FOOTER_END_SIZE - 8);
}

int footer_append(buf *out, const table_footer *f) {
    size_t size = FOOTER_FIELDS_SIZE + f->smallest.size + f->largest.size + FOOTER_END_SIZE;
    int rc = buf_reserve(out, size);
    if (rc) return rc;
    const uint64_t numbers[NUMBERS] = {f->number,      f->entries,       f->tombstones,     f->expiring,
                                       f->min_hlc,     f->max_hlc,       f->min_expires_ms, f->max_expires_ms,
                                       f->value_bytes, f->filter_offset, f->index_offset,   f->top_offset};
    const uint32_t words[WORDS] = {f->filter.partitions,     f->filter.lines, f->filter.probes,
                                   f->compression,           f->before_crc,   (uint32_t)f->smallest.size,
                                   (uint32_t)f->largest.size};
    uint8_t *start = out->data + out->size, *p = start;
    memcpy(p, f->store_id, 16);
    p += 16;
    for (int i = 0; i < NUMBERS; i++, p += 8) put_fixed64(p, numbers[i]);
    for (int i = 0; i < WORDS; i++, p += 4) put_fixed32(p, words[i]);
    if (f->smallest.size) memcpy(p, f->smallest.data, f->smallest.size);
    p += f->smallest.size;
    if (f->largest.size) memcpy(p, f->largest.data, f->largest.size);
    p += f->largest.size;
    put_fixed32(p, (uint32_t)size);
    put_fixed32(p + 8, TABLE_VERSION);
    memcpy(p + 12, TABLE_MAGIC, 8);
    put_fixed32(p + 4, end_crc(start, size));
    out->size += size;
    return RKV_OK;
}

size_t footer_size(const uint8_t *end) {
    size_t size = get_fixed32(end);
    return memcmp(end + 12, TABLE_MAGIC, 8) == 0 && size >= FOOTER_END_SIZE ? size : 0;
}

enum footer_state footer_parse(slice bytes, table_footer *out) {
    const uint8_t *end = bytes.data + bytes.size - FOOTER_END_SIZE;
    if (get_fixed32(end + 4) != end_crc(bytes.data, bytes.size)) return FOOTER_DAMAGED;
    uint32_t version = get_fixed32(end + 8);
    if (version > TABLE_VERSION) return FOOTER_NEWER;
    if (version != TABLE_VERSION || bytes.size < FOOTER_FIELDS_SIZE + FOOTER_END_SIZE) return FOOTER_DAMAGED;
    const uint8_t *p = bytes.data;
    uint64_t n[NUMBERS];
    uint32_t w[WORDS];
    memcpy(out->store_id, p, 16);
    p += 16;
    for (int i = 0; i < NUMBERS; i++, p += 8) n[i] = get_fixed64(p);
    for (int i = 0; i < WORDS; i++, p += 4) w[i] = get_fixed32(p);
    size_t keys = bytes.size - FOOTER_FIELDS_SIZE - FOOTER_END_SIZE;
    if (w[5] > keys || w[6] != keys - w[5]) return FOOTER_DAMAGED;
    out->number = n[0];
    out->entries = n[1];
    out->tombstones = n[2];
    out->expiring = n[3];
    out->min_hlc = n[4];
    out->max_hlc = n[5];
    out->min_expires_ms = n[6];
    out->max_expires_ms = n[7];
    out->value_bytes = n[8];
    out->filter_offset = n[9];
    out->index_offset = n[10];
    out->top_offset = n[11];
    out->filter = (bloom_shape){w[0], w[1], w[2]};
    out->compression = w[3];
    out->before_crc = w[4];
    out->smallest = slice_of(p, w[5]);
    out->largest = slice_of(p + w[5], w[6]);
    return FOOTER_OK;
}
