/* os.h: the operating system behind one table of functions.
 *
 * os_posix() is the real one; os_fault.h has a twin in memory that tears, drops, fails and stalls. Nothing
 * above this room calls open, read, write, fsync, mmap, rename, clock_gettime or getrandom itself.
 *
 * Paths are NUL-terminated and relative to the process or absolute. Every call returns a status (base/status.h)
 * with the path in its text; outputs are written only on success. Offsets and sizes are in bytes.
 * Threads: an os may be used from many threads; one os_file too, except that its owner closes it last.
 *
 * Create protocol, which callers follow (FAULTS.md 2.2): create -> write -> file sync -> sync_dir -> only then
 * refer to the file. Replace: write a temporary -> sync -> rename -> sync_dir -> only then unlink the old.
 */
#ifndef RKV_OS_OS_H
#define RKV_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct os os;
typedef struct os_file os_file;

enum os_open_mode {
    OS_READ,   /* existing file, read only; RKV_NOTFOUND if absent */
    OS_WRITE,  /* existing file, read and write */
    OS_CREATE, /* new file, read and write; RKV_EIO if it exists (O_EXCL) */
};

typedef struct os_file_ops {
    /* Read up to size bytes at offset; *out_got < size only at end of file. nowait: RKV_WOULDBLOCK instead of
     * waiting for the device (preadv2 RWF_NOWAIT; a system without it reads and waits). */
    int (*read_at)(os_file *file, uint64_t offset, void *data, size_t size, bool nowait, size_t *out_got);
    /* Write all of data at offset, growing the file as needed. RKV_ENOSPC, RKV_EIO: any part may be written. */
    int (*write_at)(os_file *file, uint64_t offset, const void *data, size_t size);
    /* Give the range [0, size) real zeroed blocks, so that later stores and writes inside it need no space
     * and a sync no metadata (written with zeros, not merely fallocated). */
    int (*preallocate)(os_file *file, uint64_t size);
    /* fdatasync. An error is final for this file: the caller never syncs it again. */
    int (*sync)(os_file *file);
    /* Begin writing back [offset, offset + size) without waiting; a hint. */
    void (*write_back)(os_file *file, uint64_t offset, uint64_t size);
    /* Hints for the page cache: read ahead, or forget. */
    void (*will_need)(os_file *file, uint64_t offset, uint64_t size);
    void (*dont_need)(os_file *file, uint64_t offset, uint64_t size);
    int (*truncate)(os_file *file, uint64_t size);
    /* Free the whole file system blocks inside the range; they read as zeros. RKV_EINVAL where unsupported. */
    int (*punch)(os_file *file, uint64_t offset, uint64_t size);
    int (*size)(os_file *file, uint64_t *out_size);
    /* Map [0, size) shared and writable, read ahead; the file must have been preallocated as far. RKV_EINVAL where
     * mapping is unsafe (copy-on-write file systems): the caller then uses write_at. Unmapped by unmap, before
     * close. */
    int (*map)(os_file *file, size_t size, uint8_t **out);
    void (*unmap)(os_file *file, uint8_t *base, size_t size);
    /* Close and free. The status matters for a written file (an error counts as a failed sync). */
    int (*close)(os_file *file);
} os_file_ops;

/* Implementations put this first in their own struct. */
struct os_file {
    const os_file_ops *ops;
};

/* One directory entry seen by list. name is valid during the call only. */
typedef void (*os_list_fn)(void *context, const char *name);

typedef struct os_ops {
    int (*open)(os *self, os_file **out, const char *path, enum os_open_mode mode);
    int (*rename)(os *self, const char *from, const char *to); /* replaces to, atomically */
    int (*unlink)(os *self, const char *path);
    int (*link)(os *self, const char *from, const char *to); /* hard link; to must not exist */
    int (*make_dir)(os *self, const char *path);             /* RKV_OK if it is there already */
    int (*sync_dir)(os *self, const char *path);
    int (*list)(os *self, const char *path, os_list_fn fn, void *context);
    int (*stat)(os *self, const char *path, uint64_t *out_size); /* RKV_NOTFOUND if absent */
    int (*free_space)(os *self, const char *path, uint64_t *out_bytes);
    /* Take the exclusive lock of the file at path, created if absent; RKV_ELOCKED if a process (or, in the
     * twin, a handle) has it. Held until unlock. */
    int (*lock)(os *self, os_file **out, const char *path);
    void (*unlock)(os *self, os_file *lock);
    uint64_t (*now_ms)(os *self);  /* wall clock, ms since 1970 */
    uint64_t (*mono_ns)(os *self); /* monotonic */
    int (*random)(os *self, void *data, size_t size);
} os_ops;

struct os {
    const os_ops *ops;
};

/* The real system; a static object, never freed. */
os *os_posix(void);

/* Read a whole small file into a new buffer (mem_free). RKV_ETOOBIG above size_max. */
int os_read_file(os *o, const char *path, size_t size_max, uint8_t **out, size_t *out_size);

#endif
