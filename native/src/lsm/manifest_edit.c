/* manifest_edit.c: lists and bytes of an edit; see manifest_edit.h. */
#include "lsm/manifest_edit.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/status.h"

enum tag {
    TAG_ADD_TABLE = 1,
    TAG_REMOVE_TABLE = 2,
    TAG_RANGES = 3,
    TAG_NEXT_FILE = 4,
    TAG_LOG = 5,
    TAG_DURABLE = 6,
    TAG_VALUE_FILE = 7,
    TAG_REMOVE_VALUE_FILE = 8,
    TAG_NEXT_VALUE_FILE = 9,
};

enum { FLAG_LATE = 1, RANGES_MAX = 1 << 20 };

void edit_clear(edit *e) {
    for (size_t i = 0; i < e->added_count; i++) table_props_clear(&e->added[i].props);
    mem_free(e->added);
    mem_free(e->removed);
    rdel_set_unref(e->rdels);
    mem_free(e->values);
    mem_free(e->values_removed);
    *e = (edit){0};
}

/* Room for one more item of size bytes in a list. */
static int grow(void **items, size_t count, size_t *room, size_t size) {
    if (count < *room) return RKV_OK;
    size_t more = *room ? *room * 2 : 8;
    void *block = mem_realloc(*items, more * size);
    if (!block) return alloc_failed(more * size);
    *items = block;
    *room = more;
    return RKV_OK;
}

static int props_copy(table_props *out, const table_props *from) {
    *out = *from;
    out->smallest = out->largest = (buf){0};
    int rc = buf_append(&out->smallest, from->smallest.data, from->smallest.size);
    if (rc == RKV_OK) rc = buf_append(&out->largest, from->largest.data, from->largest.size);
    if (rc) table_props_clear(out);
    return rc;
}

int edit_add_table(edit *e, const table_props *props, unsigned level, uint64_t clean, bool late) {
    int rc = grow((void **)&e->added, e->added_count, &e->added_room, sizeof *e->added);
    if (rc) return rc;
    edit_table *t = &e->added[e->added_count];
    rc = props_copy(&t->props, props);
    if (rc) return rc;
    t->level = level;
    t->clean = clean;
    t->late = late;
    e->added_count++;
    return RKV_OK;
}

int edit_remove_table(edit *e, uint64_t number) {
    int rc = grow((void **)&e->removed, e->removed_count, &e->removed_room, sizeof *e->removed);
    if (rc == RKV_OK) e->removed[e->removed_count++] = number;
    return rc;
}

int edit_set_value_file(edit *e, const vlog_file_info *info) {
    for (size_t i = 0; i < e->values_count; i++) {
        if (e->values[i].number != info->number) continue;
        e->values[i] = *info;
        return RKV_OK;
    }
    int rc = grow((void **)&e->values, e->values_count, &e->values_room, sizeof *e->values);
    if (rc == RKV_OK) e->values[e->values_count++] = *info;
    return rc;
}

int edit_remove_value_file(edit *e, uint64_t number) {
    int rc = grow((void **)&e->values_removed, e->values_removed_count, &e->values_removed_room, sizeof(uint64_t));
    if (rc == RKV_OK) e->values_removed[e->values_removed_count++] = number;
    return rc;
}

void edit_set_rdels(edit *e, rdel_set *set) {
    rdel_set *old = e->rdels;
    e->rdels = rdel_set_ref(set);
    e->has_rdels = true;
    rdel_set_unref(old);
}

/* --- bytes --------------------------------------------------------------------------------------------------------------- */

static int emit(buf *out, uint64_t v) {
    uint8_t bytes[VARINT64_MAX];
    return buf_append(out, bytes, (size_t)(put_varint(bytes, v) - bytes));
}

static int emit_all(buf *out, const uint64_t *v, size_t count) {
    int rc = RKV_OK;
    for (size_t i = 0; i < count && rc == RKV_OK; i++) rc = emit(out, v[i]);
    return rc;
}

static int emit_bytes(buf *out, slice bytes) {
    int rc = emit(out, bytes.size);
    return rc ? rc : buf_append(out, bytes.data, bytes.size);
}

static int encode_table(const edit_table *t, buf *out) {
    const table_props *p = &t->props;
    const uint64_t v[] = {TAG_ADD_TABLE, t->level,          t->late ? FLAG_LATE : 0, t->clean,      p->number,
                          p->size,       p->entries,        p->tombstones,           p->expiring,   p->min_hlc,
                          p->max_hlc,    p->min_expires_ms, p->max_expires_ms,       p->value_bytes};
    uint8_t crc[4];
    put_fixed32(crc, p->crc);
    int rc = emit_all(out, v, sizeof v / sizeof *v);
    if (rc == RKV_OK) rc = buf_append(out, crc, sizeof crc);
    if (rc == RKV_OK) rc = emit_bytes(out, buf_slice(&p->smallest));
    if (rc == RKV_OK) rc = emit_bytes(out, buf_slice(&p->largest));
    return rc;
}

static int encode_ranges(const rdel_set *set, buf *out) {
    const uint64_t head[] = {TAG_RANGES, rdel_set_count(set)};
    int rc = emit_all(out, head, 2);
    for (size_t i = 0; i < rdel_set_count(set) && rc == RKV_OK; i++) {
        const rdel *r = &set->items[i];
        const uint64_t v[] = {r->hlc, r->node, r->number};
        rc = emit_bytes(out, r->begin);
        if (rc == RKV_OK) rc = emit_bytes(out, r->end);
        if (rc == RKV_OK) rc = emit_all(out, v, 3);
    }
    return rc;
}

static int encode_numbers(const edit *e, buf *out) {
    const uint64_t log[] = {TAG_LOG, e->log_segment, e->flushed_seq};
    const uint64_t next[] = {TAG_NEXT_FILE, e->next_file};
    const uint64_t durable[] = {TAG_DURABLE, e->durable_seq};
    const uint64_t next_value[] = {TAG_NEXT_VALUE_FILE, e->next_value_file};
    int rc = e->has_log ? emit_all(out, log, 3) : RKV_OK;
    if (rc == RKV_OK && e->next_file) rc = emit_all(out, next, 2);
    if (rc == RKV_OK && e->durable_seq) rc = emit_all(out, durable, 2);
    if (rc == RKV_OK && e->next_value_file) rc = emit_all(out, next_value, 2);
    return rc;
}

int edit_encode(const edit *e, buf *out) {
    int rc = RKV_OK;
    for (size_t i = 0; i < e->removed_count && rc == RKV_OK; i++) {
        const uint64_t v[] = {TAG_REMOVE_TABLE, e->removed[i]};
        rc = emit_all(out, v, 2);
    }
    for (size_t i = 0; i < e->added_count && rc == RKV_OK; i++) rc = encode_table(&e->added[i], out);
    if (rc == RKV_OK && e->has_rdels) rc = encode_ranges(e->rdels, out);
    for (size_t i = 0; i < e->values_count && rc == RKV_OK; i++) {
        const uint64_t v[] = {TAG_VALUE_FILE, e->values[i].number, e->values[i].bytes, e->values[i].garbage};
        rc = emit_all(out, v, 4);
    }
    for (size_t i = 0; i < e->values_removed_count && rc == RKV_OK; i++) {
        const uint64_t v[] = {TAG_REMOVE_VALUE_FILE, e->values_removed[i]};
        rc = emit_all(out, v, 2);
    }
    return rc ? rc : encode_numbers(e, out);
}

typedef struct reader {
    const uint8_t *cursor, *end;
} reader;

static int bad(const char *what) {
    return status_set(RKV_ECORRUPT, "manifest edit: %s", what);
}

static int take_all(reader *r, uint64_t *out, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!get_varint64(&r->cursor, r->end, &out[i])) return bad("a number is cut off");
    return RKV_OK;
}

static int take_bytes(reader *r, slice *out) {
    uint64_t size = 0;
    int rc = take_all(r, &size, 1);
    if (rc) return rc;
    if (size > KEY_SIZE_MAX || size > (size_t)(r->end - r->cursor)) return bad("a key is cut off or too long");
    *out = slice_of(r->cursor, (size_t)size);
    r->cursor += size;
    return RKV_OK;
}

static int decode_table(edit *e, reader *r) {
    uint64_t v[13] = {0};
    slice smallest;
    slice largest;
    uint32_t crc = 0;
    int rc = take_all(r, v, 13);
    if (rc == RKV_OK) {
        if (r->end - r->cursor < 4) return bad("a table is cut off");
        crc = get_fixed32(r->cursor);
        r->cursor += 4;
        rc = take_bytes(r, &smallest);
    }
    if (rc == RKV_OK) rc = take_bytes(r, &largest);
    if (rc) return rc;
    if (v[0] > UINT8_MAX || v[1] > FLAG_LATE || slice_compare(smallest, largest) > 0)
        return bad("a table makes no sense");
    /* The buffers are borrowed for the copy below. */
    table_props props = {
        .number = v[3],
        .size = v[4],
        .entries = v[5],
        .tombstones = v[6],
        .expiring = v[7],
        .min_hlc = v[8],
        .max_hlc = v[9],
        .min_expires_ms = v[10],
        .max_expires_ms = v[11],
        .value_bytes = v[12],
        .crc = crc,
        .smallest = {(uint8_t *)smallest.data, smallest.size, 0},
        .largest = {(uint8_t *)largest.data, largest.size, 0},
    };
    return edit_add_table(e, &props, (unsigned)v[0], v[2], v[1] & FLAG_LATE);
}

static int decode_ranges(edit *e, reader *r) {
    uint64_t count = 0;
    int rc = take_all(r, &count, 1);
    if (rc) return rc;
    if (count > RANGES_MAX || count > (size_t)(r->end - r->cursor)) return bad("too many range deletions");
    rdel *items = mem_alloc((size_t)count * sizeof *items);
    if (!items) return alloc_failed((size_t)count * sizeof *items);
    for (size_t i = 0; i < count && rc == RKV_OK; i++) {
        uint64_t v[3] = {0};
        rc = take_bytes(r, &items[i].begin);
        if (rc == RKV_OK) rc = take_bytes(r, &items[i].end);
        if (rc == RKV_OK) rc = take_all(r, v, 3);
        if (rc) break;
        if (v[1] > UINT32_MAX) rc = bad("a node id is too large");
        items[i].hlc = v[0];
        items[i].node = (uint32_t)v[1];
        items[i].number = v[2];
    }
    rdel_set *set = NULL;
    if (rc == RKV_OK) rc = rdel_set_add(&set, NULL, items, (size_t)count);
    if (rc == RKV_OK) edit_set_rdels(e, set);
    rdel_set_unref(set);
    mem_free(items);
    return rc;
}

static int decode_field(edit *e, enum tag tag, reader *r) {
    uint64_t v[3] = {0};
    int rc;
    switch (tag) {
    case TAG_ADD_TABLE: return decode_table(e, r);
    case TAG_REMOVE_TABLE: rc = take_all(r, v, 1); return rc ? rc : edit_remove_table(e, v[0]);
    case TAG_RANGES: return decode_ranges(e, r);
    case TAG_NEXT_FILE: return take_all(r, &e->next_file, 1);
    case TAG_LOG:
        rc = take_all(r, v, 2);
        if (rc) return rc;
        e->has_log = true;
        e->log_segment = v[0];
        e->flushed_seq = v[1];
        return RKV_OK;
    case TAG_DURABLE: return take_all(r, &e->durable_seq, 1);
    case TAG_VALUE_FILE:
        rc = take_all(r, v, 3);
        return rc ? rc : edit_set_value_file(e, &(vlog_file_info){v[0], v[1], v[2]});
    case TAG_REMOVE_VALUE_FILE: rc = take_all(r, v, 1); return rc ? rc : edit_remove_value_file(e, v[0]);
    case TAG_NEXT_VALUE_FILE: return take_all(r, &e->next_value_file, 1);
    }
    return bad("an unknown field");
}

int edit_decode(edit *out, slice bytes) {
    *out = (edit){0};
    reader r = {bytes.data, bytes.data + bytes.size};
    while (r.cursor < r.end) {
        enum tag tag = (enum tag) * r.cursor++;
        int rc = decode_field(out, tag, &r);
        if (rc) return rc;
    }
    return RKV_OK;
}

/* --- laying over --------------------------------------------------------------------------------------------------------- */

static int image_remove_table(edit *image, uint64_t number) {
    for (size_t i = image->added_count; i-- > 0;) {
        if (image->added[i].props.number != number) continue;
        table_props_clear(&image->added[i].props);
        image->added[i] = image->added[--image->added_count];
        return RKV_OK;
    }
    return status_set(RKV_ECORRUPT, "manifest edit: removes table %" PRIu64 ", which is not there", number);
}

static int image_add_table(edit *image, const edit_table *t) {
    for (size_t i = 0; i < image->added_count; i++)
        if (image->added[i].props.number == t->props.number)
            return status_set(RKV_ECORRUPT, "manifest edit: adds table %" PRIu64 " twice", t->props.number);
    return edit_add_table(image, &t->props, t->level, t->clean, t->late);
}

static void image_remove_value_file(edit *image, uint64_t number) {
    for (size_t i = 0; i < image->values_count; i++) {
        if (image->values[i].number != number) continue;
        image->values[i] = image->values[--image->values_count];
        return;
    }
}

int edit_apply(edit *image, const edit *next) {
    int rc = RKV_OK;
    for (size_t i = 0; i < next->removed_count && rc == RKV_OK; i++) rc = image_remove_table(image, next->removed[i]);
    for (size_t i = 0; i < next->added_count && rc == RKV_OK; i++) rc = image_add_table(image, &next->added[i]);
    for (size_t i = 0; i < next->values_count && rc == RKV_OK; i++) rc = edit_set_value_file(image, &next->values[i]);
    if (rc) return rc;
    for (size_t i = 0; i < next->values_removed_count; i++) image_remove_value_file(image, next->values_removed[i]);
    if (next->has_rdels) edit_set_rdels(image, next->rdels);
    if (next->next_file) image->next_file = next->next_file;
    if (next->durable_seq) image->durable_seq = next->durable_seq;
    if (next->next_value_file) image->next_value_file = next->next_value_file;
    if (next->has_log) {
        image->has_log = true;
        image->log_segment = next->log_segment;
        image->flushed_seq = next->flushed_seq;
    }
    return RKV_OK;
}
