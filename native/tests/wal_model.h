/* wal_model.h: what the tests of the write-ahead log share: records whose payload follows from their seq, so that
 * whatever a recovery replays can be checked without keeping anything, and a machine in memory to write them on.
 */
#ifndef RKV_TESTS_WAL_MODEL_H
#define RKV_TESTS_WAL_MODEL_H

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "check.h"
#include "lsm/wal_parts.h"
#include "os/os_fault.h"

enum { SEGMENT = 8192, PAYLOAD_MAX = 40000 };

static const char dir[] = "/data";
static const uint8_t store[16] = "a store's own id";

/* ---- records ----------------------------------------------------------------------------------------------------- */

static size_t size_mask = 255; /* sizes are 1 to size_mask + 1 */

static inline slice payload_of(uint64_t seq) {
    static uint8_t bytes[PAYLOAD_MAX];
    size_t size = 1 + (size_t)(hash_mix(seq) & size_mask);
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(hash_mix(seq * 1000003 + i / 8) >> 8 * (i & 7)) | 1;
    return slice_of(bytes, size);
}

static inline uint64_t append(wal *w) {
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

static inline int replay(void *context, uint64_t seq, bool durable, slice payload) {
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

/* ---- a log on a twin --------------------------------------------------------------------------------------------- */

static os_fault *f;

static inline os_fault *machine_new(uint64_t seed) {
    os_fault *m = os_fault_new(seed);
    os *o = os_fault_os(m);
    OK(o->ops->make_dir(o, dir));
    OK(o->ops->sync_dir(o, "/"));
    return m;
}

static inline wal_options options_of(os *o) {
    wal_options options = {.os = o, .dir = dir, .segment_bytes = SEGMENT, .policy = WAL_EVERYSEC, .mapped = true};
    memcpy(options.store_id, store, 16);
    return options;
}

static inline int try_open(wal **out, uint64_t first_segment, uint64_t next_seq, replayed *r, wal_recovery *recovery) {
    wal_options options = options_of(os_fault_os(f));
    *r = (replayed){.end_at = r->end_at};
    return wal_open(out, &options, first_segment, next_seq, replay, r, recovery);
}

static inline wal *must_open(replayed *r) {
    wal *w;
    wal_recovery recovery;
    *r = (replayed){0};
    OK(try_open(&w, 0, 1, r, &recovery));
    CHECK(recovery.records == r->count && recovery.last_seq == r->last && wal_last_seq(w) == r->last);
    return w;
}

/* A machine on which count records were appended; clean: closed, else the process was killed. */
static inline void machine_with(uint64_t count, bool clean) {
    f = machine_new(1);
    replayed r;
    wal *w = must_open(&r);
    for (uint64_t i = 0; i < count; i++) append(w);
    if (!clean) os_fault_crash(f);
    CHECK((wal_close(w) == RKV_OK) == clean);
    if (!clean) os_fault_reboot(f, FAULT_CUT_KEEP, 0);
}

#endif
