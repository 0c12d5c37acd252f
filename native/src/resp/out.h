/* out.h: the reply queue of one connection: bytes in order, and holds.
 *
 *   first unsent byte                      last byte written
 *        v                                       v
 *   [chunk ......][chunk (one large bulk) ......][chunk ...   room]
 *        ^ hold {offset, seq}: bytes from here on leave only once the log is durable to seq
 *
 * Bytes lie in chunks of a pool; a large bulk is a chunk of its own, filled by whoever reads the value and linked in without a copy.
 * An idle queue owns no memory. A mark taken between replies can be returned to, which drops what was written since.
 * Writers that fail have written nothing (RKV_ENOMEM).
 *
 * A zeroed out with its pool set is a valid empty one. Threads: one at a time; a chunk that is not linked yet belongs to its maker.
 */
#ifndef RKV_RESP_OUT_H
#define RKV_RESP_OUT_H

#include <sys/uio.h>

#include "base/slice.h"

enum {
    CHUNK_ROOM = 16 * 1024 - 64, /* of a pooled chunk, bytes */
    CHUNKS_KEPT = 256,           /* free chunks that a pool keeps */
};

typedef struct chunk {
    struct chunk *next;
    size_t capacity, size; /* of data */
    size_t sent;
    size_t text_at, text_size; /* of a bulk chunk: where its value lies in data */
    uint8_t data[];
} chunk;

/* Free pooled chunks, shared by all connections of a server. Zeroed: empty. */
typedef struct chunk_pool {
    chunk *free;
    uint32_t count;
} chunk_pool;

void chunk_pool_clear(chunk_pool *p);

typedef struct hold {
    uint64_t offset, seq;
} hold;

typedef struct out {
    chunk_pool *pool;
    chunk *head, *tail;
    uint64_t begin; /* stream offset of the first unsent byte */
    uint64_t end;   /* stream offset behind the last byte written */
    hold *holds;    /* holds[hold_first .. hold_count), offsets and seqs ascending */
    uint32_t hold_first, hold_count, hold_capacity;
} out;

void out_clear(out *o);

/* Unsent bytes. */
static inline uint64_t out_size(const out *o) {
    return o->end - o->begin;
}

/* Room for size <= CHUNK_ROOM contiguous bytes at the end; NULL: out of memory. out_wrote says how many were used. */
uint8_t *out_room_slow(out *o, size_t size);
static inline uint8_t *out_room(out *o, size_t size) {
    chunk *c = o->tail;
    if (c && c->capacity - c->size >= size) return c->data + c->size;
    return out_room_slow(o, size);
}
static inline void out_wrote(out *o, size_t size) {
    o->tail->size += size;
    o->end += size;
}

/* Append bytes, however many. */
int out_append(out *o, slice bytes);

/* A chunk of its own for the bulk reply of a value of size bytes, which the caller puts at data + text_at. The byte before
 * that may be written over meanwhile: a stored value has its type byte there. NULL: out of memory. */
chunk *chunk_bulk(size_t size);
/* Restore the byte before the value. Any bulk chunk that goes out must have been through this. */
void chunk_bulk_ready(chunk *c);
void chunk_free(chunk *c); /* a chunk that was not linked; accepts NULL */

/* Append a ready bulk chunk and own it. */
void out_link(out *o, chunk *c);

typedef struct out_mark {
    chunk *tail;
    size_t size;
    uint64_t end;
} out_mark;

out_mark out_here(const out *o);
/* Drop what was written since the mark; nothing may have been sent since. */
void out_return(out *o, out_mark mark);

/* Hold what is written from offset on (o->begin <= offset, not below earlier holds) until the log is durable to seq.
 * RKV_ENOMEM: not held; these bytes must never be sent. */
int out_hold(out *o, uint64_t offset, uint64_t seq);

/* The log is durable to seq. Returns whether anything is still held. */
bool out_release(out *o, uint64_t durable);

/* Bytes that may be sent now, as at most count pieces; returns how many pieces. */
int out_pieces(const out *o, struct iovec *pieces, int count);
/* size of those bytes were sent: their memory goes. */
void out_sent(out *o, size_t size);

#endif
