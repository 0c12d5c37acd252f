/* pace.c: see pace.h.
 *
 *   debt x   = how far from the soft limit (0) to the hard one (1), of runs or of memtables, whichever is more
 *   delay(x) = cost * 2x / (1 - x)        cost: what the background needs for a MiB
 *
 * So at x = 1/3 writers are held back by what the background needs, at 1/2 by twice that: the equilibrium lies well before the hard limit.
 */
#include "lsm/pace.h"

enum { COST_GUESS_NS = 5000000 /* per MiB, until one has been measured */ };

size_t cache_share(size_t memory_bytes, size_t memtable_bytes, size_t mems) {
    size_t tables = (mems < 2 ? 2 : mems) * (memtable_bytes / 4 * 5); /* with index and runs */
    size_t least = memory_bytes / 16;
    return memory_bytes > tables + least ? memory_bytes - tables : least;
}

/* Where value lies between soft and hard, from 0 to 1. */
static double debt(double value, double soft, double hard) {
    return value <= soft ? 0 : value >= hard ? 1 : (value - soft) / (hard - soft);
}

uint64_t pace_delay_us(const pace_state *s) {
    if (s->runs >= s->runs_stop) return UINT64_MAX;
    /* One frozen memtable is the normal course; the stop is when the last one allowed is full. */
    double mems = (double)s->mems + s->mem_fill;
    if (mems >= (double)s->mems_stop + 0.98) return UINT64_MAX;
    double x = debt((double)s->runs, (double)s->runs_slowdown, (double)s->runs_stop);
    double y = debt(mems, 3, (double)s->mems_stop + 1);
    if (y > x) x = y;
    if (x <= 0) return 0;
    double cost_us = (double)(s->merge_ns_per_mib ? s->merge_ns_per_mib : COST_GUESS_NS) / 1000;
    return (uint64_t)(cost_us * 2 * x / (1 - x) + 1);
}
