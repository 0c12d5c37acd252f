/* os_slow.c: any os with a slow disk; see os_fault.h. Everything but reads and syncs goes straight to the inner one.
 *
 * Threads: any; the delays are read anew at each call.
 */
#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "base/alloc.h"
#include "base/status.h"
#include "os/os_fault.h"

typedef struct os_slow {
    os base;
    os *inner;
    atomic_uint read_delay_ms, sync_delay_ms;
} os_slow;

typedef struct slow_file {
    os_file base;
    os_slow *slow;
    os_file *inner;
} slow_file;

static os *inner_of(os *self) {
    return ((os_slow *)self)->inner;
}

static os_file *inner_file(os_file *file) {
    return ((slow_file *)file)->inner;
}

static void sleep_ms(unsigned ms) {
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) && errno == EINTR) continue;
}

static int slow_read_at(os_file *file, uint64_t offset, void *data, size_t size, bool nowait, size_t *out_got) {
    unsigned delay_ms = atomic_load(&((slow_file *)file)->slow->read_delay_ms);
    if (delay_ms && nowait) return RKV_WOULDBLOCK;
    sleep_ms(delay_ms);
    return inner_file(file)->ops->read_at(inner_file(file), offset, data, size, nowait, out_got);
}

static int slow_sync(os_file *file) {
    sleep_ms(atomic_load(&((slow_file *)file)->slow->sync_delay_ms));
    return inner_file(file)->ops->sync(inner_file(file));
}

static int slow_write_at(os_file *file, uint64_t offset, const void *data, size_t size) {
    return inner_file(file)->ops->write_at(inner_file(file), offset, data, size);
}

static int slow_preallocate(os_file *file, uint64_t size) {
    return inner_file(file)->ops->preallocate(inner_file(file), size);
}

static void slow_write_back(os_file *file, uint64_t offset, uint64_t size) {
    inner_file(file)->ops->write_back(inner_file(file), offset, size);
}

static void slow_will_need(os_file *file, uint64_t offset, uint64_t size) {
    inner_file(file)->ops->will_need(inner_file(file), offset, size);
}

static void slow_dont_need(os_file *file, uint64_t offset, uint64_t size) {
    inner_file(file)->ops->dont_need(inner_file(file), offset, size);
}

static int slow_truncate(os_file *file, uint64_t size) {
    return inner_file(file)->ops->truncate(inner_file(file), size);
}

static int slow_punch(os_file *file, uint64_t offset, uint64_t size) {
    return inner_file(file)->ops->punch(inner_file(file), offset, size);
}

static int slow_size(os_file *file, uint64_t *out_size) {
    return inner_file(file)->ops->size(inner_file(file), out_size);
}

static int slow_map(os_file *file, size_t size, uint8_t **out) {
    return inner_file(file)->ops->map(inner_file(file), size, out);
}

static void slow_unmap(os_file *file, uint8_t *base, size_t size) {
    inner_file(file)->ops->unmap(inner_file(file), base, size);
}

static int slow_close(os_file *file) {
    int rc = inner_file(file)->ops->close(inner_file(file));
    mem_free(file);
    return rc;
}

static const os_file_ops file_ops = {
    .read_at = slow_read_at,
    .write_at = slow_write_at,
    .preallocate = slow_preallocate,
    .sync = slow_sync,
    .write_back = slow_write_back,
    .will_need = slow_will_need,
    .dont_need = slow_dont_need,
    .truncate = slow_truncate,
    .punch = slow_punch,
    .size = slow_size,
    .map = slow_map,
    .unmap = slow_unmap,
    .close = slow_close,
};

static int slow_open(os *self, os_file **out, const char *path, enum os_open_mode mode) {
    slow_file *file = mem_alloc(sizeof *file);
    if (!file) return alloc_failed(sizeof *file);
    *file = (slow_file){{&file_ops}, (os_slow *)self, NULL};
    int rc = inner_of(self)->ops->open(inner_of(self), &file->inner, path, mode);
    if (rc)
        mem_free(file);
    else
        *out = &file->base;
    return rc;
}

static int slow_rename(os *self, const char *from, const char *to) {
    return inner_of(self)->ops->rename(inner_of(self), from, to);
}

static int slow_unlink(os *self, const char *path) {
    return inner_of(self)->ops->unlink(inner_of(self), path);
}

static int slow_link(os *self, const char *from, const char *to) {
    return inner_of(self)->ops->link(inner_of(self), from, to);
}

static int slow_make_dir(os *self, const char *path) {
    return inner_of(self)->ops->make_dir(inner_of(self), path);
}

static int slow_sync_dir(os *self, const char *path) {
    return inner_of(self)->ops->sync_dir(inner_of(self), path);
}

static int slow_list(os *self, const char *path, os_list_fn fn, void *context) {
    return inner_of(self)->ops->list(inner_of(self), path, fn, context);
}

static int slow_stat(os *self, const char *path, uint64_t *out_size) {
    return inner_of(self)->ops->stat(inner_of(self), path, out_size);
}

static int slow_free_space(os *self, const char *path, uint64_t *out_bytes) {
    return inner_of(self)->ops->free_space(inner_of(self), path, out_bytes);
}

/* A lock is the inner one's handle itself: nothing is read or synced through it. */
static int slow_lock(os *self, os_file **out, const char *path) {
    return inner_of(self)->ops->lock(inner_of(self), out, path);
}

static void slow_unlock(os *self, os_file *lock) {
    inner_of(self)->ops->unlock(inner_of(self), lock);
}

static uint64_t slow_now_ms(os *self) {
    return inner_of(self)->ops->now_ms(inner_of(self));
}

static uint64_t slow_mono_ns(os *self) {
    return inner_of(self)->ops->mono_ns(inner_of(self));
}

static int slow_random(os *self, void *data, size_t size) {
    return inner_of(self)->ops->random(inner_of(self), data, size);
}

os *os_slow_new(os *inner, unsigned read_delay_ms) {
    static const os_ops ops = {
        .open = slow_open,
        .rename = slow_rename,
        .unlink = slow_unlink,
        .link = slow_link,
        .make_dir = slow_make_dir,
        .sync_dir = slow_sync_dir,
        .list = slow_list,
        .stat = slow_stat,
        .free_space = slow_free_space,
        .lock = slow_lock,
        .unlock = slow_unlock,
        .now_ms = slow_now_ms,
        .mono_ns = slow_mono_ns,
        .random = slow_random,
    };
    os_slow *slow = mem_alloc(sizeof *slow);
    if (!slow) return NULL;
    slow->base.ops = &ops;
    slow->inner = inner;
    atomic_init(&slow->read_delay_ms, read_delay_ms);
    atomic_init(&slow->sync_delay_ms, 0);
    return &slow->base;
}

void os_slow_set(os *slow, unsigned read_delay_ms, unsigned sync_delay_ms) {
    atomic_store(&((os_slow *)slow)->read_delay_ms, read_delay_ms);
    atomic_store(&((os_slow *)slow)->sync_delay_ms, sync_delay_ms);
}

void os_slow_free(os *slow) {
    mem_free(slow);
}
