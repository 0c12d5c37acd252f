/* db_twin.c: see db_twin.h. */
#include "db_twin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "check.h"

twin_shape twin_shape_now = {.small = 120, .large = 3000, .large_one_in = 0, .base_ms = 1700000000000};

uint64_t dice_next(dice *d) {
    d->state += 0x9e3779b97f4a7c15ull;
    return hash_mix(d->state);
}

uint64_t dice_below(dice *d, uint64_t bound) {
    return bound ? dice_next(d) % bound : 0;
}

bool dice_one_in(dice *d, uint64_t n) {
    return n && dice_next(d) % n == 0;
}

uint64_t dice_seed(const char *test, uint64_t otherwise) {
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : otherwise;
    printf("%s: SEED=%" PRIu64 "\n", test, seed);
    fflush(stdout);
    return seed;
}

slice twin_key(unsigned key, uint8_t out[TWIN_KEY_SIZE_MAX]) {
    /* Two bytes of slot, then sometimes a long common part. */
    out[0] = (uint8_t)(key / 64);
    out[1] = (uint8_t)(key / 8);
    int n = snprintf((char *)out + 2, TWIN_KEY_SIZE_MAX - 2, key / 32 % 2 ? "with-a-common-prefix-%05u" : "%05u", key);
    return slice_of(out, (size_t)n + 2);
}

cell twin_cell_of(unsigned key, uint64_t hlc, uint32_t node) {
    const twin_shape *s = &twin_shape_now;
    dice d = {hash_mix(hlc) ^ hash_mix(((uint64_t)key << 32) + node)};
    cell c = {.hlc = hlc, .node = node};
    uint64_t kind = dice_below(&d, 10);
    if (kind == 0) {
        c.flags = CELL_TOMBSTONE;
        return c;
    }
    if (kind == 1) c.expires_at_ms = s->base_ms + dice_below(&d, 20000);
    uint32_t size = (uint32_t)dice_below(&d, s->small);
    if (dice_one_in(&d, s->large_one_in)) size = (uint32_t)dice_below(&d, s->large);
    uint8_t *data = malloc(size + 1);
    CHECK(data);
    for (uint32_t i = 0; i < size; i++) data[i] = (uint8_t)(i % 7 == 0 ? dice_next(&d) : i);
    c.payload = slice_of(data, size);
    return c;
}

void twin_cell_free(cell *c) {
    free((void *)c->payload.data);
    c->payload = (slice){0};
}

void twin_put(twin *t, unsigned key, uint64_t hlc, uint32_t node) {
    twin_version *v = &t->keys[key];
    if (version_compare(hlc, node, v->hlc, v->node) > 0) *v = (twin_version){hlc, node};
}

void twin_delete_range(twin *t, unsigned begin, unsigned end, uint64_t hlc, uint32_t node) {
    CHECK(t->range_count < TWIN_RANGES_MAX);
    t->ranges[t->range_count++] = (twin_range){begin, end, hlc, node};
}

bool twin_winner(const twin *t, unsigned key, twin_version *out) {
    twin_version v = t->keys[key];
    if (v.hlc == 0) return false;
    for (size_t i = 0; i < t->range_count; i++) {
        const twin_range *r = &t->ranges[i];
        if (key >= r->begin && key < r->end && version_compare(v.hlc, v.node, r->hlc, r->node) < 0) return false;
    }
    *out = v;
    return true;
}

bool twin_live(const twin *t, unsigned key, uint64_t now_ms) {
    twin_version v;
    if (!twin_winner(t, key, &v)) return false;
    cell c = twin_cell_of(key, v.hlc, v.node);
    bool live = cell_live(&c, now_ms);
    twin_cell_free(&c);
    return live;
}

int twin_store_put(db *d, unsigned key, uint64_t hlc, uint32_t node) {
    uint8_t name[TWIN_KEY_SIZE_MAX];
    uint8_t ref[VALUE_REF_SIZE_MAX];
    slice k = twin_key(key, name);
    cell whole = twin_cell_of(key, hlc, node);
    cell c = whole;
    int rc = RKV_OK;
    if (c.payload.size >= db_value_log_min(d)) {
        size_t size;
        rc = db_value_write(d, k, &c, c.payload, ref, &size);
        if (rc == RKV_OK) {
            c.payload = slice_of(ref, size);
            c.flags |= CELL_POINTER;
        }
    }
    if (rc == RKV_OK) rc = db_reserve(d, 1, k.size + c.payload.size);
    if (rc == RKV_OK) db_put(d, k, db_hash(d, k), &c);
    twin_cell_free(&whole);
    return rc;
}

void twin_batch_put(buf *b, unsigned key, uint64_t hlc, uint32_t node) {
    uint8_t name[TWIN_KEY_SIZE_MAX];
    cell c = twin_cell_of(key, hlc, node);
    OK(batch_put(b, twin_key(key, name), &c));
    twin_cell_free(&c);
}

int twin_check_cell(db *d, unsigned key, const cell *c) {
    uint8_t name[TWIN_KEY_SIZE_MAX];
    cell want = twin_cell_of(key, c->hlc, c->node);
    uint64_t size;
    OK(db_value_size(c, &size));
    CHECK((want.flags & CELL_TOMBSTONE) == (c->flags & CELL_TOMBSTONE) && want.expires_at_ms == c->expires_at_ms);
    CHECK(size == want.payload.size);
    uint8_t *data = malloc((size_t)size + 1);
    CHECK(data);
    int rc = db_value_read(d, twin_key(key, name), c, false, data);
    if (rc == RKV_OK && size) CHECK(memcmp(data, want.payload.data, (size_t)size) == 0);
    free(data);
    twin_cell_free(&want);
    return rc;
}

/* What a lookup came to is right for key. */
static int check_one(db *d, const twin *t, unsigned key, int rc, const cell *c, uint64_t now_ms, bool exact) {
    twin_version v;
    bool there = twin_winner(t, key, &v);
    if (rc == RKV_NOTFOUND) {
        CHECK(!there || (!exact && !twin_live(t, key, now_ms)));
        return RKV_OK;
    }
    CHECK(rc == RKV_OK);
    if (!there || c->hlc != v.hlc || c->node != v.node)
        fprintf(stderr, "key %u: found %" PRIu64 ".%u, expected %" PRIu64 ".%u (%d)\n", key, c->hlc, c->node,
                there ? v.hlc : 0, there ? v.node : 0, there);
    CHECK(there && c->hlc == v.hlc && c->node == v.node);
    return twin_check_cell(d, key, c);
}

static bool expected(const twin *t, unsigned key, uint64_t now_ms) {
    twin_version v;
    return now_ms ? twin_live(t, key, now_ms) : twin_winner(t, key, &v);
}

/* Walk [lower, upper) one way and check that exactly the right keys come. */
static int check_walk(db *d, db_view *view, const twin *t, uint64_t now_ms, slice lower, slice upper, bool forward,
                      bool scan) {
    uint8_t name[TWIN_KEY_SIZE_MAX];
    iter *it;
    int rc = db_iter_new(&it, view, lower, upper, now_ms, scan);
    if (rc) return rc;
    if (forward)
        it->ops->seek(it, (slice){0});
    else
        it->ops->seek_for_prev(it, (slice){0});
    for (unsigned i = 0; i < TWIN_KEYS && it->status == RKV_OK; i++) {
        unsigned key = forward ? i : TWIN_KEYS - 1 - i;
        slice k = twin_key(key, name);
        bool in = slice_compare(k, lower) >= 0 && (upper.size == 0 || slice_compare(k, upper) < 0);
        if (!in || !expected(t, key, now_ms)) continue;
        if (!it->valid && it->status) break;
        CHECK(it->valid && slice_equal(it->key, k));
        rc = check_one(d, t, key, RKV_OK, &it->cell, now_ms, true);
        if (rc) break;
        if (forward)
            it->ops->next(it);
        else
            it->ops->prev(it);
    }
    if (rc == RKV_OK) rc = it->status;
    if (rc == RKV_OK) CHECK(!it->valid);
    iter_close(it);
    return rc;
}

int twin_compare_view(db *d, db_view *v, const twin *t, uint64_t now_ms, bool exact, slice lower, slice upper) {
    uint8_t name[TWIN_KEY_SIZE_MAX];
    int rc = RKV_OK;
    for (unsigned key = 0; key < TWIN_KEYS; key++) {
        db_value value = {0};
        slice k = twin_key(key, name);
        rc = db_get_view(v, k, db_hash(d, k), &value);
        if (rc < 0) return rc;
        rc = check_one(d, t, key, rc, &value.cell, now_ms, exact);
        db_value_release(d, &value);
        if (rc) return rc;
    }
    for (unsigned way = 0; way < 4; way++) {
        rc = check_walk(d, v, t, now_ms, lower, upper, way & 1, way & 2);
        if (rc == RKV_OK && exact) rc = check_walk(d, v, t, 0, lower, upper, way & 1, way & 2);
        if (rc) return rc;
    }
    return RKV_OK;
}

static int compare_gets(db *d, const twin *t, uint64_t now_ms, bool exact) {
    static uint8_t names[TWIN_KEYS][TWIN_KEY_SIZE_MAX];
    slice keys[TWIN_KEYS];
    uint64_t hashes[TWIN_KEYS];
    int status[TWIN_KEYS];
    static db_value values[TWIN_KEYS];
    int rc = RKV_OK;
    for (unsigned key = 0; key < TWIN_KEYS; key++) {
        db_value value = {0};
        keys[key] = twin_key(key, names[key]);
        hashes[key] = db_hash(d, keys[key]);
        rc = db_get(d, keys[key], hashes[key], false, &value);
        if (rc < 0) return rc;
        rc = check_one(d, t, key, rc, &value.cell, now_ms, exact);
        db_value_release(d, &value);
        if (rc) return rc;
    }
    memset(values, 0, sizeof values);
    db_get_many(d, keys, hashes, TWIN_KEYS, false, status, values);
    rc = RKV_OK;
    for (unsigned key = 0; key < TWIN_KEYS; key++) {
        if (status[key] < 0) rc = status[key];
        if (status[key] >= 0 && rc == RKV_OK) rc = check_one(d, t, key, status[key], &values[key].cell, now_ms, exact);
        db_value_release(d, &values[key]);
    }
    return rc;
}

int twin_compare(db *d, const twin *t, uint64_t now_ms, bool exact) {
    int rc = compare_gets(d, t, now_ms, exact);
    if (rc) return rc;
    db_view *v = db_view_acquire(d);
    if (!v) return RKV_ENOMEM;
    rc = twin_compare_view(d, v, t, now_ms, exact, (slice){0}, (slice){0});
    db_view_release(v);
    return rc;
}
