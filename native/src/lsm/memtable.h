/* memtable.h: the newest cells, in memory: an append-only arena with a hash index, ordered on demand.
 *
 * Insert and get cost one or two cache misses whatever the size (ENGINE.md 2.3); order is made only when an iterator or
 * the flush asks: the entries since the last time are radix-sorted into a run, and runs are merged as in a binary counter.
 *
 * Entries are never changed once published; an overwrite appends a new one, which remembers its predecessor, and points the
 * hash slot at it. So a mark (how far the arena was filled) names a snapshot: the winner of a key at a mark is its newest
 * entry below it.
 *
 * Threads: one writer (memtable_apply, memtable_reserve); any number of readers beside it (get, iterators), lock-free for
 * get. ref/unref from any thread. Memory comes from huge pages where the system gives them.
 */
#ifndef RKV_LSM_MEMTABLE_H
#define RKV_LSM_MEMTABLE_H

#include "base/hash.h"
#include "lsm/iter.h"

typedef struct memtable memtable;

/* A memtable for about capacity bytes of entries (at most 32 GiB, else RKV_EINVAL); one reference. Memory is resident only as far as it
 * is used. The index begins small and is rebuilt for as many keys as the arena will hold by the entries seen so far. */
int memtable_new(memtable **out, size_t capacity, const hash_seed *seed);
void memtable_ref(memtable *m);
void memtable_unref(memtable *m); /* accepts NULL */

/* Make sure that `count` entries with together `bytes` of keys and payloads can be applied without failing. RKV_ETOOBIG: not
 * in what is left of this memtable (the owner freezes it and takes a new one; an empty memtable grows to take a single oversized
 * reservation); RKV_ENOMEM. */
int memtable_reserve(memtable *m, size_t count, size_t bytes);

/* Merge one cell. hash = hash_bytes(seed, key). RKV_OK: it is now the winner; RKV_STALE: a cell at least as new was there.
 * Room must have been reserved. */
int memtable_apply(memtable *m, slice key, uint64_t hash, const cell *c);

/* The winner of key. RKV_OK: *out, its payload in the arena, valid while the caller holds a reference; RKV_NOTFOUND. */
int memtable_get(memtable *m, slice key, uint64_t hash, cell *out);

/* How far the arena is filled now: everything applied so far, nothing later, is below it. */
typedef uint64_t memtable_mark;
memtable_mark memtable_mark_now(const memtable *m);

/* The winner of key at a mark, for views that outlive the moment. One more cache miss per later overwrite. */
int memtable_get_at(memtable *m, slice key, uint64_t hash, memtable_mark mark, cell *out);

/* Prefetch the index line of a hash, for batched reads. */
void memtable_prefetch(const memtable *m, uint64_t hash);

typedef struct memtable_stats {
    size_t bytes;              /* arena bytes used */
    size_t memory;             /* these, the index and the order: what is resident, to the next 2 MiB */
    uint64_t entries;          /* appended, overwritten ones too */
    uint64_t keys;             /* distinct */
    uint64_t min_hlc, max_hlc; /* of all entries; UINT64_MAX and 0 when empty */
} memtable_stats;

/* Each number is right by itself; beside a writer they may be of slightly different moments. */
void memtable_get_stats(const memtable *m, memtable_stats *out);

/* An iterator over what is in the memtable now, or was at a mark; holds a reference. Creating it is O(1); the first move sorts what no
 * iterator has sorted before, on the calling thread, and may make the iterator invalid with RKV_ENOMEM. Each key comes once, with its winner. */
int memtable_iter_new(iter **out, memtable *m);
int memtable_iter_new_at(iter **out, memtable *m, memtable_mark mark);

/* How many entries the first move of a new iterator would have to sort. */
uint64_t memtable_unsorted(const memtable *m);

#endif
