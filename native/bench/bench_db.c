/* bench_db.c: db_bench's workloads on this engine, with db_bench's names for flags and the same key space: 16 decimal digits,
 * values half compressible.
 *
 *   bench_db --benchmarks=fillseq,readseq,fillrandom,overwrite,readrandom,readmissing,readwhilewriting,fillsync,compact,stats,waitidle
 *            --num=N --reads=N --writes=N --value_size=100 --key_size=16 --db=DIR --cache_size=B --write_buffer_size=B --bloom_bits=10
 *            --histogram=0|1 --compression=0|1 --use_existing_db=0|1 --batch=1 --seed=1 --wal_mapped=1 --multiget=1
 *
 * A line a benchmark: micros/op, ops/s, MB/s of keys and values, CPU of the whole process an op, bytes written per user byte: as the store counts
 * them (log, tables, values), and as /proc/self/io does, which has first-time zeros of log segments and charges a large folio for each block. Writers obey db_write_delay, and the time they wait counts.
 * --memory_bytes follows from cache_size + 2 write buffers, as RocksDB counts them.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/status.h"
#include "lsm/db.h"

enum { PACE_BYTES = 64 * 1024, VALUE_POOL = 1 << 20 };

typedef struct flags {
    const char *benchmarks, *db;
    uint64_t num, reads, writes, value_size, key_size, cache_size, write_buffer_size, bloom_bits, seed, batch, multiget;
    uint64_t compression, use_existing_db, wal_mapped, histogram;
} flags;

static flags f = {
    .benchmarks = "fillseq,readseq,fillrandom,overwrite,readrandom,readmissing",
    .db = "/tmp/bench_db",
    .num = 1000000,
    .value_size = 100,
    .key_size = 16,
    .cache_size = 8 << 20,
    .write_buffer_size = 64 << 20,
    .bloom_bits = 10,
    .seed = 1,
    .batch = 1,
    .multiget = 1,
    .wal_mapped = 1,
};

static db *d;
static uint64_t hlc = 1;
static uint8_t *pool; /* of value bytes */

static void die(const char *what) {
    fprintf(stderr, "bench_db: %s: %s\n", what, status_text());
    exit(1);
}

#define MUST(expression)                                                                                               \
    do {                                                                                                               \
        if (expression) die(#expression);                                                                              \
    } while (0)

/* --- numbers ----------------------------------------------------------------------------------------------------------------- */

typedef struct random_state {
    uint64_t s;
} random_state;

static uint64_t random_next(random_state *r) {
    r->s += 0x9e3779b97f4a7c15ull;
    uint64_t x = r->s;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint64_t device_bytes(void) {
    char line[100];
    uint64_t bytes = 0;
    FILE *file = fopen("/proc/self/io", "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file)) sscanf(line, "write_bytes: %" SCNu64, &bytes);
    fclose(file);
    return bytes;
}

/* --- latencies: buckets of a sixteenth of a power of two, in ns -------------------------------------------------------------- */

enum { BUCKETS = 64 * 16 };

typedef struct histogram {
    uint64_t counts[BUCKETS], max, all;
} histogram;

static void histogram_add(histogram *h, double seconds) {
    uint64_t ns = (uint64_t)(seconds * 1e9) + 16;
    unsigned high = 63 - (unsigned)__builtin_clzll(ns);
    h->counts[high * 16 + (ns >> (high - 4) & 15)]++;
    h->all++;
    if (ns > h->max) h->max = ns;
}

static double histogram_us(const histogram *h, double part) {
    uint64_t left = (uint64_t)(part * (double)h->all);
    unsigned i = 0;
    for (; i + 1 < BUCKETS && left >= h->counts[i]; i++) left -= h->counts[i];
    return (double)((16 + i % 16 + 1) << (i / 16) >> 4) / 1e3;
}

static void histogram_print(const histogram *h) {
    if (!h->all) return;
    printf("%-18s  p50 %.1f, p99 %.1f, p99.9 %.1f, p99.99 %.1f, longest %.1f us\n", "", histogram_us(h, 0.5),
           histogram_us(h, 0.99), histogram_us(h, 0.999), histogram_us(h, 0.9999), (double)h->max / 1e3);
}

/* --- keys and values --------------------------------------------------------------------------------------------------------- */

static slice key_of(uint64_t n, uint8_t *out) {
    for (size_t i = f.key_size; i-- > 0; n /= 10) out[i] = (uint8_t)('0' + n % 10);
    return slice_of(out, f.key_size);
}

/* Half of each 100 bytes repeats the other half. */
static void pool_fill(void) {
    random_state r = {301};
    pool = malloc(VALUE_POOL);
    if (!pool) exit(1);
    for (size_t i = 0; i < VALUE_POOL; i += 100)
        for (size_t k = 0; k < 100 && i + k < VALUE_POOL; k++)
            pool[i + k] = k < 50 ? (uint8_t)(' ' + random_next(&r) % 95) : pool[i + k - 50];
}

static slice value_of(random_state *r) {
    return slice_of(pool + random_next(r) % (VALUE_POOL - f.value_size), f.value_size);
}

/* --- one measured run -------------------------------------------------------------------------------------------------------- */

typedef struct run {
    const char *name;
    random_state random;
    uint64_t ops, found, bytes;
    uint64_t unpaced;
    double owed_us; /* of delay, not slept yet */
    double begin, begin_cpu;
    uint64_t begin_device, begin_user, begin_store;
} run;

static histogram latencies; /* of the run at hand */

static uint64_t user_bytes(uint64_t *out_store) {
    db_stats s = {0};
    if (d) db_get_stats(d, &s);
    *out_store = s.wal.bytes_written + s.flush_bytes + s.compact_write_bytes + s.value_log_bytes;
    return s.user_bytes;
}

static void run_begin(run *r, const char *name) {
    latencies = (histogram){0};
    *r = (run){.name = name, .random = {f.seed * 7919}};
    for (const char *c = name; *c; c++)
        r->random.s = r->random.s * 31 + (uint8_t)*c; /* no two read or write the same keys in turn */
    r->begin_user = user_bytes(&r->begin_store);
    r->begin_device = device_bytes();
    r->begin_cpu = cpu_seconds();
    r->begin = now();
}

static void run_end(run *r) {
    double seconds = now() - r->begin;
    double cpu = cpu_seconds() - r->begin_cpu;
    uint64_t store;
    uint64_t user = user_bytes(&store) - r->begin_user;
    printf("%-18s: %9.3f micros/op %9.0f ops/sec; %7.1f MB/s; cpu %.3f us/op", r->name,
           seconds * 1e6 / (double)(r->ops ? r->ops : 1), (double)r->ops / seconds, (double)r->bytes / seconds / 1e6,
           cpu * 1e6 / (double)(r->ops ? r->ops : 1));
    if (user)
        printf("; written %.2f (io: %.2f)", (double)(store - r->begin_store) / (double)user,
               (double)(device_bytes() - r->begin_device) / (double)user);
    if (r->found) printf(" (%" PRIu64 " of %" PRIu64 " found)", r->found, r->ops);
    printf("\n");
    histogram_print(&latencies);
    fflush(stdout);
}

/* Wait as the store asks, in naps long enough to be worth it. */
static void pace(run *r, size_t bytes) {
    r->unpaced += bytes;
    if (r->unpaced < PACE_BYTES) return;
    uint64_t delay;
    while ((delay = db_write_delay(d)) == UINT64_MAX) {
        MUST(db_commit(d, NULL));
        nanosleep(&(struct timespec){0, 500000}, NULL);
    }
    r->owed_us += (double)delay * (double)r->unpaced / (1 << 20);
    r->unpaced = 0;
    if (r->owed_us < 500) return;
    double us = r->owed_us < 5000 ? r->owed_us : 5000;
    double begin = now();
    nanosleep(&(struct timespec){0, (long)(us * 1000)}, NULL);
    r->owed_us -= (now() - begin) * 1e6;
    if (r->owed_us < -5000) r->owed_us = -5000;
}

static void put(run *r, uint64_t n) {
    uint8_t name[64];
    uint8_t ref[VALUE_REF_SIZE_MAX];
    slice key = key_of(n, name);
    cell c = {.hlc = ++hlc, .node = 1, .payload = value_of(&r->random)};
    r->bytes += key.size + c.payload.size;
    if (c.payload.size >= db_value_log_min(d)) {
        size_t size;
        MUST(db_value_write(d, key, &c, c.payload, ref, &size));
        c.payload = slice_of(ref, size);
        c.flags = CELL_POINTER;
    }
    MUST(db_reserve(d, 1, key.size + c.payload.size));
    db_put(d, key, db_hash(d, key), &c);
    r->ops++;
}

static void write_many(run *r, uint64_t count, bool random, bool sync) {
    for (uint64_t i = 0; i < count; i++) {
        double begin = f.histogram ? now() : 0;
        put(r, random ? random_next(&r->random) % f.num : i);
        if ((i + 1) % f.batch == 0) MUST(db_commit(d, NULL));
        if (sync) MUST(db_sync(d));
        pace(r, f.key_size + f.value_size);
        if (f.histogram) histogram_add(&latencies, now() - begin);
    }
    MUST(db_commit(d, NULL));
}

static void read_value(run *r, slice key, db_value *v) {
    static uint8_t *room;
    static size_t room_size;
    uint64_t size;
    MUST(db_value_size(&v->cell, &size));
    if (v->cell.flags & CELL_POINTER) {
        if (size > room_size) {
            room = realloc(room, (size_t)size);
            room_size = (size_t)size;
        }
        MUST(db_value_read(d, key, &v->cell, false, room));
    }
    r->bytes += key.size + (size_t)size;
    r->found++;
    db_value_release(d, v);
}

static void read_many(run *r, uint64_t count, bool missing) {
    enum { MANY_MAX = 256 };
    static uint8_t names[MANY_MAX][64];
    slice keys[MANY_MAX];
    uint64_t hashes[MANY_MAX];
    int status[MANY_MAX];
    static db_value values[MANY_MAX];
    uint64_t group = f.multiget < MANY_MAX ? f.multiget : MANY_MAX;
    for (uint64_t i = 0; i < count; i += group) {
        double begin = f.histogram ? now() : 0;
        for (uint64_t k = 0; k < group; k++) {
            keys[k] = key_of(random_next(&r->random) % f.num, names[k]);
            if (missing) {
                names[k][f.key_size] = '.';
                keys[k].size++;
            }
            hashes[k] = db_hash(d, keys[k]);
        }
        if (group == 1)
            status[0] = db_get(d, keys[0], hashes[0], false, &values[0]);
        else
            db_get_many(d, keys, hashes, (size_t)group, false, status, values);
        for (uint64_t k = 0; k < group; k++) {
            r->ops++;
            if (status[k] == RKV_NOTFOUND) continue;
            if (status[k]) die("get");
            read_value(r, keys[k], &values[k]);
        }
        if (f.histogram) histogram_add(&latencies, now() - begin);
    }
}

static void read_seq(run *r, uint64_t count) {
    iter *it;
    db_view *v = db_view_acquire(d);
    if (!v) die("view");
    MUST(db_iter_new(&it, v, (slice){0}, (slice){0}, 1, true));
    for (it->ops->seek(it, (slice){0}); it->valid && r->ops < count; it->ops->next(it)) {
        r->ops++;
        r->bytes += it->key.size + it->cell.payload.size;
    }
    if (it->status) die("iterator");
    iter_close(it);
    db_view_release(v);
}

/* --- reading beside a writer: the owner writes, another thread reads through views ------------------------------------------- */

typedef struct reader {
    atomic_bool done;
    _Atomic(db_view *) view; /* fresh ones, from the owner */
    run run;
    uint64_t count;
} reader;

static void *reader_main(void *context) {
    reader *x = context;
    db_view *mine = NULL;
    for (uint64_t i = 0; i < x->count; i++) {
        uint8_t name[64];
        db_value v = {0};
        if (i % 64 == 0) {
            db_view *fresh = atomic_exchange(&x->view, NULL);
            if (fresh) {
                db_view_release(mine);
                mine = fresh;
            }
        }
        if (!mine) {
            i--;
            continue;
        }
        slice key = key_of(random_next(&x->run.random) % f.num, name);
        int rc = db_get_view(mine, key, db_hash(d, key), &v);
        x->run.ops++;
        if (rc == RKV_OK) {
            x->run.found++;
            x->run.bytes += key.size + v.cell.payload.size;
        }
        db_value_release(d, &v);
    }
    db_view_release(mine);
    atomic_store(&x->done, true);
    return NULL;
}

static void read_while_writing(uint64_t count) {
    reader x = {.count = count};
    pthread_t thread;
    run w;
    run_begin(&w, "");
    run_begin(&x.run, "readwhilewriting");
    x.run.random.s += 17;
    if (pthread_create(&thread, NULL, reader_main, &x)) die("thread");
    while (!atomic_load(&x.done)) {
        put(&w, random_next(&w.random) % f.num);
        MUST(db_commit(d, NULL));
        pace(&w, f.key_size + f.value_size);
        if (!atomic_load_explicit(&x.view, memory_order_relaxed) && w.ops % 64 == 0)
            atomic_store(&x.view, db_view_acquire(d));
    }
    pthread_join(thread, NULL);
    run_end(&x.run);
    db_view_release(atomic_exchange(&x.view, NULL));
    printf("%-18s  %" PRIu64 " writes beside\n", "", w.ops);
}

/* --- the program ------------------------------------------------------------------------------------------------------------- */

static void store_close(void) {
    MUST(db_close(d));
    d = NULL;
}

static void store_open(bool fresh) {
    db_options o;
    db_recovery found;
    if (d) store_close();
    if (fresh) {
        char command[600];
        snprintf(command, sizeof command, "rm -rf '%s'", f.db);
        if (system(command)) die("rm");
    }
    db_options_init(&o);
    o.dir = f.db;
    o.memtable_bytes = f.write_buffer_size;
    o.memory_bytes = f.cache_size + 2 * (f.write_buffer_size / 4 * 5);
    o.bloom_bits = (unsigned)f.bloom_bits;
    o.compress = f.compression;
    o.mapped_wal = f.wal_mapped;
    o.sync = WAL_NO; /* as db_bench: only fillsync waits */
    MUST(db_open(&d, &o, &found));
    if (found.max_hlc > hlc) hlc = found.max_hlc;
    if (!found.created)
        printf("opened in %" PRIu64 " ms: %" PRIu64 " tables, %" PRIu64 " records of the log\n", found.elapsed_ms,
               found.tables, found.wal_records);
}

static void print_stats(void) {
    db_stats s;
    db_get_stats(d, &s);
    printf("flushes %" PRIu64 " (%" PRIu64 " MB), compactions %" PRIu64 " (%" PRIu64 " MB), moves %" PRIu64
           ", stalls %" PRIu64 " (%" PRIu64 " ms), table memory %zu MB, cache %zu of %zu MB, log %" PRIu64 " MB\n",
           s.flushes, s.flush_bytes >> 20, s.compactions, s.compact_write_bytes >> 20, s.moves, s.stalls,
           s.stall_us / 1000, s.table_memory >> 20, s.cache.bytes >> 20, s.cache.capacity >> 20,
           s.wal.bytes_written >> 20);
    for (unsigned i = 0; i < s.levels; i++)
        printf("  level %u: %" PRIu64 " tables, %" PRIu64 " MB\n", i, s.level[i].tables, s.level[i].bytes >> 20);
}

static bool run_fill(const char *name, run *r) {
    uint64_t writes = f.writes ? f.writes : f.num;
    if (strncmp(name, "fill", 4) == 0) store_open(!f.use_existing_db);
    db_set_sync(d, strcmp(name, "fillsync") ? WAL_NO : WAL_ALWAYS);
    run_begin(r, name);
    if (!strcmp(name, "fillseq"))
        write_many(r, writes, false, false);
    else if (!strcmp(name, "fillrandom"))
        write_many(r, writes, true, false);
    else if (!strcmp(name, "overwrite"))
        write_many(r, writes, true, false);
    else if (!strcmp(name, "fillsync"))
        write_many(r, f.writes ? f.writes : f.num / 1000, true, true);
    else
        return false;
    return true;
}

static bool run_read(const char *name, run *r) {
    uint64_t reads = f.reads ? f.reads : f.num;
    run_begin(r, name);
    if (!strcmp(name, "readrandom"))
        read_many(r, reads, false);
    else if (!strcmp(name, "readmissing"))
        read_many(r, reads, true);
    else if (!strcmp(name, "readseq"))
        read_seq(r, reads);
    else
        return false;
    return true;
}

static void run_named(const char *name) {
    run r;
    if (!d && strncmp(name, "fill", 4) != 0) store_open(false);
    if (!strcmp(name, "stats"))
        print_stats();
    else if (!strcmp(name, "readwhilewriting"))
        read_while_writing(f.reads ? f.reads : f.num);
    else if (run_read(name, &r))
        run_end(&r);
    else if (!strcmp(name, "compact") || !strcmp(name, "waitidle") || !strcmp(name, "flush")) {
        run_begin(&r, name);
        r.ops = 1;
        if (name[0] == 'c') MUST(db_compact(d, (slice){0}, (slice){0}));
        if (name[0] == 'f') MUST(db_flush(d));
        MUST(db_wait_idle(d));
        run_end(&r);
    } else if (run_fill(name, &r))
        run_end(&r);
    else {
        fprintf(stderr, "bench_db: no benchmark '%s'\n", name);
        exit(1);
    }
}

static bool flag_text(const char *arg, const char *name, const char **out) {
    size_t n = strlen(name);
    if (strncmp(arg, "--", 2) || strncmp(arg + 2, name, n) || arg[2 + n] != '=') return false;
    *out = arg + 3 + n;
    return true;
}

static bool flag_number(const char *arg, const char *name, uint64_t *out) {
    const char *text;
    if (!flag_text(arg, name, &text)) return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

static void flag_parse(const char *arg) {
    struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {
        {"num", &f.num},
        {"reads", &f.reads},
        {"writes", &f.writes},
        {"value_size", &f.value_size},
        {"key_size", &f.key_size},
        {"cache_size", &f.cache_size},
        {"write_buffer_size", &f.write_buffer_size},
        {"bloom_bits", &f.bloom_bits},
        {"seed", &f.seed},
        {"batch", &f.batch},
        {"multiget", &f.multiget},
        {"compression", &f.compression},
        {"use_existing_db", &f.use_existing_db},
        {"wal_mapped", &f.wal_mapped},
        {"histogram", &f.histogram},
    };
    if (flag_text(arg, "benchmarks", &f.benchmarks) || flag_text(arg, "db", &f.db)) return;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (flag_number(arg, numbers[i].name, numbers[i].to)) return;
    fprintf(stderr, "bench_db: no flag '%s'\n", arg);
    exit(1);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) flag_parse(argv[i]);
    if (f.key_size > 60 || f.key_size < 4 || f.value_size >= VALUE_POOL || !f.num || !f.batch || !f.multiget) {
        fprintf(stderr, "bench_db: key_size 4 to 60, value_size below 1 MiB, num, batch and multiget above 0\n");
        return 1;
    }
    pool_fill();
    char *list = strdup(f.benchmarks);
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) run_named(name);
    if (d) store_close();
    free(list);
    free(pool);
    return 0;
}
