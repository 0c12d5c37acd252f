/* fault_disk.h: a disk and its page cache, as os_fault.c uses them: what is there, and what a power cut leaves of it.
 *
 *            page cache ("now")                        medium ("disk")
 *   file     bytes that reads see          --sync-->   bytes that survive, sector by sector
 *   dir      entries that opens see        --sync_dir> entries that survive, change by change
 *
 * Laws:
 *   1. What was synced survives every cut; what was not survives as the model says, 512-byte sectors one by one.
 *   2. A sync of a file says nothing about its directory entry, a sync of a directory nothing about its files.
 *   3. A rename, create, link or unlink happens whole or not at all. Unsynced ones may survive in any combination in
 *      which each still makes sense (an unlink may survive the rename before it, but not the create of its own name).
 *   4. After a failed sync the cache keeps its bytes and never writes them, for they are clean to it (fsync, ATC'20),
 *      until they are written anew, be it with the same bytes.
 *   5. Same calls and same seeds, same bytes.
 *
 * Contents are reference-counted blobs, copied when written while shared, so that a sync and a clone of the whole disk
 * cost nothing per byte; only mapped files, whose stores nobody sees, are copied.
 *
 * This stands for kernel and device: its memory comes from malloc and not from base/alloc.h, so that failing the
 * nth allocation fails the engine's. Running out of memory here aborts the test.
 *
 * Threads: none; os_fault.c holds a lock around every call.
 */
#ifndef RKV_OS_FAULT_DISK_H
#define RKV_OS_FAULT_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/os_fault.h"

enum { SECTOR = 512, BLOCK = 4096 };

typedef struct disk disk;
/* A file or directory; lives while an entry, a pending change or a handle refers to it. */
typedef struct disk_node disk_node;

/* Bytes with a count of owners; those above the size of every content that uses it are zero. */
typedef struct disk_blob {
    atomic_uint refs; /* clones on other threads share blobs */
    size_t capacity;
    uint8_t data[];
} disk_blob;
void disk_blob_unref(disk_blob *b); /* accepts NULL */

disk *disk_new(void);
void disk_free(disk *d);
disk *disk_clone(disk *d); /* no handles, no maps; cache, medium and pending changes as they are now */

/* A deterministic source of numbers. */
typedef struct disk_random {
    uint64_t state;
} disk_random;
uint64_t disk_random_next(disk_random *r);
uint64_t disk_random_below(disk_random *r, uint64_t bound); /* 0 if bound is 0 */

/* --- names. path components are split at '/', empty ones and "." skipped; NULL or RKV_NOTFOUND if there is nothing. */

disk_node *disk_find(disk *d, const char *path);
bool disk_is_dir(const disk_node *n);
int disk_create(disk *d, const char *path, bool dir, disk_node **out); /* RKV_EIO if it exists */
int disk_rename(disk *d, const char *from, const char *to);
int disk_link(disk *d, const char *from, const char *to);
int disk_unlink(disk *d, const char *path);
int disk_sync_dir(disk *d, const char *path);

/* The names in a directory, copied. */
typedef struct disk_names {
    char **at;
    size_t count;
} disk_names;
int disk_list(disk *d, const char *path, disk_names *out);
void disk_names_clear(disk_names *names);

void disk_ref(disk_node *n);
void disk_unref(disk *d, disk_node *n);

/* --- files */

uint64_t disk_size(const disk_node *n);
size_t disk_read(const disk_node *n, uint64_t offset, void *data, size_t size);
void disk_write(disk_node *n, uint64_t offset, const void *data, size_t size); /* data NULL: zeros */
void disk_resize(disk_node *n, uint64_t size);
void disk_punch(disk_node *n, uint64_t offset, uint64_t size);
void disk_sync(disk_node *n);
void disk_sync_failed(disk_node *n);

/* The cache's bytes at a place that does not move until disk_unmap; *out_blob keeps it alive beyond that. */
uint8_t *disk_map(disk_node *n, disk_blob **out_blob);
void disk_unmap(disk_node *n);

/* Bytes of blocks in use by all files in the cache; and what writing [offset, offset + size) would add. */
uint64_t disk_used(disk *d);
uint64_t disk_need(const disk_node *n, uint64_t offset, uint64_t size);

/* Change cache and medium alike. */
void disk_flip(disk_node *n, uint64_t offset, unsigned bit);
void disk_chop(disk_node *n, uint64_t size);

/* --- what happens by itself (fault_cut.c) */

/* Some dirty sectors and perhaps the oldest pending directory change reach the medium. */
void disk_write_back(disk *d, disk_random *r);

/* Stop following stores into mapped files: what they hold now is what counts. */
void disk_freeze(disk *d);

/* Lose the cache by the model; disk_freeze comes first. */
void disk_cut(disk *d, enum fault_cut model, uint64_t seed);

/* --- for the files of this module */

typedef struct disk_content {
    disk_blob *blob; /* NULL: no bytes */
    uint64_t size;
} disk_content;

typedef struct disk_entry {
    struct disk_entry *next;
    disk_node *node;
    char name[];
} disk_entry;

typedef struct disk_entries {
    disk_entry *first, **end; /* end: the link of the last one, or NULL */
    size_t count;
} disk_entries;

struct disk_node {
    disk_node *previous, *next; /* all nodes of the disk, oldest first: the order of every seeded choice */
    unsigned refs;
    unsigned handles; /* kept by os_fault.c */
    bool dir, counted;
    uint64_t locked;                        /* the boot whose process has it locked, or 0; kept by os_fault.c */
    disk_entries entries_now, entries_disk; /* directories */
    disk_content now, disk;                 /* files */
    /* After a failed sync: the cache then, and one byte for each of its sectors that was dirty and is unwritten
     * since. */
    disk_content lost;
    uint8_t *lost_sectors;
    unsigned maps;  /* now.blob must not move */
    uint8_t *holes; /* one byte for each block below hole_blocks: punched out and not written since */
    uint64_t hole_blocks;
    disk_node *twin; /* during disk_clone */
};

/* A directory change that no sync_dir has covered. from: its entry that goes, to: the one that comes, or NULL. */
typedef struct disk_change {
    disk_node *node;
    disk_node *from_dir, *to_dir;
    char *from, *to;
} disk_change;

struct disk {
    disk_node *first, *last;
    disk_node *root;
    disk_change *changes; /* oldest first */
    size_t change_count, change_capacity;
};

void disk_lost_forget(disk_node *n);
uint64_t disk_node_used(const disk_node *n);
/* Memory that is always there: zeroed, and a block made larger. */
void *disk_take(size_t size);
void *disk_grow(void *block, size_t size);

/* Is sector s of both the same? Bytes beyond a size count as zeros. */
bool disk_sector_same(const disk_content *a, const disk_content *b, uint64_t s);
/* Copy sector s of from into *to, which grows to cover as much of it as from has. */
void disk_sector_copy(disk_content *to, const disk_content *from, uint64_t s);
/* Will the cache ever write sector s? */
bool disk_sector_dirty(const disk_node *n, uint64_t s);
uint64_t disk_sector_count(const disk_node *n); /* of the larger of cache and medium */
void disk_content_resize(disk_content *c, uint64_t size);
disk_content disk_content_share(const disk_content *c);
disk_content disk_content_copy(const disk_content *c, size_t capacity); /* with room to grow to capacity */
void disk_content_drop(disk_content *c);
/* Make change i happen on the medium, if it still makes sense, and forget it. */
void disk_change_apply(disk *d, size_t i);
void disk_change_forget(disk *d, size_t i);
void disk_entries_copy(disk *d, disk_entries *to, const disk_entries *from);

#endif
