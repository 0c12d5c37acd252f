/* walk.c: see walk.h. */
#include "serve/walk.h"

#include <string.h>

#include "base/status.h"
#include "serve/glob.h"
#include "serve/keys.h"

enum {
    FOREIGN_RUN = 16,
    BULK_HEADER_MAX = 1 + 20 + 2, /* $ size CR LF */
};

static int append_bulk(buf *out, slice key) {
    int rc = buf_reserve(out, BULK_HEADER_MAX + key.size + 2);
    if (rc) return rc;
    uint8_t digits[20], *p = out->data + out->size;
    size_t count = 0, size = key.size;
    do digits[count++] = (uint8_t)('0' + size % 10);
    while (size /= 10);
    *p++ = '$';
    while (count) *p++ = digits[--count];
    *p++ = '\r';
    *p++ = '\n';
    if (key.size) memcpy(p, key.data, key.size);
    p += key.size;
    *p++ = '\r';
    *p++ = '\n';
    out->size = (size_t)(p - out->data);
    return RKV_OK;
}

/* Is the key META of the database? A client's keys come before all others. */
static bool is_own(slice key, uint8_t db) {
    return key.size >= KEY_PREFIX_SIZE && key.data[2] == KIND_META && key.data[3] == db;
}

static int slot_of_internal(slice key) {
    return key.data[0] << 8 | key.data[1];
}

static bool is_past(slice key) {
    return key.size < KEY_PREFIX_SIZE || slot_of_internal(key) >= SLOT_COUNT;
}

/* Seek to where the next keys of the database may begin, behind a foreign key. */
static void leap(iter *it, uint8_t db) {
    const uint8_t *key = it->key.data;
    bool behind = key[2] > KIND_META || (key[2] == KIND_META && key[3] > db);
    uint32_t slot = (uint32_t)slot_of_internal(it->key) + behind;
    uint8_t target[KEY_PREFIX_SIZE] = {(uint8_t)(slot >> 8), (uint8_t)slot, KIND_META, db};
    it->ops->seek(it, slice_of(target, sizeof target));
}

int walk_keys(iter *it, const walk_request *request, buf *out, walk_result *result) {
    walk_result r = {0};
    size_t begin = out->size;
    int foreign = 0, slot = -1;
    while (it->valid && !is_past(it->key)) {
        if (!is_own(it->key, request->db)) {
            if (++foreign < FOREIGN_RUN)
                it->ops->next(it);
            else
                leap(it, request->db);
            continue;
        }
        foreign = 0;
        if (r.examined >= request->examined_max || out->size - begin >= request->bytes_max) break;
        slice key = slice_of(it->key.data + KEY_PREFIX_SIZE, it->key.size - KEY_PREFIX_SIZE);
        bool matches = request->all || glob_match(request->pattern, key);
        int rc = matches && request->write ? append_bulk(out, key) : RKV_OK;
        if (rc) return rc;
        slot = slot_of_internal(it->key);
        r.examined++;
        r.matched += matches;
        it->ops->next(it);
    }
    if (it->status) return it->status;
    r.ended = !it->valid || is_past(it->key);
    r.new_slot = !r.ended && slot >= 0 && slot != slot_of_internal(it->key);
    *result = r;
    return RKV_OK;
}
