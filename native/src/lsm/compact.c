/* compact.c: one job of compaction: merge what pick.c chose into new tables, then record and install it.
 *
 *   inputs -> [watch] -> merge -> drop rules -> cutter -> tables, synced -> edit -> old files go with the last picture that has them
 *
 * A watch stands around each input while the store has a value log, and notes each pointer that its input leaves behind. What was
 * noted and not written is garbage. Losers of a key may be left before its winner is decided, so a note is judged only when the merge has moved on,
 * and a note that names the value of the present winner is not judged at all: the winner's own input will leave it, too.
 *
 * One at a time, on one thread.
 */
#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/status.h"
#include "lsm/db_parts.h"
#include "lsm/level_iter.h"

enum {
    LOOK_EVERY = 256, /* entries between looks at closing and the rate limit */
    SLEEP_MS_MAX = 100,
};

typedef struct job {
    db *db;
    drop_rules rules;
    pick pick;
    iter *merge;
    cutter cutter;
    table_builder *builder;
    version_add *outputs;
    size_t output_count, output_room;
    ref_list left; /* by watches, to be judged */
    garbage_batch *dead;
    uint64_t written; /* bytes of finished tables */
    uint64_t paid;    /* bytes that the rate limit has let through */
    uint64_t begin_ns;
} job;

/* --- watch ------------------------------------------------------------------------------------------------------------------- */

typedef struct watch {
    iter base;
    iter *child;
    ref_list *left;
} watch;

static void watch_show(watch *w) {
    w->base.valid = w->child->valid;
    w->base.status = w->child->status;
    w->base.key = w->child->key;
    w->base.cell = w->child->cell;
}

static void watch_seek(iter *it, slice target) {
    watch *w = (watch *)it;
    w->child->ops->seek(w->child, target);
    watch_show(w);
}

static void watch_next(iter *it) {
    watch *w = (watch *)it;
    ref_list_add_cell(w->left, &w->child->cell);
    w->child->ops->next(w->child);
    watch_show(w);
}

static void watch_close(iter *it) {
    iter_close(((watch *)it)->child);
    mem_free(it);
}

/* A compaction only goes forward. */
static const iter_ops WATCH = {watch_seek, NULL, watch_next, NULL, watch_close};

/* Takes *child. */
static int watch_around(iter **child, ref_list *left) {
    watch *w = mem_alloc(sizeof *w);
    if (!w) return alloc_failed(sizeof *w);
    *w = (watch){.base = {.ops = &WATCH}, .child = *child, .left = left};
    *child = &w->base;
    return RKV_OK;
}

static bool same_value(const cell *c, const value_ref *ref) {
    value_ref own;
    return c->flags & CELL_POINTER && value_ref_decode(c->payload, &own) && own.file == ref->file &&
           own.offset == ref->offset;
}

/* The merge has moved on from a key whose winner was written with `kept` (no pointer flag: nothing kept). */
static void judge(job *j, const value_ref *kept) {
    for (size_t i = 0; i < j->left.count; i++) {
        const value_ref *ref = &j->left.items[i];
        bool lives = kept && kept->file == ref->file && kept->offset == ref->offset;
        if (!lives && !(j->merge->valid && same_value(&j->merge->cell, ref))) ref_list_add(&j->dead->refs, ref);
    }
    j->left.count = 0;
}

/* --- inputs ------------------------------------------------------------------------------------------------------------------ */

static int open_inputs(job *j, iter **children, size_t *count) {
    const pick *p = &j->pick;
    int rc = RKV_OK;
    size_t lower = p->count - p->upper_count;
    if (p->level == 0) {
        for (size_t i = 0; i < p->upper_count && rc == RKV_OK; i++) {
            rc = table_iter_new(&children[*count], p->inputs[i]->table, true);
            if (rc == RKV_OK) ++*count;
        }
    } else {
        rc = level_iter_new(&children[*count], p->inputs, p->upper_count, true);
        if (rc == RKV_OK) ++*count;
    }
    if (rc == RKV_OK && lower) {
        rc = level_iter_new(&children[*count], p->inputs + p->upper_count, lower, true);
        if (rc == RKV_OK) ++*count;
    }
    bool values = vlog_files(j->db->values, NULL, 0) > 0;
    for (size_t i = 0; i < *count && rc == RKV_OK && values; i++) rc = watch_around(&children[i], &j->left);
    return rc;
}

static int open_merge(job *j) {
    size_t count = 0;
    iter **children = mem_alloc((j->pick.count + 1) * sizeof *children);
    if (!children) return alloc_failed((j->pick.count + 1) * sizeof *children);
    int rc = open_inputs(j, children, &count);
    if (rc == RKV_OK)
        rc = merge_iter_new(&j->merge, children, count); /* takes them, also on failure */
    else
        while (count) iter_close(children[--count]);
    mem_free(children);
    return rc;
}

/* --- outputs ----------------------------------------------------------------------------------------------------------------- */

/* Cells that arrived late lose that mark where nothing lies below them any more. */
static bool output_late(const job *j, const table_file *f) {
    const version *v = j->rules.picture->version;
    size_t first;
    bool late = false;
    for (size_t i = 0; i < j->pick.count; i++) late |= j->pick.inputs[i]->late;
    if (!late) return false;
    for (unsigned i = j->pick.output + 1; i < v->depth; i++)
        if (level_overlap(&v->levels[i], table_smallest(f), table_largest(f), &first)) return true;
    return false;
}

static int output_finish(job *j) {
    table_file *f = NULL;
    if (!j->builder) return RKV_OK;
    if (j->output_count == j->output_room) {
        size_t room = j->output_room ? j->output_room * 2 : 16;
        version_add *outputs = mem_realloc(j->outputs, room * sizeof *outputs);
        if (!outputs) return alloc_failed(room * sizeof *outputs);
        j->outputs = outputs;
        j->output_room = room;
    }
    table_builder *b = j->builder;
    j->builder = NULL;
    int rc = table_finish(j->db, b, &j->rules, false, &f);
    if (rc || !f) return rc;
    f->late = output_late(j, f);
    j->written += f->props.size;
    j->outputs[j->output_count++] = (version_add){f, j->pick.output};
    return RKV_OK;
}

/* Hold the output back to options.compaction_rate. */
static void throttle(job *j) {
    uint64_t rate = j->db->options.compaction_rate;
    if (rate == 0 || !j->db->options.background) return;
    uint64_t bytes = j->written + (j->builder ? table_builder_size(j->builder) : 0);
    uint64_t elapsed = j->db->os->ops->mono_ns(j->db->os) - j->begin_ns;
    uint64_t due = (uint64_t)((double)bytes / (double)rate * 1e9);
    if (due <= elapsed) return;
    uint64_t wait = due - elapsed;
    if (wait > SLEEP_MS_MAX * 1000000ull) wait = SLEEP_MS_MAX * 1000000ull;
    nanosleep(&(struct timespec){0, (long)wait}, NULL);
}

static int keep_going(job *j) {
    if (atomic_load_explicit(&j->db->closing, memory_order_relaxed)) return status_set(RKV_ECLOSED, "closing");
    throttle(j);
    return RKV_OK;
}

static int output_add(job *j) {
    iter *it = j->merge;
    int rc = RKV_OK;
    if (cutter_cuts(&j->cutter, it->key, j->builder ? table_builder_size(j->builder) : 0)) rc = output_finish(j);
    if (rc == RKV_OK && !j->builder) rc = table_start(j->db, j->pick.output, &j->builder);
    return rc ? rc : table_builder_add(j->builder, it->key, &it->cell);
}

static int merge_all(job *j) {
    iter *it = j->merge;
    int rc = RKV_OK;
    uint64_t n = 0;
    for (it->ops->seek(it, (slice){0}); it->valid && rc == RKV_OK; n++) {
        value_ref kept;
        bool has_kept = false;
        if (!drop_cell(&j->rules, it->key, &it->cell)) {
            rc = output_add(j);
            has_kept = it->cell.flags & CELL_POINTER && value_ref_decode(it->cell.payload, &kept);
        }
        if (rc == RKV_OK && n % LOOK_EVERY == 0) rc = keep_going(j);
        if (rc) break;
        it->ops->next(it);
        if (j->left.count) judge(j, has_kept ? &kept : NULL);
    }
    if (rc == RKV_OK) rc = it->status;
    return rc ? rc : output_finish(j);
}

/* --- the job ----------------------------------------------------------------------------------------------------------------- */

static void outputs_discard(job *j, bool unknown) {
    for (size_t i = 0; i < j->output_count; i++) {
        if (!unknown) atomic_store(&j->outputs[i].file->obsolete, true);
        table_file_unref(j->outputs[i].file);
    }
    j->output_count = 0;
}

static void note_merge(job *j) {
    background_counts *c = &j->db->background;
    uint64_t read = 0;
    uint64_t upper = 0;
    for (size_t i = 0; i < j->pick.count; i++) {
        read += j->pick.inputs[i]->props.size;
        if (i < j->pick.upper_count) upper += j->pick.inputs[i]->props.size;
    }
    atomic_fetch_add(&c->compactions, 1);
    atomic_fetch_add(&c->compact_read_bytes, read);
    atomic_fetch_add(&c->compact_write_bytes, j->written);
    if (j->pick.level || upper == 0) return;
    double cost = (double)(j->db->os->ops->mono_ns(j->db->os) - j->begin_ns) / ((double)upper / (1 << 20));
    uint64_t old = atomic_load(&c->compact_ns_per_mib);
    atomic_store(&c->compact_ns_per_mib, old ? (uint64_t)(0.7 * (double)old + 0.3 * cost) : (uint64_t)cost);
}

static int run_merge(job *j) {
    db *d = j->db;
    bool unknown = false;
    j->begin_ns = d->os->ops->mono_ns(d->os);
    j->rules.inputs = j->pick.inputs;
    j->rules.input_count = j->pick.count;
    cutter_init(&j->cutter, j->rules.picture->version, j->pick.output, d->options.table_bytes);
    j->dead = mem_zalloc(sizeof *j->dead);
    if (!j->dead) return alloc_failed(sizeof *j->dead);
    int rc = open_merge(j);
    if (rc == RKV_OK) rc = merge_all(j);
    if (rc == RKV_OK) {
        store_change change = {
            .added = j->outputs,
            .added_count = j->output_count,
            .removed = j->pick.inputs,
            .removed_count = j->pick.count,
            .dead = j->dead,
        };
        rc = store_commit(d, &change);
        unknown = change.unknown;
        j->dead = change.dead;
    }
    if (rc == RKV_OK) note_merge(j);
    outputs_discard(j, rc == RKV_OK || unknown);
    return rc;
}

/* Tables that change their level, or go, without being read. */
static int run_edit(job *j) {
    const pick *p = &j->pick;
    version_add *added = mem_alloc(p->count * sizeof *added);
    if (!added) return alloc_failed(p->count * sizeof *added);
    for (size_t i = 0; i < p->count; i++) added[i] = (version_add){p->inputs[i], p->output};
    store_change change = {
        .added = added,
        .added_count = p->kind == PICK_MOVE ? p->count : 0,
        .removed = p->inputs,
        .removed_count = p->count,
    };
    int rc = store_commit(j->db, &change);
    if (rc == RKV_OK) atomic_fetch_add(&j->db->background.moves, p->count);
    mem_free(added);
    return rc;
}

static void job_clear(job *j) {
    table_builder_abort(j->builder);
    iter_close(j->merge);
    mem_free(j->outputs);
    ref_list_clear(&j->left);
    if (j->dead) ref_list_clear(&j->dead->refs);
    mem_free(j->dead);
    pick_clear(&j->pick);
    drop_rules_clear(&j->rules, j->db);
}

/* Run what was picked. Tables that go unread are read after all when they may hold the last word on values. */
static int run(job *j) {
    if (j->pick.kind == PICK_DROP && vlog_files(j->db->values, NULL, 0) > 0) j->pick.kind = PICK_MERGE;
    return j->pick.kind == PICK_MERGE ? run_merge(j) : run_edit(j);
}

/* A range deletion goes when nothing that it covers is left or can still come. */
static int retire_ranges(job *j) {
    const drop_rules *r = &j->rules;
    const rdel_set *set = r->picture->version->rdels;
    size_t count = rdel_set_count(set);
    size_t kept = 0;
    if (count == 0) return RKV_END;
    bool *keep = mem_alloc(count * sizeof *keep);
    if (!keep) return alloc_failed(count * sizeof *keep);
    for (size_t i = 0; i < count; i++) kept += keep[i] = range_needed(r, &set->items[i]);
    int rc = RKV_END;
    if (kept < count) {
        store_change change = {.has_rdels = true, .rdels_from = r->picture->version->rdels};
        rc = rdel_set_select(&change.rdels, set, keep);
        if (rc == RKV_OK) rc = store_commit(j->db, &change);
        rdel_set_unref(change.rdels);
        if (rc == RKV_STALE) rc = RKV_OK; /* the next job looks again */
    }
    mem_free(keep);
    return rc;
}

static pick_options pick_options_now(const job *j) {
    const db_options *o = &j->db->options;
    return (pick_options){
        .l0_trigger = o->l0_slowdown / 2,
        .level_bytes = o->level_bytes,
        .multiplier = o->level_multiplier,
        .table_bytes = o->table_bytes,
        .now_ms = j->rules.now_ms,
        .horizon_min = drop_rules_horizon_min(&j->rules),
        .mem_min_hlc = j->rules.mem_min_hlc,
    };
}

/* Begin a job with the picture of now. RKV_END: the store does no compaction in its state. */
static int job_begin(job *j, db *d) {
    *j = (job){.db = d};
    if (atomic_load(&d->failure) != RKV_OK || atomic_load(&d->closing)) return RKV_END;
    return drop_rules_init(&j->rules, d, NULL);
}

int compact_unit(db *d) {
    job j;
    int rc = job_begin(&j, d);
    if (rc) return background_result(d, rc, "compaction");
    pick_options o = pick_options_now(&j);
    rc = pick_next(&j.pick, j.rules.picture->version, &o, &d->cursor);
    if (rc == RKV_OK) rc = run(&j);
    if (rc == RKV_END) rc = retire_ranges(&j);
    rc = background_result(d, rc, "compaction");
    job_clear(&j);
    return rc;
}

/* --- db_compact -------------------------------------------------------------------------------------------------------------- */

/* The next job of m in v. RKV_END: all is done. */
static int manual_pick(manual *m, const version *v, pick *out) {
    for (; m->level < LEVELS; m->level++) {
        bool deepest = m->level > 0 && m->level + 1 >= v->depth;
        if (deepest || (m->level == 0 && m->level_done)) continue;
        int rc = pick_range(out, v, m->level, m->begin, m->end);
        m->level_done = true;
        if (rc != RKV_END) return rc;
    }
    return pick_stale(out, v, m->begin, m->end, m->before);
}

int manual_unit(db *d) {
    job j;
    pthread_mutex_lock(&d->lock);
    manual m = d->manual;
    pthread_mutex_unlock(&d->lock);
    if (!m.waiting) return RKV_END;
    int rc = job_begin(&j, d);
    if (rc == RKV_OK) rc = manual_pick(&m, j.rules.picture->version, &j.pick);
    if (rc == RKV_OK) rc = run(&j);
    rc = background_result(d, rc, "compaction");
    job_clear(&j);
    pthread_mutex_lock(&d->lock);
    if (rc == RKV_OK) d->manual = m;
    if (rc == RKV_END) d->manual.waiting = false;
    pthread_cond_broadcast(&d->done);
    pthread_mutex_unlock(&d->lock);
    return rc;
}
