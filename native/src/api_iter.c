/* api_iter.c: the public interface of iterators: many entries a call, as records in one buffer. */
#include "api.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/coding.h"
#include "base/status.h"
#include "serve/keys.h"
#include "serve/walk.h"

enum {
    RECORD_HEADER = 32,
    CANCEL_PERIOD = 1024, /* entries between two looks at the flag */
};

struct rkv_iter {
    db *db;
    iter *it;
    buf records;
};

int rkv_iter_new(rkv_iter **out, rkv_view *v, const uint8_t *lower, size_t lower_size, const uint8_t *upper,
                 size_t upper_size, uint64_t now_ms, bool scan) {
    rkv_iter *it = mem_zalloc(sizeof *it);
    if (!it) return alloc_failed(sizeof *it);
    it->db = v->db;
    int rc = db_iter_new(&it->it, v->view, slice_of(lower, lower_size), slice_of(upper, upper_size), now_ms, scan);
    if (rc) {
        mem_free(it);
        return rc;
    }
    it->it->ops->seek(it->it, slice_of(lower, lower_size));
    *out = it;
    return RKV_OK;
}

void rkv_iter_free(rkv_iter *it) {
    if (!it) return;
    iter_close(it->it);
    buf_clear(&it->records);
    mem_free(it);
}

int rkv_iter_seek(rkv_iter *it, const uint8_t *key, size_t key_size, bool for_prev) {
    if (for_prev)
        it->it->ops->seek_for_prev(it->it, slice_of(key, key_size));
    else
        it->it->ops->seek(it->it, slice_of(key, key_size));
    return it->it->status;
}

static int append_record(rkv_iter *it, bool values) {
    slice key = it->it->key;
    const cell *c = &it->it->cell;
    uint64_t size = 0;
    int rc = values ? db_value_size(c, &size) : RKV_OK;
    if (!rc && size > UINT32_MAX) rc = status_set(RKV_ETOOBIG, "a value of %llu bytes", (unsigned long long)size);
    if (!rc) rc = buf_reserve(&it->records, RECORD_HEADER + key.size + (size_t)size);
    if (rc) return rc;
    uint8_t *p = it->records.data + it->records.size;
    put_fixed32(p, (uint32_t)key.size);
    put_fixed32(p + 4, (uint32_t)size);
    put_fixed32(p + 8, c->flags & CELL_TOMBSTONE);
    put_fixed32(p + 12, c->node);
    put_fixed64(p + 16, c->hlc);
    put_fixed64(p + 24, c->expires_at_ms);
    if (key.size) memcpy(p + RECORD_HEADER, key.data, key.size);
    uint8_t *value = p + RECORD_HEADER + key.size;
    if (size && c->flags & CELL_POINTER) rc = db_value_read(it->db, key, c, false, value);
    if (size && !(c->flags & CELL_POINTER)) memcpy(value, c->payload.data, (size_t)size);
    if (!rc) it->records.size += RECORD_HEADER + key.size + (size_t)size;
    return rc;
}

int rkv_iter_chunk(rkv_iter *it, bool values, bool backwards, size_t bytes_max, const uint8_t **out, size_t *out_size) {
    iter *i = it->it;
    it->records.size = 0;
    while (i->valid && (it->records.size == 0 || it->records.size < bytes_max)) {
        int rc = append_record(it, values);
        if (rc) return rc;
        if (backwards)
            i->ops->prev(i);
        else
            i->ops->next(i);
    }
    if (i->status) return i->status;
    *out = it->records.data;
    *out_size = it->records.size;
    return RKV_OK;
}

int rkv_iter_keys(rkv_iter *it, uint32_t db, const uint8_t *pattern, size_t pattern_size, bool write,
                  uint64_t examined_max, size_t bytes_max, rkv_keys *out) {
    walk_request request = {
        .db = (uint8_t)db,
        .all = !pattern,
        .pattern = slice_of(pattern, pattern_size),
        .write = write,
        .examined_max = examined_max,
        .bytes_max = bytes_max,
    };
    walk_result result;
    it->records.size = 0;
    int rc = walk_keys(it->it, &request, &it->records, &result);
    if (rc) return rc;
    *out = (rkv_keys){
        .data = it->records.data,
        .size = it->records.size,
        .examined = result.examined,
        .matched = result.matched,
        .next = result.ended ? NULL : it->it->key.data,
        .next_size = result.ended ? 0 : it->it->key.size,
        .new_slot = result.new_slot,
    };
    return RKV_OK;
}

int rkv_view_count(rkv_view *v, const uint8_t *lower, size_t lower_size, const uint8_t *upper, size_t upper_size,
                   uint64_t now_ms, const bool *cancel, uint64_t *out) {
    iter *it;
    slice from = slice_of(lower, lower_size);
    int rc = db_iter_new(&it, v->view, from, slice_of(upper, upper_size), now_ms, true);
    if (rc) return rc;
    uint64_t count = 0;
    for (it->ops->seek(it, from); it->valid; it->ops->next(it))
        if (++count % CANCEL_PERIOD == 0 && cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED)) {
            rc = status_set(RKV_ECLOSED, "cancelled");
            break;
        }
    if (!rc) rc = it->status;
    iter_close(it);
    if (!rc) *out = count;
    return rc;
}

static void count_key(const cell *c, rkv_population *p, uint64_t now_ms, uint64_t *next_expiry_ms) {
    p->keys++;
    if (!c->expires_at_ms) return;
    p->expiring++;
    p->ttl_sum_ms += c->expires_at_ms - now_ms;
    if (!*next_expiry_ms || c->expires_at_ms < *next_expiry_ms) *next_expiry_ms = c->expires_at_ms;
}

int rkv_view_census(rkv_view *v, uint64_t now_ms, rkv_population *out, uint64_t *out_next_expiry_ms) {
    static const uint8_t end[2] = {SLOT_COUNT >> 8, SLOT_COUNT & 0xff};
    rkv_population counted[256] = {0};
    uint64_t next_expiry_ms = 0;
    iter *it;
    int rc = db_iter_new(&it, v->view, slice_of(NULL, 0), slice_of(end, sizeof end), now_ms, true);
    if (rc) return rc;
    for (it->ops->seek(it, slice_of(NULL, 0)); it->valid; it->ops->next(it))
        if (it->key.size >= KEY_PREFIX_SIZE && it->key.data[2] == KIND_META)
            count_key(&it->cell, &counted[it->key.data[3]], now_ms, &next_expiry_ms);
    rc = it->status;
    iter_close(it);
    if (rc) return rc;
    memcpy(out, counted, sizeof counted);
    *out_next_expiry_ms = next_expiry_ms;
    return RKV_OK;
}
