/* os_fault.h: a file system in memory that behaves like the worst one allowed, for tests. See os.h for the functions it
 * implements and fault_disk.h for its laws.
 *
 * A crash test in three steps:
 *
 *     os_fault *f = os_fault_new(seed);
 *     os_fault_crash_at(f, FAULT_CHANGES, NULL, n);       the machine stops before the nth change after this ...
 *     ... run the workload on os_fault_os(f), note what was acknowledged, close everything (all calls now fail)
 *     os_fault_reboot(f, FAULT_CUT_RANDOM, seed);         ... and comes back with what the model leaves
 *     ... open again, compare, os_fault_free(f)
 *
 * Cheaper, since the workload runs once: os_fault_on_call with a hook that makes a clone before each change, reboots
 * the clone by every model, opens it and compares. A clone shares contents, so it costs by the number of files, plus
 * the bytes of mapped ones.
 *
 * What fails does so as on Linux: a failed or crashed write leaves its first half in the cache, a failed sync leaves
 * the cache's bytes readable but never writes them, close frees the handle even when it fails. A mapping's stores are
 * seen when somebody looks (a sync, a clone, a crash). Mapped or not, file sizes above the block count against the
 * space limit, less punched blocks.
 *
 * Handles from before a reboot fail every call with RKV_EIO; they are still closed (and unmapped, unlocked) by their
 * owner. os_fault_free asserts that no handle is open, so each test proves that nothing leaks.
 *
 * Time stands still until os_fault_advance_ms. Nothing here blocks, and nowait reads always have their bytes: os_slow
 * is for that.
 *
 * Threads: any; all calls take one lock. With more than one thread the order of calls, and so their count, is not
 * repeatable.
 */
#ifndef RKV_OS_OS_FAULT_H
#define RKV_OS_OS_FAULT_H

#include "os/os.h"

typedef struct os_fault os_fault;

/* Kinds of calls; hints, unmap, unlock, clocks and random are none of them. */
enum fault_calls {
    FAULT_OPEN = 1,      /* open of an existing file */
    FAULT_READ = 2,      /* read_at */
    FAULT_WRITE = 4,     /* write_at, preallocate, truncate, punch */
    FAULT_SYNC = 8,      /* sync */
    FAULT_ENTRY = 16,    /* create, rename, unlink, link, make_dir, and lock when it creates */
    FAULT_SYNC_DIR = 32, /* sync_dir */
    FAULT_QUERY = 64,    /* size, stat, list, free_space */
    FAULT_MAP = 128,
    FAULT_CLOSE = 256, /* close of a file opened for writing */
    FAULT_CHANGES = FAULT_WRITE | FAULT_SYNC | FAULT_ENTRY | FAULT_SYNC_DIR,
    FAULT_ANY = 511,
};

/* What a reboot leaves of unsynced sectors and directory changes. */
enum fault_cut {
    FAULT_CUT_KEEP,   /* the process was killed, the machine went on: everything, and still unsynced */
    FAULT_CUT_DROP,   /* nothing */
    FAULT_CUT_PREFIX, /* of each file the first few changed sectors, of the directory changes the first few */
    FAULT_CUT_TORN,   /* prefix, then single sectors; grown files may end in zeros or in another file's old bytes */
    FAULT_CUT_RANDOM, /* any: a sector by its file's chance (0, 1/8, 1/2, 7/8 or 1), a change by a coin */
    FAULT_CUT_COUNT,
};

os_fault *os_fault_new(uint64_t seed); /* an empty root directory, no space limit; never NULL */
void os_fault_free(os_fault *f);       /* accepts NULL */
os *os_fault_os(os_fault *f);

/* A second machine with the same disk and cache, no handles, no locks, no armed faults, and no hook. */
os_fault *os_fault_clone(os_fault *f);

/* --- faults. path_part: only calls whose path contains it; NULL: all. after: matching calls that go well first. */

/* The next matching call returns status (RKV_EIO or RKV_ENOSPC); forever: all later ones, too. Replaces an earlier
 * rule. */
void os_fault_fail(os_fault *f, unsigned calls, const char *path_part, uint64_t after, int status, bool forever);
/* The next matching call and everything after it fails with RKV_EIO until os_fault_reboot. */
void os_fault_crash_at(os_fault *f, unsigned calls, const char *path_part, uint64_t after);
void os_fault_crash(os_fault *f); /* now */
/* No more injected failures; what they broke stays broken. */
void os_fault_heal(os_fault *f);
/* Has the rule of os_fault_fail struck, has the machine crashed? */
bool os_fault_failed(os_fault *f);
bool os_fault_crashed(os_fault *f);

/* Crash unless crashed, lose what model says, come back. Locks are gone, handles stale, armed faults healed. */
void os_fault_reboot(os_fault *f, enum fault_cut model, uint64_t seed);

/* From now on the kernel writes some dirty sectors back by itself, at one call in `one_in`; 0: never (the start). Gives
 * a sector states between its last sync and its last write. */
void os_fault_write_back(os_fault *f, unsigned one_in);

/* All files together may use so many bytes; UINT64_MAX: no limit. */
void os_fault_limit_space(os_fault *f, uint64_t bytes);

/* Damage the file at path, in cache and on the medium; it must exist and reach that far. */
void os_fault_flip_bit(os_fault *f, const char *path, uint64_t offset, unsigned bit);
void os_fault_truncate(os_fault *f, const char *path, uint64_t size);

/* --- watching */

/* Calls so far that were of any of these kinds. */
uint64_t os_fault_calls(os_fault *f, unsigned calls);
unsigned os_fault_handles(os_fault *f);
uint64_t os_fault_used(os_fault *f); /* bytes of blocks */

/* Called before each call takes effect, with its kind, on the calling thread; may use the functions of this header, not
 * the os. NULL: none. */
typedef void (*os_fault_hook)(void *context, unsigned call, const char *path);
void os_fault_on_call(os_fault *f, os_fault_hook hook, void *context);

/* --- time: now_ms starts at 1,700,000,000,000, mono_ns at 1,000,000,000 */

void os_fault_set_now_ms(os_fault *f, uint64_t now_ms); /* the wall clock jumps, the other does not */
void os_fault_advance_ms(os_fault *f, uint64_t ms);     /* both go on */

/* --- a slow disk: any os, with delays. Waiting reads sleep first, nowait reads say RKV_WOULDBLOCK, syncs sleep first.
 * 0: no delay, and nowait reads pass. Close every file before os_slow_free. */

os *os_slow_new(os *inner, unsigned read_delay_ms); /* NULL: out of memory */
void os_slow_set(os *slow, unsigned read_delay_ms, unsigned sync_delay_ms);
void os_slow_free(os *slow);

#endif
