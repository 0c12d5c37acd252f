/* hlc.h: the hybrid logical clock that stamps every write (Kulkarni et al., "Logical Physical Clocks", 2014).
 *
 *   stamp := wall milliseconds since 1970 : 48 bits | counter : 16 bits
 *
 * A tick is above every stamp given or observed before, and not below the wall clock. When the wall clock stands
 * still or goes back the counter runs on, and carries into the milliseconds if it must: stamps never go back.
 * Threads: one at a time.
 */
#ifndef RKV_BASE_HLC_H
#define RKV_BASE_HLC_H

#include <stdint.h>

enum { HLC_COUNTER_BITS = 16 };

typedef struct hlc {
    uint64_t last;
} hlc;

/* The next stamp at wall time now_ms. */
static inline uint64_t hlc_tick(hlc *h, uint64_t now_ms) {
    uint64_t wall = now_ms << HLC_COUNTER_BITS;
    h->last = wall > h->last ? wall : h->last + 1;
    return h->last;
}

/* A stamp from elsewhere (recovery, a peer): later ticks are above it. */
static inline void hlc_observe(hlc *h, uint64_t stamp) {
    if (stamp > h->last) h->last = stamp;
}

/* The wall milliseconds in a stamp. */
static inline uint64_t hlc_ms(uint64_t stamp) {
    return stamp >> HLC_COUNTER_BITS;
}

#endif
