/* fuzz_wal.c: a log segment broken anywhere. What recovery replays is a prefix of what was written, or the log is refused; it never replays
 * a record that was not written, nor one out of order. */
#include "fuzz.h"

#include "base/status.h"
#include "lsm/wal.h"
#include "os/os_fault.h"

enum { RECORDS = 24, SEGMENT_BYTES = 8192 };

static const uint8_t store_id[16] = {7};

/* The nth record: its size and bytes follow from n. */
static slice record(uint64_t n) {
    static uint8_t bytes[512];
    uint64_t state = n;
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)fuzz_draw(&state);
    return slice_of(bytes, (size_t)(n * 37 % 400));
}

static wal_options options_on(os *o) {
    return (wal_options){.os = o,
                         .dir = "log",
                         .store_id = {7},
                         .segment_bytes = SEGMENT_BYTES,
                         .policy = WAL_NO,
                         .threads = false,
                         .mapped = false};
}

static int no_replay(void *context, uint64_t seq, bool durable, slice payload) {
    (void)context, (void)seq, (void)durable, (void)payload;
    return RKV_EINVAL;
}

/* A disk with a log of RECORDS records in it; the caller frees it. */
static os_fault *written(void) {
    os_fault *f = os_fault_new(1);
    os *o = os_fault_os(f);
    wal_options options = options_on(o);
    wal_recovery report;
    wal *w = NULL;
    FUZZ_CHECK(o->ops->make_dir(o, "log") == RKV_OK);
    FUZZ_CHECK(wal_open(&w, &options, 1, 1, no_replay, NULL, &report) == RKV_OK);
    for (uint64_t n = 1; n <= RECORDS; n++) {
        uint64_t seq;
        FUZZ_CHECK(wal_append(w, record(n), &seq) == RKV_OK && seq == n);
    }
    FUZZ_CHECK(wal_close(w) == RKV_OK);
    return f;
}

static void find_log(void *context, const char *name) {
    char *path = context;
    size_t size = strlen(name);
    if (size > 4 && strcmp(name + size - 4, ".wal") == 0 && !path[0]) snprintf(path, 300, "log/%s", name);
}

static void fuzz_valid(uint64_t n, buf *out) {
    (void)n;
    static uint8_t *image;
    static size_t size;
    if (!image) {
        os_fault *f = written();
        os *o = os_fault_os(f);
        char path[300] = "";
        FUZZ_CHECK(o->ops->list(o, "log", find_log, path) == RKV_OK && path[0]);
        FUZZ_CHECK(os_read_file(o, path, 1 << 20, &image, &size) == RKV_OK);
        os_fault_free(f);
    }
    fuzz_append(out, image, size);
}

static int replay(void *context, uint64_t seq, bool durable, slice payload) {
    (void)durable;
    uint64_t *next = context;
    FUZZ_CHECK(seq == *next && seq <= RECORDS && slice_equal(payload, record(seq)));
    (*next)++;
    return RKV_OK;
}

static void fuzz_one(slice input) {
    os_fault *f = os_fault_new(2);
    os *o = os_fault_os(f);
    os_file *file = NULL;
    wal_options options = options_on(o);
    wal_recovery report;
    wal *w = NULL;
    uint64_t next = 1;
    memcpy(options.store_id, store_id, 16);
    FUZZ_CHECK(o->ops->make_dir(o, "log") == RKV_OK);
    FUZZ_CHECK(o->ops->open(o, &file, "log/0000000001.wal", OS_CREATE) == RKV_OK);
    FUZZ_CHECK(file->ops->write_at(file, 0, input.data, input.size) == RKV_OK);
    FUZZ_CHECK(file->ops->close(file) == RKV_OK);
    int rc = wal_open(&w, &options, 1, 1, replay, &next, &report);
    if (rc == RKV_OK) {
        uint64_t seq;
        FUZZ_CHECK(wal_append(w, record(next), &seq) == RKV_OK && seq == next);
        FUZZ_CHECK(wal_close(w) == RKV_OK);
    } else {
        FUZZ_CHECK(rc == RKV_ECORRUPT || rc == RKV_EFORMAT);
    }
    os_fault_free(f);
}
