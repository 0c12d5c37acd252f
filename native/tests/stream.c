/* stream.c: see stream.h. */
#include "stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

enum { SHOWN_MAX = 64 };

static void print(stream *s, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (buf_append(&s->transcript, text, (size_t)size)) abort();
}

static void print_arg(stream *s, slice arg) {
    if (arg.size > SHOWN_MAX) {
        print(s, "<%zu bytes, %08x>", arg.size, crc32c(0, arg.data, arg.size));
        return;
    }
    print(s, "<");
    for (size_t i = 0; i < arg.size; i++)
        if (arg.data[i] > ' ' && arg.data[i] < 0x7f)
            print(s, "%c", arg.data[i]);
        else
            print(s, "\\x%02x", arg.data[i]);
    print(s, ">");
}

static void request(stream *s) {
    for (uint32_t i = 0; i < s->scan.count; i++) {
        slice arg = s->scan.args[i];
        print_arg(s, arg);
        ((uint8_t *)arg.data)[-1] = 's'; /* the byte that is ours to use */
    }
    if (s->scan.oversized) print(s, "!");
    print(s, "\n");
    memmove(s->input.data, s->input.data + s->scan.taken, s->input.size - s->scan.taken);
    s->input.size -= s->scan.taken;
    scan_finish(&s->scan);
}

static void scan_all(stream *s) {
    enum scan_result r;
    while (!s->ended && (r = scan_next(&s->scan, s->limits, buf_slice(&s->input))) != SCAN_MORE) {
        if (r == SCAN_REQUEST) {
            request(s);
            continue;
        }
        s->ended = true;
        if (r == SCAN_ERROR) print(s, "error: %s\n", s->scan.error);
        if (r == SCAN_FOREIGN) print(s, "foreign\n");
        if (r == SCAN_OVERFLOW) print(s, "overflow\n");
        if (r == SCAN_NOMEM) print(s, "out of memory\n");
    }
    if (scan_memory(&s->scan) > s->memory_max) s->memory_max = scan_memory(&s->scan);
}

/* Put what is there and more into memory of just that size. */
static void append(stream *s, const uint8_t *data, size_t size) {
    size_t all = s->input.size + size;
    uint8_t *fresh = malloc(all ? all : 1);
    if (!fresh) abort();
    if (s->input.size) memcpy(fresh, s->input.data, s->input.size);
    memcpy(fresh + s->input.size, data, size);
    scan_moved(&s->scan, buf_slice(&s->input), fresh);
    free(s->input.data);
    s->input = (buf){fresh, all, all};
}

size_t stream_feed(stream *s, const uint8_t *data, size_t size) {
    if (s->ended) return size;
    if (scan_filling(&s->scan)) {
        size_t room;
        uint8_t *space = scan_space(&s->scan, &room);
        if (!space) abort();
        if (size > room) size = room;
        memcpy(space, data, size);
        scan_received(&s->scan, size);
    } else {
        append(s, data, size);
    }
    scan_all(s);
    return size;
}

void stream_feed_all(stream *s, slice data, size_t (*next)(void *context), void *context) {
    size_t at = 0;
    while (at < data.size) {
        size_t size = next(context);
        if (size > data.size - at) size = data.size - at;
        at += stream_feed(s, data.data + at, size);
    }
}

void stream_end(stream *s) {
    if (!s->ended) print(s, s->scan.left || s->input.size ? "more\n" : "end\n");
}

void stream_clear(stream *s) {
    scan_clear(&s->scan);
    free(s->input.data);
    buf_clear(&s->transcript);
    *s = (stream){0};
}
