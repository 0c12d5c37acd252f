/* manifest.c: reading, appending and switching manifests; see manifest.h. */
#include "lsm/manifest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/status.h"

enum {
    STORE_SIZE = 48,
    HEADER_SIZE = 64,
    HEADER_CRC_AT = 56,
    RECORD_HEADER_SIZE = 8,
    CURRENT_SIZE_MAX = 64,
};
static const uint64_t MANIFEST_SIZE_MAX = 1ull << 30;
static const char STORE_MAGIC[] = "RKVSTORE";
static const char HEADER_MAGIC[] = "RKVMAN01";

/* --- names --------------------------------------------------------------------------------------------------------------- */

void store_path(char out[PATH_SIZE], const char *dir, const char *name) {
    int n = snprintf(out, PATH_SIZE, "%s/%s", dir, name);
    assert(n > 0 && n < PATH_SIZE);
    (void)n;
}

void table_path(char out[PATH_SIZE], const char *dir, uint64_t number) {
    char name[40];
    snprintf(name, sizeof name, "%010" PRIu64 ".sst", number);
    store_path(out, dir, name);
}

static void manifest_name(char out[40], uint64_t number) {
    snprintf(out, 40, "MANIFEST-%010" PRIu64, number);
}

bool numbered_name(const char *name, const char *prefix, const char *suffix, uint64_t *out_number) {
    size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0) return false;
    const char *p = name + n;
    uint64_t v = 0;
    int digits = 0;
    for (; *p >= '0' && *p <= '9' && digits < 19; p++, digits++) v = v * 10 + (uint64_t)(*p - '0');
    if (digits == 0 || strcmp(p, suffix) != 0) return false;
    *out_number = v;
    return true;
}

/* --- whole small files --------------------------------------------------------------------------------------------------- */

/* The replace protocol of os.h. *out_renamed: dir/name may be the new one even though the call failed. */
static int replace_file(os *o, const char *dir, const char *name, const void *data, size_t size, bool *out_renamed) {
    char path[PATH_SIZE];
    char tmp_name[64];
    char tmp[PATH_SIZE];
    os_file *file = NULL;
    *out_renamed = false;
    snprintf(tmp_name, sizeof tmp_name, "%s.tmp", name);
    store_path(path, dir, name);
    store_path(tmp, dir, tmp_name);
    int rc = o->ops->unlink(o, tmp); /* left by a crash */
    if (rc != RKV_OK && rc != RKV_NOTFOUND) return rc;
    rc = o->ops->open(o, &file, tmp, OS_CREATE);
    if (rc) return rc;
    rc = file->ops->write_at(file, 0, data, size);
    if (rc == RKV_OK) rc = file->ops->sync(file);
    int closed = file->ops->close(file);
    if (rc == RKV_OK) rc = closed;
    if (rc == RKV_OK) {
        *out_renamed = true;
        rc = o->ops->rename(o, tmp, path);
    }
    return rc ? rc : o->ops->sync_dir(o, dir);
}

int identity_draw(os *o, store_identity *out) {
    return o->ops->random(o, out, sizeof *out);
}

int identity_write(os *o, const char *dir, const store_identity *identity) {
    uint8_t bytes[STORE_SIZE];
    bool renamed;
    memcpy(bytes, STORE_MAGIC, 8);
    put_fixed32(bytes + 8, MANIFEST_FORMAT);
    memcpy(bytes + 12, identity->id, 16);
    put_fixed64(bytes + 28, identity->seed.k0);
    put_fixed64(bytes + 36, identity->seed.k1);
    put_fixed32(bytes + 44, crc32c(0, bytes, 44));
    return replace_file(o, dir, "STORE", bytes, sizeof bytes, &renamed);
}

int identity_read(os *o, const char *dir, store_identity *out) {
    char path[PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size;
    store_path(path, dir, "STORE");
    int rc = os_read_file(o, path, 4096, &bytes, &size);
    if (rc) return rc;
    if (size != STORE_SIZE || memcmp(bytes, STORE_MAGIC, 8) != 0 || get_fixed32(bytes + 44) != crc32c(0, bytes, 44))
        rc = status_set(RKV_ECORRUPT, "%s:0: not a store's identity", path);
    else if (get_fixed32(bytes + 8) != MANIFEST_FORMAT)
        rc = status_set(RKV_EFORMAT, "%s: format %" PRIu32 ", this program knows %d", path, get_fixed32(bytes + 8),
                        MANIFEST_FORMAT);
    if (rc == RKV_OK) {
        memcpy(out->id, bytes + 12, 16);
        out->seed.k0 = get_fixed64(bytes + 28);
        out->seed.k1 = get_fixed64(bytes + 36);
    }
    mem_free(bytes);
    return rc;
}

static int current_read(os *o, const char *dir, uint64_t *out_number) {
    char path[PATH_SIZE];
    char text[CURRENT_SIZE_MAX + 1];
    char expected[CURRENT_SIZE_MAX + 1];
    char name[40];
    uint8_t *bytes = NULL;
    size_t size;
    store_path(path, dir, "CURRENT");
    int rc = os_read_file(o, path, CURRENT_SIZE_MAX, &bytes, &size);
    if (rc == RKV_ETOOBIG) return status_set(RKV_ECORRUPT, "%s:0: too long", path);
    if (rc) return rc;
    memcpy(text, bytes, size);
    text[size] = 0;
    mem_free(bytes);
    char *space = strchr(text, ' ');
    if (space) *space = 0;
    if (!space || !numbered_name(text, "MANIFEST-", "", out_number))
        return status_set(RKV_ECORRUPT, "%s:0: does not name a manifest", path);
    *space = ' ';
    manifest_name(name, *out_number);
    snprintf(expected, sizeof expected, "%s %08" PRIx32 "\n", name, crc32c(0, name, strlen(name)));
    if (strcmp(text, expected) != 0) return status_set(RKV_ECORRUPT, "%s:0: the checksum of the name is wrong", path);
    return RKV_OK;
}

static int current_write(os *o, const char *dir, uint64_t number, bool *out_renamed) {
    char name[40];
    char text[CURRENT_SIZE_MAX + 1];
    manifest_name(name, number);
    int n = snprintf(text, sizeof text, "%s %08" PRIx32 "\n", name, crc32c(0, name, strlen(name)));
    return replace_file(o, dir, "CURRENT", text, (size_t)n, out_renamed);
}

/* --- bytes --------------------------------------------------------------------------------------------------------------- */

static void header_encode(uint8_t out[HEADER_SIZE], const store_identity *identity, uint64_t number) {
    memset(out, 0, HEADER_SIZE);
    memcpy(out, HEADER_MAGIC, 8);
    put_fixed32(out + 8, MANIFEST_FORMAT);
    memcpy(out + 16, identity->id, 16);
    put_fixed64(out + 32, identity->seed.k0);
    put_fixed64(out + 40, identity->seed.k1);
    put_fixed64(out + 48, number);
    put_fixed32(out + HEADER_CRC_AT, crc32c(0, out, HEADER_CRC_AT));
}

static int header_decode(const char *path, slice bytes, uint64_t number, store_identity *out) {
    const uint8_t *p = bytes.data;
    if (bytes.size < HEADER_SIZE || memcmp(p, HEADER_MAGIC, 8) != 0)
        return status_set(RKV_ECORRUPT, "%s:0: not a manifest", path);
    if (get_fixed32(p + HEADER_CRC_AT) != crc32c(0, p, HEADER_CRC_AT))
        return status_set(RKV_ECORRUPT, "%s:0: the header fails its check", path);
    if (get_fixed32(p + 8) != MANIFEST_FORMAT)
        return status_set(RKV_EFORMAT, "%s: format %" PRIu32 ", this program knows %d", path, get_fixed32(p + 8),
                          MANIFEST_FORMAT);
    if (get_fixed64(p + 48) != number) return status_set(RKV_ECORRUPT, "%s:48: the number is not the name's", path);
    memcpy(out->id, p + 16, 16);
    out->seed.k0 = get_fixed64(p + 32);
    out->seed.k1 = get_fixed64(p + 40);
    return RKV_OK;
}

static uint32_t record_crc(uint64_t number, uint64_t offset, const uint8_t *size_and_edit, size_t size) {
    uint8_t place[16];
    put_fixed64(place, number);
    put_fixed64(place + 8, offset);
    return crc32c(crc32c(0, place, sizeof place), size_and_edit, size);
}

static size_t padded(size_t size) {
    return (size + 7) & ~(size_t)7;
}

/* Append a record for offset to out; no edit: a mark. */
static int record_encode(buf *out, uint64_t number, uint64_t offset, const edit *e) {
    static const uint8_t zeros[8];
    size_t begin = out->size;
    int rc = buf_append(out, zeros, RECORD_HEADER_SIZE);
    if (rc == RKV_OK && e) rc = edit_encode(e, out);
    if (rc) return rc;
    size_t size = out->size - begin - RECORD_HEADER_SIZE;
    if (size > MANIFEST_SIZE_MAX) return status_set(RKV_ETOOBIG, "an edit of %zu bytes", size);
    put_fixed32(out->data + begin + 4, (uint32_t)size);
    put_fixed32(out->data + begin, record_crc(number, offset, out->data + begin + 4, size + 4));
    return buf_append(out, zeros, padded(out->size - begin) - (out->size - begin));
}

/* Is there a good record at offset? *out_size: its edit's. */
static bool record_good(slice file, uint64_t number, size_t offset, size_t *out_size) {
    if (offset > file.size || file.size - offset < RECORD_HEADER_SIZE) return false;
    const uint8_t *p = file.data + offset;
    size_t size = get_fixed32(p + 4);
    if (size > file.size - offset - RECORD_HEADER_SIZE) return false;
    if (get_fixed32(p) != record_crc(number, offset, p + 4, size + 4)) return false;
    *out_size = size;
    return true;
}

/* The log ends at offset unless something good comes behind it. */
static int check_tail(const char *path, slice file, uint64_t number, size_t offset) {
    size_t size;
    for (size_t at = offset + 8; at < file.size; at += 8)
        if (record_good(file, number, at, &size))
            return status_set(RKV_ECORRUPT, "%s:%zu: a bad record before a good one at %zu", path, offset, at);
    return RKV_OK;
}

/* Lay one edit over the image. */
static int image_add(const char *path, slice bytes, size_t offset, edit *image) {
    edit next = {0};
    int rc = edit_decode(&next, bytes);
    if (rc == RKV_OK) rc = edit_apply(image, &next);
    edit_clear(&next);
    if (rc != RKV_ECORRUPT) return rc;
    char what[200];
    snprintf(what, sizeof what, "%s", status_text());
    return status_set(rc, "%s:%zu: %s", path, offset, what);
}

/* Read the records of a manifest in memory; salvage: stop at the first bad one, whatever follows. A mark reaches the disk only with the
 * edit behind it, sector by sector: so it may be missing before a good edit, and nothing is lost with it. */
static int image_read(const char *path, slice file, bool salvage, manifest_info *info, edit *image) {
    size_t offset = HEADER_SIZE;
    size_t edits = 0;
    bool mark_due = false;
    int rc = header_decode(path, file, info->number, &info->identity);
    if (rc) return rc;
    while (offset < file.size) {
        size_t size;
        if (record_good(file, info->number, offset, &size)) {
            if (size) rc = image_add(path, slice_of(file.data + offset + RECORD_HEADER_SIZE, size), offset, image);
            if (rc) return salvage && rc == RKV_ECORRUPT ? RKV_OK : rc;
            edits += size > 0;
            mark_due = size > 0;
            offset += padded(RECORD_HEADER_SIZE + size);
        } else if (mark_due && record_good(file, info->number, offset + RECORD_HEADER_SIZE, &size)) {
            mark_due = false;
            offset += RECORD_HEADER_SIZE;
        } else {
            break;
        }
    }
    if (salvage) return RKV_OK;
    if (edits == 0) return status_set(RKV_ECORRUPT, "%s:%d: no snapshot", path, HEADER_SIZE);
    info->cut_bytes = file.size - offset;
    return offset < file.size ? check_tail(path, file, info->number, offset) : RKV_OK;
}

static int manifest_read(os *o, const char *dir, bool salvage, manifest_info *info, edit *image) {
    char name[40];
    char path[PATH_SIZE];
    uint8_t *bytes = NULL;
    size_t size;
    manifest_name(name, info->number);
    store_path(path, dir, name);
    int rc = os_read_file(o, path, MANIFEST_SIZE_MAX, &bytes, &size);
    if (rc == RKV_NOTFOUND) return status_set(RKV_ECORRUPT, "%s:0: named by CURRENT but missing", path);
    if (rc) return rc;
    rc = image_read(path, slice_of(bytes, size), salvage, info, image);
    mem_free(bytes);
    return rc;
}

int manifest_load(os *o, const char *dir, manifest_info *out, edit *image) {
    *out = (manifest_info){0};
    int rc = current_read(o, dir, &out->number);
    return rc ? rc : manifest_read(o, dir, false, out, image);
}

int manifest_salvage(os *o, const char *dir, uint64_t number, manifest_info *out, edit *image) {
    *out = (manifest_info){.number = number};
    return manifest_read(o, dir, true, out, image);
}

/* --- writing ------------------------------------------------------------------------------------------------------------- */

struct manifest {
    os *os;
    os_file *file;
    uint64_t number;
    uint64_t size; /* good bytes */
    uint64_t snapshot_size;
    bool failed;
};

/* Take back what a write without room has left behind the good bytes: a whole edit may be among it. */
static int manifest_cut(manifest *m) {
    int rc = m->file->ops->truncate(m->file, m->size);
    return rc ? rc : m->file->ops->sync(m->file);
}

/* Write a record and what else is in bytes at the end of the file, and sync. */
static int manifest_write(manifest *m, const buf *bytes) {
    int rc = m->file->ops->write_at(m->file, m->size, bytes->data, bytes->size);
    if (rc == RKV_ENOSPC) {
        m->failed = manifest_cut(m) != RKV_OK;
        return m->failed ? RKV_EIO : rc;
    }
    if (rc == RKV_OK) rc = m->file->ops->sync(m->file);
    if (rc) {
        m->failed = true;
        return rc == RKV_ENOSPC ? RKV_EIO : rc; /* of a sync it is final, too */
    }
    m->size += bytes->size;
    return RKV_OK;
}

/* Nothing relies on a mark, so its failure is the next append's business. */
static void manifest_mark(manifest *m) {
    buf bytes = {0};
    if (record_encode(&bytes, m->number, m->size, NULL) == RKV_OK &&
        m->file->ops->write_at(m->file, m->size, bytes.data, bytes.size) == RKV_OK)
        m->size += bytes.size;
    buf_clear(&bytes);
}

/* Header, snapshot and mark in one write. */
static int manifest_begin(manifest *m, const store_identity *identity, const edit *image) {
    uint8_t header[HEADER_SIZE];
    buf bytes = {0};
    header_encode(header, identity, m->number);
    int rc = buf_append(&bytes, header, sizeof header);
    if (rc == RKV_OK) rc = record_encode(&bytes, m->number, bytes.size, image);
    if (rc == RKV_OK) rc = record_encode(&bytes, m->number, bytes.size, NULL);
    if (rc == RKV_OK) rc = manifest_write(m, &bytes);
    m->snapshot_size = bytes.size;
    buf_clear(&bytes);
    return rc;
}

int manifest_create(manifest **out, os *o, const char *dir, const store_identity *identity, uint64_t number,
                    const edit *image, bool *out_unknown) {
    char name[40];
    char path[PATH_SIZE];
    *out_unknown = false;
    manifest *m = mem_zalloc(sizeof *m);
    if (!m) return alloc_failed(sizeof *m);
    m->os = o;
    m->number = number;
    manifest_name(name, number);
    store_path(path, dir, name);
    bool created = false;
    int rc = o->ops->open(o, &m->file, path, OS_CREATE);
    if (rc) goto done;
    created = true;
    rc = manifest_begin(m, identity, image);
    if (rc == RKV_OK) rc = o->ops->sync_dir(o, dir);
    if (rc == RKV_OK) rc = current_write(o, dir, number, out_unknown);
    if (rc == RKV_OK) {
        *out_unknown = false;
        *out = m;
        m = NULL;
    }
done:
    if (m) {
        manifest_close(m);
        if (created && !*out_unknown) o->ops->unlink(o, path);
    }
    return rc;
}

int manifest_append(manifest *m, const edit *e) {
    if (m->failed) return status_set(RKV_EREADONLY, "manifest %" PRIu64 " failed before", m->number);
    buf bytes = {0};
    int rc = record_encode(&bytes, m->number, m->size, e);
    if (rc == RKV_OK) rc = manifest_write(m, &bytes);
    buf_clear(&bytes);
    if (rc == RKV_OK) manifest_mark(m);
    return rc;
}

void manifest_remove(os *o, const char *dir, uint64_t number) {
    char name[40];
    char path[PATH_SIZE];
    manifest_name(name, number);
    store_path(path, dir, name);
    o->ops->unlink(o, path);
}

uint64_t manifest_number(const manifest *m) {
    return m->number;
}

uint64_t manifest_size(const manifest *m) {
    return m->size;
}

uint64_t manifest_snapshot_size(const manifest *m) {
    return m->snapshot_size;
}

int manifest_close(manifest *m) {
    if (!m) return RKV_OK;
    int rc = m->file ? m->file->ops->close(m->file) : RKV_OK;
    mem_free(m);
    return rc;
}
