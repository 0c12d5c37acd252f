/* test_wal.c: the write-ahead log: format and the rules of recovery. Crashes, failing calls and threads are in
 * test_wal_crash.c. */
#include "wal_model.h"

/* ---- looking into files ------------------------------------------------------------------------------------------ */

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

/* ---- the plain course of things ---------------------------------------------------------------------------------- */

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

/* Whatever a recycled file held, under any earlier id, is not seen again, with the new life ending at any place in the
 * old. */
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

/* ---- torn tails -------------------------------------------------------------------------------------------------- */

static void expect_cut_before(uint64_t seq, uint64_t offset) {
    wal *w;
    wal_recovery recovery;
    replayed r = {0};
    wal_options options = options_of(os_fault_os(f));
    char where[120];
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

/* After a clean stop every record is covered by a mark: no flipped bit anywhere goes unnoticed, or it does not
 * matter. */
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

/* ---- damage in the middle ---------------------------------------------------------------------------------------- */

static void zero_record(uint64_t id, uint64_t seq) {
    static const uint8_t zeros[4096];
    uint64_t end;
    uint64_t begin = record_at(id, seq, &end);
    file_write(id, begin, zeros, (size_t)(end - begin));
}

static void zero_first_record(uint64_t id) {
    static const uint8_t zeros[WAL_RECORD_HEADER];
    file_write(id, WAL_SEGMENT_HEADER, zeros, sizeof zeros);
}

static void test_damaged_middle(void) {
    /* In the same sector as a good record after it: it was whole. */
    machine_with(20, false);
    uint64_t end, begin = 0, seq = 5;
    while ((begin = record_at(1, seq, &end)) / 512 != end / 512) seq++;
    os_fault_flip_bit(f, path_of(1), begin + WAL_RECORD_HEADER, 0);
    char where[120];
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

/* A log whose beginning nobody knows is taken as it is, but not with a bad record first. */
static void test_any_beginning(void) {
    machine_with(200, true);
    wal_options options = options_of(os_fault_os(f));
    wal_recovery recovery;
    for (uint64_t first = 1; first <= 3; first++) {
        replayed r = {0};
        OK(wal_replay(&options, first, WAL_SEQ_ANY, replay, &r, &recovery));
        CHECK((r.first == 1) == (first == 1) && r.last == 200 && recovery.last_seq == 200);
    }
    replayed r = {0};
    zero_first_record(3);
    CHECK(wal_replay(&options, 3, WAL_SEQ_ANY, replay, &r, &recovery) == RKV_ECORRUPT);
    CHECK(strstr(status_text(), path_of(3)));
    OK(wal_replay(&options, 99, WAL_SEQ_ANY, replay, &r, &recovery));
    CHECK(recovery.last_seq == 0);
    os_fault_free(f);
}

static void test_verify(void) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    OK(wal_verify(w));
    for (int i = 0; i < 150; i++) append(w);
    OK(wal_verify(w));
    uint64_t id;
    OK(wal_rotate(w, &id));
    wal_release(w, id);
    OK(wal_verify(w)); /* empty, though the seqs go on */
    for (int i = 0; i < 10; i++) append(w);
    OK(wal_verify(w));
    os_fault_flip_bit(f, path_of(id), 700, 1);
    CHECK(wal_verify(w) == RKV_ECORRUPT && strstr(status_text(), path_of(id)));
    os_fault_flip_bit(f, path_of(id), 700, 1);
    OK(wal_verify(w));
    append(w);
    OK(wal_close(w));
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
    RUN(test_any_beginning);
    RUN(test_verify);
    RUN(test_bait);
    return check_done();
}
