/* fault_cut.c: what the medium has after the power went, and what it gets before that by itself; see fault_disk.h.
 *
 * Every choice is drawn from one stream of numbers, over nodes in order of creation and sectors in order of place, so a
 * seed names a cut. No choice depends on an address or on time.
 */
#include <string.h>

#include "os/fault_disk.h"

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t disk_random_next(disk_random *r) {
    uint64_t x = r->state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t disk_random_below(disk_random *r, uint64_t bound) {
    return bound ? disk_random_next(r) % bound : 0;
}

static bool chance(disk_random *r, unsigned eighths) {
    return disk_random_below(r, 8) < eighths;
}

/* ---- by itself --------------------------------------------------------------------------------------------------- */

void disk_write_back(disk *d, disk_random *r) {
    for (disk_node *n = d->first; n; n = n->next) {
        if (n->dir || chance(r, 4)) continue;
        for (uint64_t s = 0, count = disk_sector_count(n); s < count; s++)
            if (disk_sector_dirty(n, s) && chance(r, 2)) disk_sector_copy(&n->disk, &n->now, s);
    }
    if (d->change_count && chance(r, 1)) disk_change_apply(d, 0);
}

void disk_freeze(disk *d) {
    for (disk_node *n = d->first; n; n = n->next) {
        if (!n->maps) continue;
        disk_content still = disk_content_copy(&n->now, 0);
        disk_content_drop(&n->now);
        n->now = still;
        n->maps = 0;
    }
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

/* How one file fares: dirty sectors below first survive all, the next `single` ones and those beyond by their
 * chance. */
typedef struct fate {
    uint64_t first;   /* count of dirty sectors */
    uint64_t single;  /* count of dirty sectors after them */
    unsigned eighths; /* chance of each of the single ones */
    bool garbage;     /* fresh sectors that did not survive may hold old bytes of others */
} fate;

static fate fate_draw(enum fault_cut model, uint64_t dirty, disk_random *r) {
    static const unsigned chances[] = {0, 1, 4, 7, 8};
    switch (model) {
    case FAULT_CUT_PREFIX: return (fate){.first = disk_random_below(r, dirty + 1)};
    case FAULT_CUT_TORN:
        return (fate){.first = disk_random_below(r, dirty + 1), .single = 8, .eighths = 4, .garbage = chance(r, 4)};
    case FAULT_CUT_RANDOM: return (fate){.single = UINT64_MAX, .eighths = chances[disk_random_below(r, 5)]};
    default: return (fate){0};
    }
}

/* The size that survives an unsynced change of it: at least what the surviving sectors need. */
static uint64_t size_draw(const disk_node *n, uint64_t needed, bool all, enum fault_cut model, disk_random *r) {
    uint64_t from = n->disk.size, to = n->now.size;
    if (all || from == to) return to;
    if (model == FAULT_CUT_PREFIX) return needed > from ? needed : from;
    if (to < from) return chance(r, 4) ? from : to;
    if (from < needed) from = needed;
    switch (disk_random_below(r, 3)) {
    case 0: return from;
    case 1: return to;
    default: return from + disk_random_below(r, to - from + 1);
    }
}

/* Old bytes of some other file in sector s of c, which nobody else sees. */
static void fill_garbage(disk_content *c, uint64_t s, disk_random *r) {
    uint64_t end = (s + 1) * SECTOR < c->size ? (s + 1) * SECTOR : c->size;
    for (uint64_t i = s * SECTOR; i < end; i++) c->blob->data[i] = (uint8_t)disk_random_next(r);
}

static void cut_file(disk_node *n, enum fault_cut model, disk_random *r) {
    uint64_t count = disk_sector_count(n), dirty = 0;
    for (uint64_t s = 0; s < count; s++) dirty += disk_sector_dirty(n, s);
    fate f = fate_draw(model, dirty, r);
    disk_content left = disk_content_copy(&n->disk, 0);
    uint64_t seen = 0, needed = 0;
    for (uint64_t s = 0; s < count; s++) {
        if (!disk_sector_dirty(n, s)) continue;
        bool keep = seen < f.first || (seen - f.first < f.single && chance(r, f.eighths));
        seen++;
        if (!keep) continue;
        disk_sector_copy(&left, &n->now, s);
        uint64_t end = (s + 1) * SECTOR;
        needed = end < n->now.size ? end : n->now.size;
    }
    if (model != FAULT_CUT_DROP) disk_content_resize(&left, size_draw(n, needed, dirty && f.first == dirty, model, r));
    for (uint64_t s = (n->disk.size + SECTOR - 1) / SECTOR; f.garbage && s * SECTOR < left.size; s++)
        if (disk_sector_dirty(n, s) && !disk_sector_same(&left, &n->now, s) && chance(r, 4)) fill_garbage(&left, s, r);
    disk_content_drop(&n->now);
    disk_content_drop(&n->disk);
    disk_lost_forget(n);
    n->now = disk_content_share(&left);
    n->disk = left;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static void cut_changes(disk *d, enum fault_cut model, disk_random *r) {
    uint64_t all = d->change_count;
    uint64_t first = model == FAULT_CUT_DROP ? 0 : disk_random_below(r, all + 1);
    for (uint64_t seen = 0; seen < all; seen++) {
        bool keep = model == FAULT_CUT_RANDOM || model == FAULT_CUT_TORN ? chance(r, 4) : seen < first;
        if (keep)
            disk_change_apply(d, 0);
        else
            disk_change_forget(d, 0);
    }
}

void disk_cut(disk *d, enum fault_cut model, uint64_t seed) {
    if (model == FAULT_CUT_KEEP) return;
    disk_random r = {seed};
    cut_changes(d, model, &r);
    for (disk_node *n = d->first; n; n = n->next)
        if (!n->dir) cut_file(n, model, &r);
    /* Dropping an entry may free nodes anywhere in the list, so all are held until every directory is done. */
    for (disk_node *n = d->first; n; n = n->next) disk_ref(n);
    for (disk_node *n = d->first; n; n = n->next)
        if (n->dir) disk_entries_copy(d, &n->entries_now, &n->entries_disk);
    for (disk_node *n = d->first, *next; n; n = next) {
        next = n->next;
        disk_unref(d, n);
    }
}
