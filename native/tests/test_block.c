/* test_block.c: data blocks, index blocks, compressed bodies and footers: what was put in comes out, sizes are what
 * they are said to be, and damaged bytes are refused or misread but never left: each body lies at the end of an
 * allocation of its own size.
 *
 * Random tests print their seed; SEED=n replays one.
 */
#include "base/alloc.h"
#include "check.h"
#include "lsm/block.h"
#include "lsm/compress.h"
#include "lsm/table_footer.h"
#include "lsm/table_index.h"
#include "table_fixture.h"

static uint64_t seed;
static const hash_seed keyed = {3, 4};

static uint64_t hash_of(slice key) {
    return hash_bytes(&keyed, key);
}

/* Up to `most` neighbouring entries of a set, in a block body. */
static void build_block(const twin *t, size_t from, size_t most, buf *out) {
    block_builder b = {0};
    size_t expected = 0;
    for (size_t i = from; i < t->count && i < from + most; i++) {
        slice key = t->entries[i].key;
        expected = block_builder_size_with(&b, key, &t->entries[i].cell);
        OK(block_builder_add(&b, key, hash_of(key), &t->entries[i].cell));
        CHECK(slice_equal(block_builder_first(&b), t->entries[from].key));
        CHECK(slice_equal(block_builder_last(&b), key));
    }
    size_t count = block_builder_count(&b);
    CHECK(block_builder_size(&b) == expected);
    OK(block_builder_finish(&b, out));
    CHECK(out->size <= expected && out->size + 4 * count >= expected);
    CHECK(block_builder_count(&b) == 0 && block_builder_size(&b) == 0);
    block_builder_clear(&b);
}

static void check_find(const block_view *v, const twin *t, size_t from, size_t count, slice key) {
    uint32_t at;
    cell got;
    size_t expected = twin_lower_bound(t, key);
    bool here = expected >= from && expected < from + count && slice_equal(t->entries[expected].key, key);
    CHECK(block_find(v, key, hash_of(key), &got) == (here ? BLOCK_FOUND : BLOCK_ABSENT));
    CHECK(!here || same_cell(&got, &t->entries[expected].cell));
    CHECK(block_lower_bound(v, key, &at));
    CHECK(at == (expected < from ? 0 : expected - from > count ? count : expected - from));
}

static void test_blocks(void) {
    uint64_t rng = seed;
    for (int shape = 0; shape < SET_SHAPES; shape++) {
        twin t = twin_new(shape, seed);
        for (int round = 0; round < 40; round++) {
            size_t from = draw_below(&rng, t.count), most = 1 + draw_below(&rng, draw_below(&rng, 3) ? 12 : 400);
            size_t count = t.count - from < most ? t.count - from : most;
            buf body = {0};
            block_view v;
            build_block(&t, from, most, &body);
            CHECK(block_open(&v, buf_slice(&body)));
            CHECK(v.count == count);
            for (uint32_t i = 0; i < count; i++) {
                block_entry e;
                slice key = t.entries[from + i].key, prefix = block_prefix(&v);
                CHECK(block_get(&v, i, &e));
                CHECK(same_cell(&e.cell, &t.entries[from + i].cell));
                CHECK(key.size == prefix.size + e.suffix.size);
                CHECK(slice_equal(slice_of(key.data, prefix.size), prefix));
                CHECK(slice_equal(slice_of(key.data + prefix.size, e.suffix.size), e.suffix));
                check_find(&v, &t, from, count, key);
            }
            for (int i = 0; i < 50; i++) check_find(&v, &t, from, count, t.entries[draw_below(&rng, t.count)].key);
            buf_clear(&body);
        }
        twin_free(&t);
    }
}

/* A version takes as many bytes as the block's versions differ in; node and expiry only where they are told apart. */
static void test_sizes(void) {
    static const struct {
        cell first, second;
        size_t fields; /* of both entries, beyond the same for all: flags and size */
    } cases[] = {
        {{.hlc = 5}, {.hlc = 5}, 0},
        {{.hlc = 5}, {.hlc = 6}, 2},
        {{.hlc = 5}, {.hlc = 260}, 2},
        {{.hlc = 5}, {.hlc = 261}, 4},
        {{.hlc = UINT64_MAX}, {.hlc = 0}, 16},
        {{.hlc = 5, .node = 1}, {.hlc = 5, .node = 2}, 4},
        {{.hlc = 5, .expires_at_ms = 1}, {.hlc = 5}, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        block_builder b = {0};
        buf body = {0};
        OK(block_builder_add(&b, slice_text("ka"), 0, &cases[i].first));
        OK(block_builder_add(&b, slice_text("kb"), 0, &cases[i].second));
        size_t said = block_builder_size(&b);
        OK(block_builder_finish(&b, &body));
        CHECK(body.size == said);
        CHECK(body.size == BLOCK_HEAD_SIZE + 2 * 3 + 1 + 2 * 3 + cases[i].fields + BLOCK_PAD);
        buf_clear(&body);
        block_builder_clear(&b);
    }
}

/* --- index -------------------------------------------------------------------------------------------------------- */

static void test_index(void) {
    uint64_t rng = seed;
    for (int shape = 0; shape < SET_SHAPES; shape++) {
        twin t = twin_new(shape, seed);
        for (int round = 0; round < 20; round++) {
            size_t from = draw_below(&rng, t.count), most = 1 + draw_below(&rng, 300);
            size_t count = t.count - from < most ? t.count - from : most;
            index_builder b = {0};
            index_view v;
            buf body = {0};
            uint64_t base = draw_below(&rng, 1000), end = base;
            for (size_t i = 0; i < count; end += 10 + i, i++)
                OK(index_builder_add(&b, t.entries[from + i].key, end, (uint32_t)(10 + i)));
            index_builder_shift(&b, 7);
            OK(index_builder_encode(&b, &body));
            CHECK(index_open(&v, buf_slice(&body)));
            CHECK(v.count == count);
            for (int i = 0; i < 300; i++) {
                slice key = t.entries[draw_below(&rng, t.count)].key;
                uint32_t found;
                uint64_t offset;
                uint32_t size;
                if (!draw_below(&rng, 4) && key.size) key.size--;
                size_t at = twin_lower_bound(&t, key);
                if (at == t.count || !slice_equal(t.entries[at].key, key)) at = at ? at - 1 : 0; /* last one <= key */
                CHECK(index_find(&v, key, &found));
                CHECK(found == (at < from ? 0 : at - from >= count ? count - 1 : at - from));
                CHECK(index_child(&v, found, &offset, &size));
                CHECK(size == 10 + found &&
                      offset == base + 7 + 10 * (uint64_t)found + (uint64_t)found * (found - 1) / 2);
            }
            buf_clear(&body);
            index_builder_clear(&b);
        }
        twin_free(&t);
    }
}

/* --- damage ------------------------------------------------------------------------------------------------------- */

/* A copy of the body, some of its bytes changed or its end cut off, that ends where its allocation does. */
static slice damaged(slice body, uint64_t *rng, uint8_t **out_memory) {
    size_t size = draw_below(rng, 4) ? body.size : draw_below(rng, body.size + 1);
    uint8_t *copy = *out_memory = mem_alloc(size);
    CHECK(copy);
    memcpy(copy, body.data, size);
    for (size_t n = draw_below(rng, 4); n && size; n--) {
        static const uint8_t odd[] = {0, 1, 2, 4, 8, 127, 128, 255};
        /* Often in the first or last bytes, where the counts are. */
        size_t near = size < 32 ? size : 32, at = draw_below(rng, near);
        if (!draw_below(rng, 3)) at = draw_below(rng, size);
        if (draw_below(rng, 2)) at = size - 1 - at;
        copy[at] = draw_below(rng, 2) ? odd[draw_below(rng, 8)] : (uint8_t)draw(rng);
    }
    return slice_of(copy, size);
}

static size_t read_block(slice body, slice key) {
    block_view v;
    block_entry e;
    cell c;
    uint32_t at;
    size_t sum = 0;
    if (!block_open(&v, body)) return 0;
    for (size_t i = 0; i < block_prefix(&v).size; i++) sum += block_prefix(&v).data[i];
    for (uint32_t i = 0; i < v.count; i++) {
        if (!block_get(&v, i, &e)) continue;
        for (size_t k = 0; k < e.suffix.size; k++) sum += e.suffix.data[k];
        for (size_t k = 0; k < e.cell.payload.size; k++) sum += e.cell.payload.data[k];
        uint8_t copy[BLOCK_PAD];
        memcpy(copy, e.suffix.data, sizeof copy); /* what the pad promises */
        sum += copy[0];
    }
    for (uint64_t hash = 0; hash < 256; hash++) sum += block_find(&v, key, hash, &c);
    return sum + block_lower_bound(&v, key, &at);
}

static size_t read_index(slice body, slice key) {
    index_view v;
    uint32_t at, size;
    uint64_t offset;
    size_t sum = 0;
    if (!index_open(&v, body)) return 0;
    for (uint32_t i = 0; i < v.count; i++) sum += index_child(&v, i, &offset, &size);
    sum += index_find(&v, key, &at);
    CHECK(at < v.count);
    return sum;
}

static size_t read_compressed(slice body) {
    size_t size, sum = 0;
    if (!compress_raw_size(body, &size) || size > 1 << 20) return 0;
    uint8_t *raw = mem_alloc(size);
    CHECK(raw);
    if (compress_decode(body, raw, size))
        for (size_t i = 0; i < size; i++) sum += raw[i];
    mem_free(raw);
    return sum;
}

static size_t read_footer(slice bytes) {
    table_footer f;
    size_t sum = 0;
    if (bytes.size < FOOTER_END_SIZE) return 0;
    size_t size = footer_size(bytes.data + bytes.size - FOOTER_END_SIZE);
    if (!size || size > bytes.size) return 0;
    if (footer_parse(slice_of(bytes.data + bytes.size - size, size), &f) != FOOTER_OK) return 0;
    for (size_t i = 0; i < f.smallest.size; i++) sum += f.smallest.data[i];
    for (size_t i = 0; i < f.largest.size; i++) sum += f.largest.data[i];
    return sum;
}

static void test_damage(void) {
    size_t sum = 0; /* so that every byte is really read */
    uint64_t rng = seed;
    for (int shape = 0; shape < SET_SHAPES; shape++) {
        if (shape == SET_BIG_VALUES || shape == SET_LONG_KEYS) continue; /* nothing new, and slow */
        twin t = twin_new(shape, seed);
        size_t count = t.count < 20 ? t.count : 20;
        buf block = {0}, index = {0}, packed = {0}, footer = {0};
        index_builder b = {0};
        bool saved;
        build_block(&t, 0, count, &block);
        for (size_t i = 0; i < count; i++) OK(index_builder_add(&b, t.entries[i].key, i * 10, 10));
        OK(index_builder_encode(&b, &index));
        OK(compress_append(&packed, buf_slice(&block), &saved));
        OK(footer_append(&footer, &(table_footer){.smallest = t.entries[0].key, .largest = t.entries[count - 1].key}));
        for (int round = 0; round < 4000; round++) {
            slice key = t.entries[draw_below(&rng, t.count)].key;
            uint8_t *memory[4];
            sum += read_block(damaged(buf_slice(&block), &rng, &memory[0]), key);
            sum += read_index(damaged(buf_slice(&index), &rng, &memory[1]), key);
            sum += read_compressed(damaged(buf_slice(&packed), &rng, &memory[2]));
            sum += read_footer(damaged(buf_slice(&footer), &rng, &memory[3]));
            for (int i = 0; i < 4; i++) mem_free(memory[i]);
        }
        buf_clear(&block);
        buf_clear(&index);
        buf_clear(&packed);
        buf_clear(&footer);
        index_builder_clear(&b);
        twin_free(&t);
    }
    CHECK(sum > 0);
}

/* --- compression -------------------------------------------------------------------------------------------------- */

static void test_compression(void) {
    uint64_t rng = seed;
    uint8_t raw[5000], back[5000];
    buf out = {0};
    bool saved;
    for (size_t size = 0; size < sizeof raw; size += 1 + draw_below(&rng, 50)) {
        for (size_t i = 0; i < size; i++) raw[i] = (uint8_t)(size % 2 ? i % 16 : draw(&rng));
        out.size = 0;
        OK(buf_append(&out, "abc", 3));
        OK(compress_append(&out, slice_of(raw, size), &saved));
        CHECK(saved == (table_has_lz4() && size % 2 && size > 100) || size <= 100);
        CHECK(saved || out.size == 3);
        if (!saved) continue;
        size_t claimed;
        slice body = slice_of(out.data + 3, out.size - 3);
        CHECK(body.size <= size - size / 8);
        CHECK(compress_raw_size(body, &claimed) && claimed == size);
        CHECK(compress_decode(body, back, size) && memcmp(raw, back, size) == 0);
        CHECK(!compress_decode(body, back, size - 1));
    }
    buf_clear(&out);
}

/* What saves less than an eighth is not worth its decompression. */
static void test_worth(void) {
    uint64_t rng = seed;
    uint8_t raw[4096];
    for (size_t zeros = 0; zeros <= sizeof raw; zeros += 64) {
        buf out = {0};
        bool saved;
        for (size_t i = 0; i < sizeof raw; i++) raw[i] = (uint8_t)draw(&rng);
        memset(raw, 0, zeros);
        OK(compress_append(&out, slice_of(raw, sizeof raw), &saved));
        if (zeros < sizeof raw / 8) CHECK(!saved);
        if (table_has_lz4() && zeros > sizeof raw / 8 + 128) CHECK(saved);
        buf_clear(&out);
    }
}

int main(void) {
    seed = test_seed();
    RUN(test_blocks);
    RUN(test_sizes);
    RUN(test_index);
    RUN(test_damage);
    RUN(test_compression);
    RUN(test_worth);
    return check_done();
}
