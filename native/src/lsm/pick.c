/* pick.c: the choice of compactions; see pick.h. */
#include "lsm/pick.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/status.h"

enum {
    MOVE_OVERLAP_TABLES = 10, /* a moved table may overlap so many targets of two levels down */
    EXPAND_TABLES = 12,       /* a job grows for free up to so many targets */
};

void pick_cursor_clear(pick_cursor *c) {
    for (unsigned i = 0; i < LEVELS; i++) buf_clear(&c->after[i]);
}

void pick_clear(pick *p) {
    mem_free(p->inputs);
    *p = (pick){0};
}

static uint64_t level_target(const pick_options *o, unsigned number) {
    uint64_t target = o->level_bytes;
    for (unsigned i = 1; i < number && target < UINT64_MAX / o->multiplier; i++) target *= o->multiplier;
    return target;
}

double pick_score(const version *v, const pick_options *o, unsigned number) {
    const level *l = &v->levels[number];
    if (number == 0) return (double)l->count / o->l0_trigger;
    if (number == LEVELS - 1) return 0; /* there is nowhere to go */
    return (double)l->bytes / (double)level_target(o, number);
}

uint64_t pick_debt(const version *v, const pick_options *o) {
    uint64_t debt = v->levels[0].count >= o->l0_trigger ? v->levels[0].bytes : 0;
    for (unsigned i = 1; i + 1 < LEVELS; i++) {
        uint64_t target = level_target(o, i);
        if (v->levels[i].bytes > target) debt += v->levels[i].bytes - target;
    }
    return debt;
}

/* --- building a pick ------------------------------------------------------------------------------------------------------- */

static int pick_start(pick *out, enum pick_kind kind, unsigned number, unsigned output, const version *v) {
    size_t room = v->levels[number].count + v->levels[output].count;
    *out = (pick){.kind = kind, .level = number, .output = output};
    out->inputs = mem_alloc(room * sizeof *out->inputs);
    return out->inputs ? RKV_OK : alloc_failed(room * sizeof *out->inputs);
}

static void pick_take(pick *p, table_file *f) {
    p->inputs[p->count++] = f;
}

static uint64_t files_bytes(table_file *const *files, size_t count) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) bytes += files[i]->props.size;
    return bytes;
}

static void files_range(table_file *const *files, size_t count, slice *smallest, slice *largest) {
    *smallest = table_smallest(files[0]);
    *largest = table_largest(files[0]);
    for (size_t i = 1; i < count; i++) {
        if (slice_compare(table_smallest(files[i]), *smallest) < 0) *smallest = table_smallest(files[i]);
        if (slice_compare(table_largest(files[i]), *largest) > 0) *largest = table_largest(files[i]);
    }
}

/* The inputs taken so far are the upper ones: add what they overlap in the output level. */
static void pick_lower(pick *p, const version *v) {
    slice smallest;
    slice largest;
    size_t first;
    p->upper_count = p->count;
    if (p->output == p->level) return;
    files_range(p->inputs, p->count, &smallest, &largest);
    size_t count = level_overlap(&v->levels[p->output], smallest, largest, &first);
    for (size_t i = 0; i < count; i++) pick_take(p, v->levels[p->output].files[first + i]);
}

static uint64_t overlap_bytes(const version *v, unsigned number, const table_file *f) {
    size_t first;
    if (number >= LEVELS) return 0;
    size_t count = level_overlap(&v->levels[number], table_smallest(f), table_largest(f), &first);
    return files_bytes(v->levels[number].files + first, count);
}

/* --- level 0 --------------------------------------------------------------------------------------------------------------- */

static bool stands_alone(const version *v, const table_file *f) {
    const level *top = &v->levels[0];
    size_t first;
    for (size_t i = 0; i < top->count; i++)
        if (top->files[i] != f && table_overlaps(f, table_smallest(top->files[i]), table_largest(top->files[i])))
            return false;
    return level_overlap(&v->levels[1], table_smallest(f), table_largest(f), &first) == 0;
}

/* Sequential load: tables that overlap nothing only change their level, unless they are small: many small tables cost more than a merge. */
static int pick_level0_moves(pick *out, const version *v, const pick_options *o) {
    int rc = pick_start(out, PICK_MOVE, 0, 1, v);
    if (rc) return rc;
    for (size_t i = 0; i < v->levels[0].count; i++) {
        table_file *f = v->levels[0].files[i];
        if (f->props.size >= o->table_bytes / 4 && stands_alone(v, f)) pick_take(out, f);
    }
    out->upper_count = out->count;
    if (out->count) return RKV_OK;
    pick_clear(out);
    return RKV_END;
}

static int pick_level0(pick *out, const version *v) {
    int rc = pick_start(out, PICK_MERGE, 0, 1, v);
    if (rc) return rc;
    for (size_t i = 0; i < v->levels[0].count; i++) pick_take(out, v->levels[0].files[i]);
    pick_lower(out, v);
    return RKV_OK;
}

/* --- deeper levels ----------------------------------------------------------------------------------------------------------- */

/* Index of the table with the least overlap per byte; of equals the first after the cursor. */
static size_t cheapest(const version *v, unsigned number, const buf *after) {
    const level *l = &v->levels[number];
    size_t start = after->size ? level_find(l, buf_slice(after)) : 0;
    if (start < l->count && after->size && slice_compare(table_largest(l->files[start]), buf_slice(after)) == 0)
        start++;
    size_t best = 0;
    double best_cost = 0;
    for (size_t i = 0; i < l->count; i++) {
        size_t at = (start + i) % l->count;
        const table_file *f = l->files[at];
        double cost = (double)overlap_bytes(v, number + 1, f) / (double)(f->props.size + 1);
        if (i > 0 && cost >= best_cost) continue;
        best = at;
        best_cost = cost;
    }
    return best;
}

/* More tables of the level come along if what they overlap is merged anyway: both neighbours of inputs[0..upper_count). */
static void expand(pick *p, const version *v, size_t index, const pick_options *o) {
    const level *l = &v->levels[p->level];
    slice smallest;
    slice largest;
    if (p->count == p->upper_count) return;
    files_range(p->inputs + p->upper_count, p->count - p->upper_count, &smallest, &largest);
    size_t first = index;
    size_t end = index + 1;
    uint64_t bytes = files_bytes(p->inputs, p->count);
    uint64_t limit = o->table_bytes * EXPAND_TABLES;
    while (end < l->count && slice_compare(table_largest(l->files[end]), largest) <= 0 &&
           bytes + l->files[end]->props.size <= limit)
        bytes += l->files[end++]->props.size;
    while (first > 0 && slice_compare(table_smallest(l->files[first - 1]), smallest) >= 0 &&
           bytes + l->files[first - 1]->props.size <= limit)
        bytes += l->files[--first]->props.size;
    p->count = 0;
    for (size_t i = first; i < end; i++) pick_take(p, l->files[i]);
    pick_lower(p, v);
}

static int pick_down(pick *out, const version *v, unsigned number, size_t index, const pick_options *o) {
    table_file *f = v->levels[number].files[index];
    int rc = pick_start(out, PICK_MERGE, number, number + 1, v);
    if (rc) return rc;
    pick_take(out, f);
    pick_lower(out, v);
    if (out->count == 1 && overlap_bytes(v, number + 2, f) <= MOVE_OVERLAP_TABLES * o->table_bytes)
        out->kind = PICK_MOVE;
    else
        expand(out, v, index, o);
    return RKV_OK;
}

static int pick_rewrite(pick *out, const version *v, unsigned number, table_file *f) {
    int rc = pick_start(out, PICK_MERGE, number, number, v);
    if (rc) return rc;
    pick_take(out, f);
    out->upper_count = 1;
    return RKV_OK;
}

static int pick_by_score(pick *out, const version *v, const pick_options *o, pick_cursor *cursor) {
    unsigned best = 0;
    double best_score = 0;
    for (unsigned i = 1; i + 1 < LEVELS; i++) {
        double score = pick_score(v, o, i);
        if (score > best_score) {
            best = i;
            best_score = score;
        }
    }
    if (best_score <= 1) return RKV_END;
    size_t index = cheapest(v, best, &cursor->after[best]);
    int rc = pick_down(out, v, best, index, o);
    if (rc) return rc;
    slice largest = table_largest(out->inputs[out->upper_count - 1]);
    cursor->after[best].size = 0;
    buf_append(&cursor->after[best], largest.data, largest.size); /* without memory it starts over: no harm */
    return RKV_OK;
}

/* --- range deletions and dead cells ------------------------------------------------------------------------------------------ */

static int pick_covered(pick *out, const version *v) {
    if (!v->rdels) return RKV_END;
    for (unsigned i = 0; i < v->depth; i++) {
        const level *l = &v->levels[i];
        int rc = pick_start(out, PICK_DROP, i, i, v);
        if (rc) return rc;
        for (size_t k = 0; k < l->count; k++)
            if (rdel_set_covers_all(v->rdels, table_smallest(l->files[k]), table_largest(l->files[k]),
                                    l->files[k]->props.max_hlc))
                pick_take(out, l->files[k]);
        out->upper_count = out->count;
        if (out->count) return RKV_OK;
        pick_clear(out);
    }
    return RKV_END;
}

static bool covered_in_part(const version *v, const table_file *f) {
    for (size_t i = 0; i < rdel_set_count(v->rdels); i++) {
        const rdel *r = &v->rdels->items[i];
        if (r->number >= f->clean && f->props.min_hlc <= r->hlc && rdel_touches(r, table_smallest(f), table_largest(f)))
            return true;
    }
    return false;
}

static int pick_in_part(pick *out, const version *v) {
    if (!v->rdels) return RKV_END;
    for (unsigned i = v->depth; i-- > 0;)
        for (size_t k = 0; k < v->levels[i].count; k++) {
            table_file *f = v->levels[i].files[k];
            if (covered_in_part(v, f)) return i ? pick_rewrite(out, v, i, f) : pick_level0(out, v);
        }
    return RKV_END;
}

/* Expired cells of f by now, if expiries are spread evenly between the first and the last. */
static uint64_t expired_estimate(const table_props *p, uint64_t now_ms) {
    if (p->expiring == 0 || now_ms <= p->min_expires_ms) return 0;
    if (now_ms >= p->max_expires_ms) return p->expiring;
    double part = (double)(now_ms - p->min_expires_ms) / (double)(p->max_expires_ms - p->min_expires_ms);
    return (uint64_t)(part * (double)p->expiring);
}

static bool mostly_dead(const table_props *p, uint64_t now_ms) {
    return (p->tombstones + expired_estimate(p, now_ms)) * 100 > p->entries * DEAD_PERCENT;
}

/* Would a rewrite of f drop every dead cell in it, nothing older lying anywhere else? */
static bool nothing_older(const version *v, const table_file *f, const pick_options *o) {
    uint64_t hlc = f->props.max_hlc;
    if (o->horizon_min <= hlc || o->mem_min_hlc <= hlc) return false;
    for (unsigned i = 0; i < v->depth; i++)
        for (size_t k = 0; k < v->levels[i].count; k++) {
            const table_file *other = v->levels[i].files[k];
            if (other != f && other->props.min_hlc <= hlc && table_overlaps(other, table_smallest(f), table_largest(f)))
                return false;
        }
    return true;
}

static bool overlaps_below(const version *v, unsigned number, const table_file *f) {
    for (unsigned i = number + 1; i < v->depth; i++)
        if (overlap_bytes(v, i, f)) return true;
    return false;
}

static int pick_dead(pick *out, const version *v, const pick_options *o) {
    for (unsigned i = 1; i < v->depth; i++)
        for (size_t k = 0; k < v->levels[i].count; k++) {
            table_file *f = v->levels[i].files[k];
            if (!mostly_dead(&f->props, o->now_ms)) continue;
            if (i + 1 < LEVELS && overlaps_below(v, i, f)) return pick_down(out, v, i, k, o);
            if (nothing_older(v, f, o)) return pick_rewrite(out, v, i, f);
        }
    return RKV_END;
}

/* --- the choice -------------------------------------------------------------------------------------------------------------- */

int pick_next(pick *out, const version *v, const pick_options *o, pick_cursor *cursor) {
    int rc = pick_covered(out, v);
    if (rc != RKV_END) return rc;
    if (v->levels[0].count >= o->l0_trigger) {
        rc = pick_level0_moves(out, v, o);
        return rc == RKV_END ? pick_level0(out, v) : rc;
    }
    rc = pick_by_score(out, v, o, cursor);
    if (rc == RKV_END) rc = pick_in_part(out, v);
    if (rc == RKV_END) rc = pick_dead(out, v, o);
    return rc;
}

static bool within(const table_file *f, slice begin, slice end) {
    return slice_compare(table_largest(f), begin) >= 0 && (end.size == 0 || slice_compare(table_smallest(f), end) < 0);
}

int pick_range(pick *out, const version *v, unsigned number, slice begin, slice end) {
    const level *l = &v->levels[number];
    for (size_t i = 0; i < l->count; i++) {
        if (!within(l->files[i], begin, end)) continue;
        if (number == 0) return pick_level0(out, v);
        int rc = pick_start(out, PICK_MERGE, number, number + 1, v);
        if (rc) return rc;
        pick_take(out, l->files[i]);
        pick_lower(out, v);
        return RKV_OK;
    }
    return RKV_END;
}

int pick_stale(pick *out, const version *v, slice begin, slice end, uint64_t before) {
    if (v->depth < 2) return RKV_END;
    const level *l = &v->levels[v->depth - 1];
    for (size_t i = 0; i < l->count; i++) {
        table_file *f = l->files[i];
        bool stale = f->props.tombstones || f->props.expiring || covered_in_part(v, f);
        if (stale && f->props.number < before && within(f, begin, end)) return pick_rewrite(out, v, v->depth - 1, f);
    }
    return RKV_END;
}

/* --- cuts -------------------------------------------------------------------------------------------------------------------- */

void cutter_init(cutter *c, const version *v, unsigned output, uint64_t table_bytes) {
    *c = (cutter){.table_bytes = table_bytes};
    if (output + 1 < LEVELS && v->levels[output + 1].count) c->below = &v->levels[output + 1];
}

bool cutter_cuts(cutter *c, slice key, uint64_t size) {
    bool edge = false;
    if (!c->below) return size >= c->table_bytes;
    while (c->next < c->below->count && slice_compare(table_largest(c->below->files[c->next]), key) < 0) {
        c->next++;
        edge = true;
    }
    return (edge && size >= c->table_bytes / 2) || size >= 2 * c->table_bytes;
}
