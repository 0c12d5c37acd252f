/* inline.c: a typed line as a request.
 *
 * Words are separated by blanks. In "double quotes" \xHH is a byte, \n \r \t \b \a are controls, and \ before anything else is that
 * byte; in 'single quotes' only \' is special. A closing quote ends its word: a blank or the end must follow. A line that ends in
 * HTTP/1.x after two words is a browser or a forged request, not a client.
 */
#include "resp/scan.h"

static bool is_blank(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What ends a word outside quotes. */
static bool is_end(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One escape inside double quotes, p at the backslash with something behind it. Returns what follows it. */
static const uint8_t *escape(const uint8_t *p, const uint8_t *end, uint8_t *out) {
    if (p[1] == 'x' && end - p >= 4 && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
        *out = (uint8_t)(hex_digit(p[2]) << 4 | hex_digit(p[3]));
        return p + 4;
    }
    static const char names[] = "nrtba", controls[] = "\n\r\t\b\a";
    const char *name = p[1] ? strchr(names, p[1]) : NULL;
    *out = name ? (uint8_t)controls[name - names] : p[1];
    return p + 2;
}

/* Copy what is between quotes, p behind the opening one. Returns what follows the closing one, NULL if the quotes do not balance. */
static const uint8_t *quoted(const uint8_t *p, const uint8_t *end, uint8_t quote, uint8_t **to) {
    while (p < end && *p != quote) {
        if (quote == '"' && *p == '\\' && p + 1 < end) {
            p = escape(p, end, (*to)++);
        } else if (quote == '\'' && *p == '\\' && p + 1 < end && p[1] == '\'') {
            *(*to)++ = '\'';
            p += 2;
        } else {
            *(*to)++ = *p++;
        }
    }
    if (p == end) return NULL;
    p++;
    return p == end || is_blank(*p) ? p : NULL;
}

/* Copy one word. Returns what follows it, NULL if its quotes do not balance. */
static const uint8_t *word(const uint8_t *p, const uint8_t *end, uint8_t **to) {
    while (p < end && !is_end(*p)) {
        if (*p == '"' || *p == '\'') return quoted(p + 1, end, *p, to);
        *(*to)++ = *p++;
    }
    return p;
}

enum scan_result inline_split(scan *s, slice line) {
    const uint8_t *p = line.data, *end = p + line.size;
    /* A word is no longer than its spelling, and the blank before it pays for its free byte. */
    uint8_t *to = scan_take(s, line.size + 1);
    if (!to) return SCAN_NOMEM;
    for (;;) {
        while (p < end && is_blank(*p)) p++;
        if (p == end) break;
        uint8_t *begin = ++to;
        p = word(p, end, &to);
        if (!p) {
            s->error = "Protocol error: unbalanced quotes in request";
            return SCAN_ERROR;
        }
        if (!scan_add(s, slice_of(begin, (size_t)(to - begin)))) return SCAN_NOMEM;
    }
    bool http = s->count == 3 && s->args[2].size >= 7 && memcmp(s->args[2].data, "HTTP/1.", 7) == 0;
    return http ? SCAN_FOREIGN : SCAN_REQUEST;
}
