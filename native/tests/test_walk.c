/* test_walk.c: glob patterns against an obvious matcher, and walks over the keys of a database against a plain filter.
 *
 * Random tests print their seed; SEED=n replays one. Patterns and texts are exact heap blocks, so that AddressSanitizer sees a read of
 * one byte too many.
 */
#include "base/alloc.h"
#include "base/hash.h"
#include "check.h"
#include "serve/glob.h"
#include "serve/keys.h"
#include "serve/walk.h"

static uint64_t state;

static uint64_t draw(uint64_t below) {
    state += 0x9e3779b97f4a7c15ULL;
    return hash_mix(state) % below;
}

static void begin_random(const char *name) {
    const char *text = getenv("SEED");
    state = text ? strtoull(text, NULL, 10) : 777;
    printf("%s: SEED=%llu\n", name, (unsigned long long)state);
}

/* --- glob ---------------------------------------------------------------------------------------------------------------- */

static bool match_text(const char *pattern, const char *text) {
    return glob_match(slice_text(pattern), slice_text(text));
}

static void test_glob_table(void) {
    static const struct {
        const char *pattern, *text;
        bool matches;
    } table[] = {
        {"", "", true},
        {"*", "", true},
        {"**", "", false}, /* as Redis has it */
        {"**", "a", true},
        {"?", "", false},
        {"h?llo", "hello", true},
        {"h*llo", "heeeello", true},
        {"h[ae]llo", "hallo", true},
        {"h[^e]llo", "hello", false},
        {"h[a-b]llo", "hbllo", true},
        {"h[b-a]llo", "hallo", true},
        {"h[a-]llo", "h-llo", false}, /* a range from ] to a, in a class that is not closed */
        {"h[a-]llo", "h^", true},
        {"h\\*llo", "h*llo", true},
        {"h\\*llo", "hello", false},
        {"h\\", "h\\", true},
        {"h[", "h[", false},
        {"h[llo", "hl", true},
        {"[]", "]", false},
        {"[^]", "x", true},
        {"[\\]]", "]", true},
        {"*a*b*", "xxaxxbxx", true},
        {"*a*b", "xxaxxbxx", false},
        {"a*a", "a", false},
        {"a*a", "aa", true},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        CHECK(match_text(table[i].pattern, table[i].text) == table[i].matches);
}

/* The definition, exponential. Classes are the real ones' business: patterns here have none. */
static bool obvious(slice p, slice t) {
    if (p.size == 0) return t.size == 0;
    slice p1 = slice_of(p.data + 1, p.size - 1), t1 = t.size ? slice_of(t.data + 1, t.size - 1) : t;
    if (p.data[0] == '*') return obvious(p1, t) || (t.size && obvious(p, t1));
    if (t.size == 0) return false;
    if (p.data[0] == '?') return obvious(p1, t1);
    if (p.data[0] == '\\' && p1.size) return p1.data[0] == t.data[0] && obvious(slice_of(p1.data + 1, p1.size - 1), t1);
    return p.data[0] == t.data[0] && obvious(p1, t1);
}

static slice random_text(const char *letters, size_t size) {
    uint8_t *data = mem_alloc(size ? size : 1);
    CHECK(data);
    for (size_t i = 0; i < size; i++) data[i] = (uint8_t)letters[draw(strlen(letters))];
    return slice_of(data, size);
}

static void test_glob_random(void) {
    begin_random("test_glob_random");
    for (int i = 0; i < 200000; i++) {
        slice pattern = random_text("ab*?\\", draw(7)), text = random_text("ab*\\", 1 + draw(6));
        CHECK(glob_match(pattern, text) == obvious(pattern, text));
        mem_free((void *)pattern.data);
        mem_free((void *)text.data);
    }
    for (int i = 0; i < 200000; i++) { /* nothing but: no read outside */
        slice pattern = random_text("ab[]^-\\*", draw(10)), text = random_text("ab]-", draw(6));
        glob_match(pattern, text);
        mem_free((void *)pattern.data);
        mem_free((void *)text.data);
    }
}

static void test_glob_is_bounded(void) {
    char pattern[1024], text[4096];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = i % 2 ? '*' : 'a';
    pattern[sizeof pattern - 1] = 'b';
    CHECK(!glob_match(slice_of(pattern, sizeof pattern), slice_of(text, sizeof text)));
}

/* --- walks --------------------------------------------------------------------------------------------------------------- */

enum { KEYS_MAX = 400, KEY_MAX = 12 };

typedef struct key {
    uint8_t bytes[KEY_MAX];
    size_t size;
} key;

/* An iterator over a sorted array, which counts its moves. */
typedef struct array_iter {
    iter base;
    const key *keys;
    size_t count, at;
    uint64_t moves;
} array_iter;

static void stand(array_iter *a) {
    a->moves++;
    a->base.valid = a->at < a->count;
    if (a->base.valid) a->base.key = slice_of(a->keys[a->at].bytes, a->keys[a->at].size);
}

static void array_seek(iter *it, slice target) {
    array_iter *a = (array_iter *)it;
    for (a->at = 0; a->at < a->count; a->at++)
        if (slice_compare(slice_of(a->keys[a->at].bytes, a->keys[a->at].size), target) >= 0) break;
    stand(a);
}

static void array_next(iter *it) {
    array_iter *a = (array_iter *)it;
    a->at++;
    stand(a);
}

static const iter_ops array_ops = {.seek = array_seek, .next = array_next};

static int by_bytes(const void *a, const void *b) {
    const key *x = a, *y = b;
    return slice_compare(slice_of(x->bytes, x->size), slice_of(y->bytes, y->size));
}

static key make_key(uint32_t slot, uint8_t kind, uint8_t db, const char *text) {
    key k = {.bytes = {(uint8_t)(slot >> 8), (uint8_t)slot, kind, db}, .size = KEY_PREFIX_SIZE + strlen(text)};
    memcpy(k.bytes + KEY_PREFIX_SIZE, text, strlen(text));
    return k;
}

static array_iter random_keys(key *keys) {
    size_t count = draw(KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        char text[4] = {0};
        for (size_t j = draw(4); j; j--) text[j - 1] = (char)('a' + draw(2));
        uint32_t slot = draw(50) ? (uint32_t)(draw(5) * 4095) : draw(2) ? SLOT_COUNT : 0xffff;
        keys[i] = make_key(slot, (uint8_t)(KIND_META + draw(3)), (uint8_t)draw(4), text);
    }
    qsort(keys, count, sizeof *keys, by_bytes);
    return (array_iter){.base = {.ops = &array_ops}, .keys = keys, .count = count};
}

/* What a walk must give: a filter, written without thought for cost. */
static uint64_t expected(const array_iter *a, uint8_t db, slice pattern, buf *out) {
    uint64_t count = 0;
    for (size_t i = 0; i < a->count; i++) {
        const uint8_t *k = a->keys[i].bytes;
        slice text = slice_of(k + KEY_PREFIX_SIZE, a->keys[i].size - KEY_PREFIX_SIZE);
        if ((k[0] << 8 | k[1]) >= SLOT_COUNT || k[2] != KIND_META || k[3] != db || !glob_match(pattern, text)) continue;
        char header[24];
        OK(buf_append(out, header, (size_t)snprintf(header, sizeof header, "$%zu\r\n", text.size)));
        OK(buf_append(out, text.data, text.size));
        OK(buf_append(out, "\r\n", 2));
        count++;
    }
    return count;
}

static void walk_in_steps(array_iter *a, walk_request request, buf *out, uint64_t *matched) {
    array_seek(&a->base, slice_of(NULL, 0));
    walk_result r;
    int last = -1;
    do {
        request.examined_max = 1 + draw(20);
        request.bytes_max = 1 + draw(100);
        OK(walk_keys(&a->base, &request, out, &r));
        CHECK(r.examined <= request.examined_max && r.matched <= r.examined);
        CHECK(r.ended || (a->base.key.data[2] == KIND_META && a->base.key.data[3] == request.db));
        if (!r.ended) {
            int slot = a->base.key.data[0] << 8 | a->base.key.data[1];
            CHECK(!r.new_slot || slot > last);
            last = slot;
        }
        *matched += r.matched;
    } while (!r.ended);
}

static void test_walks_random(void) {
    begin_random("test_walks_random");
    static const char *const patterns[] = {"*", "a*", "?", "*b*a", "", "[a]b", "aa"};
    for (int i = 0; i < 3000; i++) {
        key keys[KEYS_MAX];
        array_iter a = random_keys(keys);
        uint8_t db = (uint8_t)draw(5);
        slice pattern = slice_text(patterns[draw(sizeof patterns / sizeof *patterns)]);
        buf want = {0}, got = {0}, none = {0};
        uint64_t count = expected(&a, db, pattern, &want), matched = 0, counted = 0;
        bool all = pattern.size == 1 && pattern.data[0] == '*';
        walk_in_steps(&a, (walk_request){.db = db, .all = all, .pattern = pattern, .write = true}, &got, &matched);
        walk_in_steps(&a, (walk_request){.db = db, .pattern = pattern}, &none, &counted);
        CHECK(matched == count && counted == count && none.size == 0);
        CHECK(slice_equal(buf_slice(&want), buf_slice(&got)));
        buf_clear(&want);
        buf_clear(&got);
    }
}

static void test_foreign_keys_are_leapt_over(void) {
    static key keys[4 * KEYS_MAX];
    size_t count = 0;
    for (uint32_t slot = 0; slot < 4; slot++)
        for (int i = 0; i < KEYS_MAX - 1; i++) {
            char text[16];
            snprintf(text, sizeof text, "%d", i);
            keys[count++] = make_key(slot, i % 2 ? KIND_DATA : KIND_META, 1, text);
        }
    keys[count++] = make_key(2, KIND_META, 0, "own");
    keys[count++] = make_key(3, KIND_META, 9, "own");
    qsort(keys, count, sizeof *keys, by_bytes);
    for (uint8_t db = 0; db < 10; db += 9) {
        array_iter a = {.base = {.ops = &array_ops}, .keys = keys, .count = count};
        buf out = {0};
        walk_result r;
        array_seek(&a.base, slice_of(NULL, 0));
        OK(walk_keys(&a.base,
                     &(walk_request){.db = db, .all = true, .write = true, .examined_max = 10, .bytes_max = 1000}, &out,
                     &r));
        CHECK(r.ended && r.examined == 1 && slice_equal(buf_slice(&out), slice_text("$3\r\nown\r\n")));
        CHECK(a.moves < 100);
        buf_clear(&out);
    }
}

static void test_borders_between_slots_are_told(void) {
    key keys[] = {make_key(1, KIND_META, 0, "a"), make_key(1, KIND_META, 0, "b"), make_key(1, KIND_DATA, 0, "x"),
                  make_key(2, KIND_META, 0, "c")};
    array_iter a = {.base = {.ops = &array_ops}, .keys = keys, .count = 4};
    walk_request request = {.all = true, .examined_max = 1, .bytes_max = 100};
    buf out = {0};
    walk_result r;
    array_seek(&a.base, slice_of(NULL, 0));
    OK(walk_keys(&a.base, &request, &out, &r));
    CHECK(!r.ended && !r.new_slot);
    OK(walk_keys(&a.base, &request, &out, &r));
    CHECK(!r.ended && r.new_slot);
    OK(walk_keys(&a.base, &request, &out, &r));
    CHECK(r.ended && !r.new_slot);
}

static void test_a_broken_iterator_is_reported(void) {
    array_iter a = {.base = {.ops = &array_ops, .status = RKV_EIO}};
    buf out = {0};
    walk_result r;
    CHECK(walk_keys(&a.base, &(walk_request){.all = true, .examined_max = 1, .bytes_max = 1}, &out, &r) == RKV_EIO);
}

int main(void) {
    RUN(test_glob_table);
    RUN(test_glob_random);
    RUN(test_glob_is_bounded);
    RUN(test_walks_random);
    RUN(test_foreign_keys_are_leapt_over);
    RUN(test_borders_between_slots_are_told);
    RUN(test_a_broken_iterator_is_reported);
    return check_done();
}
