/* manifest_edit.h: one step of the store's history, as values and as bytes.
 *
 *   edit   := field*
 *   field  := tag:u8 body
 *     1 add table     level:v flags:v clean:v number:v size:v entries:v tombstones:v expiring:v min_hlc:v max_hlc:v min_expires:v max_expires:v
 *                     value_bytes:v crc:fixed32 smallest:bytes largest:bytes      flags: 1 = late
 *     2 remove table  number:v
 *     3 ranges        count:v (begin:bytes end:bytes hlc:v node:v number:v)*      all range deletions from now on
 *     4 next file     number:v
 *     5 log           segment:v flushed_seq:v      the log is needed from here on
 *     6 durable       seq:v                        synced when this was written
 *     7 value file    number:v bytes:v garbage:v   what the file is from now on
 *     8 remove value file  number:v
 *     9 next value file    number:v
 *   v := varint64, bytes := size:v byte*
 *
 * An edit laid over an edit gives the edit of both, so a snapshot is an edit too. Readers check every length.
 */
#ifndef RKV_LSM_MANIFEST_EDIT_H
#define RKV_LSM_MANIFEST_EDIT_H

#include "lsm/rdel.h"
#include "lsm/table.h"
#include "lsm/vlog.h"

typedef struct edit_table {
    table_props props; /* keys owned */
    uint64_t clean;    /* see version.h */
    unsigned level;
    bool late;
} edit_table;

typedef struct edit {
    edit_table *added;
    size_t added_count, added_room;
    uint64_t *removed;
    size_t removed_count, removed_room;
    bool has_rdels;
    rdel_set *rdels;    /* a reference */
    uint64_t next_file; /* 0: no change; so for the rest */
    bool has_log;
    uint64_t log_segment, flushed_seq;
    uint64_t durable_seq;
    vlog_file_info *values;
    size_t values_count, values_room;
    uint64_t *values_removed;
    size_t values_removed_count, values_removed_room;
    uint64_t next_value_file;
} edit;

void edit_clear(edit *e);

/* Append to a list of the edit; props are copied. RKV_ENOMEM. */
int edit_add_table(edit *e, const table_props *props, unsigned level, uint64_t clean, bool late);
int edit_remove_table(edit *e, uint64_t number);
int edit_set_value_file(edit *e, const vlog_file_info *info);
int edit_remove_value_file(edit *e, uint64_t number);
void edit_set_rdels(edit *e, rdel_set *set); /* takes a reference of its own */

/* Append the bytes of e to out. RKV_ENOMEM. */
int edit_encode(const edit *e, buf *out);

/* RKV_ECORRUPT (text: what is off), RKV_ENOMEM. *out is to be cleared by the caller either way. */
int edit_decode(edit *out, slice bytes);

/* Lay next over image, in which every table is added once and none removed. RKV_ECORRUPT: a table is added twice or removed
 * without being there. */
int edit_apply(edit *image, const edit *next);

#endif
