/* walk.h: the keys of one database, from an iterator over the whole store: what KEYS and SCAN send, made without Python.
 *
 * The keys of a database are a stretch in each slot, among those of others and the elements of collections:
 *
 *   slot 0: META db0 keys | META db1 keys | DATA ...    slot 1: META db0 keys | ...
 *
 * Foreign entries are stepped over, and from FOREIGN_RUN of them on leapt over by a seek to the next stretch. So a full database costs
 * one pass, and one that is empty beside full ones at most some seeks a slot.
 *
 * Keys that match a pattern are appended as RESP bulk strings, without their prefix. Threads: the iterator's.
 */
#ifndef RKV_SERVE_WALK_H
#define RKV_SERVE_WALK_H

#include "base/buf.h"
#include "lsm/iter.h"

typedef struct walk_request {
    uint8_t db;            /* stored database */
    bool all;              /* every key matches */
    slice pattern;         /* see glob.h */
    bool write;            /* append what matches; else only count it */
    uint64_t examined_max; /* stop after so many keys of the database */
    size_t bytes_max;      /* stop once so much was appended */
} walk_request;

typedef struct walk_result {
    uint64_t examined, matched;
    bool ended;    /* there are no more; else the iterator stands on the next key of the database */
    bool new_slot; /* that key is the first of its slot, as far as this walk knows */
} walk_result;

/* Go on from where it stands. RKV_ENOMEM, or the iterator's status. */
int walk_keys(iter *it, const walk_request *request, buf *out, walk_result *result);

#endif
