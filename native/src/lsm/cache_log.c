/* cache_log.c: the segments that hold the blocks, how they are filled and cleaned; see cache_parts.h. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "lsm/cache_parts.h"

enum {
    FIRST = (sizeof(segment) + CACHE_ALIGN - 1) / CACHE_ALIGN * CACHE_ALIGN,
    PAGE = 4096,
    ENTRIES_MIN = 4,      /* that a segment must have room for, or the block is large */
    LARGE_MIN = 32 << 10, /* or larger than this: not worth copying */
    COPY_MAX = 64 << 10,  /* bytes after which one reserve copies no more: if it must have room, even hit blocks go */
};

static size_t stride_of(size_t size) {
    return (sizeof(cache_entry) + size + CACHE_ALIGN - 1) / CACHE_ALIGN * CACHE_ALIGN;
}

static void segment_unmap(cache *c, segment *s) {
    atomic_fetch_sub_explicit(&c->bytes, s->size, memory_order_relaxed);
    mem_unmap(s, s->size);
}

/* Nothing in the segment is in use. */
static void segment_free(cache *c, segment *s) {
    if (s->large || cache_bytes(c) > c->capacity) {
        segment_unmap(c, s);
        return;
    }
    s->next = c->free;
    c->free = s;
}

/* An empty segment; large_size 0: of the common size. NULL: out of memory. */
static segment *segment_new(cache *c, size_t large_size) {
    size_t size = large_size ? large_size : c->segment_size;
    segment *s = large_size ? NULL : c->free;
    if (s) {
        c->free = s->next;
    } else {
        s = mem_map(size);
        if (!s) return NULL;
        s->size = size;
        s->large = large_size > 0;
        atomic_fetch_add_explicit(&c->bytes, size, memory_order_relaxed);
    }
    mem_poison((uint8_t *)s + FIRST, s->size - FIRST);
    s->used = s->cleaned = FIRST;
    atomic_store_explicit(&s->holds, 1, memory_order_relaxed);
    atomic_store_explicit(&s->closing, false, memory_order_relaxed);
    return s;
}

static void queue_push(cache *c, segment *s) {
    s->next = NULL;
    if (c->youngest)
        c->youngest->next = s;
    else
        c->oldest = s;
    c->youngest = s;
}

static segment *queue_pop(cache *c) {
    segment *s = c->oldest;
    c->oldest = s->next;
    if (!c->oldest) c->youngest = NULL;
    return s;
}

static cache_entry *segment_append(segment *s, uint64_t file, uint64_t offset, uint64_t hash, size_t size) {
    cache_entry *e = (cache_entry *)((uint8_t *)s + s->used);
    mem_unpoison(e, sizeof *e + size);
    s->used += stride_of(size);
    atomic_fetch_add_explicit(&s->holds, 1, memory_order_relaxed);
    e->file = file;
    e->offset = offset;
    e->hash = hash;
    e->size = size;
    e->home = s;
    e->count = 0;
    return e;
}

/* Move an entry of the table into the current segment. Its readers keep the old bytes. */
static void entry_move(cache *c, slot *at) {
    cache_entry *from = at->entry;
    cache_entry *to = segment_append(c->current, from->file, from->offset, from->hash, from->size);
    memcpy(to->data, from->data, from->size);
    to->count = from->count ? from->count - 1 : 0;
    atomic_store_explicit(&to->pins, 0, memory_order_relaxed);
    at->entry = to;
}

/* Deal with one entry of the oldest segment: on into the current one or out of the table. Returns the bytes copied. */
static size_t entry_clean(cache *c, cache_entry *e, bool copy) {
    shard *s = cache_shard_of(c, e->hash);
    size_t copied = 0, stride = stride_of(e->size);
    shard_lock(s);
    unsigned pins = atomic_load_explicit(&e->pins, memory_order_relaxed);
    if (!(pins & CACHE_ORPHAN)) {
        slot *at = shard_find(s, e->file, e->offset, e->hash);
        bool room = copy && c->current && c->current->used + stride <= c->current->size;
        if (room && (pins || e->count)) {
            entry_move(c, at);
            copied = stride;
        } else {
            shard_remove(s, at);
            s->evictions++;
        }
        entry_orphan(e);
    }
    shard_unlock(s);
    return copied;
}

/* A large segment's block, if it was hit or is being read, gets another round in the queue. */
static bool large_spared(cache *c, segment *large) {
    cache_entry *e = (cache_entry *)((uint8_t *)large + FIRST);
    shard *s = cache_shard_of(c, e->hash);
    shard_lock(s);
    bool spared = e->count > 0 && !(atomic_load_explicit(&e->pins, memory_order_relaxed) & CACHE_ORPHAN);
    if (spared) e->count--;
    shard_unlock(s);
    return spared;
}

/* One step of cleaning the oldest segment, which there is. Returns what it cost, as bytes copied. */
static size_t clean_step(cache *c, bool copy) {
    segment *s = c->oldest;
    if (copy && s->large && large_spared(c, s)) {
        queue_push(c, queue_pop(c));
        return PAGE;
    }
    atomic_store_explicit(&s->closing, true, memory_order_relaxed); /* seen by publish through the shard's lock */
    size_t copied = 0;
    if (s->cleaned < s->used) {
        cache_entry *e = (cache_entry *)((uint8_t *)s + s->cleaned);
        s->cleaned += stride_of(e->size);
        copied = entry_clean(c, e, copy);
    }
    if (s->cleaned == s->used) {
        queue_pop(c);
        if (atomic_fetch_sub_explicit(&s->holds, 1, memory_order_acq_rel) == 1) segment_free(c, s);
    }
    return copied;
}

/* May no more memory be mapped for a segment of this size? */
static bool log_full(cache *c, size_t size) {
    return cache_bytes(c) + size > c->capacity;
}

/* Keep the oldest a step more empty than the current is full, so that there is room for the last that is copied; copying
 * little at a time, even if that falls behind. */
static void clean_in_step(cache *c) {
    size_t copied = 0;
    while (copied < COPY_MAX && c->oldest && !c->free && log_full(c, c->segment_size) &&
           (c->oldest->large || c->oldest->cleaned < c->current->used + c->segment_size / ENTRIES_MIN))
        copied += clean_step(c, true);
}

static void free_unmap(cache *c) {
    segment *s = c->free;
    c->free = s->next;
    segment_unmap(c, s);
}

static segment *large_begin(cache *c, size_t size) {
    size_t copied = 0;
    size = (size + PAGE - 1) / PAGE * PAGE;
    while (log_full(c, size) && (c->free || c->oldest)) {
        if (c->free)
            free_unmap(c);
        else
            copied += clean_step(c, copied < COPY_MAX);
    }
    segment *s = segment_new(c, size);
    if (s) queue_push(c, s);
    return s;
}

static segment *current_begin(cache *c) {
    size_t copied = 0;
    while (c->oldest && !c->free && log_full(c, c->segment_size)) copied += clean_step(c, copied < COPY_MAX);
    segment *s = segment_new(c, 0);
    if (!s) return NULL;
    if (c->current) queue_push(c, c->current);
    c->current = s;
    return s;
}

cache_entry *log_append(cache *c, uint64_t file, uint64_t offset, size_t size) {
    size_t stride = stride_of(size);
    bool large = stride > LARGE_MIN || stride > (c->segment_size - FIRST) / ENTRIES_MIN;
    pthread_mutex_lock(&c->log_lock);
    bool fits = c->current && c->current->used + stride <= c->current->size;
    segment *s = large ? large_begin(c, FIRST + stride) : fits ? c->current : current_begin(c);
    cache_entry *e = NULL;
    if (s) {
        e = segment_append(s, file, offset, cache_hash(file, offset), size);
        atomic_store_explicit(&e->pins, CACHE_ORPHAN | 1, memory_order_relaxed);
        if (!large) clean_in_step(c);
    }
    pthread_mutex_unlock(&c->log_lock);
    return e;
}

void log_unhold(cache *c, segment *home) {
    if (atomic_fetch_sub_explicit(&home->holds, 1, memory_order_acq_rel) != 1) return;
    pthread_mutex_lock(&c->log_lock);
    segment_free(c, home);
    pthread_mutex_unlock(&c->log_lock);
}

void log_shrink(cache *c) {
    while (cache_bytes(c) > c->capacity && (c->free || c->oldest || c->current)) {
        if (c->free) {
            free_unmap(c);
        } else if (c->oldest) {
            clean_step(c, false);
        } else {
            queue_push(c, c->current);
            c->current = NULL;
        }
    }
}

static void list_unmap(cache *c, segment *s) {
    while (s) {
        segment *next = s->next;
        segment_unmap(c, s);
        s = next;
    }
}

void log_clear(cache *c) {
    if (c->current) queue_push(c, c->current);
    list_unmap(c, c->oldest);
    list_unmap(c, c->free);
}
