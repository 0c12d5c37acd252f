/* test_wal.c: the write-ahead log: format, recovery rules, every crash point, every failing call, threads. See lsm/wal.h.
 *
 * A record's payload follows from its seq, so whatever a recovery replays can be checked without keeping anything.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/hash.h"
#include "check.h"
#include "lsm/wal_parts.h"
#include "os/os_fault.h"

enum { SEGMENT = 8192, PAYLOAD_MAX = 40000 };

static const char dir[] = "/data";
static const uint8_t store[16] = "a store's own id";

static uint64_t seed_from_env(uint64_t otherwise) {
    const char *text = getenv("SEED");
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t next_random(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u;
    return hash_mix(*state);
}

/* ---- records -------------------------------------------------------------------------------------------------------- */

static size_t size_mask = 255; /* sizes are 1 to size_mask + 1 */

static slice payload_of(uint64_t seq) {
    static uint8_t bytes[PAYLOAD_MAX];
    size_t size = 1 + (size_t)(hash_mix(seq) & size_mask);
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(hash_mix(seq * 1000003 + i / 8) >> 8 * (i & 7)) | 1;
    return slice_of(bytes, size);
}

static uint64_t append(wal *w) {
    uint64_t seq = 0, expected = wal_last_seq(w) + 1;
    slice payload = payload_of(expected);
    uint8_t copy[PAYLOAD_MAX]; /* a crash test inside the append replays others */
    memcpy(copy, payload.data, payload.size);
    OK(wal_append(w, slice_of(copy, payload.size), &seq));
    CHECK(seq == expected && wal_last_seq(w) == seq);
    return seq;
}

typedef struct replayed {
    uint64_t count, first, last, durable; /* durable: highest seq said to be */
    uint64_t end_at;                      /* give up this one; 0: none */
} replayed;

static int replay(void *context, uint64_t seq, bool durable, slice payload) {
    replayed *r = context;
    if (seq == r->end_at) return RKV_END;
    CHECK(r->count == 0 || seq == r->last + 1);
    CHECK(slice_equal(payload, payload_of(seq)));
    CHECK(!durable || r->durable == r->last); /* durable ones come first */
    if (!r->count++) r->first = seq;
    r->last = seq;
    if (durable) r->durable = seq;
    return RKV_OK;
}

/* ---- a log on a twin ------------------------------------------------------------------------------------------------ */

static os_fault *f;

static os_fault *machine_new(uint64_t seed) {
    os_fault *m = os_fault_new(seed);
    os *o = os_fault_os(m);
    OK(o->ops->make_dir(o, dir));
    OK(o->ops->sync_dir(o, "/"));
    return m;
}

static wal_options options_of(os *o) {
    wal_options options = {.os = o, .dir = dir, .segment_bytes = SEGMENT, .policy = WAL_EVERYSEC, .mapped = true};
    memcpy(options.store_id, store, 16);
    return options;
}

static int try_open(wal **out, uint64_t first_segment, uint64_t next_seq, replayed *r, wal_recovery *recovery) {
    wal_options options = options_of(os_fault_os(f));
    *r = (replayed){.end_at = r->end_at};
    return wal_open(out, &options, first_segment, next_seq, replay, r, recovery);
}

static wal *must_open(replayed *r) {
    wal *w;
    wal_recovery recovery;
    *r = (replayed){0};
    OK(try_open(&w, 0, 1, r, &recovery));
    CHECK(recovery.records == r->count && recovery.last_seq == r->last && wal_last_seq(w) == r->last);
    return w;
}

/* A machine on which count records were appended; clean: closed, else the process was killed. */
static void machine_with(uint64_t count, bool clean) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    for (uint64_t i = 0; i < count; i++) append(w);
    if (!clean) os_fault_crash(f);
    CHECK((wal_close(w) == RKV_OK) == clean);
    if (!clean) os_fault_reboot(f, FAULT_CUT_KEEP, 0);
}

static const char *path_of(uint64_t id) {
    static char path[64];
    segment_path(path, dir, id);
    return path;
}

static uint8_t *file_bytes(uint64_t id, size_t *out_size) {
    uint8_t *data;
    OK(os_read_file(os_fault_os(f), path_of(id), 1 << 24, &data, out_size));
    return data;
}

static void file_write(uint64_t id, uint64_t offset, const void *data, size_t size) {
    os *o = os_fault_os(f);
    os_file *file;
    OK(o->ops->open(o, &file, path_of(id), OS_WRITE));
    OK(file->ops->write_at(file, offset, data, size));
    OK(file->ops->sync(file));
    OK(file->ops->close(file));
}

/* Where record seq of segment id begins, and where it ends. */
static uint64_t record_at(uint64_t id, uint64_t seq, uint64_t *out_end) {
    size_t size;
    uint8_t *data = file_bytes(id, &size);
    uint32_t seed = record_seed(store, id);
    for (uint64_t at = WAL_SEGMENT_HEADER;;) {
        record r = record_parse(data + at, size - at, seed);
        CHECK(r.kind != RECORD_BAD);
        *out_end = at + r.size;
        if (r.kind == RECORD_DATA && r.seq == seq) {
            mem_free(data);
            return at;
        }
        at += r.size;
    }
}

static void expect_corrupt(uint64_t first_segment, uint64_t next_seq, const char *text) {
    wal *w;
    wal_recovery recovery;
    replayed r = {0};
    CHECK(try_open(&w, first_segment, next_seq, &r, &recovery) == RKV_ECORRUPT);
    CHECK(strstr(status_text(), text) && r.count == 0);
}

/* ---- the plain course of things ------------------------------------------------------------------------------------- */

static void reopen_often(bool mapped, enum wal_policy policy) {
    f = machine_new(1);
    uint64_t last = 0;
    for (int round = 0; round < 6; round++) {
        wal_options options = options_of(os_fault_os(f));
        options.mapped = mapped;
        options.policy = policy;
        wal *w;
        replayed r = {0};
        wal_recovery recovery;
        OK(wal_open(&w, &options, 0, 1, replay, &r, &recovery));
        CHECK(r.last == last && recovery.last_seq == last && recovery.cut_bytes == 0);
        CHECK(wal_durable(w) == last && r.durable == last); /* it was closed */
        for (int i = 0; i < 100; i++) last = append(w);
        CHECK(wal_durable(w) == last - 100);
        if (round & 1) OK(wal_sync(w));
        CHECK(wal_durable(w) == (round & 1 ? last : last - 100));
        wal_stats stats;
        wal_get_stats(w, &stats);
        CHECK(stats.records == 100 && stats.segments > 1 && stats.bytes_written > 100 * WAL_RECORD_HEADER);
        OK(wal_close(w));
        os_fault_reboot(f, FAULT_CUT_DROP, 1);
    }
    os_fault_free(f);
}

static void test_append_and_reopen(void) {
    for (int policy = WAL_ALWAYS; policy <= WAL_NO; policy++)
        for (int mapped = 0; mapped < 2; mapped++) reopen_often(mapped, (enum wal_policy)policy);
}

static void test_limits(void) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    uint64_t seq = 77;
    CHECK(wal_append(w, slice_of("", 0), &seq) == RKV_EINVAL);
    CHECK(wal_append(w, slice_of("", (size_t)WAL_PAYLOAD_MAX + 1), &seq) == RKV_ETOOBIG);
    CHECK(seq == 77 && wal_last_seq(w) == 0);
    append(w);
    OK(wal_close(w));
    OK(wal_close(NULL));
    os_fault_free(f);
}

/* Records around and above a segment's size, and above what is stored into a mapping. */
static void test_large_records(void) {
    f = machine_new(1);
    static uint8_t bytes[3 << 20];
    memset(bytes, 'x', sizeof bytes);
    const size_t room = SEGMENT - WAL_SEGMENT_HEADER - WAL_RECORD_HEADER;
    const size_t sizes[] = {1,    room - 1, room, room + 1,     7,    60 << 10, 64 << 10, room - 100, (1 << 20) + 1,
                            room, 1,        room, sizeof bytes, room, 8,        5 * room};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    replayed r;
    wal *w = must_open(&r);
    for (int i = 0; i < COUNT; i++) {
        uint64_t seq;
        put_fixed64(bytes, (uint64_t)i);
        OK(wal_append(w, slice_of(bytes, sizes[i]), &seq));
        CHECK(seq == (uint64_t)i + 1);
    }
    OK(wal_close(w));
    wal_recovery recovery;
    wal_options options = options_of(os_fault_os(f));
    OK(wal_replay(&options, 0, 1, NULL, NULL, &recovery));
    uint64_t sum = 0;
    for (int i = 0; i < COUNT; i++) sum += sizes[i];
    CHECK(recovery.records == COUNT && recovery.bytes == sum && recovery.cut_bytes == 0);
    os_fault_free(f);
}

static void test_rotate_and_release(void) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    uint64_t first, same, id = 0;
    OK(wal_rotate(w, &first));
    OK(wal_rotate(w, &same));
    CHECK(first == same); /* empty: nothing to leave behind */
    wal_stats stats;
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 60; k++) append(w);
        OK(wal_rotate(w, &id));
        CHECK(id > first);
        wal_release(w, first);
        first = id;
        wal_get_stats(w, &stats);
        CHECK(stats.segments <= 4);
    }
    CHECK(stats.recycled > 20);
    CHECK(os_fault_used(f) <= 10 * SEGMENT); /* live ones, spares and the next */
    uint64_t last = wal_last_seq(w);
    OK(wal_close(w));
    wal_recovery recovery;
    r = (replayed){0};
    OK(try_open(&w, id, last + 1, &r, &recovery));
    CHECK(r.count == 0 && wal_last_seq(w) == last);
    OK(wal_close(w));
    os_fault_free(f);
}

/* Whatever a recycled file held, under any earlier id, is not seen again, with the new life ending at any place in the old. */
static void test_stale_records_never_replay(void) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    uint64_t id = 0, flushed = 0;
    for (int i = 0; i < 60; i++) {
        for (int k = 0; k < 1 + i % 29; k++) append(w);
        OK(wal_sync(w));
        flushed = wal_last_seq(w);
        OK(wal_rotate(w, &id));
        wal_release(w, id);
        for (int k = 0; k < i % 7; k++) append(w);
        os_fault *running = f;
        for (int model = 0; model < FAULT_CUT_COUNT; model++) {
            f = os_fault_clone(running);
            os_fault_reboot(f, (enum fault_cut)model, (uint64_t)i);
            wal *again;
            wal_recovery recovery;
            r = (replayed){0};
            OK(try_open(&again, id, flushed + 1, &r, &recovery));
            CHECK(r.count == 0 || r.first == flushed + 1);
            CHECK(recovery.last_seq >= flushed && recovery.last_seq <= wal_last_seq(w));
            if (model == FAULT_CUT_KEEP) CHECK(recovery.last_seq == wal_last_seq(w) && recovery.cut_bytes == 0);
            OK(wal_close(again));
            os_fault_free(f);
        }
        f = running;
    }
    wal_stats stats;
    wal_get_stats(w, &stats);
    CHECK(stats.recycled >= 50);
    OK(wal_close(w));
    os_fault_free(f);
}

/* ---- torn tails ----------------------------------------------------------------------------------------------------- */

static void expect_cut_before(uint64_t seq, uint64_t offset) {
    wal *w;
    wal_recovery recovery;
    replayed r = {0};
    wal_options options = options_of(os_fault_os(f));
    char where[80];
    snprintf(where, sizeof where, "%s:%llu", path_of(1), (unsigned long long)offset);
    OK(wal_replay(&options, 0, 1, replay, &r, &recovery));
    CHECK(r.last == seq - 1 && recovery.cut_bytes > 0 && strcmp(recovery.cut_at, where) == 0);
    OK(try_open(&w, 0, 1, &r, &recovery));
    CHECK(r.last == seq - 1 && recovery.cut_bytes > 0 && strcmp(recovery.cut_at, where) == 0);
    CHECK(append(w) == seq);
    OK(wal_close(w));
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    OK(try_open(&w, 0, 1, &r, &recovery));
    CHECK(r.last == seq && recovery.cut_bytes == 0);
    OK(wal_close(w));
}

static void test_torn_at_every_byte(void) {
    enum { COUNT = 20 };
    machine_with(COUNT, false);
    os_fault *before = f;
    uint64_t end;
    uint64_t begin = record_at(1, COUNT, &end);
    size_t payload_end = (size_t)(begin + WAL_RECORD_HEADER + payload_of(COUNT).size);
    for (uint64_t at = begin; at < payload_end; at++) {
        static const uint8_t zeros[1024];
        f = os_fault_clone(before);
        file_write(1, at, zeros, (size_t)(end - at));
        /* With no more than its checksum left it is not known to have been a record: a clean end. */
        uint64_t header_left = at - begin;
        if (header_left > 8) {
            expect_cut_before(COUNT, begin);
        } else {
            replayed r;
            wal *w = must_open(&r);
            CHECK(r.last == COUNT - 1 && append(w) == COUNT);
            OK(wal_close(w));
        }
        os_fault_free(f);
    }
    os_fault_free(before);
}

/* Any damage to the last record, when nothing says it was synced, is a torn tail. */
static void test_flip_in_unsynced_tail(void) {
    enum { COUNT = 12 };
    machine_with(COUNT, false);
    os_fault *before = f;
    uint64_t end;
    uint64_t begin = record_at(1, COUNT, &end);
    size_t payload_end = (size_t)(begin + WAL_RECORD_HEADER + payload_of(COUNT).size);
    for (uint64_t at = begin; at < payload_end; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            f = os_fault_clone(before);
            os_fault_flip_bit(f, path_of(1), at, bit);
            replayed r;
            wal *w = must_open(&r);
            CHECK(r.last == COUNT - 1);
            OK(wal_close(w));
            os_fault_free(f);
        }
    os_fault_free(before);
}

/* After a clean stop every record is covered by a mark: no flipped bit anywhere goes unnoticed, or it does not matter. */
static void test_flip_anywhere_after_close(void) {
    size_mask = 1023;
    machine_with(40, true);
    os_fault *before = f;
    unsigned caught = 0, harmless = 0;
    for (uint64_t id = 1; id <= 3; id++) {
        f = before;
        size_t size;
        uint8_t *data = file_bytes(id, &size);
        mem_free(data);
        for (uint64_t at = 0; at < size; at++) {
            f = os_fault_clone(before);
            os_fault_flip_bit(f, path_of(id), at, (unsigned)(at * 5 % 8));
            wal *w;
            wal_recovery recovery;
            replayed r = {0};
            int rc = try_open(&w, 0, 1, &r, &recovery);
            if (rc) {
                CHECK(rc == RKV_ECORRUPT || (rc == RKV_EFORMAT && at < 24));
                CHECK(strstr(status_text(), path_of(id)) && r.count == 0);
                caught++;
            } else {
                CHECK(r.last == 40);
                harmless++;
                OK(wal_close(w));
            }
            os_fault_free(f);
        }
    }
    CHECK(caught > 15000 && harmless > 1000); /* padding, what is after the end, the mark itself */
    os_fault_free(before);
    size_mask = 255;
}

/* ---- damage in the middle ------------------------------------------------------------------------------------------- */

static void zero_record(uint64_t id, uint64_t seq) {
    static const uint8_t zeros[4096];
    uint64_t end;
    uint64_t begin = record_at(id, seq, &end);
    file_write(id, begin, zeros, (size_t)(end - begin));
}

static void test_damaged_middle(void) {
    /* In the same sector as a good record after it: it was whole. */
    machine_with(20, false);
    uint64_t end, begin = 0, seq = 5;
    while ((begin = record_at(1, seq, &end)) / 512 != end / 512) seq++;
    os_fault_flip_bit(f, path_of(1), begin + WAL_RECORD_HEADER, 0);
    char where[80];
    snprintf(where, sizeof where, "corrupt WAL at %s:%llu", path_of(1), (unsigned long long)begin);
    expect_corrupt(0, 1, where);
    os_fault_free(f);
    /* Ending a sector, and nothing tells that it was synced: a power cut may do that. The rest goes with it. */
    machine_with(20, false);
    seq = 5;
    while ((begin = record_at(1, seq, &end)) / 512 == end / 512) seq++;
    os_fault_flip_bit(f, path_of(1), begin + WAL_RECORD_HEADER, 0);
    expect_cut_before(seq, begin);
    os_fault_free(f);
    /* The same, but synced by the mark of a later record. */
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    for (int i = 0; i < 20; i++) append(w);
    OK(wal_sync(w));
    append(w);
    os_fault_crash(f);
    CHECK(wal_close(w) != RKV_OK);
    os_fault_reboot(f, FAULT_CUT_KEEP, 1);
    zero_record(1, seq);
    expect_corrupt(0, 1, path_of(1));
    os_fault_free(f);
}

static void test_holes(void) {
    machine_with(200, true);
    os_fault *before = f;
    os *o;
    for (uint64_t gone = 1; gone <= 3; gone++) { /* a segment is missing */
        f = os_fault_clone(before);
        o = os_fault_os(f);
        OK(o->ops->unlink(o, path_of(gone)));
        expect_corrupt(0, 1, gone == 1 ? path_of(2) : path_of(gone - 1));
        os_fault_free(f);
    }
    f = os_fault_clone(before); /* a segment has lost its end */
    os_fault_truncate(f, path_of(2), 4096);
    expect_corrupt(0, 1, path_of(2));
    os_fault_free(f);
    f = os_fault_clone(before); /* a segment is in another one's place */
    o = os_fault_os(f);
    OK(o->ops->rename(o, path_of(3), "/data/x"));
    OK(o->ops->rename(o, "/data/x", path_of(2)));
    expect_corrupt(0, 1, path_of(2));
    os_fault_free(f);
    f = before;
    /* The owner needs records from an earlier seq on than there are. */
    size_t size;
    uint8_t *data = file_bytes(2, &size);
    uint64_t second = get_fixed64(data + WAL_SEGMENT_HEADER + 8);
    mem_free(data);
    expect_corrupt(2, second - 1, path_of(2));
    wal *w;
    wal_recovery recovery;
    replayed r = {0};
    OK(try_open(&w, 2, second, &r, &recovery));
    CHECK(r.first == second && r.last == 200);
    OK(wal_close(w));
    os_fault_free(f);
}

static void test_durable_floor(void) {
    for (uint64_t floor = 9; floor <= 12; floor++) {
        machine_with(10, false);
        wal_options options = options_of(os_fault_os(f));
        options.durable_floor = floor;
        replayed r = {0};
        wal_recovery recovery;
        int rc = wal_replay(&options, 0, 1, replay, &r, &recovery);
        CHECK(rc == (floor > 10 ? RKV_ECORRUPT : RKV_OK));
        if (rc)
            CHECK(strstr(status_text(), path_of(1)));
        else
            CHECK(r.durable == floor);
        r = (replayed){0};
        os_fault_flip_bit(f, path_of(1), record_at(1, 10, &(uint64_t){0}) + 30, 3);
        CHECK(wal_replay(&options, 0, 1, replay, &r, &recovery) == (floor > 9 ? RKV_ECORRUPT : RKV_OK));
        os_fault_free(f);
    }
    f = machine_new(1); /* no log at all */
    wal_options options = options_of(os_fault_os(f));
    options.durable_floor = 5;
    wal_recovery recovery;
    CHECK(wal_replay(&options, 3, 5, NULL, NULL, &recovery) == RKV_ECORRUPT);
    OK(wal_replay(&options, 3, 6, NULL, NULL, &recovery)); /* it is all in tables */
    CHECK(recovery.last_seq == 5);
    os_fault_free(f);
}

static void test_caller_cuts(void) {
    for (uint64_t end_at = 1; end_at <= 90; end_at += 11) {
        machine_with(90, false);
        wal *w;
        wal_recovery recovery;
        replayed r = {.end_at = end_at};
        OK(try_open(&w, 0, 1, &r, &recovery));
        CHECK(r.count == end_at - 1 && recovery.last_seq == end_at - 1 && recovery.cut_bytes && recovery.cut_at[0]);
        CHECK(append(w) == end_at);
        OK(wal_close(w));
        os_fault_reboot(f, FAULT_CUT_DROP, 1);
        w = must_open(&r); /* what was cut stays cut */
        CHECK(r.last == end_at);
        OK(wal_close(w));
        os_fault_free(f);
    }
    machine_with(10, true); /* synced ones cannot be given up */
    replayed r = {.end_at = 10};
    wal *w;
    wal_recovery recovery;
    CHECK(try_open(&w, 0, 1, &r, &recovery) == RKV_ECORRUPT && strstr(status_text(), path_of(1)));
    os_fault_free(f);
}

static int refuse(void *context, uint64_t seq, bool durable, slice payload) {
    (void)durable;
    (void)payload;
    return seq == *(uint64_t *)context ? status_set(RKV_ENOMEM, "refused") : RKV_OK;
}

static void test_callback_errors_pass(void) {
    machine_with(10, false);
    wal_options options = options_of(os_fault_os(f));
    wal *w;
    wal_recovery recovery;
    uint64_t seq = 4;
    CHECK(wal_open(&w, &options, 0, 1, refuse, &seq, &recovery) == RKV_ENOMEM);
    CHECK(strcmp(status_text(), "refused") == 0);
    replayed r;
    w = must_open(&r);
    CHECK(r.last == 10);
    OK(wal_close(w));
    os_fault_free(f);
}

static void test_foreign_and_newer(void) {
    machine_with(10, true);
    wal_options options = options_of(os_fault_os(f));
    wal *w;
    wal_recovery recovery;
    replayed r = {0};
    options.store_id[0] ^= 1;
    for (uint64_t first = 0; first < 9; first += 8) { /* even when only to be recycled */
        CHECK(wal_open(&w, &options, first, 1, replay, &r, &recovery) == RKV_EFORMAT);
        CHECK(strstr(status_text(), path_of(1)));
    }
    options.store_id[0] ^= 1;
    file_write(1, 7, "2", 1);
    CHECK(wal_open(&w, &options, 0, 1, replay, &r, &recovery) == RKV_EFORMAT);
    CHECK(strstr(status_text(), path_of(1)));
    file_write(1, 7, "1", 1);
    OK(wal_open(&w, &options, 0, 1, replay, &r, &recovery)); /* the file was not touched */
    CHECK(r.last == 10);
    OK(wal_close(w));
    os_fault_free(f);
}

static void test_replay_writes_nothing(void) {
    machine_with(100, false);
    uint64_t before = os_fault_calls(f, FAULT_CHANGES);
    wal_options options = options_of(os_fault_os(f));
    wal_recovery recovery;
    replayed r = {.end_at = 50};
    OK(wal_replay(&options, 0, 1, replay, &r, &recovery));
    CHECK(r.last == 49 && recovery.last_seq == 49 && recovery.cut_bytes);
    CHECK(os_fault_calls(f, FAULT_CHANGES) == before);
    os_fault_free(f);
}

/* Payloads full of what looks like records: none is taken for one, and recovery stays quick. */
static void test_bait(void) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    static uint8_t bait[SEGMENT - WAL_SEGMENT_HEADER - WAL_RECORD_HEADER];
    for (size_t at = 0; at + 24 <= sizeof bait; at += 24) {
        put_fixed32(bait + at + 4, (uint32_t)(sizeof bait - at - 24) | 1);
        put_fixed64(bait + at + 8, 2 + at / 24);
        put_fixed64(bait + at + 16, 0);
        put_fixed32(bait + at, crc32c(0, bait + at + 4, 20));
    }
    uint64_t seq;
    OK(wal_append(w, slice_of(bait, sizeof bait), &seq));
    os_fault_crash(f);
    CHECK(wal_close(w) != RKV_OK);
    os_fault_reboot(f, FAULT_CUT_KEEP, 1);
    os_fault_flip_bit(f, path_of(1), 8000, 1);
    w = must_open(&r);
    CHECK(r.count == 0);
    OK(wal_close(w));
    os_fault_free(f);
}

/* ---- crashes -------------------------------------------------------------------------------------------------------- */

typedef struct scenario {
    wal *w;                          /* NULL while opening or closing */
    uint64_t first_segment, flushed; /* as a manifest would have them */
    uint64_t acked;                  /* appended */
    uint64_t kept;                   /* survive a killed process */
    uint64_t synced;                 /* survive everything */
    uint64_t seed;
    unsigned states;
    bool mapped;
} scenario;

static wal_options scenario_options(const scenario *s, os *o) {
    wal_options options = options_of(o);
    options.mapped = s->mapped;
    return options;
}

static void verify_open(const scenario *s, uint64_t least, uint64_t most) {
    wal_options options = scenario_options(s, os_fault_os(f));
    wal *w;
    wal_recovery recovery;
    replayed r = {0};
    int rc = wal_open(&w, &options, s->first_segment, s->flushed + 1, replay, &r, &recovery);
    if (rc) fprintf(stderr, "seed %llu: %s\n", (unsigned long long)s->seed, status_text());
    OK(rc);
    CHECK(recovery.last_seq >= least && recovery.last_seq <= most);
    CHECK(r.count == 0 || (r.first <= s->flushed + 1 && r.last == recovery.last_seq));
    CHECK(r.durable <= most && wal_durable(w) <= most);
    for (int i = 0; i < 3; i++) append(w);
    OK(wal_sync(w));
    uint64_t last = wal_last_seq(w);
    append(w);
    os_fault_crash(f);
    CHECK(wal_close(w) != RKV_OK);
    os_fault_reboot(f, FAULT_CUT_RANDOM, s->seed);
    r = (replayed){0};
    OK(wal_open(&w, &options, s->first_segment, s->flushed + 1, replay, &r, &recovery));
    CHECK(recovery.last_seq == last || recovery.last_seq == last + 1);
    OK(wal_close(w));
}

/* What a crash right now leaves, by every model. */
static void crash_here(scenario *s, os_fault *running) {
    uint64_t synced = s->w && wal_durable(s->w) > s->synced ? wal_durable(s->w) : s->synced;
    if (synced < s->flushed) synced = s->flushed;
    uint64_t most = s->acked + 1; /* one may be on its way */
    for (int model = 0; model < FAULT_CUT_COUNT; model++) {
        unsigned repeats = model == FAULT_CUT_KEEP || model == FAULT_CUT_DROP ? 1 : 2;
        for (unsigned i = 0; i < repeats; i++) {
            f = os_fault_clone(running);
            os_fault_reboot(f, (enum fault_cut)model, s->seed * 1000003 + s->states++);
            verify_open(s, model == FAULT_CUT_KEEP ? s->kept : synced, most);
            os_fault_free(f);
        }
    }
    f = running;
}

static void crash_at_call(void *context, unsigned call, const char *path) {
    (void)path;
    if (call & FAULT_CHANGES) crash_here(context, f);
}

/* One step of a random workload. */
static void step(scenario *s, uint64_t *random) {
    uint64_t x = next_random(random), id;
    switch (x % 16) {
    case 0: OK(wal_sync(s->w)); break;
    case 1: wal_set_policy(s->w, (enum wal_policy)(x >> 8) % 3); break;
    case 2:
        OK(wal_rotate(s->w, &id));
        if (x >> 8 & 1) break;
        OK(wal_sync(s->w)); /* the tables of a flush are synced, so what is in them counts as synced */
        s->flushed = s->acked;
        s->first_segment = id;
        wal_release(s->w, id);
        break;
    default:
        for (uint64_t i = 0; i < 1 + (x >> 8) % 4; i++) {
            append(s->w);
            s->acked = s->kept = wal_last_seq(s->w);
        }
    }
}

static unsigned random_workload(uint64_t seed, bool every_call) {
    scenario s = {.seed = seed, .mapped = seed & 1};
    uint64_t random = seed;
    size_mask = seed & 2 ? 127 : seed & 4 ? 2047 : 16383;
    f = machine_new(seed);
    os_fault *running = f;
    if (seed & 8) os_fault_write_back(f, 6);
    for (int life = 0; life < 3; life++) {
        if (every_call) os_fault_on_call(f, crash_at_call, &s);
        wal_options options = scenario_options(&s, os_fault_os(f));
        wal *w;
        wal_recovery recovery;
        replayed r = {0};
        OK(wal_open(&w, &options, s.first_segment, s.flushed + 1, replay, &r, &recovery));
        CHECK(recovery.last_seq >= s.synced && recovery.last_seq <= s.acked);
        s.w = w;
        s.acked = s.kept = recovery.last_seq;
        for (int i = 0; i < 12; i++) {
            step(&s, &random);
            if (s.mapped && i % 3 == 0) crash_here(&s, running); /* stores are no calls */
        }
        s.synced = wal_durable(w) > s.flushed ? wal_durable(w) : s.flushed;
        if (life == 1) {
            os_fault_crash(f);
            CHECK(wal_close(w) != RKV_OK);
            s.w = NULL;
            os_fault_on_call(f, NULL, NULL);
            os_fault_reboot(f, (enum fault_cut)(seed % FAULT_CUT_COUNT), seed);
            s.kept = s.synced;
        } else {
            OK(wal_close(w));
            s.synced = s.acked;
            s.w = NULL;
        }
    }
    os_fault_on_call(f, NULL, NULL);
    os_fault_free(f);
    size_mask = 255;
    return s.states;
}

static void test_crash_at_every_call(void) {
    uint64_t first = seed_from_env(1), last = getenv("SEED") ? first : 8;
    unsigned states = 0;
    for (uint64_t seed = first; seed <= last; seed++) states += random_workload(seed, true);
    printf("%u crash states\n", states);
}

/* ---- failing calls -------------------------------------------------------------------------------------------------- */

static void test_failed_sync_is_final(void) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    for (int i = 0; i < 5; i++) append(w);
    OK(wal_sync(w));
    for (int i = 0; i < 5; i++) append(w);
    os_fault_fail(f, FAULT_SYNC, NULL, 0, RKV_EIO, false);
    CHECK(wal_sync(w) == RKV_EIO && wal_failure(w) == RKV_EIO && wal_durable(w) == 5);
    uint64_t syncs = os_fault_calls(f, FAULT_SYNC), seq, id;
    CHECK(wal_sync(w) == RKV_EREADONLY && wal_append(w, payload_of(11), &seq) == RKV_EREADONLY);
    CHECK(strstr(status_text(), "injected"));
    CHECK(wal_rotate(w, &id) == RKV_EREADONLY);
    CHECK(wal_close(w) == RKV_EREADONLY && os_fault_calls(f, FAULT_SYNC) == syncs);
    /* The process starts again on the same machine: its page cache shows ten records, of which the medium has five. They are taken,
     * and must really be there after the next sync. */
    w = must_open(&r);
    CHECK(r.last == 10 && r.durable == 5 && wal_durable(w) == 5);
    OK(wal_sync(w));
    CHECK(wal_durable(w) == 10);
    os_fault_crash(f);
    CHECK(wal_close(w) != RKV_OK);
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    w = must_open(&r);
    CHECK(r.last == 10);
    OK(wal_close(w));
    os_fault_free(f);
}

static int before_sync(void *context) {
    int *left = context;
    return (*left)-- > 0 ? RKV_OK : status_set(RKV_EIO, "the value log's sync");
}

static void test_before_sync(void) {
    f = machine_new(1);
    wal_options options = options_of(os_fault_os(f));
    int left = 1;
    options.before_sync = before_sync;
    options.context = &left;
    wal *w;
    wal_recovery recovery;
    OK(wal_open(&w, &options, 0, 1, NULL, NULL, &recovery));
    append(w);
    OK(wal_sync(w));
    CHECK(left == 0);
    OK(wal_sync(w)); /* nothing new: no sync */
    CHECK(left == 0);
    append(w);
    CHECK(wal_sync(w) == RKV_EIO && wal_durable(w) == 1 && wal_failure(w) == RKV_EIO);
    CHECK(wal_close(w) == RKV_EREADONLY);
    os_fault_free(f);
}

static void test_no_space_passes(void) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    os_fault_limit_space(f, os_fault_used(f) + SEGMENT + SEGMENT / 2); /* one more segment, not two */
    uint64_t seq = 0, last = 0;
    int rc;
    while ((rc = wal_append(w, payload_of(last + 1), &seq)) == RKV_OK) last = seq;
    CHECK(rc == RKV_ENOSPC && wal_last_seq(w) == last && wal_failure(w) == RKV_OK);
    uint64_t id;
    CHECK(wal_rotate(w, &id) == RKV_ENOSPC && wal_append(w, payload_of(last + 1), &seq) == RKV_ENOSPC);
    OK(wal_sync(w)); /* what is there can be made durable */
    CHECK(wal_durable(w) == last);
    os_fault_limit_space(f, UINT64_MAX);
    CHECK(append(w) == last + 1);
    OK(wal_close(w));
    w = must_open(&r);
    CHECK(r.last == last + 1);
    OK(wal_close(w));
    os_fault_free(f);
}

/* The nth call of some kind fails, once or from then on: whoever is told of success can rely on it. */
static void fail_nth(unsigned kinds, uint64_t n, int status, bool forever, bool mapped, bool *out_struck) {
    f = machine_new(n);
    wal_options options = options_of(os_fault_os(f));
    options.mapped = mapped;
    os_fault_fail(f, kinds, NULL, n, status, forever);
    uint64_t acked = 0, synced = 0, flushed = 0, first = 0;
    for (int life = 0; life < 2; life++) {
        wal *w;
        wal_recovery recovery;
        replayed r = {0};
        int rc = wal_open(&w, &options, first, flushed + 1, replay, &r, &recovery);
        if (rc) {
            CHECK(rc == status);
            break;
        }
        CHECK(recovery.last_seq >= synced);
        acked = recovery.last_seq;
        for (int i = 0; i < 90; i++) {
            uint64_t seq, id;
            rc = wal_append(w, payload_of(wal_last_seq(w) + 1), &seq);
            CHECK(rc == RKV_OK || rc == status || rc == RKV_EREADONLY);
            if (!rc) acked = seq;
            if (i % 20 == 19 && wal_sync(w) == RKV_OK) {
                synced = acked;
                CHECK(wal_durable(w) == acked);
            }
            if (i == 50 && synced == acked && wal_rotate(w, &id) == RKV_OK) {
                flushed = synced;
                first = id;
                wal_release(w, id);
            }
            CHECK(wal_durable(w) <= acked);
        }
        if (wal_close(w) == RKV_OK) synced = acked;
    }
    *out_struck = os_fault_failed(f);
    os_fault_heal(f);
    for (int model = FAULT_CUT_KEEP; model <= FAULT_CUT_DROP; model++) {
        os_fault_reboot(f, (enum fault_cut)model, n);
        wal *w;
        wal_recovery recovery;
        replayed r = {0};
        OK(wal_open(&w, &options, first, flushed + 1, replay, &r, &recovery));
        CHECK(recovery.last_seq >= (model == FAULT_CUT_KEEP ? acked : synced));
        synced = acked = recovery.last_seq;
        OK(wal_close(w));
    }
    os_fault_free(f);
}

static void test_every_call_fails(void) {
    unsigned count = 0;
    for (int variant = 0; variant < 8; variant++) {
        bool struck = true;
        for (uint64_t n = 0; struck; n++, count++)
            fail_nth(variant & 4 ? FAULT_WRITE | FAULT_ENTRY : FAULT_ANY, n, variant & 4 ? RKV_ENOSPC : RKV_EIO,
                     variant & 1, variant & 2, &struck);
    }
    CHECK(count > 300);
}

static void test_every_allocation_fails(void) {
    machine_with(60, false);
    os_fault *before = f;
    for (long n = 0;; n++) {
        f = os_fault_clone(before);
        wal_options options = options_of(os_fault_os(f));
        wal *w = NULL;
        wal_recovery recovery;
        replayed r = {0};
        alloc_fail_after(n);
        int rc = wal_open(&w, &options, 0, 1, replay, &r, &recovery);
        uint64_t seq, appended = 0;
        for (int i = 0; i < 120 && !rc; i++) {
            int failed = wal_append(w, payload_of(wal_last_seq(w) + 1), &seq);
            CHECK(failed == RKV_OK || failed == RKV_ENOMEM);
            appended += !failed;
        }
        alloc_fail_after(-1);
        bool done = !rc && appended == 120;
        CHECK(rc == RKV_OK || rc == RKV_ENOMEM);
        if (!rc) {
            CHECK(append(w) == 61 + appended);
            OK(wal_close(w));
        }
        w = must_open(&r);
        CHECK(r.last == (rc ? 60 : 61 + appended));
        OK(wal_close(w));
        os_fault_free(f);
        if (done) break;
    }
    os_fault_free(before);
}

/* ---- threads, on the real system ------------------------------------------------------------------------------------ */

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

/* everysec syncs by itself, and when nothing follows, marks what is durable. */
static void test_threads_idle_mark(void) {
    scratch_make();
    waiter v;
    replayed r;
    wal *w = threaded_open(&v, WAL_EVERYSEC, &r);
    for (int i = 0; i < 10; i++) append(w);
    wait_durable(&v, 10);
    wal_stats stats = {0};
    for (int i = 0; i < 300 && stats.syncs < 2; i++) {
        usleep(10000);
        wal_get_stats(w, &stats);
    }
    CHECK(stats.syncs == 2);
    wal_options options = options_of(os_posix());
    options.dir = scratch;
    wal_recovery recovery;
    OK(wal_replay(&options, 0, 1, replay, &r, &recovery)); /* as if the process had been killed here */
    CHECK(r.last == 10 && r.durable == 10);
    usleep(1200000);
    wal_get_stats(w, &stats);
    CHECK(stats.syncs == 2); /* and then there is silence */
    OK(wal_close(w));
    scratch_remove();
}

int main(void) {
    RUN(test_append_and_reopen);
    RUN(test_limits);
    RUN(test_large_records);
    RUN(test_rotate_and_release);
    RUN(test_stale_records_never_replay);
    RUN(test_torn_at_every_byte);
    RUN(test_flip_in_unsynced_tail);
    RUN(test_flip_anywhere_after_close);
    RUN(test_damaged_middle);
    RUN(test_holes);
    RUN(test_durable_floor);
    RUN(test_caller_cuts);
    RUN(test_callback_errors_pass);
    RUN(test_foreign_and_newer);
    RUN(test_replay_writes_nothing);
    RUN(test_bait);
    RUN(test_crash_at_every_call);
    RUN(test_failed_sync_is_final);
    RUN(test_before_sync);
    RUN(test_no_space_passes);
    RUN(test_every_call_fails);
    RUN(test_every_allocation_fails);
    RUN(test_threads_always);
    RUN(test_threads_rotate);
    RUN(test_threads_idle_mark);
    return check_done();
}
