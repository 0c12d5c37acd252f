/* vlog_model.h: what the tests of the value log share: key and value of a record follow from a number, its id, which is
 * also its hlc, so what is read back is checked without keeping it.
 */
#ifndef RKV_TESTS_VLOG_MODEL_H
#define RKV_TESTS_VLOG_MODEL_H

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "check.h"
#include "lsm/vlog_parts.h"
#include "os/os_fault.h"

enum { FILE_BYTES = 1 << 20, VALUE_MAX = 400 << 10, REFS = 400 };

static const char dir[] = "/data";
static const uint8_t store[16] = "a store's own id";

static os_fault *f;
static vlog *v;

/* ---- records ----------------------------------------------------------------------------------------------------- */

static inline slice key_of(uint64_t id) {
    static _Thread_local char key[600];
    size_t size = id % 7 == 0 ? 500 : id % 11; /* some come with a second read, some are empty */
    for (size_t i = 0; i < size; i++) key[i] = (char)(id >> 8 * (i % 8));
    return slice_of(key, size);
}

static inline size_t size_of(uint64_t id) {
    uint64_t x = hash_mix(id);
    switch (x % 8) {
    case 0: return (VALUE_LARGE_MIN - 2) + (size_t)(x >> 8) % 4; /* around the border */
    case 1: return VALUE_LARGE_MIN + (size_t)(x >> 8) % (VALUE_MAX - VALUE_LARGE_MIN);
    case 2: return (size_t)(x >> 8) % 3;
    default: return 1000 + (size_t)(x >> 8) % 20000;
    }
}

static inline slice value_of(uint64_t id) {
    static _Thread_local uint8_t value[VALUE_MAX];
    size_t size = size_of(id);
    for (size_t i = 0; i < size; i++) value[i] = (uint8_t)((id * 31 + i / 4) ^ i);
    return slice_of(value, size);
}

static inline cell version_of(uint64_t id) {
    return (cell){.hlc = id, .node = (uint32_t)id ^ 77};
}

static inline int try_append(uint64_t id, value_ref *out) {
    cell version = version_of(id);
    return vlog_append(v, key_of(id), &version, value_of(id), out);
}

static inline value_ref append(uint64_t id) {
    value_ref ref;
    OK(try_append(id, &ref));
    CHECK(ref.size == size_of(id) && ref.key_size == key_of(id).size);
    return ref;
}

static inline int try_read(uint64_t id, const value_ref *ref) {
    static _Thread_local uint8_t data[VALUE_MAX + 8];
    memset(data, 0xee, ref->size < VALUE_MAX ? ref->size + 8 : 8);
    int rc = vlog_read(v, ref, key_of(id), false, data);
    if (rc == RKV_OK) {
        CHECK(slice_equal(slice_of(data, ref->size), value_of(id)));
        CHECK(data[ref->size] == 0xee);
    }
    return rc;
}

static inline void must_read(uint64_t id, const value_ref *ref) {
    OK(try_read(id, ref));
    OK(vlog_check(v, ref, key_of(id)));
}

/* ---- a log on a twin --------------------------------------------------------------------------------------------- */

static inline vlog_options options_of(os *o) {
    vlog_options options = {.os = o, .dir = dir, .file_bytes = FILE_BYTES};
    memcpy(options.store_id, store, 16);
    return options;
}

static inline void machine(uint64_t seed) {
    f = os_fault_new(seed);
    os *o = os_fault_os(f);
    OK(o->ops->make_dir(o, dir));
    OK(o->ops->sync_dir(o, "/"));
    vlog_options options = options_of(o);
    OK(vlog_open(&v, &options, NULL, 0, 1));
}

static inline void finish(void) {
    OK(vlog_close(v));
    os_fault_free(f);
}

#endif
