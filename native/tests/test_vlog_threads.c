/* test_vlog_threads.c: the value log used by many threads at once, also under ThreadSanitizer. */
#include <pthread.h>
#include <unistd.h>

#include "vlog_model.h"

static void *work(void *context) {
    uint64_t base = (uint64_t)(uintptr_t)context * 100000;
    value_ref refs[150];
    for (uint64_t i = 0; i < 150; i++) {
        refs[i] = append(base + i);
        if (i % 20 == 19) OK(vlog_sync(v));
        if (i % 3 == 2) vlog_add_garbage(v, &refs[i - 2]);
        if (i % 3 == 1) must_read(base + i, &refs[i]);
        size_t deleted;
        if (i % 50 == 49) OK(vlog_collect(v, &deleted));
        if (i == 75) OK(vlog_seal(v));
    }
    for (uint64_t i = 0; i < 150; i++)
        if (i % 3) must_read(base + i, &refs[i]);
    return NULL;
}

static void run_threads(void) {
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

static void test_threads(void) {
    machine(1);
    run_threads();
    finish();
}

static void *sync_slowly(void *context) {
    (void)context;
    OK(vlog_sync(v));
    return NULL;
}

/* Who finds nothing to sync because somebody is at it waits for that. */
static void test_sync_waits_for_a_sync(void) {
    machine(1);
    OK(vlog_close(v));
    os *slow = os_slow_new(os_fault_os(f), 0);
    vlog_options options = options_of(slow);
    OK(vlog_open(&v, &options, NULL, 0, 1));
    append(3);
    uint64_t before = os_fault_calls(f, FAULT_SYNC);
    os_slow_set(slow, 0, 200);
    pthread_t other;
    CHECK(pthread_create(&other, NULL, sync_slowly, NULL) == 0);
    for (bool taken = false; !taken; usleep(1000)) {
        pthread_mutex_lock(&v->lock);
        taken = !v->files[0]->unsynced;
        pthread_mutex_unlock(&v->lock);
    }
    OK(vlog_sync(v));
    CHECK(os_fault_calls(f, FAULT_SYNC) == before + 1);
    pthread_join(other, NULL);
    OK(vlog_close(v));
    os_slow_free(slow);
    os_fault_free(f);
}

static char scratch[200];

static void remove_name(void *context, const char *name) {
    (void)context;
    char path[300];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    unlink(path);
}

static void test_threads_on_the_real_system(void) {
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/respkv-vlog-XXXXXX", tmp ? tmp : "/tmp");
    CHECK(mkdtemp(scratch));
    vlog_options options = options_of(os_posix());
    options.dir = scratch;
    OK(vlog_open(&v, &options, NULL, 0, 1));
    run_threads();
    OK(vlog_close(v));
    OK(os_posix()->ops->list(os_posix(), scratch, remove_name, NULL));
    CHECK(rmdir(scratch) == 0);
}

int main(void) {
    RUN(test_threads);
    RUN(test_sync_waits_for_a_sync);
    RUN(test_threads_on_the_real_system);
    return check_done();
}
