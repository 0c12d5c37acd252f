/* os_fault.c: os.h over the disk in memory: handles, locks, injected failures, clocks; see os_fault.h.
 *
 * Every call passes call_begin, in this order: hook, count, random write-back, stale handle, crash, injected failure.
 * What it refuses has no effect, except that a refused write leaves its first half.
 *
 * Threads: one mutex; the hook runs outside it.
 */
#include "os/os_fault.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "os/fault_disk.h"

enum { CALL_KINDS = 9 };

/* An armed fault: strikes at the first matching call after `after` others. */
typedef struct rule {
    unsigned calls; /* 0: none */
    char path_part[64];
    uint64_t after;
    int status;
    bool forever, struck;
} rule;

struct os_fault {
    os base;
    pthread_mutex_t lock;
    disk *disk;
    disk_random random;     /* what random() gives */
    disk_random background; /* what the kernel does by itself */
    uint64_t boot;          /* handles of other boots are stale */
    bool crashed;
    rule fail, crash;
    unsigned write_back_one_in;
    uint64_t space;
    uint64_t counts[CALL_KINDS];
    unsigned handles;
    os_fault_hook hook;
    void *hook_context;
    uint64_t now_ms, mono_ns;
};

typedef struct fault_file {
    os_file base;
    os_fault *fs;
    disk_node *node;
    disk_blob *mapping;
    uint64_t boot;
    bool writable, locker;
    char *path;
} fault_file;

static os_fault *fault_of(os *self) {
    return (os_fault *)self;
}

static fault_file *file_of(os_file *file) {
    return (fault_file *)file;
}

/* ---- each call --------------------------------------------------------------------------------------------------- */

static bool rule_strikes(rule *r, unsigned call, const char *path) {
    if (!(r->calls & call) || !strstr(path, r->path_part)) return false;
    if (r->after) {
        r->after--;
        return false;
    }
    r->struck = true;
    if (!r->forever) r->calls = 0;
    return true;
}

static void crash(os_fault *f) {
    if (f->crashed) return;
    f->crashed = true;
    disk_freeze(f->disk);
}

/* Enter a call: RKV_OK, or the status it must return; *out_struck: because a fault struck it. The lock is held
 * afterwards in either case. boot: the handle's, or 0. */
static int call_begin(os_fault *f, unsigned call, const char *path, uint64_t boot, bool *out_struck) {
    if (f->hook) f->hook(f->hook_context, call, path);
    pthread_mutex_lock(&f->lock);
    *out_struck = false;
    f->counts[__builtin_ctz(call)]++;
    if (f->crashed || (boot && boot != f->boot)) return status_set(RKV_EIO, "%s: the machine has crashed", path);
    if (f->write_back_one_in && disk_random_below(&f->background, f->write_back_one_in) == 0)
        disk_write_back(f->disk, &f->background);
    if (rule_strikes(&f->crash, call, path)) {
        *out_struck = true;
        crash(f);
        return status_set(RKV_EIO, "%s: the machine crashes", path);
    }
    if (!rule_strikes(&f->fail, call, path)) return RKV_OK;
    *out_struck = true;
    return status_set(f->fail.status, "%s: injected %s", path, status_name(f->fail.status));
}

static int path_begin(os_fault *f, unsigned call, const char *path) {
    bool struck;
    return call_begin(f, call, path, 0, &struck);
}

static int file_begin(fault_file *h, unsigned call) {
    bool struck;
    return call_begin(h->fs, call, h->path, h->boot, &struck);
}

static int call_end(os_fault *f, int rc) {
    pthread_mutex_unlock(&f->lock);
    return rc;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int fault_read_at(os_file *file, uint64_t offset, void *data, size_t size, bool nowait, size_t *out_got) {
    (void)nowait;
    fault_file *h = file_of(file);
    int rc = file_begin(h, FAULT_READ);
    if (!rc) *out_got = disk_read(h->node, offset, data, size);
    return call_end(h->fs, rc);
}

/* Write (data NULL: zeros) as much as there is space for. */
static int write_within_limit(fault_file *h, uint64_t offset, const void *data, size_t size) {
    os_fault *f = h->fs;
    uint64_t need = f->space == UINT64_MAX ? 0 : disk_need(h->node, offset, size);
    uint64_t used = need ? disk_used(f->disk) : 0;
    uint64_t left = used < f->space ? f->space - used : 0;
    if (need <= left) {
        disk_write(h->node, offset, data, size);
        return RKV_OK;
    }
    uint64_t have = disk_size(h->node) > offset ? disk_size(h->node) - offset : 0;
    uint64_t fits = have + left / BLOCK * BLOCK;
    if (disk_need(h->node, offset, fits < size ? fits : size) <= left)
        disk_write(h->node, offset, data, fits < size ? (size_t)fits : size);
    return status_set(RKV_ENOSPC, "%s: write at %llu: no space left within %llu bytes", h->path,
                      (unsigned long long)offset, (unsigned long long)f->space);
}

static int write_call(fault_file *h, uint64_t offset, const void *data, size_t size) {
    bool struck;
    int rc = call_begin(h->fs, FAULT_WRITE, h->path, h->boot, &struck);
    assert(h->writable);
    if (!rc)
        rc = write_within_limit(h, offset, data, size);
    else if (struck)
        disk_write(h->node, offset, data, size / 2);
    return call_end(h->fs, rc);
}

static int fault_write_at(os_file *file, uint64_t offset, const void *data, size_t size) {
    return write_call(file_of(file), offset, data ? data : "", size);
}

static int fault_preallocate(os_file *file, uint64_t size) {
    return write_call(file_of(file), 0, NULL, (size_t)size);
}

static int fault_sync(os_file *file) {
    fault_file *h = file_of(file);
    bool struck;
    int rc = call_begin(h->fs, FAULT_SYNC, h->path, h->boot, &struck);
    if (!rc)
        disk_sync(h->node);
    else if (struck)
        disk_sync_failed(h->node);
    return call_end(h->fs, rc);
}

static void fault_hint(os_file *file, uint64_t offset, uint64_t size) {
    (void)file;
    (void)offset;
    (void)size;
}

static int fault_truncate(os_file *file, uint64_t size) {
    fault_file *h = file_of(file);
    int rc = file_begin(h, FAULT_WRITE);
    assert(h->writable);
    if (!rc) disk_resize(h->node, size);
    return call_end(h->fs, rc);
}

static int fault_punch(os_file *file, uint64_t offset, uint64_t size) {
    fault_file *h = file_of(file);
    int rc = file_begin(h, FAULT_WRITE);
    assert(h->writable);
    if (!rc) disk_punch(h->node, offset, size);
    return call_end(h->fs, rc);
}

static int fault_size(os_file *file, uint64_t *out_size) {
    fault_file *h = file_of(file);
    int rc = file_begin(h, FAULT_QUERY);
    if (!rc) *out_size = disk_size(h->node);
    return call_end(h->fs, rc);
}

static int fault_map(os_file *file, size_t size, uint8_t **out) {
    fault_file *h = file_of(file);
    int rc = file_begin(h, FAULT_MAP);
    if (rc) return call_end(h->fs, rc);
    assert(h->writable && !h->mapping && size <= disk_size(h->node)); /* beyond the end, a store would be a SIGBUS */
    *out = disk_map(h->node, &h->mapping);
    return call_end(h->fs, RKV_OK);
}

static void fault_unmap(os_file *file, uint8_t *base, size_t size) {
    (void)size;
    fault_file *h = file_of(file);
    pthread_mutex_lock(&h->fs->lock);
    assert(h->mapping && base == h->mapping->data);
    /* A crash has taken the node's bytes away from the mapping already. */
    if (h->boot == h->fs->boot && !h->fs->crashed) disk_unmap(h->node);
    disk_blob_unref(h->mapping);
    h->mapping = NULL;
    pthread_mutex_unlock(&h->fs->lock);
}

/* With the lock held. */
static void file_free(fault_file *h) {
    assert(!h->mapping);
    h->fs->handles--;
    h->node->handles--;
    disk_unref(h->fs->disk, h->node);
    free(h->path);
    free(h);
}

static int fault_close(os_file *file) {
    fault_file *h = file_of(file);
    os_fault *f = h->fs;
    int rc = RKV_OK;
    if (h->writable)
        rc = file_begin(h, FAULT_CLOSE);
    else
        pthread_mutex_lock(&f->lock);
    file_free(h);
    return call_end(f, rc);
}

static const os_file_ops file_ops = {
    .read_at = fault_read_at,
    .write_at = fault_write_at,
    .preallocate = fault_preallocate,
    .sync = fault_sync,
    .write_back = fault_hint,
    .will_need = fault_hint,
    .dont_need = fault_hint,
    .truncate = fault_truncate,
    .punch = fault_punch,
    .size = fault_size,
    .map = fault_map,
    .unmap = fault_unmap,
    .close = fault_close,
};

/* With the lock held. */
static fault_file *file_new(os_fault *f, disk_node *n, const char *path, bool writable) {
    fault_file *h = disk_take(sizeof *h);
    size_t text = strlen(path) + 1;
    *h = (fault_file){.base = {&file_ops}, .fs = f, .node = n, .boot = f->boot, .writable = writable};
    h->path = memcpy(disk_take(text), path, text);
    disk_ref(n);
    n->handles++;
    f->handles++;
    return h;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static int not_found(const char *path) {
    return status_set(RKV_NOTFOUND, "%s: no such file", path);
}

static int fault_open(os *self, os_file **out, const char *path, enum os_open_mode mode) {
    os_fault *f = fault_of(self);
    int rc = path_begin(f, mode == OS_CREATE ? FAULT_ENTRY : FAULT_OPEN, path);
    if (rc) return call_end(f, rc);
    disk_node *n = NULL;
    if (mode == OS_CREATE)
        rc = disk_create(f->disk, path, false, &n);
    else if (!(n = disk_find(f->disk, path)) || disk_is_dir(n))
        rc = not_found(path);
    if (!rc) *out = &file_new(f, n, path, mode != OS_READ)->base;
    return call_end(f, rc);
}

/* A call on two paths: a rule may name either. */
static int pair_begin(os_fault *f, const char *from, const char *to) {
    char both[1024];
    int size = snprintf(both, sizeof both, "%s to %s", from, to);
    assert(size > 0 && (size_t)size < sizeof both);
    return path_begin(f, FAULT_ENTRY, both);
}

static int fault_rename(os *self, const char *from, const char *to) {
    os_fault *f = fault_of(self);
    int rc = pair_begin(f, from, to);
    if (!rc) rc = disk_rename(f->disk, from, to);
    return call_end(f, rc);
}

static int fault_unlink(os *self, const char *path) {
    os_fault *f = fault_of(self);
    int rc = path_begin(f, FAULT_ENTRY, path);
    if (!rc) rc = disk_unlink(f->disk, path);
    return call_end(f, rc);
}

static int fault_link(os *self, const char *from, const char *to) {
    os_fault *f = fault_of(self);
    int rc = pair_begin(f, from, to);
    if (!rc) rc = disk_link(f->disk, from, to);
    return call_end(f, rc);
}

static int fault_make_dir(os *self, const char *path) {
    os_fault *f = fault_of(self);
    int rc = path_begin(f, FAULT_ENTRY, path);
    if (rc) return call_end(f, rc);
    disk_node *n = disk_find(f->disk, path);
    if (!n || !disk_is_dir(n)) rc = disk_create(f->disk, path, true, &n);
    return call_end(f, rc);
}

static int fault_sync_dir(os *self, const char *path) {
    os_fault *f = fault_of(self);
    int rc = path_begin(f, FAULT_SYNC_DIR, path);
    if (!rc) rc = disk_sync_dir(f->disk, path);
    return call_end(f, rc);
}

static int fault_list(os *self, const char *path, os_list_fn fn, void *context) {
    os_fault *f = fault_of(self);
    int rc = path_begin(f, FAULT_QUERY, path);
    disk_names names = {0};
    if (!rc) rc = disk_list(f->disk, path, &names);
    call_end(f, rc);
    /* Outside the lock: fn may use the os, as it may with the real one. */
    for (size_t i = 0; i < names.count; i++) fn(context, names.at[i]);
    disk_names_clear(&names);
    return rc;
}

static int fault_stat(os *self, const char *path, uint64_t *out_size) {
    os_fault *f = fault_of(self);
    int rc = path_begin(f, FAULT_QUERY, path);
    if (rc) return call_end(f, rc);
    disk_node *n = disk_find(f->disk, path);
    if (n) *out_size = disk_size(n);
    return call_end(f, n ? RKV_OK : not_found(path));
}

static int fault_free_space(os *self, const char *path, uint64_t *out_bytes) {
    os_fault *f = fault_of(self);
    int rc = path_begin(f, FAULT_QUERY, path);
    if (rc) return call_end(f, rc);
    uint64_t used = disk_used(f->disk);
    *out_bytes = used < f->space ? f->space - used : 0;
    return call_end(f, RKV_OK);
}

static int fault_lock(os *self, os_file **out, const char *path) {
    os_fault *f = fault_of(self);
    int rc = path_begin(f, FAULT_ENTRY, path);
    if (rc) return call_end(f, rc);
    disk_node *n = disk_find(f->disk, path);
    if (!n) rc = disk_create(f->disk, path, false, &n);
    if (rc) return call_end(f, rc);
    if (n->locked == f->boot) return call_end(f, status_set(RKV_ELOCKED, "%s: held by another handle", path));
    n->locked = f->boot;
    *out = &file_new(f, n, path, false)->base;
    return call_end(f, RKV_OK);
}

static void fault_unlock(os *self, os_file *lock) {
    os_fault *f = fault_of(self);
    fault_file *h = file_of(lock);
    pthread_mutex_lock(&f->lock);
    /* One from before a reboot has lost its lock, and somebody may have taken it since. */
    if (h->boot == f->boot) h->node->locked = 0;
    file_free(h);
    pthread_mutex_unlock(&f->lock);
}

/* ---- time and chance --------------------------------------------------------------------------------------------- */

static uint64_t fault_now_ms(os *self) {
    os_fault *f = fault_of(self);
    pthread_mutex_lock(&f->lock);
    uint64_t now_ms = f->now_ms;
    pthread_mutex_unlock(&f->lock);
    return now_ms;
}

static uint64_t fault_mono_ns(os *self) {
    os_fault *f = fault_of(self);
    pthread_mutex_lock(&f->lock);
    uint64_t mono_ns = f->mono_ns;
    pthread_mutex_unlock(&f->lock);
    return mono_ns;
}

static int fault_random(os *self, void *data, size_t size) {
    os_fault *f = fault_of(self);
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < size; i++) ((uint8_t *)data)[i] = (uint8_t)disk_random_next(&f->random);
    pthread_mutex_unlock(&f->lock);
    return RKV_OK;
}

static const os_ops fault_ops = {
    .open = fault_open,
    .rename = fault_rename,
    .unlink = fault_unlink,
    .link = fault_link,
    .make_dir = fault_make_dir,
    .sync_dir = fault_sync_dir,
    .list = fault_list,
    .stat = fault_stat,
    .free_space = fault_free_space,
    .lock = fault_lock,
    .unlock = fault_unlock,
    .now_ms = fault_now_ms,
    .mono_ns = fault_mono_ns,
    .random = fault_random,
};

/* ---- the test's side --------------------------------------------------------------------------------------------- */

static os_fault *machine_new(disk *d, uint64_t seed) {
    os_fault *f = disk_take(sizeof *f);
    *f = (os_fault){.base = {&fault_ops}, .disk = d, .boot = 1, .space = UINT64_MAX};
    f->random.state = seed;
    f->background.state = ~seed;
    f->now_ms = 1700000000000;
    f->mono_ns = 1000000000;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

os_fault *os_fault_new(uint64_t seed) {
    return machine_new(disk_new(), seed);
}

void os_fault_free(os_fault *f) {
    if (!f) return;
    assert(f->handles == 0);
    disk_free(f->disk);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

os *os_fault_os(os_fault *f) {
    return &f->base;
}

os_fault *os_fault_clone(os_fault *f) {
    pthread_mutex_lock(&f->lock);
    os_fault *copy = machine_new(disk_clone(f->disk), f->random.state);
    copy->space = f->space;
    copy->now_ms = f->now_ms;
    copy->mono_ns = f->mono_ns;
    pthread_mutex_unlock(&f->lock);
    return copy;
}

static rule rule_of(unsigned calls, const char *path_part, uint64_t after) {
    rule r = {.calls = calls, .after = after};
    if (!path_part) path_part = "";
    assert(strlen(path_part) < sizeof r.path_part);
    strcpy(r.path_part, path_part);
    return r;
}

void os_fault_fail(os_fault *f, unsigned calls, const char *path_part, uint64_t after, int status, bool forever) {
    assert(status == RKV_EIO || status == RKV_ENOSPC);
    pthread_mutex_lock(&f->lock);
    f->fail = rule_of(calls, path_part, after);
    f->fail.status = status;
    f->fail.forever = forever;
    pthread_mutex_unlock(&f->lock);
}

void os_fault_crash_at(os_fault *f, unsigned calls, const char *path_part, uint64_t after) {
    pthread_mutex_lock(&f->lock);
    f->crash = rule_of(calls, path_part, after);
    pthread_mutex_unlock(&f->lock);
}

void os_fault_crash(os_fault *f) {
    pthread_mutex_lock(&f->lock);
    crash(f);
    pthread_mutex_unlock(&f->lock);
}

void os_fault_heal(os_fault *f) {
    pthread_mutex_lock(&f->lock);
    f->fail.calls = f->crash.calls = 0;
    pthread_mutex_unlock(&f->lock);
}

bool os_fault_failed(os_fault *f) {
    pthread_mutex_lock(&f->lock);
    bool failed = f->fail.struck;
    pthread_mutex_unlock(&f->lock);
    return failed;
}

bool os_fault_crashed(os_fault *f) {
    pthread_mutex_lock(&f->lock);
    bool crashed = f->crashed;
    pthread_mutex_unlock(&f->lock);
    return crashed;
}

void os_fault_reboot(os_fault *f, enum fault_cut model, uint64_t seed) {
    pthread_mutex_lock(&f->lock);
    crash(f);
    disk_cut(f->disk, model, seed);
    f->fail = f->crash = (rule){0};
    f->boot++;
    f->crashed = false;
    pthread_mutex_unlock(&f->lock);
}

void os_fault_write_back(os_fault *f, unsigned one_in) {
    pthread_mutex_lock(&f->lock);
    f->write_back_one_in = one_in;
    pthread_mutex_unlock(&f->lock);
}

void os_fault_limit_space(os_fault *f, uint64_t bytes) {
    pthread_mutex_lock(&f->lock);
    f->space = bytes;
    pthread_mutex_unlock(&f->lock);
}

void os_fault_flip_bit(os_fault *f, const char *path, uint64_t offset, unsigned bit) {
    pthread_mutex_lock(&f->lock);
    disk_node *n = disk_find(f->disk, path);
    assert(n && !disk_is_dir(n));
    disk_flip(n, offset, bit);
    pthread_mutex_unlock(&f->lock);
}

void os_fault_truncate(os_fault *f, const char *path, uint64_t size) {
    pthread_mutex_lock(&f->lock);
    disk_node *n = disk_find(f->disk, path);
    assert(n && !disk_is_dir(n));
    disk_chop(n, size);
    pthread_mutex_unlock(&f->lock);
}

uint64_t os_fault_calls(os_fault *f, unsigned calls) {
    uint64_t sum = 0;
    pthread_mutex_lock(&f->lock);
    for (unsigned i = 0; i < CALL_KINDS; i++)
        if (calls & 1u << i) sum += f->counts[i];
    pthread_mutex_unlock(&f->lock);
    return sum;
}

unsigned os_fault_handles(os_fault *f) {
    pthread_mutex_lock(&f->lock);
    unsigned handles = f->handles;
    pthread_mutex_unlock(&f->lock);
    return handles;
}

uint64_t os_fault_used(os_fault *f) {
    pthread_mutex_lock(&f->lock);
    uint64_t used = disk_used(f->disk);
    pthread_mutex_unlock(&f->lock);
    return used;
}

void os_fault_on_call(os_fault *f, os_fault_hook hook, void *context) {
    pthread_mutex_lock(&f->lock);
    f->hook = hook;
    f->hook_context = context;
    pthread_mutex_unlock(&f->lock);
}

void os_fault_set_now_ms(os_fault *f, uint64_t now_ms) {
    pthread_mutex_lock(&f->lock);
    f->now_ms = now_ms;
    pthread_mutex_unlock(&f->lock);
}

void os_fault_advance_ms(os_fault *f, uint64_t ms) {
    pthread_mutex_lock(&f->lock);
    f->now_ms += ms;
    f->mono_ns += ms * 1000000;
    pthread_mutex_unlock(&f->lock);
}
