/* scan.c: the request scanner; see scan.h for the grammar and the rules.
 *
 * Between calls the scanner stands either before a line (not sized) or inside a bulk (sized). Whether a request is refused depends on
 * its bytes only, never on the pieces they came in: so a line is too long when line_max bytes hold no end, however many are there.
 */
#include "resp/scan.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "resp/number.h"

enum {
    BLOCK_MIN = 64 * 1024, /* first capacity of a big bulk's block */
    SINK_SIZE = 16 * 1024,
    ARGS_MIN = 16,
    GO_ON = -1, /* beside enum scan_result: nothing to tell the caller yet */
};

struct scan_block {
    scan_block *next;
    size_t capacity;
    size_t size;    /* bytes received: of a sink, all that passed */
    uint8_t data[]; /* of a big bulk: one free byte, then the value and its CRLF */
};

static enum scan_result fail(scan *s, const char *text) {
    s->error = text;
    return SCAN_ERROR;
}

/* --- memory of a request -------------------------------------------------------------------------------------------- */

static scan_block *block_add(scan *s, size_t capacity) {
    scan_block *b = mem_alloc(sizeof *b + capacity);
    if (!b) return NULL;
    *b = (scan_block){.next = s->blocks, .capacity = capacity};
    s->blocks = b;
    s->held += capacity;
    return b;
}

uint8_t *scan_take(scan *s, size_t size) {
    scan_block *b = block_add(s, size);
    return b ? b->data : NULL;
}

static bool args_grow(scan *s) {
    uint32_t capacity = s->capacity ? s->capacity * 2 : ARGS_MIN;
    slice *args = mem_realloc(s->args, capacity * sizeof *args);
    if (!args) return false;
    s->args = args;
    s->capacity = capacity;
    return true;
}

bool scan_add(scan *s, slice arg) {
    if (s->count == s->capacity && !args_grow(s)) return false;
    s->args[s->count++] = arg;
    return true;
}

void scan_finish(scan *s) {
    while (s->blocks) {
        scan_block *next = s->blocks->next;
        mem_free(s->blocks);
        s->blocks = next;
    }
    s->filling = NULL;
    s->count = s->left = 0;
    s->oversized = s->skipping = s->sized = false;
    s->taken = s->looked = 0;
    s->args_bytes = s->held = 0;
}

void scan_clear(scan *s) {
    scan_finish(s);
    mem_free(s->args);
    *s = (scan){0};
}

void scan_moved(scan *s, slice from, const uint8_t *to) {
    uintptr_t begin = (uintptr_t)from.data, end = begin + from.size;
    for (uint32_t i = 0; i < s->count; i++) {
        uintptr_t at = (uintptr_t)s->args[i].data;
        if (at >= begin && at <= end) s->args[i].data = to + (at - begin);
    }
}

/* --- big bulks -------------------------------------------------------------------------------------------------------- */

uint8_t *scan_space(scan *s, size_t *out_size) {
    scan_block *b = s->filling;
    assert(b);
    uint64_t whole = s->bulk + 2;
    if (s->skipping) {
        uint64_t left = whole - b->size;
        *out_size = left < SINK_SIZE ? (size_t)left : SINK_SIZE;
        return b->data;
    }
    if (b->size + 1 == b->capacity) {
        size_t capacity = b->capacity * 2 < whole + 1 ? b->capacity * 2 : (size_t)whole + 1;
        scan_block *grown = mem_realloc(b, sizeof *b + capacity);
        if (!grown) return NULL;
        s->held += capacity - grown->capacity;
        grown->capacity = capacity;
        s->blocks = s->filling = b = grown;
    }
    *out_size = b->capacity - 1 - b->size;
    return b->data + 1 + b->size;
}

void scan_received(scan *s, size_t size) {
    s->filling->size += size;
    assert(s->filling->size <= s->bulk + 2);
}

/* The bulk of s->bulk bytes is not in the input whole: take what is there into a block, or drop it. */
static int begin_filling(scan *s, slice input) {
    size_t there = input.size - s->taken;
    uint64_t room = s->skipping ? SINK_SIZE : s->bulk + 3;
    if (room > BLOCK_MIN) room = there + 1 > BLOCK_MIN ? there + 1 : BLOCK_MIN;
    scan_block *b = block_add(s, (size_t)room);
    if (!b) return SCAN_NOMEM;
    if (!s->skipping) memcpy(b->data + 1, input.data + s->taken, there);
    b->size = there;
    s->taken += there;
    s->filling = b;
    return SCAN_MORE;
}

/* One argument is complete. */
static int argument(scan *s, const scan_limits *limits, slice arg) {
    if (!scan_add(s, arg)) return SCAN_NOMEM;
    s->args_bytes += arg.size;
    s->sized = s->skipping = false;
    s->left--;
    return s->left && s->args_bytes > limits->buffered_max ? SCAN_OVERFLOW : GO_ON;
}

static int end_filling(scan *s, const scan_limits *limits) {
    scan_block *b = s->filling;
    if (b->size < s->bulk + 2) return SCAN_MORE;
    s->filling = NULL;
    return argument(s, limits, slice_of(b->data + 1, s->skipping ? 0 : (size_t)s->bulk));
}

/* --- lines ------------------------------------------------------------------------------------------------------------ */

/* Look for a line end in input after taken. Returns the bytes before it, or -1: none yet; -2: too long. */
static ptrdiff_t find_end(scan *s, slice input, uint8_t end, size_t line_max) {
    const uint8_t *line = input.data + s->taken;
    size_t there = input.size - s->taken;
    size_t limit = there < line_max + 1 ? there : line_max + 1;
    const uint8_t *found = limit > s->looked ? memchr(line + s->looked, end, limit - s->looked) : NULL;
    if (found) {
        s->looked = 0;
        return found - line;
    }
    s->looked = limit;
    return there > line_max ? -2 : -1;
}

/* Read the number of a line "?digits CR LF" at taken. GO_ON: *out is it, the line is taken. */
static int read_number(scan *s, slice input, size_t line_max, const char *too_long, const char *invalid, int64_t *out) {
    const uint8_t *p = input.data + s->taken + 1, *end = input.data + input.size;
    /* Nearly every line: one to five digits, no leading zero, all there. */
    if (end - p >= 8 && *p >= '1' && *p <= '9') {
        int64_t v = *p++ - '0';
        for (int i = 0; i < 4 && (uint8_t)(*p - '0') < 10; i++) v = v * 10 + (*p++ - '0');
        if (*p == '\r') {
            *out = v;
            s->taken = (size_t)(p + 2 - input.data);
            s->looked = 0;
            return GO_ON;
        }
    }
    ptrdiff_t size = find_end(s, input, '\r', line_max);
    if (size == -2) return fail(s, too_long);
    if (size < 0) return SCAN_MORE;
    if (s->taken + (size_t)size + 2 > input.size) return SCAN_MORE;
    slice digits = slice_of(input.data + s->taken + 1, size > 0 ? (size_t)size - 1 : 0);
    if (!number_read(digits, out)) return fail(s, invalid);
    s->taken += (size_t)size + 2;
    return GO_ON;
}

static int begin_multibulk(scan *s, const scan_limits *limits, slice input) {
    int64_t count;
    int r = read_number(s, input, limits->line_max, "Protocol error: too big mbulk count string",
                        "Protocol error: invalid multibulk length", &count);
    if (r != GO_ON) return r;
    if (count > limits->count_max)
        return fail(s, limits->authenticated ? "Protocol error: invalid multibulk length"
                                             : "Protocol error: unauthenticated multibulk length");
    if (count <= 0) return SCAN_REQUEST;
    s->left = (uint32_t)count;
    return GO_ON;
}

static int begin_inline(scan *s, const scan_limits *limits, slice input) {
    ptrdiff_t size = find_end(s, input, '\n', limits->line_max);
    if (size == -2) return fail(s, "Protocol error: too big inline request");
    if (size < 0) return SCAN_MORE;
    slice line = slice_of(input.data, (size_t)size);
    if (line.size && line.data[line.size - 1] == '\r') line.size--;
    s->taken = (size_t)size + 1;
    return inline_split(s, line);
}

static int begin(scan *s, const scan_limits *limits, slice input) {
    if (input.size == 0) return SCAN_MORE;
    if (input.data[0] == '*') return begin_multibulk(s, limits, input);
    if (input.data[0] == 0x16) { /* a TLS record: handshake, version 3.x */
        if (input.size == 1) return SCAN_MORE;
        if (input.data[1] == 0x03) return SCAN_FOREIGN;
    }
    return begin_inline(s, limits, input);
}

static int bulk_size(scan *s, const scan_limits *limits, slice input) {
    if (s->taken == input.size) return SCAN_MORE;
    uint8_t type = input.data[s->taken];
    /* As in Redis, what stands in for the '$' is told only once its line has ended. */
    int64_t size;
    const char *invalid = "Protocol error: invalid bulk length";
    if (type != '$') {
        snprintf(s->error_text, sizeof s->error_text, "Protocol error: expected '$', got '%c'",
                 type == '\r' || type == '\n' || type == 0 ? ' ' : type);
        invalid = s->error_text;
    }
    int r = read_number(s, input, limits->line_max, "Protocol error: too big bulk count string", invalid, &size);
    if (r != GO_ON) return r;
    if (type != '$') return fail(s, invalid);
    if (size < 0) return fail(s, invalid);
    if ((uint64_t)size > limits->bulk_max)
        return fail(s, limits->authenticated ? invalid : "Protocol error: unauthenticated bulk length");
    s->bulk = (uint64_t)size;
    s->sized = true;
    if (s->bulk > limits->value_max) s->skipping = s->oversized = true;
    return GO_ON;
}

static int bulk_data(scan *s, const scan_limits *limits, slice input) {
    size_t there = input.size - s->taken;
    if (there >= s->bulk + 2) {
        slice arg = slice_of(input.data + s->taken, s->skipping ? 0 : (size_t)s->bulk);
        s->taken += (size_t)s->bulk + 2;
        return argument(s, limits, arg);
    }
    return s->skipping || s->bulk >= SCAN_BIG_MIN ? begin_filling(s, input) : SCAN_MORE;
}

enum scan_result scan_next(scan *s, const scan_limits *limits, slice input) {
    int r = GO_ON;
    if (s->filling)
        r = end_filling(s, limits);
    else if (s->left == 0)
        r = begin(s, limits, input);
    while (r == GO_ON && s->left) {
        if (!s->sized) r = bulk_size(s, limits, input);
        if (r == GO_ON) r = bulk_data(s, limits, input);
    }
    return r == GO_ON ? SCAN_REQUEST : (enum scan_result)r;
}
