/* pace.h: arithmetic of memory and pace. Pure. */
#ifndef RKV_LSM_PACE_H
#define RKV_LSM_PACE_H

#include <stddef.h>
#include <stdint.h>

/* The cache's part of memory_bytes beside `mems` memtables: at least two are counted, so that the usual freeze and flush does not make
 * the cache shrink and grow. Never below 1/16 of the whole. */
size_t cache_share(size_t memory_bytes, size_t memtable_bytes, size_t mems);

typedef struct pace_state {
    size_t mems, mems_stop;                  /* memtables, active and frozen */
    double mem_fill;                         /* of the active one, 0 to 1 */
    uint64_t runs, runs_slowdown, runs_stop; /* tables of level 0 */
    uint64_t merge_ns_per_mib;               /* what the background needs for a MiB of user writes; 0: not known yet */
} pace_state;

/* Microseconds to hold back a MiB of writes: 0 up to the soft limits, then rising so that half way to the hard one writers run at the
 * background's own pace, without a step; UINT64_MAX at the hard limit. */
uint64_t pace_delay_us(const pace_state *s);

#endif
