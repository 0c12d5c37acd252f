/* test_wal_threads.c: the write-ahead log with its own threads, on the real system, also under ThreadSanitizer. */
#include <pthread.h>
#include <unistd.h>

#include "wal_model.h"

typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    wal *w;
} waiter;

static void on_durable(void *context) {
    waiter *v = context;
    pthread_mutex_lock(&v->lock);
    pthread_cond_broadcast(&v->moved);
    pthread_mutex_unlock(&v->lock);
}

static void wait_durable(waiter *v, uint64_t seq) {
    pthread_mutex_lock(&v->lock);
    while (wal_durable(v->w) < seq) {
        CHECK(wal_failure(v->w) == RKV_OK);
        pthread_cond_wait(&v->moved, &v->lock);
    }
    pthread_mutex_unlock(&v->lock);
}

static char scratch[200];

static void scratch_make(void) {
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/respkv-wal-XXXXXX", tmp ? tmp : "/tmp");
    CHECK(mkdtemp(scratch));
}

static void remove_name(void *context, const char *name) {
    (void)context;
    char path[300];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    unlink(path);
}

static void scratch_remove(void) {
    OK(os_posix()->ops->list(os_posix(), scratch, remove_name, NULL));
    CHECK(rmdir(scratch) == 0);
}

static wal *threaded_open(waiter *v, enum wal_policy policy, replayed *r) {
    *v = (waiter){.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    wal_options options = options_of(os_posix());
    options.dir = scratch;
    options.threads = true;
    options.policy = policy;
    options.segment_bytes = 1 << 16;
    options.on_durable = on_durable;
    options.context = v;
    wal_recovery recovery;
    *r = (replayed){0};
    OK(wal_open(&v->w, &options, 0, 1, replay, r, &recovery));
    return v->w;
}

static void test_threads_always(void) {
    scratch_make();
    waiter v;
    replayed r;
    wal *w = threaded_open(&v, WAL_ALWAYS, &r);
    for (int i = 0; i < 200; i++) {
        uint64_t seq = append(w);
        for (int k = 0; k < i % 5; k++) seq = append(w); /* a group for one sync */
        wait_durable(&v, seq);
    }
    wal_stats stats;
    wal_get_stats(w, &stats);
    CHECK(stats.syncs >= 200 && stats.syncs < 2 * stats.records);
    OK(wal_close(w));
    w = threaded_open(&v, WAL_NO, &r);
    CHECK(r.last == 600);
    append(w);
    OK(wal_close(w));
    scratch_remove();
}

/* Rotation, release and recycling with both threads at work; the policy changes on the way. */
static void test_threads_rotate(void) {
    scratch_make();
    waiter v;
    replayed r;
    wal *w = threaded_open(&v, WAL_EVERYSEC, &r);
    uint64_t held[3] = {0}, id;
    for (int i = 0; i < 60000; i++) {
        append(w);
        if (i % 3000 == 0) {
            OK(wal_rotate(w, &id));
            wal_release(w, held[i / 3000 % 3]); /* what was held back two rotations ago */
            held[i / 3000 % 3] = id;
            wal_set_policy(w, (enum wal_policy)(i / 3000 % 3));
        }
    }
    wal_set_policy(w, WAL_ALWAYS);
    wait_durable(&v, 60000);
    wal_stats stats;
    wal_get_stats(w, &stats);
    CHECK(stats.recycled > 5);
    OK(wal_rotate(w, &id));
    wal_release(w, id);
    OK(wal_close(w));
    wal_options options = options_of(os_posix());
    options.dir = scratch;
    wal_recovery recovery;
    OK(wal_replay(&options, id, 60001, replay, &r, &recovery));
    CHECK(recovery.last_seq == 60000);
    scratch_remove();
}

static void *verify_often(void *context) {
    waiter *v = context;
    uint64_t last;
    do {
        last = wal_last_seq(v->w);
        OK(wal_verify(v->w));
    } while (last < 60000);
    return NULL;
}

/* A log that is written, rotated and recycled all the time can be verified, and is always sound. */
static void test_verify_while_writing(void) {
    scratch_make();
    waiter v;
    replayed r;
    wal *w = threaded_open(&v, WAL_EVERYSEC, &r);
    pthread_t reader;
    uint64_t id = 0, before = 0;
    CHECK(pthread_create(&reader, NULL, verify_often, &v) == 0);
    for (int i = 0; i < 60000; i++) {
        append(w);
        if (i % 500 == 0) {
            wal_release(w, before);
            before = id;
            OK(wal_rotate(w, &id));
        }
    }
    pthread_join(reader, NULL);
    OK(wal_close(w));
    scratch_remove();
}

/* everysec syncs by itself, and when nothing follows, marks what is durable. */
static void test_threads_idle_mark(void) {
    scratch_make();
    waiter v;
    replayed r;
    wal *w = threaded_open(&v, WAL_EVERYSEC, &r);
    for (int i = 0; i < 10; i++) append(w);
    wait_durable(&v, 10);
    wal_options options = options_of(os_posix());
    options.dir = scratch;
    for (int i = 0; i < 500; i++) { /* as if the process had been killed here: is all of it covered? */
        wal_recovery recovery;
        r = (replayed){0};
        OK(wal_replay(&options, 0, 1, replay, &r, &recovery));
        CHECK(r.last == 10);
        if (r.durable == 10) break;
        usleep(10000);
    }
    CHECK(r.durable == 10);
    OK(wal_sync(w)); /* the mark's own sync may be under way */
    wal_stats stats;
    wal_get_stats(w, &stats);
    uint64_t syncs = stats.syncs;
    usleep(1200000);
    wal_get_stats(w, &stats);
    CHECK(stats.syncs == syncs); /* and then there is silence */
    OK(wal_close(w));
    scratch_remove();
}

int main(void) {
    RUN(test_threads_always);
    RUN(test_threads_rotate);
    RUN(test_verify_while_writing);
    RUN(test_threads_idle_mark);
    return check_done();
}
