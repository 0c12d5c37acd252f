/* fuzz_store.c: a store one of whose files is broken anywhere. It opens or says why not; each key then has its own value or an error.
 *
 * A key may be missing only if it was in the log alone, and what was broken is the log or a value that the log points to: no mark tells yet
 * that these records were synced, so they may be a torn tail or the remains of a recycled segment. test_wal.c holds the log's own rules.
 */
#include "fuzz.h"

#include "base/status.h"
#include "lsm/db.h"
#include "os/os_fault.h"

enum { KEYS = 600, IN_TABLES = 480, FILES_MAX = 64, NAME_MAX_SIZE = 64 };

typedef struct stored_file {
    char path[NAME_MAX_SIZE];
    uint8_t *data;
    size_t size;
} stored_file;

static stored_file files[FILES_MAX];
static size_t file_count;

static slice key_of(unsigned n, char out[32]) {
    return slice_of(out, (size_t)snprintf(out, 32, "%c%ckey:%06u", 0, (int)(n % 7), n));
}

/* The value of a key follows from its number; some are for the value log. */
static slice value_of(unsigned n, uint8_t out[4096]) {
    size_t size = n % 50 == 0 ? 3000 : n % 90;
    uint64_t state = n;
    for (size_t i = 0; i < size; i++) out[i] = (uint8_t)fuzz_draw(&state);
    return slice_of(out, size);
}

static db_options options_on(os *o) {
    db_options options;
    db_options_init(&options);
    options.os = o;
    options.dir = "store";
    options.memory_bytes = 8 << 20;
    options.wal_segment_bytes = 64 * 1024;
    options.value_log_min = 1024;
    options.block_bytes = 1024;
    options.sync = WAL_NO;
    options.background = false;
    options.mapped_wal = false;
    return options;
}

/* Write keys [begin, end) in batches. */
static void write_keys(db *d, unsigned begin, unsigned end) {
    buf batch = {0};
    for (unsigned n = begin; n < end; n++) {
        char key[32];
        uint8_t value[4096];
        cell c = {.hlc = 1000 + n, .node = 1, .payload = value_of(n, value)};
        if (n % 8 == 0) FUZZ_CHECK(batch_begin(&batch, 1000 + n, 1) == RKV_OK);
        FUZZ_CHECK(batch_put(&batch, key_of(n, key), &c) == RKV_OK);
        if (n % 8 == 7) FUZZ_CHECK(db_write(d, buf_slice(&batch), NULL) == RKV_OK);
    }
    buf_clear(&batch);
}

static void keep_file(void *context, const char *name) {
    os *o = context;
    stored_file *f = &files[file_count];
    if (strcmp(name, "LOCK") == 0 || strcmp(name, "RESERVE") == 0) return;
    FUZZ_CHECK(file_count < FILES_MAX);
    snprintf(f->path, sizeof(f->path), "store/%s", name);
    FUZZ_CHECK(os_read_file(o, f->path, 1 << 28, &f->data, &f->size) == RKV_OK);
    file_count++;
}

/* A store with tables, a value log and, in the log, keys that are in no table; all synced. */
static void build(void) {
    os_fault *f = os_fault_new(1);
    os *o = os_fault_os(f);
    db_options options = options_on(o);
    db_recovery report;
    db *d = NULL;
    FUZZ_CHECK(db_open(&d, &options, &report) == RKV_OK);
    write_keys(d, 0, 240);
    FUZZ_CHECK(db_flush(d) == RKV_OK);
    write_keys(d, 240, IN_TABLES);
    FUZZ_CHECK(db_flush(d) == RKV_OK);
    write_keys(d, IN_TABLES, KEYS);
    FUZZ_CHECK(db_sync(d) == RKV_OK);
    /* As a killed process leaves it, so that the log is needed. */
    os_fault *killed = os_fault_clone(f);
    FUZZ_CHECK(os_fault_os(killed)->ops->list(os_fault_os(killed), "store", keep_file, os_fault_os(killed)) == RKV_OK);
    os_fault_free(killed);
    FUZZ_CHECK(db_close(d) == RKV_OK);
    os_fault_free(f);
}

/* The first byte of an input says which file it is. */
static void fuzz_valid(uint64_t n, buf *out) {
    if (!file_count) build();
    uint8_t which = (uint8_t)(n % file_count);
    fuzz_append(out, &which, 1);
    fuzz_append(out, files[which].data, files[which].size);
}

static void put_file(os *o, const char *path, slice bytes) {
    os_file *file = NULL;
    FUZZ_CHECK(o->ops->open(o, &file, path, OS_CREATE) == RKV_OK);
    FUZZ_CHECK(file->ops->write_at(file, 0, bytes.data, bytes.size) == RKV_OK);
    FUZZ_CHECK(file->ops->sync(file) == RKV_OK);
    FUZZ_CHECK(file->ops->close(file) == RKV_OK);
}

static void check_key(db *d, unsigned n, bool log_broken) {
    char key[32];
    uint8_t expected_bytes[4096], got[4096];
    slice k = key_of(n, key), expected = value_of(n, expected_bytes);
    db_value v;
    int rc = db_get(d, k, db_hash(d, k), false, &v);
    FUZZ_CHECK(rc == RKV_OK || rc == RKV_ECORRUPT || (rc == RKV_NOTFOUND && log_broken && n >= IN_TABLES));
    if (rc) return;
    slice value = v.cell.payload;
    if (v.cell.flags & CELL_POINTER) {
        uint64_t size = 0;
        rc = db_value_size(&v.cell, &size);
        FUZZ_CHECK(rc == RKV_OK && size == expected.size);
        rc = db_value_read(d, k, &v.cell, false, got);
        FUZZ_CHECK(rc == RKV_OK || rc == RKV_ECORRUPT);
        value = rc ? expected : slice_of(got, (size_t)size);
    }
    FUZZ_CHECK(slice_equal(value, expected) && v.cell.hlc == 1000 + n);
    db_value_release(d, &v);
}

static void fuzz_one(slice input) {
    if (input.size < 1 || input.data[0] >= file_count) return;
    os_fault *f = os_fault_new(2);
    os *o = os_fault_os(f);
    db_options options = options_on(o);
    db_recovery report;
    db *d = NULL;
    FUZZ_CHECK(o->ops->make_dir(o, "store") == RKV_OK);
    for (size_t i = 0; i < file_count; i++) {
        slice whole = slice_of(files[i].data, files[i].size);
        put_file(o, files[i].path, i == input.data[0] ? slice_of(input.data + 1, input.size - 1) : whole);
    }
    FUZZ_CHECK(o->ops->sync_dir(o, "store") == RKV_OK);
    int rc = db_open(&d, &options, &report);
    FUZZ_CHECK(rc == RKV_OK || rc == RKV_ECORRUPT || rc == RKV_EFORMAT || rc == RKV_ETOOBIG);
    if (rc == RKV_OK) {
        const char *path = files[input.data[0]].path;
        bool log_broken = strstr(path, ".wal") || (strstr(path, ".vlog") && report.wal_cut_bytes);
        for (unsigned n = 0; n < KEYS; n += 3) check_key(d, n, log_broken);
        db_close(d);
    }
    os_fault_free(f);
}
