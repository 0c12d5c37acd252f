/* checkpoint.c: a copy of a running store; see db.h.
 *
 * Everything is flushed first, so the copy needs no log. Tables never change and are linked. Files of the value log are copied, since holes
 * are punched into them as values die; blocks of zeros are left out of the copy again.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"

enum { COPY_BYTES = 1 << 20, HOLE_BYTES = 4096 };

static bool all_zero(const uint8_t *p, size_t size) {
    return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

static size_t piece(size_t left) {
    return left < HOLE_BYTES ? left : HOLE_BYTES;
}

/* Write a chunk without its blocks of zeros. */
static int write_sparse(os_file *to, uint64_t at, const uint8_t *data, size_t size) {
    int rc = RKV_OK;
    for (size_t begin = 0, end; begin < size && rc == RKV_OK; begin = end) {
        end = begin + piece(size - begin);
        if (all_zero(data + begin, end - begin)) continue;
        while (end < size && !all_zero(data + end, piece(size - end))) end += piece(size - end);
        rc = to->ops->write_at(to, at + begin, data + begin, end - begin);
    }
    return rc;
}

static int copy_bytes(os_file *from, os_file *to, uint8_t *room) {
    uint64_t at = 0;
    for (;;) {
        size_t got;
        int rc = from->ops->read_at(from, at, room, COPY_BYTES, false, &got);
        if (rc == RKV_OK) rc = write_sparse(to, at, room, got);
        if (rc) return rc;
        at += got;
        if (got < COPY_BYTES) break;
    }
    int rc = to->ops->truncate(to, at);
    return rc ? rc : to->ops->sync(to);
}

static int copy_file(os *o, const char *from, const char *to) {
    os_file *source = NULL;
    os_file *target = NULL;
    uint8_t *room = mem_alloc(COPY_BYTES);
    int rc = room ? o->ops->open(o, &source, from, OS_READ) : alloc_failed(COPY_BYTES);
    if (rc == RKV_OK) rc = o->ops->open(o, &target, to, OS_CREATE);
    if (rc == RKV_OK) rc = copy_bytes(source, target, room);
    if (source) source->ops->close(source);
    if (target) {
        int closed = target->ops->close(target);
        if (rc == RKV_OK) rc = closed;
    }
    mem_free(room);
    return rc;
}

static int link_tables(db *d, const version *v, const char *dir) {
    int rc = RKV_OK;
    for (unsigned i = 0; i < v->depth; i++)
        for (size_t k = 0; k < v->levels[i].count && rc == RKV_OK; k++) {
            char from[PATH_SIZE];
            char to[PATH_SIZE];
            table_path(from, d->dir, v->levels[i].files[k]->props.number);
            table_path(to, dir, v->levels[i].files[k]->props.number);
            if (d->os->ops->link(d->os, from, to) != RKV_OK) rc = copy_file(d->os, from, to);
        }
    return rc;
}

static int copy_values(db *d, const edit *image, const char *dir) {
    int rc = RKV_OK;
    for (size_t i = 0; i < image->values_count && rc == RKV_OK; i++) {
        char name[40];
        char from[PATH_SIZE];
        char to[PATH_SIZE];
        snprintf(name, sizeof name, "%010" PRIu64 ".vlog", image->values[i].number);
        store_path(from, d->dir, name);
        store_path(to, dir, name);
        rc = copy_file(d->os, from, to);
        /* Deleted meanwhile: then it was garbage as a whole when the picture was taken. */
        if (rc == RKV_NOTFOUND && image->values[i].garbage >= image->values[i].bytes) rc = RKV_OK;
    }
    return rc;
}

static int new_store_dir(os *o, const char *dir) {
    char path[PATH_SIZE];
    uint64_t size;
    if (strlen(dir) == 0 || strlen(dir) > DIR_SIZE_MAX)
        return status_set(RKV_EINVAL, "checkpoint: a path between 1 and %d bytes", DIR_SIZE_MAX);
    int rc = o->ops->make_dir(o, dir);
    if (rc) return rc;
    store_path(path, dir, "CURRENT");
    rc = o->ops->stat(o, path, &size);
    if (rc == RKV_OK) return status_set(RKV_EINVAL, "checkpoint: there is a store in %s", dir);
    return rc == RKV_NOTFOUND ? RKV_OK : rc;
}

/* The picture and what the manifest says of it, as of one moment. */
static int take_image(db *d, picture **out, edit *image) {
    pthread_mutex_lock(&d->edit_lock);
    *out = picture_take(d);
    int rc = store_image(d, (*out)->version, image);
    pthread_mutex_unlock(&d->edit_lock);
    image->durable_seq = 0; /* the copy has no log */
    return rc;
}

int db_checkpoint(db *d, const char *new_dir) {
    picture *p = NULL;
    edit image = {0};
    manifest *m = NULL;
    bool unknown;
    int rc = new_store_dir(d->os, new_dir);
    if (rc == RKV_OK) rc = db_flush(d);
    if (rc) return rc;
    rc = take_image(d, &p, &image);
    if (rc == RKV_OK) rc = link_tables(d, p->version, new_dir);
    if (rc == RKV_OK) rc = copy_values(d, &image, new_dir);
    if (rc == RKV_OK) rc = d->os->ops->sync_dir(d->os, new_dir);
    if (rc == RKV_OK) rc = identity_write(d->os, new_dir, &d->identity);
    if (rc == RKV_OK) rc = manifest_create(&m, d->os, new_dir, &d->identity, file_number(d), &image, &unknown);
    int closed = manifest_close(m);
    picture_unref(d, p);
    edit_clear(&image);
    return rc ? rc : closed;
}
