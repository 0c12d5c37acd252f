/* round.c: what ends a round, and what happens between rounds: commit, holds, pacing, events of the engine.
 *
 * Under the policy `always` versions are a clock for durability: every commit is noted as (seq, last version drawn), and
 * once the log is durable to seq, every version up to that one is. A reply that shows a later version waits for the next commit, and with
 * it for the disk. A value that a job wrote carries a version drawn earlier: until its commit is durable nothing counts as durable.
 */
#include <assert.h>

#include "base/status.h"
#include "serve/job.h"

enum { RESUME_MAX = 64, /* paused connections that are let go at once */ STOP_RECHECK_NS = 10 * 1000 * 1000 };

/* --- durability ---------------------------------------------------------------------------------------------------------------- */

/* The commit seq is not durable yet. */
static void note_commit(server *v, uint64_t seq) {
    if (v->late) {
        v->late_seq = seq;
        v->durable_hlc = 0;
        v->late = false;
    }
    if (v->mark_count == MARKS_MAX) v->mark_count--; /* the newest then speaks for the one before it, too */
    v->marks[(v->mark_first + v->mark_count++) % MARKS_MAX] = (struct durable_mark){seq, v->store->clock.last};
}

static void release_held(server *v, uint64_t durable) {
    for (list *l = v->held.next, *next; l != &v->held; l = next) {
        next = l->next;
        conn *c = list_entry(l, conn, held);
        if (!out_release(&c->out, durable)) list_remove(l);
        conn_send(c);
    }
}

/* The log will never be durable to what they wait for: their clients have to take the outcome for unknown. */
static void close_held(server *v) {
    for (list *l = v->held.next, *next; l != &v->held; l = next) {
        next = l->next;
        conn_kill(list_entry(l, conn, held));
    }
}

static void look_at_durable(server *v) {
    uint64_t durable = db_durable(v->db);
    for (; v->mark_count && v->marks[v->mark_first].seq <= durable; v->mark_count--) {
        v->safe_hlc = v->marks[v->mark_first].hlc;
        v->mark_first = (v->mark_first + 1) % MARKS_MAX;
    }
    if (v->late_seq <= durable) v->late_seq = 0;
    if (v->policy == WAL_ALWAYS) v->durable_hlc = v->late_seq ? 0 : v->safe_hlc;
    release_held(v, durable);
    if (!list_empty(&v->held) && db_failure(v->db) == RKV_EREADONLY) close_held(v);
}

void server_set_policy(server *v) {
    v->policy = v->store->policy;
    v->mark_first = v->mark_count = 0;
    v->late = false;
    v->late_seq = 0;
    v->safe_hlc = v->store->clock.last;
    v->durable_hlc = v->policy == WAL_ALWAYS ? v->safe_hlc : UINT64_MAX;
    release_held(v, v->policy == WAL_ALWAYS ? db_durable(v->db) : UINT64_MAX);
}

/* --- pacing -------------------------------------------------------------------------------------------------------------------- */

/* bytes were written: how long do writers wait now? */
static void pace(server *v, uint64_t bytes) {
    uint64_t us_per_mib = db_write_delay(v->db);
    if (us_per_mib == 0)
        v->write_at_ns = 0;
    else if (us_per_mib == UINT64_MAX)
        v->write_at_ns = v->now_ns + STOP_RECHECK_NS;
    else
        v->write_at_ns = (v->write_at_ns > v->now_ns ? v->write_at_ns : v->now_ns) + (us_per_mib * bytes * 1000 >> 20);
}

uint64_t server_resume_paused(server *v) {
    if (list_empty(&v->paused)) return UINT64_MAX;
    if (v->now_ms < v->pause_until_ms) return (v->pause_until_ms - v->now_ms) * 1000000;
    if (v->write_at_ns && db_write_delay(v->db) == UINT64_MAX) pace(v, 0);
    if (v->now_ns < v->write_at_ns) return v->write_at_ns - v->now_ns;
    list *l;
    for (int i = 0; i < RESUME_MAX && (l = list_pop(&v->paused)); i++) conn_resume(list_entry(l, conn, waiting));
    return list_empty(&v->paused) ? UINT64_MAX : 0;
}

void server_pause(server *v, uint64_t until_ms, bool writes_only) {
    v->pause_until_ms = until_ms;
    v->pause_writes_only = writes_only;
    for (list *l; (l = list_pop(&v->paused));) conn_resume(list_entry(l, conn, waiting));
}

/* --- the end of a round ----------------------------------------------------------------------------------------------------------- */

void server_commit(server *v) {
    uint64_t bytes = db_uncommitted(v->db) + v->written_values, seq;
    if (bytes == 0 && list_empty(&v->dirty)) return;
    int rc = db_commit(v->db, &seq);
    bool held = rc == RKV_OK && v->policy == WAL_ALWAYS && seq > db_durable(v->db);
    bool lost = held && db_failure(v->db) == RKV_EREADONLY;
    if (held)
        note_commit(v, seq);
    else if (rc == RKV_OK && v->policy == WAL_ALWAYS && v->mark_count == 0)
        v->safe_hlc = v->store->clock.last;
    for (list *l; (l = list_pop(&v->dirty));) {
        conn *c = list_entry(l, conn, dirty);
        if (rc || lost || (held && out_hold(&c->out, c->dirty_offset, seq))) {
            conn_kill(c); /* its client has to take the outcome for unknown */
            continue;
        }
        if (held) list_append(&v->held, &c->held);
        conn_send(c);
    }
    v->written_values = 0;
    if (v->policy == WAL_ALWAYS && !v->late_seq) v->durable_hlc = v->safe_hlc;
    pace(v, bytes);
}

void server_events(server *v) {
    db_event_clear(v->db);
    for (db_job *j; (j = db_finished(v->db));) job_done(v, (job *)j);
    look_at_durable(v);
}
