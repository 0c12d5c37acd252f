/* test_resp.c: the scanner, the writer and the reply queue, by table; every sample whole, byte by byte and in random pieces. */
#include "resp/reply.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "check.h"
#include "resp/number.h"
#include "stream.h"

static const scan_limits wide = {
    .line_max = 64 * 1024,
    .count_max = 1024 * 1024,
    .bulk_max = 512 << 20,
    .value_max = 64 << 20,
    .buffered_max = 64 << 20,
    .authenticated = true,
};
static const scan_limits narrow = {
    .line_max = 16, .count_max = 3, .bulk_max = 100 * 1024, .value_max = 40 * 1024, .buffered_max = 20};
static uint64_t seed;

static uint64_t next_random(void) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t x = seed;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static size_t whole(void *context) {
    (void)context;
    return SIZE_MAX;
}

static size_t one(void *context) {
    (void)context;
    return 1;
}

static size_t some(void *context) {
    return 1 + next_random() % *(size_t *)context;
}

static bool gives(const scan_limits *limits, slice data, const char *expected, size_t (*next)(void *), void *context) {
    stream s = {.limits = limits};
    stream_feed_all(&s, data, next, context);
    stream_end(&s);
    slice got = buf_slice(&s.transcript);
    bool same = slice_equal(got, slice_text(expected));
    if (!same)
        fprintf(stderr, "got:      %.*s\nexpected: %s\n", (int)(got.size < 500 ? got.size : 500), got.data, expected);
    stream_clear(&s);
    return same;
}

static void check_stream(const scan_limits *limits, slice data, const char *expected) {
    size_t pieces[] = {3, 40, 5000};
    CHECK(gives(limits, data, expected, whole, NULL));
    CHECK(gives(limits, data, expected, one, NULL));
    for (size_t i = 0; i < 3; i++) CHECK(gives(limits, data, expected, some, &pieces[i]));
}

#define SAMPLE(text, expected) check_stream(&wide, slice_of(text, sizeof text - 1), expected)
#define NARROW(text, expected) check_stream(&narrow, slice_of(text, sizeof text - 1), expected)

/* --- the scanner -------------------------------------------------------------------------------------------------------------- */

static void test_multibulk(void) {
    SAMPLE("", "end\n");
    SAMPLE("*1\r\n$4\r\nPING\r\n", "<PING>\nend\n");
    SAMPLE("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\n\0b\r\n*1\r\n$4\r\nPING\r\n",
           "<SET><k><a\\x0d\\x0a\\x00b>\n<PING>\nend\n");
    SAMPLE("*2\r\n$0\r\n\r\n$0\r\n\r\n", "<><>\nend\n");
    SAMPLE("*0\r\n*-1\r\n*-9223372036854775808\r\n*1\r\n$1\r\nx\r\n", "\n\n\n<x>\nend\n");
    SAMPLE("*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
           "<PING>\n<PING>\nend\n"); /* as Redis: what closes a bulk is not looked at */
    SAMPLE("*2\r\n$3\r\nGET\r\n$1\r", "more\n");
    SAMPLE("*", "more\n");
    SAMPLE("*1", "more\n");
    SAMPLE("*1\r", "more\n");
}

static void test_bad_multibulk(void) {
    const char *count = "error: Protocol error: invalid multibulk length\n";
    const char *size = "error: Protocol error: invalid bulk length\n";
    SAMPLE("*x\r\n", count);
    SAMPLE("*\r\n", count);
    SAMPLE("*+1\r\n", count);
    SAMPLE("*01\r\n", count);
    SAMPLE("* 1\r\n", count);
    SAMPLE("*1 \r\n", count);
    SAMPLE("*-0\r\n", count);
    SAMPLE("*1e3\r\n", count);
    SAMPLE("*1048577\r\n", count);
    SAMPLE("*2147483648\r\n", count);
    SAMPLE("*4294967295\r\n", count);
    SAMPLE("*9223372036854775808\r\n", count);
    SAMPLE("*-9223372036854775809\r\n", count);
    SAMPLE("*18446744073709551616\r\n", count);
    SAMPLE("*00000000000000000000001\r\n", count);
    SAMPLE("*1048576\r\n", "more\n");
    SAMPLE("*1\r\n$-1\r\n", size);
    SAMPLE("*1\r\n$-0\r\n", size);
    SAMPLE("*1\r\n$+4\r\nPING\r\n", size);
    SAMPLE("*1\r\n$04\r\nPING\r\n", size);
    SAMPLE("*1\r\n$4x\r\nPING\r\n", size);
    SAMPLE("*1\r\n$ 3\r\nabc\r\n", size);
    SAMPLE("*1\r\n$\r\n", size);
    SAMPLE("*1\r\n$536870913\r\n", size);
    SAMPLE("*1\r\n$4294967296\r\n", size);
    SAMPLE("*1\r\n$99999999999999999999\r\n", size);
    SAMPLE("*1\r\n$536870912\r\n", "more\n");
    SAMPLE("*1\r\n+PING\r\n", "error: Protocol error: expected '$', got '+'\n");
    SAMPLE("*1\r\n\r\n", "error: Protocol error: expected '$', got ' '\n");
    SAMPLE("*1\r\n*1\r\n$4\r\nPING\r\n", "error: Protocol error: expected '$', got '*'\n");
    SAMPLE("*1\r\n$1\r\nx\r\n*y\r\n", "<x>\nerror: Protocol error: invalid multibulk length\n");
}

static void test_inline(void) {
    SAMPLE("PING\r\n", "<PING>\nend\n");
    SAMPLE("PING\n", "<PING>\nend\n");
    SAMPLE("\r\n\n  \t\r\nPING\r\n", "\n\n\n<PING>\nend\n");
    SAMPLE("  SET\ta  b \r\nGET a\r\n", "<SET><a><b>\n<GET><a>\nend\n");
    SAMPLE("PING \"a b\"\r\n", "<PING><a\\x20b>\nend\n");
    SAMPLE("PING \"\\x41\\n\\r\\t\\b\\a\\q\\\"\\xzz\"\r\n", "<PING><A\\x0a\\x0d\\x09\\x08\\x07q\"xzz>\nend\n");
    SAMPLE("PING 'a\\'b\\n'\r\n", "<PING><a'b\\n>\nend\n");
    SAMPLE("PING a\"b c\"\r\n", "<PING><ab\\x20c>\nend\n");
    SAMPLE("\"\" ''\r\n", "<><>\nend\n");
    SAMPLE("PI\0NG x\r\n", "<PI\\x00NG><x>\nend\n");
    const char *quotes = "error: Protocol error: unbalanced quotes in request\n";
    SAMPLE("PING \"a\r\n", quotes);
    SAMPLE("PING 'a\r\n", quotes);
    SAMPLE("PING \"a\\\"\r\n", quotes);
    SAMPLE("PING \"a\"b\r\n", quotes);
    SAMPLE("PING 'a'b\r\n", quotes);
}

static void test_foreign(void) {
    SAMPLE("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "foreign\n");
    SAMPLE("\x16\x03\x01\x02", "foreign\n");
    SAMPLE("PING\r\n\x16\x03", "<PING>\nforeign\n");
    SAMPLE("\x16", "more\n");
    SAMPLE("\x16\x04 a\n", "<\\x16\\x04><a>\nend\n");
    SAMPLE("GET / HTTP\r\n", "<GET></><HTTP>\nend\n");
}

static void test_limits(void) {
    NARROW("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "<a><b><c>\nend\n");
    NARROW("*4\r\n", "error: Protocol error: unauthenticated multibulk length\n");
    NARROW("*1\r\n$102401\r\n", "error: Protocol error: unauthenticated bulk length\n");
    NARROW("0123456789abcdef\n", "<0123456789abcdef>\nend\n");
    NARROW("0123456789abcdefg\n", "error: Protocol error: too big inline request\n");
    NARROW("0123456789abcdef", "more\n");
    NARROW("0123456789abcdefg", "error: Protocol error: too big inline request\n");
    NARROW("*00000000000000001\r\n", "error: Protocol error: too big mbulk count string\n");
    NARROW("*000000000000000\r\n", "error: Protocol error: invalid multibulk length\n");
    NARROW("*1\r\n$11111111111111111", "error: Protocol error: too big bulk count string\n");
    /* 20 bytes may be held beside the bulk that is being received. */
    NARROW("*3\r\n$10\r\n0123456789\r\n$10\r\n0123456789\r\n$2\r\nab\r\n", "<0123456789><0123456789><ab>\nend\n");
    NARROW("*3\r\n$10\r\n0123456789\r\n$11\r\n0123456789a\r\n$2\r\nab\r\n", "overflow\n");
}

/* A request with an argument of size bytes of x before and after small ones. */
static buf big_request(size_t size) {
    buf b = {0};
    char head[64];
    int n = snprintf(head, sizeof head, "*3\r\n$1\r\na\r\n$%zu\r\n", size);
    OK(buf_append(&b, head, (size_t)n));
    OK(buf_reserve(&b, size));
    for (size_t i = 0; i < size; i++) b.data[b.size++] = (uint8_t)(i * 7 + (i >> 8));
    OK(buf_append(&b, "\r\n$1\r\nb\r\nPING\r\n", 15));
    return b;
}

/* Sizes around every border of the scanner, in pieces of many sizes: one transcript. */
static void test_big_bulks(void) {
    size_t sizes[] = {SCAN_BIG_MIN - 1, SCAN_BIG_MIN, SCAN_BIG_MIN + 1, 65535, 65536, 65537, 200000, 1 << 20};
    size_t pieces[] = {1000, 16384, 70000, 400000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        buf request = big_request(sizes[i]);
        stream s = {.limits = &wide};
        stream_feed_all(&s, buf_slice(&request), whole, NULL);
        stream_end(&s);
        OK(buf_append(&s.transcript, "", 1));
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++)
            CHECK(gives(&wide, buf_slice(&request), (char *)s.transcript.data, some, &pieces[k]));
        if (sizes[i] <= 70000) CHECK(gives(&wide, buf_slice(&request), (char *)s.transcript.data, one, NULL));
        stream_clear(&s);
        buf_clear(&request);
    }
}

/* A bulk above value_max is dropped, and marked, however it comes; memory stays small. */
static void test_oversized(void) {
    scan_limits limits = wide;
    size_t pieces[] = {1000, 50000, 2000000};
    limits.value_max = 1000000;
    for (size_t extra = 0; extra < 2; extra++) {
        buf request = big_request(limits.value_max + extra);
        for (size_t k = 0; k < 3; k++) {
            stream s = {.limits = &limits};
            stream_feed_all(&s, buf_slice(&request), some, &pieces[k]);
            stream_end(&s);
            if (extra) {
                CHECK(slice_equal(buf_slice(&s.transcript), slice_text("<a><><b>!\n<PING>\nend\n")));
                CHECK(s.memory_max < 64 * 1024);
            } else {
                CHECK(s.transcript.size > 30 && !memchr(s.transcript.data, '!', s.transcript.size));
            }
            stream_clear(&s);
        }
        buf_clear(&request);
    }
}

/* Memory is taken for what came, not for what was announced. */
static void test_announced(void) {
    stream s = {.limits = &wide};
    const char *claim = "*1048576\r\n$3\r\nSET\r\n$500000000\r\nabc";
    stream_feed_all(&s, slice_text(claim), one, NULL);
    CHECK(s.memory_max <= 64 * 1024 + 1024);
    uint8_t data[1000];
    memset(data, 'x', sizeof data);
    for (int i = 0; i < 1000; i++) CHECK(stream_feed(&s, data, sizeof data) > 0);
    CHECK(s.memory_max <= 2 * 1000 * 1000 + 64 * 1024);
    stream_clear(&s);
}

/* Every allocation fails once: the stream ends, nothing leaks, nothing is lost before it. */
static void test_no_memory(void) {
    buf request = big_request(100000);
    size_t piece = 30000;
    bool survived = false;
    for (long n = 0; !survived; n++) {
        stream s = {.limits = &wide};
        alloc_fail_after(-1);
        OK(buf_reserve(&s.transcript, 4096));
        size_t at = 0;
        while (at < request.size && !s.ended) {
            size_t size = request.size - at < piece ? request.size - at : piece, room = 0;
            alloc_fail_after(n);
            bool refused = scan_filling(&s.scan) && !scan_space(&s.scan, &room);
            if (!refused) at += stream_feed(&s, request.data + at, size);
            alloc_fail_after(-1);
            if (refused) s.ended = true;
        }
        survived = !s.ended;
        stream_clear(&s);
    }
    buf_clear(&request);
}

/* --- numbers ------------------------------------------------------------------------------------------------------------------ */

static void test_numbers(void) {
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"7", 7},
                {"-1", -1},
                {"10", 10},
                {"1234567890123456789", 1234567890123456789},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN},
                {"99", 99},
                {"100", 100}};
    static const char *bad[] = {"",
                                "-",
                                "+1",
                                " 1",
                                "1 ",
                                "01",
                                "-0",
                                "-01",
                                "1.0",
                                "9223372036854775808",
                                "0x1",
                                "-9223372036854775809",
                                "12345678901234567890",
                                "1a",
                                "--1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t v;
        uint8_t text[INT64_TEXT_MAX];
        CHECK(number_read(slice_text(good[i].text), &v) && v == good[i].value);
        CHECK(slice_equal(slice_of(text, number_write(text, v)), slice_text(good[i].text)));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!number_read(slice_text(bad[i]), &(int64_t){0}));
    for (int i = 0; i < 100000; i++) {
        int64_t v, n = (int64_t)(next_random() >> next_random() % 64) * (next_random() % 2 ? 1 : -1);
        uint8_t text[INT64_TEXT_MAX];
        CHECK(number_read(slice_of(text, number_write(text, n)), &v) && v == n);
    }
}

static void test_floats(void) {
    static const char *same[][2] = {{"3.0e3", "3000"},  {"0.5", "0.5"}, {"-0", "0"},   {"1e-18", "0"},
                                    {"-1.25", "-1.25"}, {"10", "10"},   {".5", "0.5"}, {"0x10", "16"}};
    static const char *bad[] = {"", " 1", "1 ", "nan", "1e5000", "abc", "1,5", "1e-5000"};
    char text[FLOAT_TEXT_MAX];
    long double v;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        CHECK(float_read(slice_text(same[i][0]), &v));
        CHECK(slice_equal(slice_of(text, float_write(text, v)), slice_text(same[i][1])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!float_read(slice_text(bad[i]), &v));
    CHECK(!float_read(slice_of("1\0", 2), &v));
    CHECK(float_read(slice_text("1e4932"), &v) && float_write(text, v) == 4933);
}

/* --- replies ------------------------------------------------------------------------------------------------------------------ */

/* Everything that may be sent now, as one text. */
static void check_out(const out *o, const char *expected) {
    struct iovec pieces[64];
    char text[256] = "";
    size_t size = 0;
    int count = out_pieces(o, pieces, 64);
    for (int i = 0; i < count; i++) {
        memcpy(text + size, pieces[i].iov_base, pieces[i].iov_len);
        size += pieces[i].iov_len;
    }
    CHECK(slice_equal(slice_of(text, size), slice_text(expected)));
}

static void test_reply_forms(void) {
    chunk_pool pool = {0};
    out o = {.pool = &pool};
    OK(reply_ok(&o));
    OK(reply_integer(&o, 7));
    OK(reply_integer(&o, -12));
    OK(reply_bulk(&o, slice_text("abc")));
    OK(reply_bulk(&o, slice_of(NULL, 0)));
    OK(reply_null(&o, 2));
    OK(reply_null(&o, 3));
    OK(reply_array(&o, 2));
    OK(reply_map(&o, 2, 3));
    OK(reply_map(&o, 3, 3));
    OK(reply_error(&o, slice_text("ERR a\r\nb")));
    check_out(&o, "+OK\r\n:7\r\n:-12\r\n$3\r\nabc\r\n$0\r\n\r\n$-1\r\n_\r\n*2\r\n*6\r\n%3\r\n-ERR a  b\r\n");
    out_clear(&o);
    chunk_pool_clear(&pool);
}

static void test_queue_marks(void) {
    chunk_pool pool = {0};
    out o = {.pool = &pool};
    out_mark start = out_here(&o);
    OK(reply_ok(&o));
    out_return(&o, start);
    CHECK(out_size(&o) == 0 && !o.head);
    OK(reply_integer(&o, 1));
    out_mark mark = out_here(&o);
    buf large = big_request(100000);
    OK(reply_bulk(&o, buf_slice(&large)));
    chunk *c = chunk_bulk(3);
    memcpy(c->data + c->text_at - 1, "sxyz", 4);
    chunk_bulk_ready(c);
    out_link(&o, c);
    OK(reply_integer(&o, 2));
    out_return(&o, mark);
    check_out(&o, ":1\r\n");
    c = chunk_bulk(3);
    memcpy(c->data + c->text_at - 1, "sxyz", 4);
    chunk_bulk_ready(c);
    out_link(&o, c);
    OK(reply_integer(&o, 3));
    check_out(&o, ":1\r\n$3\r\nxyz\r\n:3\r\n");
    out_sent(&o, 6);
    check_out(&o, "\r\nxyz\r\n:3\r\n");
    out_sent(&o, out_size(&o));
    CHECK(!o.head && !o.tail);
    buf_clear(&large);
    out_clear(&o);
    chunk_pool_clear(&pool);
}

static void test_queue_holds(void) {
    chunk_pool pool = {0};
    out o = {.pool = &pool};
    OK(reply_integer(&o, 1));
    OK(out_hold(&o, out_here(&o).end, 10));
    OK(reply_integer(&o, 2));
    uint64_t second = out_here(&o).end;
    OK(out_hold(&o, second, 9)); /* waits for 10 anyway */
    OK(out_hold(&o, second, 12));
    OK(out_hold(&o, second, 14)); /* the same place: later */
    OK(reply_integer(&o, 3));
    check_out(&o, ":1\r\n");
    CHECK(out_release(&o, 9));
    check_out(&o, ":1\r\n");
    out_sent(&o, 4);
    check_out(&o, "");
    CHECK(out_release(&o, 10));
    check_out(&o, ":2\r\n");
    for (int i = 0; i < 50; i++) {
        OK(out_hold(&o, out_here(&o).end, 20 + (uint64_t)i));
        OK(reply_integer(&o, i));
    }
    CHECK(out_release(&o, 21));
    check_out(&o, ":2\r\n:3\r\n:0\r\n:1\r\n");
    CHECK(!out_release(&o, 100));
    CHECK(out_size(&o) == 4 * 12 + 5 * 40);
    out_clear(&o);
    chunk_pool_clear(&pool);
}

/* Random writes, marks and sends against a plain string. */
static void test_queue_random(void) {
    chunk_pool pool = {0};
    out o = {.pool = &pool};
    buf model = {0}, piece = {0};
    OK(buf_reserve(&piece, 70000));
    for (int step = 0; step < 3000; step++) {
        size_t size = next_random() % (next_random() % 8 ? 300 : 70000);
        for (size_t i = 0; i < size; i++) piece.data[i] = (uint8_t)(next_random() >> 56);
        out_mark mark = out_here(&o);
        OK(out_append(&o, slice_of(piece.data, size)));
        if (next_random() % 3 == 0)
            out_return(&o, mark);
        else
            OK(buf_append(&model, piece.data, size));
        struct iovec pieces[4];
        int count = next_random() % 2 ? out_pieces(&o, pieces, 4) : 0;
        for (int i = 0; i < count; i++) {
            size_t n = i + 1 < count ? pieces[i].iov_len : next_random() % (pieces[i].iov_len + 1);
            CHECK(memcmp(model.data, pieces[i].iov_base, n) == 0);
            memmove(model.data, model.data + n, model.size - n);
            model.size -= n;
            out_sent(&o, n);
        }
        CHECK(out_size(&o) == model.size);
    }
    buf_clear(&model);
    buf_clear(&piece);
    out_clear(&o);
    chunk_pool_clear(&pool);
}

int main(void) {
    seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 1;
    printf("SEED=%llu\n", (unsigned long long)seed);
    RUN(test_multibulk);
    RUN(test_bad_multibulk);
    RUN(test_inline);
    RUN(test_foreign);
    RUN(test_limits);
    RUN(test_big_bulks);
    RUN(test_oversized);
    RUN(test_announced);
    RUN(test_no_memory);
    RUN(test_numbers);
    RUN(test_floats);
    RUN(test_reply_forms);
    RUN(test_queue_marks);
    RUN(test_queue_holds);
    RUN(test_queue_random);
    return check_done();
}
