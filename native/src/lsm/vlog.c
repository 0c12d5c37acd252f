/* vlog.c: the files of the value log: opened, filled, synced, collected; see vlog.h and vlog_parts.h. Bytes are in
 * vlog_record.c. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "lsm/vlog_parts.h"

static const uint64_t FILE_BYTES = 256 << 20;
enum { WRITE_BACK_MIN = 1 << 20 };

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* With the lock held. */
static value_file *find(const vlog *v, uint64_t number) {
    size_t low = 0, high = v->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->files[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->count && v->files[low]->number == number ? v->files[low] : NULL;
}

value_file *value_file_take(vlog *v, uint64_t number, uint64_t *out_end) {
    pthread_mutex_lock(&v->lock);
    value_file *f = find(v, number);
    if (f) {
        f->refs++;
        *out_end = f->end;
    }
    pthread_mutex_unlock(&v->lock);
    return f;
}

static int file_free(value_file *f) {
    int rc = f->file ? f->file->ops->close(f->file) : RKV_OK;
    mem_free(f);
    return rc;
}

void value_file_drop(vlog *v, value_file *f) {
    pthread_mutex_lock(&v->lock);
    bool last = --f->refs == 0;
    pthread_mutex_unlock(&v->lock);
    if (last) file_free(f); /* it has been removed: what its close says does not matter */
}

static value_file *file_new(const vlog *v, uint64_t number) {
    value_file *f = mem_zalloc(sizeof *f + value_path_size(v->options.dir));
    if (!f) return NULL;
    f->number = number;
    f->refs = 1;
    value_path(f->path, v->options.dir, number);
    return f;
}

/* Room for one more in the list. */
static int files_reserve(vlog *v) {
    if (v->count < v->room) return RKV_OK;
    size_t room = v->room ? 2 * v->room : 16;
    value_file **files = mem_realloc(v->files, room * sizeof *files);
    if (!files) return alloc_failed(room * sizeof *files);
    v->files = files;
    v->room = room;
    return RKV_OK;
}

/* With the lock held: take it out of the list; its users may finish. */
static void file_remove(vlog *v, value_file *f) {
    size_t i = 0;
    while (v->files[i] != f) i++;
    memmove(v->files + i, v->files + i + 1, (v->count - i - 1) * sizeof *v->files);
    v->count--;
    f->removed = true;
}

static uint64_t bytes_of(const value_file *f) {
    uint64_t first = first_record(f->kind);
    return f->end > first ? f->end - first : 0;
}

/* ---- open -------------------------------------------------------------------------------------------------------- */

typedef struct listing {
    vlog *v;
    int rc;
} listing;

static void list_name(void *context, const char *name) {
    listing *l = context;
    uint64_t number = value_number_of_name(name);
    if (!number || l->rc) return;
    l->rc = files_reserve(l->v);
    value_file *f = l->rc ? NULL : file_new(l->v, number);
    if (!f) {
        if (!l->rc) l->rc = alloc_failed(sizeof *f);
        return;
    }
    l->v->files[l->v->count++] = f;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = (*(value_file *const *)a)->number, y = (*(value_file *const *)b)->number;
    return x < y ? -1 : x > y;
}

static const vlog_file_info *info_of(const vlog_file_info *files, size_t count, uint64_t number) {
    for (size_t i = 0; i < count; i++)
        if (files[i].number == number) return &files[i];
    return NULL;
}

/* A file without a sound header: one that a crash left unfinished, or a damaged one? Nothing can be in the first. */
static int unfinished(vlog *v, value_file *f, uint64_t size, const vlog_file_info *known) {
    bool has_record = false;
    uint8_t *buffer = NULL;
    size_t capacity = 0;
    for (int kind = VALUE_SMALL; kind < VALUE_KINDS && !has_record; kind++) {
        value_head h;
        int rc = value_head_read(v, f, first_record((enum value_kind)kind), size, false, &buffer, &capacity, &h);
        has_record = rc == RKV_OK;
        if (rc && rc != RKV_ECORRUPT) {
            mem_free(buffer);
            return rc;
        }
    }
    mem_free(buffer);
    if (has_record || (known && known->bytes > known->garbage))
        return status_set(RKV_ECORRUPT, "corrupt value file %s:0: bad header", f->path);
    f->kind = VALUE_SMALL;
    f->end = 0;
    return RKV_OK;
}

/* Open a file found in the directory. All of it may be unsynced: the process that wrote it may have been killed. */
static int file_adopt(vlog *v, value_file *f, const vlog_file_info *known) {
    os *o = v->options.os;
    uint8_t header[VALUE_FILE_HEADER] = {0};
    uint64_t size;
    size_t got;
    int rc = o->ops->open(o, &f->file, f->path, OS_READ);
    if (!rc) rc = f->file->ops->size(f->file, &size);
    if (!rc) rc = f->file->ops->read_at(f->file, 0, header, sizeof header, false, &got);
    if (rc) return rc;
    f->sealed = f->unsynced = true;
    rc = value_header_check(header, v->options.store_id, f->number, f->path, &f->kind);
    if (rc == RKV_NOTFOUND) return unfinished(v, f, size, known);
    if (rc) return rc;
    uint64_t first = first_record(f->kind), alignment = record_alignment(f->kind);
    f->end = size > first ? (size + alignment - 1) & ~(alignment - 1) : first;
    if (known) f->garbage = known->garbage < bytes_of(f) ? known->garbage : bytes_of(f);
    return RKV_OK;
}

static int check_missing(const vlog *v, const vlog_file_info *files, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!find(v, files[i].number) && files[i].garbage < files[i].bytes)
            return status_set(RKV_ECORRUPT, "corrupt store: %s/%010" PRIu64 ".vlog is missing", v->options.dir,
                              files[i].number);
    return RKV_OK;
}

static int files_open(vlog *v, const vlog_file_info *files, size_t count) {
    listing l = {.v = v};
    os *o = v->options.os;
    int rc = o->ops->list(o, v->options.dir, list_name, &l);
    if (!rc) rc = l.rc;
    if (rc) return rc;
    if (v->count) qsort(v->files, v->count, sizeof *v->files, by_number);
    for (size_t i = 0; i < v->count && !rc; i++)
        rc = file_adopt(v, v->files[i], info_of(files, count, v->files[i]->number));
    if (!rc && v->count && v->files[v->count - 1]->number >= v->next_number)
        v->next_number = v->files[v->count - 1]->number + 1;
    return rc ? rc : check_missing(v, files, count);
}

static vlog *vlog_new(const vlog_options *options, uint64_t next_number) {
    vlog *v = mem_zalloc(sizeof *v);
    size_t size = strlen(options->dir) + 1;
    char *dir = mem_alloc(size);
    if (!v || !dir) {
        mem_free(v);
        mem_free(dir);
        return NULL;
    }
    memcpy(dir, options->dir, size);
    v->options = *options;
    v->options.dir = dir;
    if (!v->options.file_bytes) v->options.file_bytes = FILE_BYTES;
    v->next_number = next_number ? next_number : 1;
    pthread_mutex_init(&v->append, NULL);
    pthread_mutex_init(&v->sync, NULL);
    pthread_mutex_init(&v->lock, NULL);
    return v;
}

int vlog_open(vlog **out, const vlog_options *options, const vlog_file_info *files, size_t count,
              uint64_t next_number) {
    vlog *v = vlog_new(options, next_number);
    if (!v) return alloc_failed(sizeof *v);
    int rc = files_open(v, files, count);
    if (rc) {
        char text[400];
        snprintf(text, sizeof text, "%s", status_text());
        vlog_close(v);
        return status_set(rc, "%s", text);
    }
    *out = v;
    return RKV_OK;
}

int vlog_close(vlog *v) {
    if (!v) return RKV_OK;
    int rc = RKV_OK;
    for (size_t i = 0; i < v->count; i++) {
        assert(v->files[i]->refs == 1);
        int closed = file_free(v->files[i]);
        if (!rc) rc = closed;
    }
    pthread_mutex_destroy(&v->append);
    pthread_mutex_destroy(&v->sync);
    pthread_mutex_destroy(&v->lock);
    mem_free(v->files);
    mem_free((char *)v->options.dir);
    mem_free(v);
    return rc;
}

/* ---- append ------------------------------------------------------------------------------------------------------ */

static int check_failure(const vlog *v) {
    if (!atomic_load(&v->failure)) return RKV_OK;
    return status_set(RKV_EREADONLY, "value log has failed: %s", v->failure_text);
}

static int file_begin(vlog *v, value_file *f) {
    os *o = v->options.os;
    uint8_t header[VALUE_FILE_HEADER];
    value_header_encode(header, v->options.store_id, f->number, f->kind);
    int rc = o->ops->open(o, &f->file, f->path, OS_CREATE);
    if (!rc) rc = f->file->ops->write_at(f->file, 0, header, sizeof header);
    if (!rc) rc = f->file->ops->sync(f->file);
    return rc ? rc : o->ops->sync_dir(o, v->options.dir);
}

/* Make a new active file, with append held. */
static int file_create(vlog *v, enum value_kind kind) {
    value_file *f = file_new(v, v->next_number++);
    if (!f) return alloc_failed(sizeof *f);
    f->kind = kind;
    f->end = first_record(kind);
    int rc = file_begin(v, f);
    pthread_mutex_lock(&v->lock);
    if (!rc) rc = files_reserve(v);
    if (!rc) {
        v->files[v->count++] = f;
        v->active[kind] = f;
    }
    pthread_mutex_unlock(&v->lock);
    if (!rc) return RKV_OK;
    char text[400];
    snprintf(text, sizeof text, "%s", status_text());
    if (f->file) v->options.os->ops->unlink(v->options.os, f->path);
    file_free(f);
    return status_set(rc, "%s", text);
}

/* Space for a record, in a file to which the caller gets a reference. */
static int reserve(vlog *v, value_ref *ref, value_file **out) {
    enum value_kind kind = kind_of(ref->size);
    pthread_mutex_lock(&v->append);
    int rc = check_failure(v);
    pthread_mutex_lock(&v->lock);
    value_file *f = v->active[kind];
    if (f && f->end >= v->options.file_bytes) {
        f->sealed = true;
        v->active[kind] = f = NULL;
    }
    pthread_mutex_unlock(&v->lock);
    if (!rc && !f) rc = file_create(v, kind);
    if (!rc) {
        pthread_mutex_lock(&v->lock);
        f = v->active[kind];
        f->refs++;
        ref->file = f->number;
        ref->offset = f->end;
        f->end += vlog_record_size(ref);
        pthread_mutex_unlock(&v->lock);
        *out = f;
    }
    pthread_mutex_unlock(&v->append);
    return rc;
}

/* Nothing will point to the record: give the space back if nobody has taken the next, else it is garbage. */
static void unreserve(vlog *v, value_file *f, const value_ref *ref) {
    uint64_t size = vlog_record_size(ref);
    pthread_mutex_lock(&v->lock);
    if (f->end == ref->offset + size && !f->sealed)
        f->end = ref->offset;
    else
        f->garbage += size;
    pthread_mutex_unlock(&v->lock);
}

/* The bytes: a small record in one call, from a copy; of a large one the value first, so that a head is a sign of a
 * value. */
static int record_write(const vlog *v, value_file *f, const value_ref *ref, const value_head *h, slice key,
                        slice value) {
    size_t before = VALUE_HEAD + key.size;
    bool whole = f->kind == VALUE_SMALL;
    size_t size = whole ? before + value.size : before;
    uint8_t *copy = mem_alloc(size);
    if (!copy) return alloc_failed(size);
    value_head_encode(copy, h, key, v->options.store_id, f->number, ref->offset);
    if (key.size) memcpy(copy + VALUE_HEAD, key.data, key.size);
    if (whole && value.size) memcpy(copy + before, value.data, value.size);
    int rc = whole ? RKV_OK : f->file->ops->write_at(f->file, ref->offset + before, value.data, value.size);
    if (!rc) rc = f->file->ops->write_at(f->file, ref->offset, copy, size);
    mem_free(copy);
    /* Without this, a sync would find all of it still to be written and hold up the log behind it. */
    if (!rc && value.size >= WRITE_BACK_MIN) f->file->ops->write_back(f->file, ref->offset, before + value.size);
    return rc;
}

int vlog_append(vlog *v, slice key, const cell *version, slice value, value_ref *out) {
    if (key.size > KEY_SIZE_MAX) return status_set(RKV_ETOOBIG, "value log: key of %zu bytes", key.size);
    value_ref ref = {.size = value.size, .key_size = (uint32_t)key.size};
    value_head h = {.key_size = ref.key_size, .node = version->node, .value_size = value.size, .hlc = version->hlc};
    h.value_crc = crc32c(0, value.data, value.size);
    value_file *f;
    int rc = reserve(v, &ref, &f);
    if (rc) return rc;
    rc = record_write(v, f, &ref, &h, key, value);
    if (rc) {
        unreserve(v, f, &ref);
    } else {
        pthread_mutex_lock(&v->lock);
        f->unsynced = true;
        pthread_mutex_unlock(&v->lock);
        *out = ref;
    }
    value_file_drop(v, f);
    return rc;
}

/* ---- sync -------------------------------------------------------------------------------------------------------- */

/* The oldest file above `after` that is to be synced, with a reference, or NULL. */
static value_file *take_unsynced(vlog *v, uint64_t after) {
    value_file *taken = NULL;
    pthread_mutex_lock(&v->lock);
    for (size_t i = 0; i < v->count && !taken; i++)
        if (v->files[i]->number > after && v->files[i]->unsynced) taken = v->files[i];
    if (taken) {
        taken->unsynced = false;
        taken->refs++;
    }
    pthread_mutex_unlock(&v->lock);
    return taken;
}

static void fail(vlog *v, int rc) {
    pthread_mutex_lock(&v->lock);
    if (!atomic_load(&v->failure)) {
        snprintf(v->failure_text, sizeof v->failure_text, "%s", status_text());
        atomic_store(&v->failure, rc);
    }
    pthread_mutex_unlock(&v->lock);
}

int vlog_sync(vlog *v) {
    pthread_mutex_lock(&v->sync);
    int rc = check_failure(v);
    uint64_t after = 0;
    for (value_file *f; !rc && (f = take_unsynced(v, after)) != NULL;) {
        after = f->number;
        rc = f->file->ops->sync(f->file);
        if (rc) fail(v, rc);
        value_file_drop(v, f);
    }
    pthread_mutex_unlock(&v->sync);
    return rc;
}

/* ---- garbage ----------------------------------------------------------------------------------------------------- */

/* Free the blocks of a large value, all but those with its head. */
static void punch(vlog *v, value_file *f, const value_ref *ref) {
    uint64_t keep = ref->offset + VALUE_HEAD + ref->key_size;
    uint64_t from = (keep + VALUE_BLOCK - 1) & ~(uint64_t)(VALUE_BLOCK - 1);
    os *o = v->options.os;
    os_file *to;
    if (o->ops->open(o, &to, f->path, OS_WRITE)) return;
    int rc = to->ops->punch(to, from, ref->offset + vlog_record_size(ref) - from);
    to->ops->close(to); /* nothing was written that anybody needs */
    if (rc != RKV_EINVAL) return;
    pthread_mutex_lock(&v->lock);
    v->no_holes = true;
    pthread_mutex_unlock(&v->lock);
}

void vlog_add_garbage(vlog *v, const value_ref *ref) {
    uint64_t end, size = vlog_record_size(ref);
    value_file *f = value_file_take(v, ref->file, &end);
    if (!f) return;
    bool inside = ref->offset >= first_record(f->kind) && ref->offset <= end && size <= end - ref->offset;
    pthread_mutex_lock(&v->lock);
    if (inside) f->garbage = f->garbage + size < bytes_of(f) ? f->garbage + size : bytes_of(f);
    bool holes = inside && f->kind == VALUE_LARGE && kind_of(ref->size) == VALUE_LARGE && !v->no_holes && !f->removed;
    pthread_mutex_unlock(&v->lock);
    if (holes) punch(v, f, ref);
    value_file_drop(v, f);
}

size_t vlog_files(vlog *v, vlog_file_info *out, size_t count) {
    pthread_mutex_lock(&v->lock);
    size_t all = v->count;
    for (size_t i = 0; i < all && i < count; i++)
        out[i] = (vlog_file_info){v->files[i]->number, bytes_of(v->files[i]), v->files[i]->garbage};
    pthread_mutex_unlock(&v->lock);
    return all;
}

int vlog_seal(vlog *v) {
    pthread_mutex_lock(&v->append);
    pthread_mutex_lock(&v->lock);
    for (int kind = VALUE_SMALL; kind < VALUE_KINDS; kind++) {
        if (v->active[kind]) v->active[kind]->sealed = true;
        v->active[kind] = NULL;
    }
    pthread_mutex_unlock(&v->lock);
    pthread_mutex_unlock(&v->append);
    return RKV_OK;
}

/* With the lock held. A record that is being written counts among the bytes, and not as garbage. */
static bool all_garbage(const value_file *f) {
    return f->sealed && f->garbage >= bytes_of(f);
}

/* Unlink a file that is out of the list, and drop the list's reference. */
static int file_unlink(vlog *v, value_file *f) {
    int rc = v->options.os->ops->unlink(v->options.os, f->path);
    value_file_drop(v, f);
    return rc;
}

int vlog_collect(vlog *v, size_t *out_deleted) {
    size_t deleted = 0;
    int rc = RKV_OK;
    for (bool more = true; more && !rc;) {
        value_file *dead = NULL;
        pthread_mutex_lock(&v->lock);
        for (size_t i = 0; i < v->count && !dead; i++)
            if (all_garbage(v->files[i])) dead = v->files[i];
        if (dead) file_remove(v, dead);
        pthread_mutex_unlock(&v->lock);
        more = dead != NULL;
        if (dead) rc = file_unlink(v, dead);
        deleted += dead && !rc;
    }
    /* The next manifest edit forgets these files; then none may come back. */
    if (deleted && !rc) rc = v->options.os->ops->sync_dir(v->options.os, v->options.dir);
    *out_deleted = deleted;
    return rc;
}

int vlog_remove(vlog *v, uint64_t number) {
    pthread_mutex_lock(&v->lock);
    value_file *f = find(v, number);
    assert(!f || f->sealed);
    if (f) file_remove(v, f);
    pthread_mutex_unlock(&v->lock);
    if (!f) return status_set(RKV_NOTFOUND, "%s/%010" PRIu64 ".vlog: no such file", v->options.dir, number);
    int rc = file_unlink(v, f);
    return rc ? rc : v->options.os->ops->sync_dir(v->options.os, v->options.dir);
}

int vlog_pick(vlog *v, uint64_t *out_number) {
    const value_file *best = NULL;
    pthread_mutex_lock(&v->lock);
    for (size_t i = 0; i < v->count; i++) {
        const value_file *f = v->files[i];
        uint64_t bytes = bytes_of(f);
        if (!f->sealed || f->garbage >= bytes || f->garbage <= bytes / 2) continue;
        if (f->kind == VALUE_LARGE && !v->no_holes) continue;
        /* By the share of garbage: what is written anew for each byte that comes free. */
        if (!best || (double)f->garbage * (double)bytes_of(best) > (double)best->garbage * (double)bytes) best = f;
    }
    if (best) *out_number = best->number;
    pthread_mutex_unlock(&v->lock);
    return best ? RKV_OK : RKV_NOTFOUND;
}
