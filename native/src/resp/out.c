/* out.c: the reply queue; see out.h. */
#include "resp/out.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"
#include "resp/number.h"

/* --- chunks ------------------------------------------------------------------------------------------------------------ */

static chunk *chunk_new(chunk_pool *pool, size_t capacity) {
    chunk *c = capacity == CHUNK_ROOM ? pool->free : NULL;
    if (c) {
        pool->free = c->next;
        pool->count--;
    } else {
        c = mem_alloc(sizeof *c + capacity);
        if (!c) return NULL;
    }
    *c = (chunk){.capacity = capacity};
    return c;
}

void chunk_free(chunk *c) {
    mem_free(c);
}

static void chunk_drop(chunk_pool *pool, chunk *c) {
    if (c->capacity != CHUNK_ROOM || pool->count >= CHUNKS_KEPT) {
        mem_free(c);
        return;
    }
    c->next = pool->free;
    pool->free = c;
    pool->count++;
}

void chunk_pool_clear(chunk_pool *p) {
    while (p->free) {
        chunk *next = p->free->next;
        mem_free(p->free);
        p->free = next;
    }
    p->count = 0;
}

chunk *chunk_bulk(size_t size) {
    uint8_t head[1 + INT64_TEXT_MAX + 2] = {'$'};
    size_t head_size = 1 + number_write(head + 1, (int64_t)size);
    head[head_size++] = '\r';
    head[head_size++] = '\n';
    size_t capacity = head_size + size + 2;
    if (capacity == CHUNK_ROOM) capacity++; /* pooled chunks are known by their capacity */
    chunk *c = mem_alloc(sizeof *c + capacity);
    if (!c) return NULL;
    *c = (chunk){.capacity = capacity, .size = head_size + size + 2, .text_at = head_size, .text_size = size};
    memcpy(c->data, head, head_size);
    memcpy(c->data + head_size + size, "\r\n", 2);
    return c;
}

void chunk_bulk_ready(chunk *c) {
    c->data[c->text_at - 1] = '\n';
}

/* --- writing ----------------------------------------------------------------------------------------------------------- */

static void link_chunk(out *o, chunk *c) {
    c->next = NULL;
    if (o->tail)
        o->tail->next = c;
    else
        o->head = c;
    o->tail = c;
}

uint8_t *out_room_slow(out *o, size_t size) {
    assert(size <= CHUNK_ROOM);
    chunk *c = chunk_new(o->pool, CHUNK_ROOM);
    if (!c) return NULL;
    link_chunk(o, c);
    return c->data;
}

int out_append(out *o, slice bytes) {
    out_mark before = out_here(o);
    while (bytes.size) {
        size_t room = o->tail ? o->tail->capacity - o->tail->size : 0;
        if (room == 0) room = CHUNK_ROOM;
        size_t n = bytes.size < room ? bytes.size : room;
        uint8_t *to = out_room(o, n);
        if (!to) {
            out_return(o, before);
            return alloc_failed(CHUNK_ROOM);
        }
        memcpy(to, bytes.data, n);
        out_wrote(o, n);
        bytes = slice_of(bytes.data + n, bytes.size - n);
    }
    return RKV_OK;
}

void out_link(out *o, chunk *c) {
    link_chunk(o, c);
    o->end += c->size;
    c->capacity = c->size; /* later replies do not go behind it */
}

out_mark out_here(const out *o) {
    return (out_mark){o->tail, o->tail ? o->tail->size : 0, o->end};
}

void out_return(out *o, out_mark mark) {
    chunk *c = mark.tail ? mark.tail->next : o->head;
    while (c) {
        chunk *next = c->next;
        chunk_drop(o->pool, c);
        c = next;
    }
    o->tail = mark.tail;
    if (mark.tail) {
        mark.tail->next = NULL;
        mark.tail->size = mark.size;
    } else {
        o->head = NULL;
    }
    o->end = mark.end;
}

/* --- holds --------------------------------------------------------------------------------------------------------------- */

static int holds_grow(out *o) {
    if (o->hold_first) {
        o->hold_count -= o->hold_first;
        memmove(o->holds, o->holds + o->hold_first, o->hold_count * sizeof *o->holds);
        o->hold_first = 0;
        return RKV_OK;
    }
    uint32_t capacity = o->hold_capacity ? o->hold_capacity * 2 : 4;
    hold *holds = mem_realloc(o->holds, capacity * sizeof *holds);
    if (!holds) return alloc_failed(capacity * sizeof *holds);
    o->holds = holds;
    o->hold_capacity = capacity;
    return RKV_OK;
}

int out_hold(out *o, uint64_t offset, uint64_t seq) {
    assert(offset >= o->begin);
    hold *last = o->hold_count > o->hold_first ? &o->holds[o->hold_count - 1] : NULL;
    if (last && last->seq >= seq) return RKV_OK; /* what comes later waits for it anyway */
    if (last && last->offset == offset) {
        last->seq = seq;
        return RKV_OK;
    }
    assert(!last || last->offset < offset);
    if (o->hold_count == o->hold_capacity) {
        int rc = holds_grow(o);
        if (rc) return rc;
    }
    o->holds[o->hold_count++] = (hold){offset, seq};
    return RKV_OK;
}

bool out_release(out *o, uint64_t durable) {
    while (o->hold_first < o->hold_count && o->holds[o->hold_first].seq <= durable) o->hold_first++;
    if (o->hold_first < o->hold_count) return true;
    mem_free(o->holds);
    o->holds = NULL;
    o->hold_first = o->hold_count = o->hold_capacity = 0;
    return false;
}

/* --- sending ------------------------------------------------------------------------------------------------------------- */

int out_pieces(const out *o, struct iovec *pieces, int count) {
    uint64_t end = o->hold_first < o->hold_count ? o->holds[o->hold_first].offset : o->end;
    uint64_t left = end - o->begin;
    int n = 0;
    for (chunk *c = o->head; c && left && n < count; c = c->next) {
        size_t size = c->size - c->sent < left ? c->size - c->sent : (size_t)left;
        if (size == 0) continue;
        pieces[n++] = (struct iovec){c->data + c->sent, size};
        left -= size;
    }
    return n;
}

void out_sent(out *o, size_t size) {
    o->begin += size;
    assert(o->begin <= o->end);
    while (o->head) {
        chunk *c = o->head;
        size_t n = c->size - c->sent < size ? c->size - c->sent : size;
        c->sent += n;
        size -= n;
        if (c->sent < c->size) return;
        o->head = c->next;
        if (!o->head) o->tail = NULL;
        chunk_drop(o->pool, c);
    }
}

void out_clear(out *o) {
    while (o->head) {
        chunk *next = o->head->next;
        chunk_drop(o->pool, o->head);
        o->head = next;
    }
    mem_free(o->holds);
    *o = (out){.pool = o->pool};
}
