/* cache.h: blocks of tables in memory, up to a byte limit.
 *
 * Keyed by (file number, offset) in 16 shards, each under a spin lock of its own. The memory is a log of segments, cleaned in the manner
 * of a CLOCK with small counts (cache_parts.h), so that blocks of any size leave no holes: the limit holds for what the process
 * really has resident. Blocks in use are pinned: their bytes stay where they are, whatever happens to the cache. Threads: any.
 */
#ifndef RKV_LSM_CACHE_H
#define RKV_LSM_CACHE_H

#include <stddef.h>
#include <stdint.h>

typedef struct cache cache;
typedef struct cache_entry cache_entry;

/* capacity in bytes, of blocks, their headers and the table. What it cannot do without (one segment: 64 KiB, or of a large cache 1/32 up to
 * 2 MiB) and what is pinned may exceed it. */
int cache_new(cache **out, size_t capacity);
void cache_free(cache *c); /* nothing may be pinned; accepts NULL */
void cache_set_capacity(cache *c, size_t capacity);

/* The block, pinned, or NULL. */
cache_entry *cache_lookup(cache *c, uint64_t file, uint64_t offset);

/* A new pinned entry with room for size bytes, not visible to lookups yet; NULL: out of memory. */
cache_entry *cache_reserve(cache *c, uint64_t file, uint64_t offset, size_t size);

/* Make a reserved entry visible. If another thread was faster its entry is returned instead, pinned, and this one freed. */
cache_entry *cache_publish(cache *c, cache_entry *e);

void cache_release(cache *c, cache_entry *e); /* unpin; an unpublished entry is freed; accepts NULL */

uint8_t *cache_data(cache_entry *e);
size_t cache_size(const cache_entry *e);

/* Drop what belongs to a deleted file. Pinned blocks live until they are released. */
void cache_forget(cache *c, uint64_t file);

typedef struct cache_stats {
    uint64_t hits, misses, inserts, evictions;
    size_t bytes;  /* mapped for blocks and table */
    size_t pinned; /* of blocks in the table */
    size_t capacity;
} cache_stats;
void cache_get_stats(cache *c, cache_stats *out);

#endif
