/* fuzz_resp.c: what clients send. Whatever the bytes, the scanner gives the same requests and the same end for them whole, byte by byte and in random pieces,
 * before AUTH and after, and holds no more memory than a small multiple of what came.
 *
 * The last byte of the input chooses limits; the rest is the stream.
 */
#include "fuzz.h"

#include "../tests/stream.h"

#include "base/status.h"

enum {
    MEMORY_FIXED = 96 * 1024,
    MEMORY_FACTOR = 20
}; /* an argument of no bytes takes five to say, and sixteen to hold */

static const scan_limits kinds[] = {
    {.line_max = 64 * 1024,
     .count_max = 1024 * 1024,
     .bulk_max = 512 << 20,
     .value_max = 64 << 20,
     .buffered_max = 64 << 20,
     .authenticated = true},
    {.line_max = 1024, .count_max = 10, .bulk_max = 16 * 1024, .value_max = 16 * 1024, .buffered_max = 64 * 1024},
    {.line_max = 20,
     .count_max = 4,
     .bulk_max = 100 * 1024,
     .value_max = 40,
     .buffered_max = 60,
     .authenticated = true},
    {.line_max = 100, .count_max = 100, .bulk_max = 100 * 1024, .value_max = 80 * 1024, .buffered_max = 90 * 1024},
};

static const char *fragments[] = {"*1\r\n$4\r\nPING\r\n",
                                  "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n",
                                  "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
                                  "PING\r\n",
                                  "SET k \"a \\x41\\n\"\r\n",
                                  "GET 'a\\'b'\n",
                                  "\r\n",
                                  "*0\r\n",
                                  "*-1\r\n",
                                  "*2\r\n$0\r\n\r\n$0\r\n\r\n",
                                  "*1\r\n$40\r\n",
                                  "*1\r\n$41\r\n",
                                  "*4\r\n",
                                  "*5\r\n",
                                  "*1048576\r\n",
                                  "*1048577\r\n",
                                  "$3\r\nabc\r\n",
                                  "*1\r\n$-1\r\n",
                                  "*1\r\n$536870912\r\n",
                                  "*1\r\n$536870913\r\n",
                                  "*1\r\n$99999999999999999999\r\n",
                                  "*01\r\n",
                                  "*+1\r\n",
                                  "* 1\r\n",
                                  "*1\r\n$ 3\r\nabc\r\n",
                                  "\x16\x03\x01",
                                  "POST / HTTP/1.1\r\n",
                                  "GET / HTTP/1.1\r\n",
                                  "Host: a\r\n",
                                  "\"open\r\n",
                                  "%1\r\n",
                                  "*1\r\n*1\r\n",
                                  "\0\r\n",
                                  "*1\n$4\nPING\n"};

static void fuzz_valid(uint64_t n, buf *out) {
    uint64_t state = n;
    size_t count = fuzz_below(&state, 12);
    for (size_t i = 0; i < count; i++) {
        const char *text = fragments[fuzz_below(&state, sizeof fragments / sizeof *fragments)];
        fuzz_append(out, text, strlen(text));
    }
    if (fuzz_below(&state, 8) == 0) { /* a bulk around the border where it gets memory of its own */
        char head[64];
        uint8_t body[40000] = {0};
        size_t size = 32768 - 4 + fuzz_below(&state, 8) + fuzz_below(&state, 2) * 6000;
        int head_size = snprintf(head, sizeof head, "*2\r\n$1\r\nx\r\n$%zu\r\n", size);
        fuzz_append(out, head, (size_t)head_size);
        fuzz_append(out, body, size);
        fuzz_append(out, "\r\nPING\r\n", 8);
    }
    fuzz_append(out, &(uint8_t){(uint8_t)n}, 1);
}

typedef struct pieces {
    uint64_t state;
    size_t max;
} pieces;

static size_t next_piece(void *context) {
    pieces *p = context;
    return p->max == 1 ? 1 : 1 + fuzz_below(&p->state, p->max);
}

static buf transcript(const scan_limits *limits, slice input, size_t piece_max) {
    stream s = {.limits = limits};
    pieces p = {.state = input.size, .max = piece_max};
    stream_feed_all(&s, input, next_piece, &p);
    stream_end(&s);
    FUZZ_CHECK(s.memory_max <= MEMORY_FIXED + MEMORY_FACTOR * input.size);
    buf result = s.transcript;
    s.transcript = (buf){0};
    stream_clear(&s);
    return result;
}

static void fuzz_one(slice input) {
    if (input.size == 0) return;
    const scan_limits *limits = &kinds[input.data[input.size - 1] % (sizeof kinds / sizeof *kinds)];
    slice stream = slice_of(input.data, input.size - 1);
    static const size_t maxima[] = {1, 5, 3000};
    buf whole = transcript(limits, stream, SIZE_MAX / 2);
    for (size_t i = 0; i < sizeof maxima / sizeof *maxima; i++) {
        if (maxima[i] == 1 && stream.size > 4096) continue; /* a copy of the input for each byte */
        buf other = transcript(limits, stream, maxima[i]);
        FUZZ_CHECK(slice_equal(buf_slice(&whole), buf_slice(&other)));
        buf_clear(&other);
    }
    buf_clear(&whole);
}
