/* test_db_threads.c: the store with all its threads on a real directory: readers with views beside the writer, jobs, stops and goes, kill -9.
 * Built under ThreadSanitizer, too.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "db_twin.h"

static char dir[] = "/tmp/rkv-test-db-XXXXXX";

static void fresh_dir(void) {
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'/*", dir);
    CHECK(system(command) == 0);
}

static db_options small(void) {
    db_options o;
    db_options_init(&o);
    o.dir = dir;
    o.memory_bytes = 4 << 20;
    o.memtable_bytes = 128 * 1024;
    o.wal_segment_bytes = 256 * 1024;
    o.value_log_min = 2048;
    o.value_file_bytes = 256 * 1024;
    o.table_bytes = 64 * 1024;
    o.level_bytes = 256 * 1024;
    o.level_multiplier = 4;
    return o;
}

static void nap(long us) {
    nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

/* As an owner should. */
static void obey(db *d) {
    while (db_write_delay(d) == UINT64_MAX) {
        OK(db_commit(d, NULL));
        nap(200);
    }
}

/* --- readers beside the writer --------------------------------------------------------------------------------------------------- */

typedef struct shown {
    db_view *view;
    twin *picture;
} shown;

typedef struct desk {
    db *d;
    pthread_mutex_t lock;
    shown slots[2]; /* the writer fills, readers take */
    atomic_bool done;
    atomic_uint compared;
} desk;

static bool take(desk *k, shown *out) {
    bool got = false;
    pthread_mutex_lock(&k->lock);
    for (int i = 0; i < 2 && !got; i++) {
        if (!k->slots[i].view) continue;
        *out = k->slots[i];
        k->slots[i] = (shown){0};
        got = true;
    }
    pthread_mutex_unlock(&k->lock);
    return got;
}

static void *reader_main(void *context) {
    desk *k = context;
    for (;;) {
        shown s;
        if (take(k, &s)) {
            OK(twin_compare_view(k->d, s.view, s.picture, twin_shape_now.base_ms + 5000, false, (slice){0},
                                 (slice){0}));
            db_view_release(s.view);
            free(s.picture);
            atomic_fetch_add(&k->compared, 1);
        } else if (atomic_load(&k->done)) {
            return NULL;
        } else {
            nap(300);
        }
    }
}

static void show(desk *k, const twin *t) {
    pthread_mutex_lock(&k->lock);
    int slot = !k->slots[0].view ? 0 : !k->slots[1].view ? 1 : -1;
    pthread_mutex_unlock(&k->lock);
    if (slot < 0) return;
    shown s = {db_view_acquire(k->d), malloc(sizeof *t)};
    CHECK(s.view && s.picture);
    *s.picture = *t;
    pthread_mutex_lock(&k->lock);
    k->slots[slot] = s;
    pthread_mutex_unlock(&k->lock);
}

static void test_readers_beside_the_writer(void) {
    dice dice = {dice_seed("readers", 1)};
    db_options o = small();
    desk k = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t readers[3];
    twin *t = calloc(1, sizeof *t);
    uint64_t hlc = 0;
    unsigned rounds = getenv("RKV_SOAK") ? 60000 : 3000;
    CHECK(t);
    fresh_dir();
    OK(db_open(&k.d, &o, NULL));
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&readers[i], NULL, reader_main, &k) == 0);
    for (unsigned i = 0; i < rounds; i++) {
        unsigned count = 1 + (unsigned)dice_below(&dice, 12);
        for (unsigned n = 0; n < count; n++) {
            unsigned key = (unsigned)dice_below(&dice, TWIN_KEYS);
            OK(twin_store_put(k.d, key, ++hlc, 1));
            twin_put(t, key, hlc, 1);
        }
        OK(db_commit(k.d, NULL));
        obey(k.d);
        if (dice_one_in(&dice, 400)) {
            db_set_node(k.d, 1);
            OK(db_reserve(k.d, 1, 100));
            db_delete_range(k.d, (slice){0}, (slice){0}, ++hlc);
            twin_delete_range(t, 0, TWIN_KEYS, hlc, 1);
        }
        if (dice_one_in(&dice, 7)) show(&k, t);
        if (dice_one_in(&dice, 500)) OK(db_compact(k.d, (slice){0}, (slice){0}));
        if (dice_one_in(&dice, 300)) db_set_memory(k.d, (2 + dice_below(&dice, 4)) << 20);
    }
    atomic_store(&k.done, true);
    for (int i = 0; i < 3; i++) pthread_join(readers[i], NULL);
    CHECK(atomic_load(&k.compared) > 10);
    OK(db_wait_idle(k.d));
    OK(twin_compare(k.d, t, twin_shape_now.base_ms + 5000, false));
    buf report = {0};
    OK(db_verify(k.d, &report));
    buf_clear(&report);
    db_stats stats;
    db_get_stats(k.d, &stats);
    CHECK(stats.flushes > 2 && stats.compactions > 0);
    OK(db_close(k.d));
    OK(db_open(&k.d, &o, NULL));
    OK(twin_compare(k.d, t, twin_shape_now.base_ms + 5000, false));
    OK(db_close(k.d));
    free(t);
}

/* --- jobs ------------------------------------------------------------------------------------------------------------------------- */

typedef struct task {
    db_job job;
    unsigned number, squared;
} task;

static void square(db_job *job) {
    task *t = (task *)job;
    t->squared = t->number * t->number;
}

static void test_jobs_come_back(void) {
    enum { TASKS = 500 };
    static task tasks[TASKS];
    db_options o = small();
    db *d;
    unsigned back = 0;
    fresh_dir();
    OK(db_open(&d, &o, NULL));
    for (unsigned i = 0; i < TASKS; i++) {
        tasks[i] = (task){.job = {.run = square}, .number = i};
        db_submit(d, &tasks[i].job);
    }
    while (back < TASKS) {
        db_event_clear(d);
        for (db_job *job; (job = db_finished(d));) {
            task *t = (task *)job;
            CHECK(t->squared == t->number * t->number);
            back++;
        }
        nap(100);
    }
    OK(db_close(d));
}

/* --- durability -------------------------------------------------------------------------------------------------------------------- */

static void test_synced_before_told(void) {
    db_options o = small();
    db *d;
    uint64_t hlc = 0;
    o.sync = WAL_ALWAYS;
    fresh_dir();
    OK(db_open(&d, &o, NULL));
    for (unsigned i = 0; i < 200; i++) {
        uint64_t seq;
        OK(twin_store_put(d, i % TWIN_KEYS, ++hlc, 1));
        OK(db_commit(d, &seq));
        CHECK(seq == db_last_seq(d));
        if (i % 10) continue;
        OK(db_sync(d));
        CHECK(db_durable(d) >= seq);
    }
    OK(db_close(d));
}

/* The child writes and says how far it has committed; the parent kills it at any moment. */
static void child(int out) {
    db_options o = small();
    db *d;
    if (db_open(&d, &o, NULL)) _exit(1);
    for (uint64_t hlc = 1;; hlc++) {
        if (twin_store_put(d, (unsigned)(hlc % TWIN_KEYS), hlc, 1) || db_commit(d, NULL)) _exit(1);
        while (db_write_delay(d) == UINT64_MAX) nap(100);
        if (write(out, &hlc, sizeof hlc) != sizeof hlc) _exit(1);
    }
}

static void test_kill(void) {
    dice dice = {dice_seed("kill", 1)};
    unsigned rounds = getenv("RKV_SOAK") ? 200 : 5;
    for (unsigned round = 0; round < rounds; round++) {
        int ends[2];
        db *d;
        db_options o = small();
        uint64_t hlc = 0, told;
        fresh_dir();
        CHECK(pipe(ends) == 0);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            close(ends[0]);
            child(ends[1]);
        }
        close(ends[1]);
        uint64_t until = 1 + dice_below(&dice, 30000);
        while (hlc < until && read(ends[0], &told, sizeof told) == sizeof told) hlc = told;
        CHECK(kill(pid, SIGKILL) == 0);
        while (read(ends[0], &told, sizeof told) == sizeof told) hlc = told;
        CHECK(waitpid(pid, NULL, 0) == pid);
        close(ends[0]);
        OK(db_open(&d, &o, NULL));
        /* Each key has its last version up to hlc, or the one being written. */
        for (unsigned key = 0; key < TWIN_KEYS; key++) {
            uint8_t name[TWIN_KEY_SIZE_MAX];
            db_value v;
            slice k = twin_key(key, name);
            uint64_t last = hlc < key ? 0 : hlc - (hlc - key) % TWIN_KEYS;
            if (last == 0) continue;
            int rc = db_get(d, k, db_hash(d, k), false, &v);
            cell want = twin_cell_of(key, last, 1);
            bool dead = !cell_live(&want, o.os ? 0 : (uint64_t)time(NULL) * 1000);
            twin_cell_free(&want);
            if (rc == RKV_NOTFOUND) {
                CHECK(dead); /* dropped */
                continue;
            }
            OK(rc);
            CHECK(v.cell.hlc == last || v.cell.hlc == last + TWIN_KEYS || v.cell.hlc == hlc + 1);
            OK(twin_check_cell(d, key, &v.cell));
            db_value_release(d, &v);
        }
        OK(db_close(d));
    }
}

int main(void) {
    CHECK(mkdtemp(dir));
    twin_shape_now = (twin_shape){.small = 200, .large = 5000, .large_one_in = 20, .base_ms = 4000000000000};
    RUN(test_readers_beside_the_writer);
    RUN(test_jobs_come_back);
    RUN(test_synced_before_told);
    RUN(test_kill);
    fresh_dir();
    CHECK(rmdir(dir) == 0);
    return check_done();
}
