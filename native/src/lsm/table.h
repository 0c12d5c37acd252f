/* table.h: sorted tables on disk (SSTables): build, open, look up, iterate. The byte grammar stands in table_format.h.
 *
 * A table is written once, synced, and never changed. Every block carries a CRC32C that also covers file number and
 * offset, and is verified on each read from the device, so a misdirected or stale block is found. An error names file
 * and offset.
 *
 * Threads: a builder has one; an open table any number.
 */
#ifndef RKV_LSM_TABLE_H
#define RKV_LSM_TABLE_H

#include "base/buf.h"
#include "base/hash.h"
#include "lsm/cache.h"
#include "lsm/iter.h"
#include "os/os.h"

enum table_compression { TABLE_RAW = 0, TABLE_LZ4 = 1 };

/* Is LZ4 built in? Without it TABLE_LZ4 builds raw blocks, and opening a compressed table is RKV_EFORMAT. */
bool table_has_lz4(void);

typedef struct table_options {
    os *os;
    uint8_t store_id[16];
    hash_seed seed;      /* of the store: key hashes are shared with memtable and cache */
    size_t block_bytes;  /* target of a data block before compression; default 4 KiB, up to 16 KiB for 8 entries */
    unsigned bloom_bits; /* per key; default 10; 0: no filter */
    enum table_compression compression;
    cache *cache; /* for blocks of data and of partitioned index and filter; may be NULL for builders */
    /* An open table keeps filter and index in memory, outside the cache, up to this and 2 bytes an entry; what is more
     * goes through the cache block by block. 0: 1 MiB. */
    size_t resident_max;
} table_options;

/* What the manifest keeps of a table. Keys are owned (buf). */
typedef struct table_props {
    uint64_t number;
    uint64_t size; /* of the file, bytes */
    uint64_t entries, tombstones, expiring;
    uint64_t min_hlc, max_hlc;
    uint64_t min_expires_ms, max_expires_ms; /* of expiring cells; 0 if none */
    uint64_t value_bytes;                    /* raw bytes of keys and payloads */
    uint32_t crc;                            /* CRC32C of the whole file */
    buf smallest, largest;                   /* keys, inclusive */
} table_props;

void table_props_clear(table_props *p);

typedef struct table_builder table_builder;

/* Create path (OS_CREATE) and build table `number` into it. */
int table_builder_new(table_builder **out, const table_options *options, const char *path, uint64_t number);

/* Add the next cell; keys strictly ascend. */
int table_builder_add(table_builder *b, slice key, const cell *c);

/* Bytes the file has now, and entries. */
uint64_t table_builder_size(const table_builder *b);
uint64_t table_builder_entries(const table_builder *b);

/* Write index, filter and footer, sync and close the file (the caller syncs the directory). Then free b either way; a
 * failure removes the file too. RKV_EINVAL: nothing was added. */
int table_builder_finish(table_builder *b, table_props *out);

/* Give up: close and remove the file; free b. Accepts NULL. */
void table_builder_abort(table_builder *b);

typedef struct table table;

/* Open a table whose size and number the manifest knows. Reads and checks footer and top index; RKV_EFORMAT: another
 * store, a newer version, or compressed without LZ4 here; RKV_ECORRUPT: truncated, or bytes that fail their check.
 * options->cache is needed. One reference. */
int table_open(table **out, const table_options *options, const char *path, uint64_t number, uint64_t size);
void table_ref(table *t);
void table_unref(table *t); /* accepts NULL; the last one closes the file */

/* Read the filter and index that stay in memory, unless they are there: for a thread that may wait, before the owner's
 * first get would. Any thread. RKV_EIO, RKV_ECORRUPT, RKV_ENOMEM. */
int table_load(table *t);

/* Bytes of memory the table holds outside the cache (index, filter). */
size_t table_memory(const table *t);

/* The props, as rebuilt from the footer: for repair. */
int table_read_props(table *t, table_props *out);

/* Look up key. RKV_OK: *out, whose payload lies in *out_pin (cache_release it after use). RKV_NOTFOUND. RKV_WOULDBLOCK
 * only if nowait. hash = hash_bytes(seed, key). */
int table_get(table *t, slice key, uint64_t hash, bool nowait, cell *out, cache_entry **out_pin);

/* Can the filter exclude the hash? No I/O; true: the key is not here. Prefetch first for batches. */
bool table_excludes(table *t, uint64_t hash);
void table_prefetch(const table *t, uint64_t hash);

/* An iterator with a reference. scan: long sequential read: reads ahead 32 to 256 KiB into a private buffer and leaves
 * the cache alone. */
int table_iter_new(iter **out, table *t, bool scan);

/* Read the whole file and check every block and the file CRC. */
int table_verify(table *t, uint32_t crc);

#endif
