/* store.h: an open engine with the clock that stamps what is written to it: what a server and the public interface share.
 *
 * Threads: the owner's.
 */
#ifndef RKV_SERVE_STORE_H
#define RKV_SERVE_STORE_H

#include "base/hlc.h"
#include "lsm/db.h"

typedef struct store {
    db *db;
    os *os;
    hlc clock;
    uint32_t node;
    enum wal_policy policy;
} store;

static inline uint64_t store_now_ms(const store *s) {
    return s->os->ops->now_ms(s->os);
}

static inline uint64_t store_mono_ns(const store *s) {
    return s->os->ops->mono_ns(s->os);
}

#endif
