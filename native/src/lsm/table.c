/* table.c: open, hold and ask a table; see table.h. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/block.h"
#include "lsm/table_read.h"

enum {
    FOOTER_SIZE_MAX = FOOTER_FIELDS_SIZE + FOOTER_END_SIZE + 2 * KEY_SIZE_MAX,
    ATTEMPTS = 2,
};

/* --- open --------------------------------------------------------------------------------------------------------- */

static int read_at(table *t, uint64_t offset, uint8_t *to, size_t size) {
    size_t got;
    int rc = t->file->ops->read_at(t->file, offset, to, size, false, &got);
    return !rc && got < size ? table_corrupt(t, offset + got, "the file ends early") : rc;
}

static int foreign_store(const table *t, const uint8_t *theirs, const uint8_t *ours) {
    char text[2][33];
    for (int i = 0; i < 16; i++) {
        snprintf(text[0] + 2 * i, 3, "%02x", theirs[i]);
        snprintf(text[1] + 2 * i, 3, "%02x", ours[i]);
    }
    return status_set(RKV_EFORMAT, "%s: a table of store %s, this one is %s", t->path, text[0], text[1]);
}

/* Do the numbers of a sound footer at that offset describe this file? */
static bool footer_fits(const table *t, const table_footer *f, uint64_t offset) {
    if (f->number != t->number || f->compression > TABLE_LZ4) return false;
    if (f->filter_offset > f->index_offset || f->index_offset >= f->top_offset || f->top_offset >= offset) return false;
    if (offset - f->top_offset <= TRAILER_SIZE || f->filter_offset <= TRAILER_SIZE) return false;
    uint64_t filter_size = f->index_offset - f->filter_offset;
    if (!f->filter.partitions) return filter_size == 0;
    return f->filter.partitions <= BLOOM_PARTITIONS_MAX && f->filter.lines &&
           f->filter.lines <= BLOOM_PARTITION_LINES && f->filter.probes <= BLOOM_PROBES_MAX &&
           f->filter.partitions * (bloom_partition_bytes(&f->filter) + TRAILER_SIZE) == filter_size;
}

/* Read the footer into a new buffer (the keys of *out lie in it). */
static int try_footer(table *t, buf *bytes, table_footer *out) {
    uint8_t end[FOOTER_END_SIZE];
    if (t->size < sizeof end) return table_corrupt(t, 0, "too short to be a table");
    int rc = read_at(t, t->size - sizeof end, end, sizeof end);
    if (rc) return rc;
    size_t size = footer_size(end);
    if (!size || size > t->size || size > FOOTER_SIZE_MAX)
        return table_corrupt(t, t->size - sizeof end, "no table ends here");
    bytes->size = 0;
    rc = buf_reserve(bytes, size);
    if (!rc) rc = read_at(t, t->size - size, bytes->data, size);
    if (rc) return rc;
    bytes->size = size;
    switch (footer_parse(buf_slice(bytes), out)) {
    case FOOTER_OK: return RKV_OK;
    case FOOTER_NEWER:
        return status_set(RKV_EFORMAT, "%s: a table of a newer format version; this program reads up to %d", t->path,
                          TABLE_VERSION);
    default: return table_corrupt(t, t->size - size, "footer fails its checksum");
    }
}

static int read_footer(table *t, buf *bytes, table_footer *out) {
    int rc = RKV_OK;
    for (int i = 0; i < ATTEMPTS; i++) {
        rc = try_footer(t, bytes, out);
        if (rc != RKV_EIO && rc != RKV_ECORRUPT) break;
    }
    return rc;
}

static int open_footer(table *t, const table_options *options) {
    buf bytes = {0};
    table_footer f;
    int rc = read_footer(t, &bytes, &f);
    if (!rc && memcmp(f.store_id, options->store_id, sizeof f.store_id) != 0)
        rc = foreign_store(t, f.store_id, options->store_id);
    else if (!rc && f.number != t->number)
        rc = status_set(RKV_ECORRUPT, "%s: holds table %llu, not %llu", t->path, (unsigned long long)f.number,
                        (unsigned long long)t->number);
    else if (!rc && f.compression == TABLE_LZ4 && !table_has_lz4())
        rc = status_set(RKV_EFORMAT, "%s: compressed with LZ4, which this program was built without", t->path);
    else if (!rc && !footer_fits(t, &f, t->size - bytes.size))
        rc = table_corrupt(t, t->size - bytes.size, "the footer does not describe this file");
    if (!rc) {
        t->top_size = (size_t)(t->size - bytes.size - f.top_offset);
        t->footer = f;
        t->footer.smallest = t->footer.largest = slice_of(NULL, 0);
    }
    buf_clear(&bytes);
    return rc;
}

/* Does the top cover the index, end to end? */
static bool top_fits(const table *t) {
    uint64_t expected = t->footer.index_offset;
    for (uint32_t i = 0; i < t->top.count; i++) {
        uint64_t offset;
        uint32_t size;
        if (!index_child(&t->top, i, &offset, &size) || offset != expected || size <= TRAILER_SIZE) return false;
        expected += size;
    }
    return expected == t->footer.top_offset;
}

static int open_top(table *t) {
    uint64_t offset = t->footer.top_offset;
    t->top_block = mem_alloc(t->top_size);
    if (!t->top_block) return alloc_failed(t->top_size);
    int rc = table_read_checked(t, offset, t->top_block, t->top_size, false);
    if (rc) return rc;
    if (!index_open(&t->top, slice_of(t->top_block, t->top_size - TRAILER_SIZE)) || !top_fits(t))
        return table_corrupt(t, offset, "bad top index");
    return RKV_OK;
}

static void plan_resident(table *t, size_t resident_max) {
    uint64_t limit = resident_max ? resident_max : RESIDENT_MAX_DEFAULT, share = RESIDENT_MIN;
    if (t->footer.entries > RESIDENT_MIN / RESIDENT_PER_ENTRY) share = t->footer.entries * RESIDENT_PER_ENTRY;
    if (share < limit) limit = share;
    uint64_t filter_size = t->footer.index_offset - t->footer.filter_offset;
    uint64_t index_size = t->footer.top_offset - t->footer.index_offset;
    t->keep_filter = filter_size && filter_size <= limit;
    t->keep_index = filter_size + index_size <= limit;
}

static void table_free(table *t) {
    if (t->file) t->file->ops->close(t->file);
    mem_free(atomic_load_explicit(&t->resident, memory_order_acquire));
    mem_free(t->top_block);
    mem_free(t);
}

static int check_size(table *t) {
    uint64_t size;
    int rc = t->file->ops->size(t->file, &size);
    if (!rc && size != t->size)
        return status_set(RKV_ECORRUPT, "%s: offset %llu: the file ends there, %llu bytes were written", t->path,
                          (unsigned long long)size, (unsigned long long)t->size);
    return rc;
}

int table_open(table **out, const table_options *options, const char *path, uint64_t number, uint64_t size) {
    size_t path_size = strlen(path) + 1;
    table *t = mem_zalloc(sizeof *t + path_size);
    if (!t) return alloc_failed(sizeof *t + path_size);
    memcpy(t->path, path, path_size);
    t->cache = options->cache;
    t->seed = options->seed;
    t->number = number;
    t->size = size;
    atomic_init(&t->refs, 1);
    atomic_init(&t->resident, NULL);
    int rc = options->os->ops->open(options->os, &t->file, path, OS_READ);
    if (!rc) rc = check_size(t);
    if (!rc) rc = open_footer(t, options);
    if (!rc) rc = open_top(t);
    if (rc) {
        table_free(t);
        return rc;
    }
    plan_resident(t, options->resident_max);
    *out = t;
    return RKV_OK;
}

void table_ref(table *t) {
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
}

void table_unref(table *t) {
    if (t && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1) table_free(t);
}

int table_load(table *t) {
    return table_make_resident(t, false);
}

size_t table_memory(const table *t) {
    const table_resident *r = atomic_load_explicit(&t->resident, memory_order_acquire);
    return sizeof *t + strlen(t->path) + 1 + t->top_size + (r ? r->size : 0);
}

int table_read_props(table *t, table_props *out) {
    buf bytes = {0};
    table_footer f;
    table_props p = {.number = t->number, .size = t->size};
    int rc = read_footer(t, &bytes, &f);
    if (!rc) rc = buf_append(&p.smallest, f.smallest.data, f.smallest.size);
    if (!rc) rc = buf_append(&p.largest, f.largest.data, f.largest.size);
    if (!rc) {
        p.entries = f.entries;
        p.tombstones = f.tombstones;
        p.expiring = f.expiring;
        p.min_hlc = f.min_hlc;
        p.max_hlc = f.max_hlc;
        p.min_expires_ms = f.min_expires_ms;
        p.max_expires_ms = f.max_expires_ms;
        p.value_bytes = f.value_bytes;
        p.crc = crc32c(f.before_crc, bytes.data, bytes.size);
        *out = p;
    } else {
        table_props_clear(&p);
    }
    buf_clear(&bytes);
    return rc;
}

/* --- ask ---------------------------------------------------------------------------------------------------------- */

static uint64_t filter_partition_offset(const table *t, size_t line) {
    uint64_t part = line / t->footer.filter.lines;
    return t->footer.filter_offset + part * (bloom_partition_bytes(&t->footer.filter) + TRAILER_SIZE);
}

/* Does the partition in the cache, pinned, exclude the hash? Unpins. */
static bool partition_excludes(table *t, cache_entry *pin, size_t line, uint64_t hash) {
    const bloom_shape *s = &t->footer.filter;
    bool excludes = cache_size(pin) == bloom_partition_bytes(s) &&
                    !bloom_has(cache_data(pin) + line % s->lines * BLOOM_LINE, hash, s->probes);
    cache_release(t->cache, pin);
    return excludes;
}

bool table_excludes(table *t, uint64_t hash) {
    const bloom_shape *s = &t->footer.filter;
    const table_resident *r = atomic_load_explicit(&t->resident, memory_order_acquire);
    if (!s->partitions) return false;
    size_t line = bloom_line(s, hash);
    if (r && r->lines) return !bloom_has(r->lines + line * BLOOM_LINE, hash, s->probes);
    if (t->keep_filter) return false;
    cache_entry *pin = cache_lookup(t->cache, t->number, filter_partition_offset(t, line));
    return pin && partition_excludes(t, pin, line, hash);
}

void table_prefetch(const table *t, uint64_t hash) {
    const table_resident *r = atomic_load_explicit(&t->resident, memory_order_acquire);
    if (r && r->lines) __builtin_prefetch(r->lines + bloom_line(&t->footer.filter, hash) * BLOOM_LINE);
}

/* RKV_OK: the key may be here; RKV_NOTFOUND: the filter excludes it. */
static int ask_filter(table *t, uint64_t hash, bool nowait) {
    const bloom_shape *s = &t->footer.filter;
    if (!s->partitions || t->keep_filter) return table_excludes(t, hash) ? RKV_NOTFOUND : RKV_OK;
    size_t line = bloom_line(s, hash);
    cache_entry *pin;
    int rc = table_cached_body(t, filter_partition_offset(t, line), (uint32_t)bloom_partition_bytes(s) + TRAILER_SIZE,
                               nowait, &pin);
    if (rc) return rc;
    return partition_excludes(t, pin, line, hash) ? RKV_NOTFOUND : RKV_OK;
}

static int find_in_block(table *t, uint64_t offset, cache_entry *pin, slice key, uint64_t hash, cell *out) {
    block_view v;
    if (block_open(&v, slice_of(cache_data(pin), cache_size(pin)))) switch (block_find(&v, key, hash, out)) {
        case BLOCK_FOUND: return RKV_OK;
        case BLOCK_ABSENT: return RKV_NOTFOUND;
        case BLOCK_BAD: break;
        }
    return table_corrupt(t, offset, "bad data block");
}

int table_get(table *t, slice key, uint64_t hash, bool nowait, cell *out, cache_entry **out_pin) {
    index_cursor at = {0};
    cache_entry *pin = NULL;
    int rc = table_make_resident(t, nowait);
    if (!rc) rc = ask_filter(t, hash, nowait);
    if (!rc) rc = index_cursor_seek(t, &at, key, nowait);
    index_cursor_clear(t, &at);
    if (!rc) rc = table_cached_body(t, at.offset, at.size, nowait, &pin);
    if (!rc) rc = find_in_block(t, at.offset, pin, key, hash, out);
    if (rc)
        cache_release(t->cache, pin);
    else
        *out_pin = pin;
    return rc;
}
