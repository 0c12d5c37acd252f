/* slow.c: see slow.h. */
#include "serve/slow.h"

#include "base/alloc.h"

static uint32_t cut(size_t size, size_t max) {
    return (uint32_t)(size < max ? size : max);
}

void slow_add(server *v, const conn *c, uint64_t us) {
    uint32_t argc = cut(c->scan.count, SLOW_ARGS);
    size_t bytes = 0;
    for (uint32_t i = 0; i < argc; i++) bytes += cut(c->scan.args[i].size, SLOW_ARG_BYTES);
    slow_entry *e = mem_alloc(sizeof *e + bytes);
    if (!e) return;
    e->client = c->id;
    e->at_ms = v->now_ms;
    e->us = us;
    e->argc_all = c->scan.count;
    e->argc = argc;
    uint8_t *to = e->bytes;
    for (uint32_t i = 0; i < argc; i++) {
        slice arg = c->scan.args[i];
        e->sizes[i] = cut(arg.size, SLOW_ARG_BYTES);
        e->sizes_all[i] = cut(arg.size, UINT32_MAX);
        if (e->sizes[i]) memcpy(to, arg.data, e->sizes[i]);
        to += e->sizes[i];
    }
    slow_log *log = v->slow;
    if (log->count == SLOW_ENTRIES) {
        mem_free(log->ring[log->first]);
        log->first = (log->first + 1) % SLOW_ENTRIES;
        log->count--;
    }
    log->ring[(log->first + log->count++) % SLOW_ENTRIES] = e;
}

const slow_entry *slow_take(server *v) {
    slow_log *log = v->slow;
    mem_free(log->taken);
    log->taken = NULL;
    if (log->count) {
        log->taken = log->ring[log->first];
        log->first = (log->first + 1) % SLOW_ENTRIES;
        log->count--;
    }
    return log->taken;
}

void slow_clear(server *v) {
    while (slow_take(v)) continue;
}
