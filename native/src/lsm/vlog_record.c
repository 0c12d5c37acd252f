/* vlog_record.c: the bytes of the value log, and reading them back; see vlog.h.
 *
 * Nothing read is believed before its check: a head vouches for itself, its place and its value's checksum.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "lsm/vlog_parts.h"

static const char magic[8] = {'R', 'K', 'V', 'V', 'L', 'G', '0', '1'};
enum { MAGIC_NAME = 6, HEADER_CHECKED = 36 };

/* ---- references -------------------------------------------------------------------------------------------------- */

size_t value_ref_encode(uint8_t out[VALUE_REF_SIZE_MAX], const value_ref *ref) {
    uint8_t *p = put_varint(out, ref->file);
    p = put_varint(p, ref->offset);
    p = put_varint(p, ref->size);
    p = put_varint(p, ref->key_size);
    return (size_t)(p - out);
}

bool value_ref_decode(slice bytes, value_ref *out) {
    if (!bytes.size) return false;
    const uint8_t *p = bytes.data, *end = p + bytes.size;
    value_ref r;
    if (!get_varint64(&p, end, &r.file) || !get_varint64(&p, end, &r.offset)) return false;
    if (!get_varint64(&p, end, &r.size) || !get_varint32(&p, end, &r.key_size) || p != end) return false;
    *out = r;
    return true;
}

uint64_t vlog_record_size(const value_ref *ref) {
    uint64_t alignment = record_alignment(kind_of(ref->size));
    return (VALUE_HEAD + ref->key_size + ref->size + alignment - 1) & ~(alignment - 1);
}

/* ---- names and heads --------------------------------------------------------------------------------------------- */

size_t value_path_size(const char *dir) {
    return strlen(dir) + sizeof "/18446744073709551615.vlog";
}

void value_path(char *path, const char *dir, uint64_t number) {
    snprintf(path, value_path_size(dir), "%s/%010" PRIu64 ".vlog", dir, number);
}

uint64_t value_number_of_name(const char *name) {
    uint64_t number = 0;
    const char *p = name;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (number > (UINT64_MAX - 9) / 10) return 0;
        number = number * 10 + (uint64_t)(*p - '0');
    }
    return p - name >= 10 && number <= INT64_MAX && strcmp(p, ".vlog") == 0 ? number : 0;
}

void value_header_encode(uint8_t out[VALUE_FILE_HEADER], const uint8_t store_id[16], uint64_t number,
                         enum value_kind kind) {
    memset(out, 0, VALUE_FILE_HEADER);
    memcpy(out, magic, sizeof magic);
    memcpy(out + 8, store_id, 16);
    put_fixed64(out + 24, number);
    put_fixed32(out + 32, kind);
    put_fixed32(out + HEADER_CHECKED, crc32c(0, out, HEADER_CHECKED));
}

int value_header_check(const uint8_t in[VALUE_FILE_HEADER], const uint8_t store_id[16], uint64_t number,
                       const char *path, enum value_kind *out_kind) {
    if (memcmp(in, magic, MAGIC_NAME) == 0 && memcmp(in, magic, sizeof magic) != 0)
        return status_set(RKV_EFORMAT, "%s: values of another format version", path);
    uint32_t kind = get_fixed32(in + 32);
    if (memcmp(in, magic, sizeof magic) != 0 || get_fixed32(in + HEADER_CHECKED) != crc32c(0, in, HEADER_CHECKED) ||
        (kind != VALUE_SMALL && kind != VALUE_LARGE))
        return RKV_NOTFOUND;
    if (memcmp(in + 8, store_id, 16) != 0) return status_set(RKV_EFORMAT, "%s: values of another store", path);
    if (get_fixed64(in + 24) != number) return status_set(RKV_EFORMAT, "%s: another file's name", path);
    *out_kind = (enum value_kind)kind;
    return RKV_OK;
}

static uint32_t head_crc(const uint8_t *head, size_t key_size, const uint8_t store_id[16], uint64_t number,
                         uint64_t offset) {
    uint8_t place[16];
    put_fixed64(place, number);
    put_fixed64(place + 8, offset);
    uint32_t crc = crc32c(crc32c(0, store_id, 16), place, sizeof place);
    return crc32c(crc, head + 4, VALUE_HEAD - 4 + key_size);
}

void value_head_encode(uint8_t out[VALUE_HEAD], const value_head *h, slice key, const uint8_t store_id[16],
                       uint64_t number, uint64_t offset) {
    put_fixed32(out + 4, h->value_crc);
    put_fixed32(out + 8, h->key_size);
    put_fixed32(out + 12, h->node);
    put_fixed64(out + 16, h->value_size);
    put_fixed64(out + 24, h->hlc);
    uint32_t crc = head_crc(out, 0, store_id, number, offset);
    put_fixed32(out, crc32c(crc, key.data, key.size));
}

void value_head_decode(value_head *out, const uint8_t in[VALUE_HEAD]) {
    *out = (value_head){
        .value_crc = get_fixed32(in + 4),
        .key_size = get_fixed32(in + 8),
        .node = get_fixed32(in + 12),
        .value_size = get_fixed64(in + 16),
        .hlc = get_fixed64(in + 24),
    };
}

bool value_head_check(const uint8_t *in, const value_head *h, const uint8_t store_id[16], uint64_t number,
                      uint64_t offset) {
    return get_fixed32(in) == head_crc(in, h->key_size, store_id, number, offset);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int corrupt(const value_file *f, uint64_t offset, const char *what) {
    return status_set(RKV_ECORRUPT, "corrupt value at %s:%" PRIu64 ": %s", f->path, offset, what);
}

/* Read all of size bytes, or it is corrupt. */
static int read_all(value_file *f, uint64_t offset, void *data, size_t size, bool nowait) {
    size_t got;
    int rc = f->file->ops->read_at(f->file, offset, data, size, nowait, &got);
    if (rc) return rc;
    return got == size ? RKV_OK : corrupt(f, offset, "the file ends before it");
}

static int grow(uint8_t **buffer, size_t *capacity, size_t size) {
    if (size <= *capacity) return RKV_OK;
    mem_free(*buffer);
    *capacity = 0;
    *buffer = mem_alloc(size);
    if (!*buffer) return alloc_failed(size);
    *capacity = size;
    return RKV_OK;
}

int value_head_read(const vlog *v, value_file *f, uint64_t offset, uint64_t end, bool nowait, uint8_t **buffer,
                    size_t *capacity, value_head *out) {
    value_head h;
    enum { GUESS = VALUE_HEAD + 256 }; /* most keys come with the first read */
    if (offset > end || end - offset < VALUE_HEAD) return corrupt(f, offset, "beyond the end");
    int rc = grow(buffer, capacity, GUESS);
    size_t first = end - offset < GUESS ? (size_t)(end - offset) : GUESS, got = 0;
    if (!rc) rc = f->file->ops->read_at(f->file, offset, *buffer, first, nowait, &got);
    if (rc) return rc;
    if (got < VALUE_HEAD) return corrupt(f, offset, "the file ends before it");
    value_head_decode(&h, *buffer);
    uint64_t whole = VALUE_HEAD + (uint64_t)h.key_size;
    if (h.key_size > KEY_SIZE_MAX || h.value_size > end - offset || whole > end - offset - h.value_size)
        return corrupt(f, offset, "no record begins here");
    if (whole > got) {
        rc = grow(buffer, capacity, (size_t)whole);
        if (!rc) rc = read_all(f, offset, *buffer, (size_t)whole, nowait);
        if (rc) return rc;
        value_head_decode(&h, *buffer); /* a third party may have written meanwhile */
        if (VALUE_HEAD + (uint64_t)h.key_size != whole) return corrupt(f, offset, "no record begins here");
    }
    if (!value_head_check(*buffer, &h, v->options.store_id, f->number, offset))
        return corrupt(f, offset, "the head fails its check");
    *out = h;
    return RKV_OK;
}

/* The head of the record that ref and key mean, checked. */
static int head_of_ref(const vlog *v, value_file *f, uint64_t end, const value_ref *ref, slice key, bool nowait,
                       value_head *out) {
    uint8_t *buffer = NULL;
    size_t capacity = 0;
    int rc = value_head_read(v, f, ref->offset, end, nowait, &buffer, &capacity, out);
    if (!rc && (out->value_size != ref->size || out->key_size != ref->key_size ||
                !slice_equal(key, slice_of(buffer + VALUE_HEAD, out->key_size))))
        rc = corrupt(f, ref->offset, "another record is here");
    mem_free(buffer);
    return rc;
}

static int file_gone(const vlog *v, const value_ref *ref) {
    return status_set(RKV_ECORRUPT, "corrupt value at %s/%010" PRIu64 ".vlog:%" PRIu64 ": no such file", v->options.dir,
                      ref->file, ref->offset);
}

int vlog_read(vlog *v, const value_ref *ref, slice key, bool nowait, uint8_t *data) {
    uint64_t end;
    value_file *f = value_file_take(v, ref->file, &end);
    if (!f) return file_gone(v, ref);
    value_head h = {0};
    int rc = head_of_ref(v, f, end, ref, key, nowait, &h);
    if (!rc) rc = read_all(f, ref->offset + VALUE_HEAD + h.key_size, data, (size_t)h.value_size, nowait);
    if (!rc && crc32c(0, data, (size_t)h.value_size) != h.value_crc)
        rc = corrupt(f, ref->offset, "the value fails its check");
    value_file_drop(v, f);
    return rc;
}

/* Read the value in pieces and check it; to: write each piece again, unless NULL. */
static int walk_value(value_file *f, uint64_t offset, const value_head *h, os_file *to) {
    uint8_t *piece = mem_alloc(VALUE_PIECE);
    if (!piece) return alloc_failed(VALUE_PIECE);
    uint64_t at = offset + VALUE_HEAD + h->key_size, left = h->value_size;
    uint32_t crc = 0;
    int rc = RKV_OK;
    while (left && !rc) {
        size_t size = left < VALUE_PIECE ? (size_t)left : VALUE_PIECE;
        rc = read_all(f, at, piece, size, false);
        if (!rc) crc = crc32c(crc, piece, size);
        if (!rc && to) rc = to->ops->write_at(to, at, piece, size);
        at += size;
        left -= size;
    }
    mem_free(piece);
    if (!rc && crc != h->value_crc) rc = corrupt(f, offset, "the value fails its check");
    return rc;
}

int vlog_check(vlog *v, const value_ref *ref, slice key) {
    uint64_t end;
    value_file *f = value_file_take(v, ref->file, &end);
    if (!f) return file_gone(v, ref);
    value_head h = {0};
    int rc = head_of_ref(v, f, end, ref, key, false, &h);
    if (!rc) rc = walk_value(f, ref->offset, &h, NULL);
    value_file_drop(v, f);
    return rc;
}

static int rewrite(vlog *v, value_file *f, const value_ref *ref, slice key, const value_head *h) {
    os_file *to;
    int rc = v->options.os->ops->open(v->options.os, &to, f->path, OS_WRITE);
    if (rc) return rc;
    uint8_t head[VALUE_HEAD];
    value_head_encode(head, h, key, v->options.store_id, f->number, ref->offset);
    rc = to->ops->write_at(to, ref->offset, head, sizeof head);
    if (!rc) rc = to->ops->write_at(to, ref->offset + VALUE_HEAD, key.data, key.size);
    if (!rc) rc = walk_value(f, ref->offset, h, to);
    int closed = to->ops->close(to);
    return rc ? rc : closed;
}

int vlog_rewrite(vlog *v, const value_ref *ref, slice key) {
    int rc = vlog_check(v, ref, key);
    if (rc) return rc;
    uint64_t end;
    value_file *f = value_file_take(v, ref->file, &end);
    if (!f) return file_gone(v, ref);
    value_head h = {0};
    rc = head_of_ref(v, f, end, ref, key, false, &h);
    if (!rc) rc = rewrite(v, f, ref, key, &h);
    pthread_mutex_lock(&v->lock);
    f->unsynced = true;
    pthread_mutex_unlock(&v->lock);
    value_file_drop(v, f);
    return rc;
}

/* ---- scanning ---------------------------------------------------------------------------------------------------- */

/* Could a head be at p? Wrong for almost everything that is none, zeros above all. */
static bool plausible(const value_file *f, const uint8_t *p, uint64_t left) {
    value_head h;
    value_head_decode(&h, p);
    if (h.key_size > KEY_SIZE_MAX || h.value_size > left || get_fixed32(p) == 0) return false;
    return kind_of(h.value_size) == f->kind;
}

/* The first place from `at` on where a head could be, or end. */
static int find_plausible(value_file *f, uint64_t at, uint64_t end, uint8_t *piece, uint64_t *out) {
    uint64_t step = record_alignment(f->kind);
    while (at < end && end - at >= VALUE_HEAD) {
        size_t want = end - at < VALUE_PIECE ? (size_t)(end - at) : VALUE_PIECE, got;
        int rc = f->file->ops->read_at(f->file, at, piece, want, false, &got);
        if (rc) return rc;
        size_t seen = 0;
        for (; seen + VALUE_HEAD <= got; seen += step) {
            if (!plausible(f, piece + seen, end - at - seen)) continue;
            *out = at + seen;
            return RKV_OK;
        }
        if (got < want || seen == 0) break;
        at += seen;
    }
    *out = end;
    return RKV_OK;
}

typedef struct scan {
    vlog *v;
    value_file *f;
    uint64_t at, end;
    uint8_t *buffer; /* a head and its key */
    size_t capacity;
    uint8_t *piece; /* for searching; made when first needed */
} scan;

/* No record begins at s->at: go to where the next may. */
static int scan_search(scan *s) {
    if (!s->piece) s->piece = mem_alloc(VALUE_PIECE);
    if (!s->piece) return alloc_failed(VALUE_PIECE);
    uint64_t from = s->at + record_alignment(s->f->kind);
    if (from < s->end) return find_plausible(s->f, from, s->end, s->piece, &s->at);
    s->at = s->end;
    return RKV_OK;
}

static int scan_file(scan *s, vlog_record_fn fn, void *context) {
    int rc = RKV_OK;
    while (s->at < s->end && !rc) {
        value_head h;
        rc = value_head_read(s->v, s->f, s->at, s->end, false, &s->buffer, &s->capacity, &h);
        if (rc == RKV_ECORRUPT) {
            rc = scan_search(s);
        } else if (!rc) {
            value_ref ref = {s->f->number, s->at, h.value_size, h.key_size};
            cell version = {.hlc = h.hlc, .node = h.node, .flags = CELL_POINTER};
            rc = fn(context, slice_of(s->buffer + VALUE_HEAD, h.key_size), &version, &ref);
            s->at += vlog_record_size(&ref);
        }
    }
    return rc;
}

int vlog_scan(vlog *v, uint64_t number, vlog_record_fn fn, void *context) {
    scan s = {.v = v};
    s.f = value_file_take(v, number, &s.end);
    if (!s.f) return status_set(RKV_NOTFOUND, "%s/%010" PRIu64 ".vlog: no such file", v->options.dir, number);
    s.at = first_record(s.f->kind);
    int rc = scan_file(&s, fn, context);
    mem_free(s.buffer);
    mem_free(s.piece);
    value_file_drop(v, s.f);
    return rc;
}
