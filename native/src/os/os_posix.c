/* os_posix.c: the real system behind os.h: Linux files, flock, getrandom, two clocks.
 *
 * Interrupted calls are repeated and short transfers continued, so callers see all or an error. A failed sync or close
 * is reported as it came and never repeated: the kernel has by then marked the lost pages clean (fsyncgate).
 *
 * Mapping is offered on ext4, xfs and tmpfs only. There, a store into a preallocated block needs no space, so it
 * cannot fail for want of it; on copy-on-write file systems it can, and a failed store is a SIGBUS.
 *
 * Threads: an open file holds no state but its descriptor and one flag, so any thread may use it at any time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/status.h"
#include "os/os.h"

/* linux/magic.h leaves this one in the file system's private headers. */
#define XFS_MAGIC 0x58465342

enum { ZERO_CHUNK = 1 << 20 };

typedef struct posix_file {
    os_file base;
    int fd;
    atomic_bool always_waits; /* the file system does not know RWF_NOWAIT */
    char path[];
} posix_file;

static posix_file *posix_of(os_file *file) {
    return (posix_file *)file;
}

static int check_range(const posix_file *f, uint64_t offset, uint64_t size) {
    if (offset <= INT64_MAX && size <= INT64_MAX - offset) return RKV_OK;
    return status_set(RKV_EINVAL, "%s: offset %llu, size %llu: beyond the largest file", f->path,
                      (unsigned long long)offset, (unsigned long long)size);
}

/* One read(2): what it returned, or -1 with errno; EAGAIN only if nowait. */
static ssize_t read_some(posix_file *f, uint64_t offset, void *data, size_t size, bool nowait) {
    ssize_t n;
    if (nowait && !atomic_load_explicit(&f->always_waits, memory_order_relaxed)) {
        struct iovec part = {data, size};
        do n = preadv2(f->fd, &part, 1, (off_t)offset, RWF_NOWAIT);
        while (n < 0 && errno == EINTR);
        if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) return n;
        atomic_store_explicit(&f->always_waits, true, memory_order_relaxed);
    }
    do n = pread(f->fd, data, size, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n;
}

static int posix_read_at(os_file *file, uint64_t offset, void *data, size_t size, bool nowait, size_t *out_got) {
    posix_file *f = posix_of(file);
    int rc = check_range(f, offset, size);
    if (rc) return rc;
    size_t got = 0;
    while (got < size) {
        ssize_t n = read_some(f, offset + got, (uint8_t *)data + got, size - got, nowait);
        if (n == 0) break;
        if (n < 0 && errno == EAGAIN && nowait) return RKV_WOULDBLOCK;
        if (n < 0) return status_errno(errno, "%s: read at %llu", f->path, (unsigned long long)(offset + got));
        got += (size_t)n;
    }
    *out_got = got;
    return RKV_OK;
}

static int posix_write_at(os_file *file, uint64_t offset, const void *data, size_t size) {
    posix_file *f = posix_of(file);
    int rc = check_range(f, offset, size);
    if (rc) return rc;
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(f->fd, (const uint8_t *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        /* Nothing written and no error: the standard allows it, a loop must not. */
        if (n <= 0)
            return status_errno(n ? errno : EIO, "%s: write at %llu", f->path, (unsigned long long)(offset + done));
        done += (size_t)n;
    }
    return RKV_OK;
}

static int posix_preallocate(os_file *file, uint64_t size) {
    posix_file *f = posix_of(file);
    int rc = check_range(f, 0, size);
    if (rc || !size) return rc;
    /* Reserving first says "no space" before anything is written, and gives long extents. Then the zeros turn the
     * reserved extents into written ones, so that later syncs have no metadata to journal. */
    int failed;
    do failed = fallocate(f->fd, 0, 0, (off_t)size) ? errno : 0;
    while (failed == EINTR);
    if (failed && failed != EOPNOTSUPP && failed != ENOSYS)
        return status_errno(failed, "%s: reserve %llu bytes", f->path, (unsigned long long)size);
    size_t chunk = size < ZERO_CHUNK ? (size_t)size : ZERO_CHUNK;
    uint8_t *zeros = mem_zalloc(chunk);
    if (!zeros) return alloc_failed(chunk);
    for (uint64_t done = 0; done < size && !rc; done += chunk)
        rc = posix_write_at(file, done, zeros, size - done < chunk ? (size_t)(size - done) : chunk);
    mem_free(zeros);
    return rc;
}

static int posix_sync(os_file *file) {
    posix_file *f = posix_of(file);
    int n;
    do n = fdatasync(f->fd);
    while (n && errno == EINTR);
    return n ? status_errno(errno, "%s: sync", f->path) : RKV_OK;
}

static void posix_write_back(os_file *file, uint64_t offset, uint64_t size) {
    /* A range size of 0 would mean "to the end of the file". */
    if (size) sync_file_range(posix_of(file)->fd, (off_t)offset, (off_t)size, SYNC_FILE_RANGE_WRITE);
}

static void posix_will_need(os_file *file, uint64_t offset, uint64_t size) {
    if (size) posix_fadvise(posix_of(file)->fd, (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);
}

static void posix_dont_need(os_file *file, uint64_t offset, uint64_t size) {
    if (size) posix_fadvise(posix_of(file)->fd, (off_t)offset, (off_t)size, POSIX_FADV_DONTNEED);
}

static int posix_truncate(os_file *file, uint64_t size) {
    posix_file *f = posix_of(file);
    int rc = check_range(f, 0, size);
    if (rc) return rc;
    int n;
    do n = ftruncate(f->fd, (off_t)size);
    while (n && errno == EINTR);
    return n ? status_errno(errno, "%s: truncate to %llu", f->path, (unsigned long long)size) : RKV_OK;
}

static int posix_punch(os_file *file, uint64_t offset, uint64_t size) {
    posix_file *f = posix_of(file);
    int rc = check_range(f, offset, size);
    if (rc || !size) return rc;
    int n;
    do n = fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
    while (n && errno == EINTR);
    if (!n) return RKV_OK;
    if (errno == EOPNOTSUPP || errno == ENOSYS) return status_set(RKV_EINVAL, "%s: holes are not supported", f->path);
    return status_errno(errno, "%s: punch at %llu", f->path, (unsigned long long)offset);
}

static int posix_size(os_file *file, uint64_t *out_size) {
    posix_file *f = posix_of(file);
    struct stat info;
    if (fstat(f->fd, &info)) return status_errno(errno, "%s: stat", f->path);
    *out_size = (uint64_t)info.st_size;
    return RKV_OK;
}

static bool mapping_is_safe(long type) {
    return type == EXT4_SUPER_MAGIC || type == XFS_MAGIC || type == TMPFS_MAGIC;
}

static int posix_map(os_file *file, size_t size, uint8_t **out) {
    posix_file *f = posix_of(file);
    struct statfs info;
    if (fstatfs(f->fd, &info)) return status_errno(errno, "%s: statfs", f->path);
    if (!mapping_is_safe((long)info.f_type))
        return status_set(RKV_EINVAL, "%s: not mapped: unknown file system %#lx", f->path, (long)info.f_type);
    /* The pages are read ahead but not mapped in. A page mapped in for reading faults again at its first store, which
     * costs more than one fault for the store (145 against 20 ns for a 132-byte record on 6.18, where one fault brings
     * in a large folio); mapping in for writing would dirty, and so write, the whole file. */
    posix_will_need(file, 0, size);
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    if (base == MAP_FAILED) return status_errno(errno, "%s: map %zu bytes", f->path, size);
    *out = base;
    return RKV_OK;
}

static void posix_unmap(os_file *file, uint8_t *base, size_t size) {
    (void)file;
    munmap(base, size);
}

static int posix_close(os_file *file) {
    posix_file *f = posix_of(file);
    int rc = RKV_OK;
    /* Linux frees the descriptor even when close is interrupted: repeating it could close somebody else's. */
    if (close(f->fd) && errno != EINTR) rc = status_errno(errno, "%s: close", f->path);
    mem_free(f);
    return rc;
}

static const os_file_ops file_ops = {
    .read_at = posix_read_at,
    .write_at = posix_write_at,
    .preallocate = posix_preallocate,
    .sync = posix_sync,
    .write_back = posix_write_back,
    .will_need = posix_will_need,
    .dont_need = posix_dont_need,
    .truncate = posix_truncate,
    .punch = posix_punch,
    .size = posix_size,
    .map = posix_map,
    .unmap = posix_unmap,
    .close = posix_close,
};

static int file_new(os_file **out, const char *path, int flags) {
    size_t text = strlen(path) + 1;
    posix_file *f = mem_zalloc(sizeof *f + text);
    if (!f) return alloc_failed(sizeof *f + text);
    f->base.ops = &file_ops;
    memcpy(f->path, path, text);
    do f->fd = open(path, flags | O_CLOEXEC, 0644);
    while (f->fd < 0 && errno == EINTR);
    if (f->fd < 0) {
        int rc = status_errno(errno, "%s: open", path);
        mem_free(f);
        return rc;
    }
    *out = &f->base;
    return RKV_OK;
}

static int posix_open(os *self, os_file **out, const char *path, enum os_open_mode mode) {
    (void)self;
    static const int flags[] = {[OS_READ] = O_RDONLY, [OS_WRITE] = O_RDWR, [OS_CREATE] = O_RDWR | O_CREAT | O_EXCL};
    return file_new(out, path, flags[mode]);
}

static int posix_rename(os *self, const char *from, const char *to) {
    (void)self;
    return rename(from, to) ? status_errno(errno, "%s: rename to %s", from, to) : RKV_OK;
}

static int posix_unlink(os *self, const char *path) {
    (void)self;
    return unlink(path) ? status_errno(errno, "%s: unlink", path) : RKV_OK;
}

static int posix_link(os *self, const char *from, const char *to) {
    (void)self;
    return link(from, to) ? status_errno(errno, "%s: link to %s", from, to) : RKV_OK;
}

static int posix_make_dir(os *self, const char *path) {
    (void)self;
    if (!mkdir(path, 0755)) return RKV_OK;
    int failed = errno;
    struct stat info;
    if (failed == EEXIST && !stat(path, &info) && S_ISDIR(info.st_mode)) return RKV_OK;
    return status_errno(failed, "%s: make directory", path);
}

static int posix_sync_dir(os *self, const char *path) {
    (void)self;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return status_errno(errno, "%s: open directory", path);
    int n;
    do n = fsync(fd);
    while (n && errno == EINTR);
    int rc = n ? status_errno(errno, "%s: sync directory", path) : RKV_OK;
    close(fd);
    return rc;
}

static int posix_list(os *self, const char *path, os_list_fn fn, void *context) {
    (void)self;
    DIR *dir = opendir(path);
    if (!dir) return status_errno(errno, "%s: open directory", path);
    struct dirent *entry;
    while (errno = 0, (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) fn(context, entry->d_name);
    int rc = errno ? status_errno(errno, "%s: read directory", path) : RKV_OK;
    closedir(dir);
    return rc;
}

static int posix_stat(os *self, const char *path, uint64_t *out_size) {
    (void)self;
    struct stat info;
    if (stat(path, &info)) return status_errno(errno, "%s: stat", path);
    *out_size = (uint64_t)info.st_size;
    return RKV_OK;
}

static int posix_free_space(os *self, const char *path, uint64_t *out_bytes) {
    (void)self;
    struct statvfs info;
    if (statvfs(path, &info)) return status_errno(errno, "%s: statvfs", path);
    *out_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    return RKV_OK;
}

static int posix_lock(os *self, os_file **out, const char *path) {
    (void)self;
    os_file *file;
    int rc = file_new(&file, path, O_RDWR | O_CREAT);
    if (rc) return rc;
    int n;
    do n = flock(posix_of(file)->fd, LOCK_EX | LOCK_NB);
    while (n && errno == EINTR);
    if (!n) {
        *out = file;
        return RKV_OK;
    }
    rc = errno == EWOULDBLOCK ? status_set(RKV_ELOCKED, "%s: held by another process", path)
                              : status_errno(errno, "%s: lock", path);
    close(posix_of(file)->fd);
    mem_free(file);
    return rc;
}

static void posix_unlock(os *self, os_file *lock) {
    (void)self;
    close(posix_of(lock)->fd); /* the last descriptor's close drops the lock */
    mem_free(lock);
}

static uint64_t posix_now_ms(os *self) {
    (void)self;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t posix_mono_ns(os *self) {
    (void)self;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int posix_random(os *self, void *data, size_t size) {
    (void)self;
    for (size_t got = 0; got < size;) {
        ssize_t n = getrandom((uint8_t *)data + got, size - got, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return status_errno(errno, "getrandom");
        got += (size_t)n;
    }
    return RKV_OK;
}

os *os_posix(void) {
    static const os_ops ops = {
        .open = posix_open,
        .rename = posix_rename,
        .unlink = posix_unlink,
        .link = posix_link,
        .make_dir = posix_make_dir,
        .sync_dir = posix_sync_dir,
        .list = posix_list,
        .stat = posix_stat,
        .free_space = posix_free_space,
        .lock = posix_lock,
        .unlock = posix_unlock,
        .now_ms = posix_now_ms,
        .mono_ns = posix_mono_ns,
        .random = posix_random,
    };
    static os real = {&ops};
    return &real;
}
