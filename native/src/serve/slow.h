/* slow.h: native commands that took long, kept until the owner takes them.
 *
 * A ring of SLOW_ENTRIES; when it is full the oldest goes. Of a command the first SLOW_ARGS arguments are kept, each up to
 * SLOW_ARG_BYTES, as SLOWLOG shows them. An entry out of memory is left out.
 */
#ifndef RKV_SERVE_SLOW_H
#define RKV_SERVE_SLOW_H

#include "serve/server.h"

enum { SLOW_ENTRIES = 128, SLOW_ARGS = 32, SLOW_ARG_BYTES = 128 };

typedef struct slow_entry {
    uint64_t client, at_ms, us;
    uint32_t argc_all, argc;
    uint32_t sizes[SLOW_ARGS];     /* kept */
    uint32_t sizes_all[SLOW_ARGS]; /* as they were, cut at UINT32_MAX */
    uint8_t bytes[];               /* of the arguments, one behind the other */
} slow_entry;

struct slow_log {
    slow_entry *ring[SLOW_ENTRIES];
    uint32_t first, count;
    slow_entry *taken;
};

/* The command in c->scan took us microseconds. */
void slow_add(server *v, const conn *c, uint64_t us);
/* The oldest entry, valid until the next call; NULL: none. */
const slow_entry *slow_take(server *v);
void slow_clear(server *v);

#endif
