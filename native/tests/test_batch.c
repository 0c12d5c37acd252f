/* test_batch.c: the order of cells, and batches: what was put comes out, and no bytes from outside lead a reader astray.
 *
 * Random tests print their seed; SEED=n replays one. Buffers that are decoded are exact heap blocks, so that AddressSanitizer
 * sees a read of one byte too many.
 */
#include "base/alloc.h"
#include "base/coding.h"
#include "base/hash.h"
#include "check.h"
#include "lsm/batch.h"
#include "lsm/vlog.h"

enum { ENTRIES_MAX = 40 };

static uint64_t state;

static uint64_t draw(uint64_t below) {
    state += 0x9e3779b97f4a7c15ULL;
    return hash_mix(state) % below;
}

static void begin_random(const char *name) {
    const char *text = getenv("SEED");
    state = text ? strtoull(text, NULL, 10) : 20241;
    printf("%s: SEED=%llu\n", name, (unsigned long long)state);
}

/* --- cell_compare ------------------------------------------------------------------------------------------------------ */

/* Few values for each field, so that ties are common. */
static cell random_cell(uint8_t payload[VALUE_REF_SIZE_MAX]) {
    cell c = {.hlc = draw(3), .node = (uint32_t)draw(2), .expires_at_ms = draw(2) * 1000};
    switch (draw(4)) {
    case 0: c.flags = CELL_TOMBSTONE; break;
    case 1: {
        value_ref ref = {.file = 1 + draw(300), .offset = draw(2) * 64, .size = 9000, .key_size = 3};
        c.flags = CELL_POINTER;
        c.payload = slice_of(payload, value_ref_encode(payload, &ref));
        break;
    }
    case 2: /* a pointer cell that a fault has broken */
        c.flags = CELL_POINTER;
        payload[0] = 0xff;
        c.payload = slice_of(payload, draw(2));
        break;
    default: payload[0] = (uint8_t)draw(3); c.payload = slice_of(payload, draw(2));
    }
    return c;
}

static bool cell_equal(const cell *a, const cell *b) {
    return a->hlc == b->hlc && a->node == b->node && a->flags == b->flags && a->expires_at_ms == b->expires_at_ms &&
           slice_equal(a->payload, b->payload);
}

static int sign(int x) {
    return (x > 0) - (x < 0);
}

static void test_order_is_total(void) {
    begin_random("order_is_total");
    for (int round = 0; round < 200000; round++) {
        uint8_t bytes[3][VALUE_REF_SIZE_MAX];
        cell a = random_cell(bytes[0]), b = random_cell(bytes[1]), c = random_cell(bytes[2]);
        int ab = sign(cell_compare(&a, &b)), bc = sign(cell_compare(&b, &c)), ac = sign(cell_compare(&a, &c));
        CHECK(sign(cell_compare(&b, &a)) == -ab);
        CHECK((ab == 0) == cell_equal(&a, &b));
        if (ab >= 0 && bc >= 0) CHECK(ac >= 0);
        if (ab > 0 && bc >= 0) CHECK(ac > 0);
    }
}

static void test_order_by_rank(void) {
    uint8_t low[VALUE_REF_SIZE_MAX], high[VALUE_REF_SIZE_MAX];
    value_ref ref = {.file = 255, .offset = 900, .size = 9000, .key_size = 3};
    size_t low_size = value_ref_encode(low, &ref);
    ref.file = 256; /* whose varint begins with a smaller byte */
    ref.offset = 64;
    size_t high_size = value_ref_encode(high, &ref);
    cell ascending[] = {
        {.hlc = 7, .node = 1, .payload = slice_text("")},
        {.hlc = 7, .node = 1, .payload = slice_text(""), .expires_at_ms = 5},
        {.hlc = 7, .node = 1, .payload = slice_text("a")},
        {.hlc = 7, .node = 1, .payload = slice_text("b")},
        {.hlc = 7, .node = 1, .flags = CELL_TOMBSTONE},
        {.hlc = 7, .node = 1, .flags = CELL_POINTER, .payload = slice_of(low, low_size)},
        {.hlc = 7, .node = 1, .flags = CELL_POINTER, .payload = slice_of(high, high_size)},
        {.hlc = 7, .node = 2, .payload = slice_text("")},
        {.hlc = 8, .node = 0, .payload = slice_text("")},
    };
    size_t count = sizeof ascending / sizeof *ascending;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) CHECK(sign(cell_compare(&ascending[i], &ascending[k])) == (i > k) - (i < k));
}

/* --- batches ----------------------------------------------------------------------------------------------------------- */

typedef struct twin {
    uint64_t base_hlc;
    uint32_t node;
    size_t count;
    batch_entry entries[ENTRIES_MAX];
} twin;

static uint8_t noise[70000];

static slice random_slice(size_t size_max) {
    size_t size = draw(4) ? draw(12) : draw(size_max + 1);
    return slice_of(noise + draw(sizeof noise - size + 1), size);
}

/* A batch of random entries and the array of what was put. */
static void random_batch(buf *b, twin *t, size_t size_max) {
    t->base_hlc = draw(4) ? draw(1u << 30) << 20 : UINT64_MAX - draw(3);
    t->node = (uint32_t)draw(5);
    t->count = draw(ENTRIES_MAX + 1);
    OK(batch_begin(b, t->base_hlc, t->node));
    for (size_t i = 0; i < t->count; i++) {
        batch_entry *e = &t->entries[i];
        uint64_t room = UINT64_MAX - t->base_hlc;
        *e = (batch_entry){.is_range = draw(8) == 0, .key = random_slice(size_max)};
        e->cell = (cell){.hlc = t->base_hlc + draw(room < 1000 ? room + 1 : 1000), .node = t->node};
        if (e->is_range) {
            e->end = random_slice(size_max);
            OK(batch_delete_range(b, e->key, e->end, e->cell.hlc));
            continue;
        }
        e->cell.flags = (uint8_t)draw(3); /* none, CELL_TOMBSTONE, CELL_POINTER */
        if (draw(3) == 0) e->cell.expires_at_ms = 1 + draw(UINT64_MAX);
        if (!(e->cell.flags & CELL_TOMBSTONE)) e->cell.payload = random_slice(size_max);
        OK(batch_put(b, e->key, &e->cell));
    }
}

static void check_entry(const batch_entry *got, const batch_entry *want) {
    CHECK(got->is_range == want->is_range);
    CHECK(slice_equal(got->key, want->key));
    CHECK(slice_equal(got->end, want->end));
    CHECK(cell_equal(&got->cell, &want->cell));
}

static void test_what_goes_in_comes_out(void) {
    begin_random("what_goes_in_comes_out");
    buf b = {0};
    for (int round = 0; round < 3000; round++) {
        twin t;
        random_batch(&b, &t, KEY_SIZE_MAX);
        OK(batch_check(buf_slice(&b)));
        batch_reader r;
        batch_entry e;
        OK(batch_open(&r, buf_slice(&b)));
        CHECK(r.base_hlc == t.base_hlc && r.node == t.node && r.count == t.count);
        for (size_t i = 0; i < t.count; i++) {
            OK(batch_next(&r, &e));
            check_entry(&e, &t.entries[i]);
        }
        CHECK(batch_next(&r, &e) == RKV_END);
        CHECK(batch_next(&r, &e) == RKV_END);
    }
    buf_clear(&b);
}

/* The bytes of the grammar, so that a change of the format is not made unawares. */
static void test_grammar(void) {
    buf b = {0};
    OK(batch_begin(&b, 0x0102030405060708ULL, 0x0a0b0c0d));
    cell c = {
        .hlc = 0x0102030405060708ULL + 300, .node = 0x0a0b0c0d, .expires_at_ms = 0x11, .payload = slice_text("vw")};
    OK(batch_put(&b, slice_text("key"), &c));
    cell dead = {.hlc = 0x0102030405060708ULL, .node = 0x0a0b0c0d, .flags = CELL_TOMBSTONE};
    OK(batch_put(&b, slice_text("k"), &dead));
    OK(batch_delete_range(&b, slice_text("a"), slice_text("bc"), 0x0102030405060709ULL));
    static const uint8_t want[] = {
        8,   7,    6, 5,    4, 3,   2,   1, 0x0d, 0x0c, 0x0b, 0x0a, 3,   0,   0,   0, /* header */
        4,   0xac, 2, 0x11, 0, 0,   0,   0, 0,    0,    0,    3,    'k', 'e', 'y', 2,
        'v', 'w',  1, 0,    1, 'k',      /* tombstone */
        8,   1,    1, 'a',  2, 'b', 'c', /* range */
    };
    CHECK(slice_equal(buf_slice(&b), slice_of(want, sizeof want)));
    buf_clear(&b);
}

static int decode_all(slice bytes, size_t *out_touched) {
    batch_reader r;
    batch_entry e;
    size_t touched = 0;
    int rc = batch_open(&r, bytes);
    while (rc == RKV_OK && (rc = batch_next(&r, &e)) == RKV_OK) {
        for (size_t i = 0; i < e.key.size; i++) touched += e.key.data[i];
        for (size_t i = 0; i < e.end.size; i++) touched += e.end.data[i];
        for (size_t i = 0; i < e.cell.payload.size; i++) touched += e.cell.payload.data[i];
        CHECK(e.key.size <= KEY_SIZE_MAX && e.cell.hlc >= r.base_hlc);
        CHECK(!(e.cell.flags & CELL_TOMBSTONE) || e.cell.payload.size == 0);
    }
    CHECK(rc == RKV_END || rc == RKV_ECORRUPT);
    CHECK((batch_check(bytes) == RKV_OK) == (rc == RKV_END));
    *out_touched += touched;
    return rc;
}

/* Decode a copy of exactly these bytes. */
static int decode_copy(slice bytes) {
    size_t touched = 0;
    uint8_t *copy = mem_alloc(bytes.size);
    if (bytes.size) memcpy(copy, bytes.data, bytes.size);
    int rc = decode_all(slice_of(copy, bytes.size), &touched);
    mem_free(copy);
    return rc;
}

static void test_every_truncation_is_seen(void) {
    begin_random("every_truncation_is_seen");
    buf b = {0};
    for (int round = 0; round < 60; round++) {
        twin t;
        random_batch(&b, &t, 40);
        for (size_t size = 0; size < b.size; size++) CHECK(decode_copy(slice_of(b.data, size)) == RKV_ECORRUPT);
        CHECK(decode_copy(buf_slice(&b)) == RKV_END);
        OK(buf_append(&b, "", 1));
        CHECK(decode_copy(buf_slice(&b)) == RKV_ECORRUPT);
    }
    buf_clear(&b);
}

static void test_damage_never_over_reads(void) {
    begin_random("damage_never_over_reads");
    buf b = {0};
    for (int round = 0; round < 20000; round++) {
        twin t;
        random_batch(&b, &t, 40);
        for (size_t flips = 1 + draw(4); flips; flips--) b.data[draw(b.size)] = (uint8_t)(draw(2) ? draw(256) : 0xff);
        decode_copy(buf_slice(&b));
    }
    for (int round = 0; round < 20000; round++) {
        b.size = 0;
        OK(batch_begin(&b, draw(9), 0));
        put_fixed32(b.data + 12, (uint32_t)draw(6));
        for (size_t left = draw(60); left; left--) {
            uint8_t byte = (uint8_t)(draw(2) ? draw(12) : draw(256));
            OK(buf_append(&b, &byte, 1));
        }
        decode_copy(buf_slice(&b));
    }
    buf_clear(&b);
}

/* header with base_hlc 5 and the given count, then the bytes. */
static int decode_raw(uint32_t count, const char *bytes, size_t size) {
    buf b = {0};
    OK(batch_begin(&b, 5, 0));
    put_fixed32(b.data + 12, count);
    OK(buf_append(&b, bytes, size));
    int rc = decode_copy(buf_slice(&b));
    buf_clear(&b);
    return rc;
}

#define RAW(count, text) decode_raw(count, text, sizeof text - 1)

static void test_malformed_entries(void) {
    CHECK(RAW(1, "\x00\x00\x01k\x00") == RKV_END);
    CHECK(RAW(1, "\x01\x00\x01k") == RKV_END);
    CHECK(RAW(1, "\x08\x00\x00\x00") == RKV_END);       /* everything, to the end */
    CHECK(RAW(1, "\x10\x00\x01k\x00") == RKV_ECORRUPT); /* unknown kinds */
    CHECK(RAW(1, "\x80\x00\x01k\x00") == RKV_ECORRUPT);
    CHECK(RAW(1, "\x03\x00\x01k\x00") == RKV_ECORRUPT);                 /* both tombstone and pointer */
    CHECK(RAW(1, "\x09\x00\x01k\x00") == RKV_ECORRUPT);                 /* a range with another flag */
    CHECK(RAW(1, "\x04\x00\0\0\0\0\0\0\0\0\x01k\x00") == RKV_ECORRUPT); /* expires at 0, which is never */
    CHECK(RAW(1, "\x04\x00\x01\0\0\0\0\0\0\0\x01k\x00") == RKV_END);
    CHECK(RAW(1, "\x00\xfa\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01k\x00") == RKV_END);      /* version 2^64 - 1 */
    CHECK(RAW(1, "\x00\xfb\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01k\x00") == RKV_ECORRUPT); /* beyond it */
    CHECK(RAW(1, "\x00\x00\x02k\x00") == RKV_ECORRUPT);
    CHECK(RAW(1, "\x00\x00\x01k\xff\xff\xff\xff\x0f") == RKV_ECORRUPT); /* 4 GiB - 1 that are not there */
    CHECK(RAW(1, "\x00\x00\x01k\xff\xff\xff\xff\x1f") == RKV_ECORRUPT);
    CHECK(RAW(0, "\x00\x00\x01k\x00") == RKV_ECORRUPT); /* more than the count */
    CHECK(RAW(2, "\x00\x00\x01k\x00xx") == RKV_ECORRUPT);
    CHECK(RAW(UINT32_MAX, "\x00\x00\x01k\x00") == RKV_ECORRUPT);
    batch_reader r;
    CHECK(batch_open(&r, slice_of(NULL, 0)) == RKV_ECORRUPT);
}

static void test_key_size_limit(void) {
    buf b = {0};
    OK(batch_begin(&b, 0, 0));
    cell c = {.payload = slice_text("v")};
    OK(batch_put(&b, slice_of(noise, KEY_SIZE_MAX), &c));
    CHECK(decode_copy(buf_slice(&b)) == RKV_END);
    b.size = BATCH_HEADER_SIZE;
    uint8_t head[7] = {0, 0};
    size_t size = (size_t)(put_varint(head + 2, KEY_SIZE_MAX + 1) - head);
    OK(buf_append(&b, head, size));
    OK(buf_append(&b, noise, KEY_SIZE_MAX + 1));
    OK(buf_append(&b, "", 1));
    CHECK(decode_copy(buf_slice(&b)) == RKV_ECORRUPT);
    buf_clear(&b);
}

static void test_failed_allocation_changes_nothing(void) {
    buf b = {0};
    alloc_fail_after(0);
    CHECK(batch_begin(&b, 1, 2) == RKV_ENOMEM);
    alloc_fail_after(-1);
    OK(batch_begin(&b, 1, 2));
    cell c = {.hlc = 3, .node = 2, .payload = slice_of(noise, 5000)};
    for (int i = 0; i < 20; i++) {
        size_t size = b.size;
        bool fits = b.capacity - b.size >= BATCH_ENTRY_OVERHEAD_MAX + 3 + 5000;
        alloc_fail_after(0);
        int rc = i % 2 ? batch_put(&b, slice_text("key"), &c)
                       : batch_delete_range(&b, slice_of(noise, 3), slice_of(noise, 5000), 4);
        alloc_fail_after(-1);
        CHECK(rc == (fits ? RKV_OK : RKV_ENOMEM));
        if (!fits) CHECK(b.size == size);
        OK(batch_check(buf_slice(&b)));
        OK(buf_reserve(&b, draw(2) * 6000));
    }
    buf_clear(&b);
}

/* Room of BATCH_ENTRY_OVERHEAD_MAX and the bytes is enough for any entry: db_put relies on it. */
static void test_reserved_room_is_enough(void) {
    buf b = {0};
    OK(batch_begin(&b, 0, 0));
    cell c = {.hlc = UINT64_MAX, .expires_at_ms = UINT64_MAX, .payload = slice_of(noise, 70000)};
    OK(buf_reserve(&b, BATCH_ENTRY_OVERHEAD_MAX + KEY_SIZE_MAX + 70000));
    alloc_fail_after(0);
    int rc = batch_put(&b, slice_of(noise, KEY_SIZE_MAX), &c);
    alloc_fail_after(-1);
    OK(rc);
    buf_clear(&b);
}

int main(void) {
    begin_random("noise");
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)draw(256);
    RUN(test_order_is_total);
    RUN(test_order_by_rank);
    RUN(test_what_goes_in_comes_out);
    RUN(test_grammar);
    RUN(test_every_truncation_is_seen);
    RUN(test_damage_never_over_reads);
    RUN(test_malformed_entries);
    RUN(test_key_size_limit);
    RUN(test_failed_allocation_changes_nothing);
    RUN(test_reserved_room_is_enough);
    return check_done();
}
