/* faults.c: a disk that misbehaves on command: a library to preload into a server (test_disk.py builds and steers it).
 *
 * It stands before the C library's calls on files below FAULTS_DIR and does what the shared page at FAULTS_PAGE says: make reads slow (a
 * read that may not wait is then refused with EAGAIN), make writes or syncs fail, or count them. The page is a file mapped by both sides:
 *
 *   page := read_delay_ms:u32 write_errno:u32 sync_errno:u32 sync_delay_ms:u32 reads:u32 writes:u32 syncs:u32
 *
 * Stores through a mapping do not pass here. Threads: any.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct page {
    _Atomic unsigned read_delay_ms, write_errno, sync_errno, sync_delay_ms, reads, writes, syncs;
};

static struct page *page;
static char dir[512];

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAULTS_PAGE"), *below = getenv("FAULTS_DIR");
    int fd = path && below ? open(path, O_RDWR) : -1;
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED) return;
    snprintf(dir, sizeof(dir), "%s/", below);
    page = mapped;
}

/* Is fd a file of the store? */
static int ours(int fd) {
    if (!page) return 0;
    char link[64], target[1024];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n < 0) return 0;
    target[n] = 0;
    return strncmp(target, dir, strlen(dir)) == 0;
}

static void pause_ms(unsigned ms) {
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) && errno == EINTR) continue;
}

static void slow_read(void) {
    atomic_fetch_add(&page->reads, 1);
    pause_ms(atomic_load(&page->read_delay_ms));
}

static int refuse_write(int fd) {
    if (!ours(fd)) return 0;
    atomic_fetch_add(&page->writes, 1);
    errno = (int)atomic_load(&page->write_errno);
    return errno != 0;
}

static int refuse_sync(int fd) {
    if (!ours(fd)) return 0;
    atomic_fetch_add(&page->syncs, 1);
    pause_ms(atomic_load(&page->sync_delay_ms));
    errno = (int)atomic_load(&page->sync_errno);
    return errno != 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags) {
    if (ours(fd)) {
        if (flags & RWF_NOWAIT && atomic_load(&page->read_delay_ms)) return errno = EAGAIN, -1;
        if (!(flags & RWF_NOWAIT)) slow_read();
    }
    return REAL(preadv2)(fd, iov, count, offset, flags);
}
ssize_t pread(int fd, void *data, size_t size, off_t offset) {
    if (ours(fd)) slow_read();
    return REAL(pread)(fd, data, size, offset);
}
ssize_t pread64(int fd, void *data, size_t size, off_t offset) {
    return pread(fd, data, size, offset);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return refuse_write(fd) ? -1 : REAL(pwrite)(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
    return pwrite(fd, data, size, offset);
}
ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset) {
    return refuse_write(fd) ? -1 : REAL(pwritev)(fd, iov, count, offset);
}
ssize_t write(int fd, const void *data, size_t size) {
    return refuse_write(fd) ? -1 : REAL(write)(fd, data, size);
}
int fallocate(int fd, int mode, off_t offset, off_t size) {
    return refuse_write(fd) ? -1 : REAL(fallocate)(fd, mode, offset, size);
}
int fdatasync(int fd) {
    return refuse_sync(fd) ? -1 : REAL(fdatasync)(fd);
}
int fsync(int fd) {
    return refuse_sync(fd) ? -1 : REAL(fsync)(fd);
}
