/* table_builder.c: write a table, front to back, in one pass; see table.h, and table_format.h for the bytes.
 *
 *   cells -> block (entries wait for their prefix) -> out (1 MiB, written and sent to the device when full)
 *                \-> index (128 blocks) -> index_bodies (wait for the end of the data) -> top
 *                \-> hashes (wait for their number, which is the filter's size)
 *
 * Memory: 8 bytes an entry for the hashes, 1 for the index, and the buffers. The first failure is kept: every later
 * call returns it, and finish removes the file.
 */
#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/block.h"
#include "lsm/compress.h"
#include "lsm/table.h"
#include "lsm/table_footer.h"
#include "lsm/table_index.h"

enum { OUT_SIZE = 1 << 20, OUT_SLACK = 128 * 1024, ADD_AHEAD = 8 };

struct table_builder {
    table_options options;
    os_file *file;
    char *path;
    int failed;       /* RKV_OK or the first error */
    uint64_t written; /* bytes in the file; out follows */
    uint32_t crc;     /* of them and of the sealed blocks in out */
    buf out;
    block_builder block;
    buf body; /* of a block to be compressed */
    buf hashes;
    buf last_key; /* of the blocks before `block` */
    buf separator;
    index_builder index;
    index_builder top; /* offsets from the start of the index until finish shifts them */
    buf index_bodies;
    buf index_sizes; /* uint32_t each */
    table_props props;
};

/* --- bytes out ---------------------------------------------------------------------------------------------------- */

static uint64_t file_offset(const table_builder *b) {
    return b->written + b->out.size;
}

static int flush_out(table_builder *b) {
    if (!b->out.size) return RKV_OK;
    int rc = b->file->ops->write_at(b->file, b->written, b->out.data, b->out.size);
    if (rc) return rc;
    b->file->ops->write_back(b->file, b->written, b->out.size);
    b->written += b->out.size;
    b->out.size = 0;
    return RKV_OK;
}

/* The block at out[start..] is complete but for its trailer; *out_size: with it. */
static int seal_block(table_builder *b, size_t start, enum table_compression compression, uint32_t *out_size) {
    uint8_t trailer[TRAILER_SIZE] = {(uint8_t)compression};
    int rc = buf_append(&b->out, trailer, sizeof trailer);
    if (rc) return rc;
    uint8_t *block = b->out.data + start;
    size_t size = b->out.size - start;
    put_fixed32(block + size - 4, block_crc(b->props.number, b->written + start, block, size - 4));
    b->crc = crc32c(b->crc, block, size);
    *out_size = (uint32_t)size;
    return b->out.size >= OUT_SIZE ? flush_out(b) : RKV_OK;
}

static int emit_body(table_builder *b, const uint8_t *body, size_t size) {
    size_t start = b->out.size;
    uint32_t sealed;
    int rc = buf_append(&b->out, body, size);
    return rc ? rc : seal_block(b, start, TABLE_RAW, &sealed);
}

/* --- data --------------------------------------------------------------------------------------------------------- */

/* Close the index block: its body waits, its place among the others is known. */
static int close_index(table_builder *b) {
    size_t start = b->index_bodies.size;
    int rc = index_builder_encode(&b->index, &b->index_bodies);
    if (rc) return rc;
    uint32_t size = (uint32_t)(b->index_bodies.size - start);
    rc = buf_append(&b->index_sizes, &size, sizeof size);
    if (rc) return rc;
    uint64_t offset = b->top.count ? b->top.end : 0;
    rc = index_builder_add(&b->top, index_builder_first(&b->index), offset, size + TRAILER_SIZE);
    index_builder_reset(&b->index);
    return rc;
}

static int add_to_index(table_builder *b, slice separator, uint64_t offset, uint32_t size) {
    if (index_builder_full(&b->index, separator, offset + size)) {
        int rc = close_index(b);
        if (rc) return rc;
    }
    return index_builder_add(&b->index, separator, offset, size);
}

/* Put the body into out, compressed if that was asked for and pays. */
static int emit_block(table_builder *b, uint32_t *out_size) {
    size_t start = b->out.size;
    if (b->options.compression != TABLE_LZ4) {
        int rc = block_builder_finish(&b->block, &b->out);
        return rc ? rc : seal_block(b, start, TABLE_RAW, out_size);
    }
    bool saved = false;
    b->body.size = 0;
    int rc = block_builder_finish(&b->block, &b->body);
    if (!rc) rc = compress_append(&b->out, buf_slice(&b->body), &saved);
    if (!rc && !saved) rc = buf_append(&b->out, b->body.data, b->body.size);
    return rc ? rc : seal_block(b, start, saved ? TABLE_LZ4 : TABLE_RAW, out_size);
}

static int close_block(table_builder *b) {
    slice first = block_builder_first(&b->block), last = block_builder_last(&b->block);
    uint64_t offset = file_offset(b);
    uint32_t size;
    size_t needed = offset ? slice_common(first, buf_slice(&b->last_key)) + 1 : first.size;
    b->separator.size = 0;
    int rc = buf_append(&b->separator, first.data, needed); /* what it points into ends with the block */
    b->last_key.size = 0;
    if (!rc) rc = buf_append(&b->last_key, last.data, last.size);
    if (!rc) rc = emit_block(b, &size);
    return rc ? rc : add_to_index(b, buf_slice(&b->separator), offset, size);
}

/* Is the open block to be closed before this entry? */
static bool block_is_full(const table_builder *b, slice key, const cell *c) {
    size_t target = b->options.block_bytes;
    if (!block_builder_count(&b->block)) return false;
    size_t size = block_builder_size_with(&b->block, key, c);
    if (size <= target) return false;
    if (block_builder_count(&b->block) >= BLOCK_ENTRIES_MIN || key.size + c->payload.size > target) return true;
    return size > (target > BLOCK_STRETCH_MAX ? target : BLOCK_STRETCH_MAX);
}

static int add_entry(table_builder *b, slice key, const cell *c) {
    uint64_t hash = hash_bytes(&b->options.seed, key);
    int rc = RKV_OK;
    if (!b->props.entries) rc = buf_append(&b->props.smallest, key.data, key.size);
    if (!rc && block_is_full(b, key, c)) rc = close_block(b);
    assert(block_builder_count(&b->block) || !b->last_key.size || slice_compare(buf_slice(&b->last_key), key) < 0);
    if (!rc && b->options.bloom_bits) rc = buf_append(&b->hashes, &hash, sizeof hash);
    if (!rc) rc = block_builder_add(&b->block, key, hash, c);
    if (!rc && key.size + c->payload.size > b->options.block_bytes) rc = close_block(b);
    return rc;
}

static void count_entry(table_props *p, slice key, const cell *c) {
    p->entries++;
    p->tombstones += c->flags & CELL_TOMBSTONE ? 1 : 0;
    p->value_bytes += key.size + c->payload.size;
    if (c->hlc < p->min_hlc) p->min_hlc = c->hlc;
    if (c->hlc > p->max_hlc) p->max_hlc = c->hlc;
    if (!c->expires_at_ms) return;
    if (!p->expiring++ || c->expires_at_ms < p->min_expires_ms) p->min_expires_ms = c->expires_at_ms;
    if (c->expires_at_ms > p->max_expires_ms) p->max_expires_ms = c->expires_at_ms;
}

int table_builder_add(table_builder *b, slice key, const cell *c) {
    if (b->failed) return b->failed;
    if (key.size > KEY_SIZE_MAX || c->payload.size > PAYLOAD_SIZE_MAX)
        return status_set(RKV_ETOOBIG, "%s: a key of %zu and payload of %zu bytes", b->path, key.size, c->payload.size);
    b->failed = add_entry(b, key, c);
    if (!b->failed) count_entry(&b->props, key, c);
    return b->failed;
}

uint64_t table_builder_size(const table_builder *b) {
    return file_offset(b) + block_builder_size(&b->block);
}

uint64_t table_builder_entries(const table_builder *b) {
    return b->props.entries;
}

/* --- filter, index, footer ---------------------------------------------------------------------------------------- */

static void fill_filter(uint8_t *lines, const bloom_shape *shape, const buf *hashes) {
    size_t count = hashes->size / 8;
    for (size_t i = 0; i < count; i++) {
        if (i + ADD_AHEAD < count)
            __builtin_prefetch(lines + bloom_line(shape, get_fixed64(hashes->data + 8 * (i + ADD_AHEAD))) * BLOOM_LINE,
                               1);
        uint64_t hash = get_fixed64(hashes->data + 8 * i);
        bloom_add(lines + bloom_line(shape, hash) * BLOOM_LINE, hash, shape->probes);
    }
}

static int write_filter(table_builder *b, const bloom_shape *shape) {
    size_t part = bloom_partition_bytes(shape), size = part * shape->partitions;
    if (!size) return RKV_OK;
    uint8_t *lines = mem_zalloc(size);
    if (!lines) return alloc_failed(size);
    fill_filter(lines, shape, &b->hashes);
    int rc = RKV_OK;
    for (size_t at = 0; at < size && !rc; at += part) rc = emit_body(b, lines + at, part);
    mem_free(lines);
    return rc;
}

static int write_index(table_builder *b) {
    const uint8_t *body = b->index_bodies.data;
    for (size_t i = 0; i < b->index_sizes.size; i += 4) {
        uint32_t size = get_fixed32(b->index_sizes.data + i);
        int rc = emit_body(b, body, size);
        if (rc) return rc;
        body += size;
    }
    return RKV_OK;
}

static int write_top(table_builder *b, uint64_t index_offset) {
    size_t start = b->out.size;
    uint32_t size;
    index_builder_shift(&b->top, index_offset);
    int rc = index_builder_encode(&b->top, &b->out);
    return rc ? rc : seal_block(b, start, TABLE_RAW, &size);
}

static int write_footer(table_builder *b, table_footer *f) {
    const table_props *p = &b->props;
    memcpy(f->store_id, b->options.store_id, sizeof f->store_id);
    f->number = p->number;
    f->entries = p->entries;
    f->tombstones = p->tombstones;
    f->expiring = p->expiring;
    f->min_hlc = p->min_hlc;
    f->max_hlc = p->max_hlc;
    f->min_expires_ms = p->min_expires_ms;
    f->max_expires_ms = p->max_expires_ms;
    f->value_bytes = p->value_bytes;
    f->compression = b->options.compression;
    f->before_crc = b->crc;
    f->smallest = buf_slice(&p->smallest);
    f->largest = buf_slice(&p->largest);
    size_t start = b->out.size;
    int rc = footer_append(&b->out, f);
    if (!rc) b->props.crc = crc32c(b->crc, b->out.data + start, b->out.size - start);
    return rc;
}

static int write_rest(table_builder *b) {
    if (!b->props.entries) return status_set(RKV_EINVAL, "%s: a table without entries", b->path);
    table_footer f = {.filter = bloom_shape_of(b->hashes.size / 8, b->options.bloom_bits)};
    int rc = block_builder_count(&b->block) ? close_block(b) : RKV_OK;
    if (!rc) rc = close_index(b);
    if (!rc) rc = buf_append(&b->props.largest, b->last_key.data, b->last_key.size);
    f.filter_offset = file_offset(b);
    if (!rc) rc = write_filter(b, &f.filter);
    f.index_offset = file_offset(b);
    if (!rc) rc = write_index(b);
    f.top_offset = file_offset(b);
    if (!rc) rc = write_top(b, f.index_offset);
    if (!rc) rc = write_footer(b, &f);
    b->props.size = file_offset(b);
    return rc ? rc : flush_out(b);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void builder_free(table_builder *b) {
    buf_clear(&b->out);
    block_builder_clear(&b->block);
    buf_clear(&b->body);
    buf_clear(&b->hashes);
    buf_clear(&b->last_key);
    buf_clear(&b->separator);
    index_builder_clear(&b->index);
    index_builder_clear(&b->top);
    buf_clear(&b->index_bodies);
    buf_clear(&b->index_sizes);
    table_props_clear(&b->props);
    mem_free(b->path);
    mem_free(b);
}

static size_t block_bytes_of(const table_options *options) {
    size_t size = options->block_bytes ? options->block_bytes : BLOCK_BYTES_DEFAULT;
    if (size < BLOCK_BYTES_MIN) return BLOCK_BYTES_MIN;
    return size < BLOCK_BYTES_MAX ? size : BLOCK_BYTES_MAX;
}

int table_builder_new(table_builder **out, const table_options *options, const char *path, uint64_t number) {
    size_t path_size = strlen(path) + 1;
    table_builder *b = mem_zalloc(sizeof *b);
    if (!b) return alloc_failed(sizeof *b);
    b->options = *options;
    b->options.block_bytes = block_bytes_of(options);
    if (!table_has_lz4()) b->options.compression = TABLE_RAW;
    b->props.number = number;
    b->props.min_hlc = UINT64_MAX;
    b->path = mem_alloc(path_size);
    int rc = b->path ? buf_reserve(&b->out, OUT_SIZE + OUT_SLACK) : alloc_failed(path_size);
    if (!rc) {
        memcpy(b->path, path, path_size);
        rc = options->os->ops->open(options->os, &b->file, path, OS_CREATE);
    }
    if (rc) {
        builder_free(b);
        return rc;
    }
    *out = b;
    return RKV_OK;
}

int table_builder_finish(table_builder *b, table_props *out) {
    int rc = b->failed ? b->failed : write_rest(b);
    if (!rc) rc = b->file->ops->sync(b->file);
    if (rc) {
        b->failed = rc;
        table_builder_abort(b);
        return rc;
    }
    rc = b->file->ops->close(b->file);
    if (rc) {
        b->options.os->ops->unlink(b->options.os, b->path);
    } else {
        *out = b->props;
        b->props = (table_props){0};
    }
    builder_free(b);
    return rc;
}

void table_builder_abort(table_builder *b) {
    if (!b) return;
    b->file->ops->close(b->file);
    b->options.os->ops->unlink(b->options.os, b->path);
    builder_free(b);
}

void table_props_clear(table_props *p) {
    buf_clear(&p->smallest);
    buf_clear(&p->largest);
    *p = (table_props){0};
}
