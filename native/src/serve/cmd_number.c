/* cmd_number.c: strings that spell numbers: INCR and its like. The time to live stays. */
#include <math.h>

#include "resp/number.h"
#include "serve/entry.h"

/* Look up the text of a number; absent: exists is false. */
static int get_text(conn *c, slice key, entry **out, slice *out_text) {
    int r = entry_get(c, key, out);
    if (r == GO) r = entry_string(c, *out);
    if (r == GO && (*out)->exists) r = entry_text(c, *out, out_text);
    return r;
}

static int put_text(conn *c, const entry *e, const void *text, size_t size) {
    uint8_t *to;
    int r = payload_room(c, size, &to);
    if (r != GO) return r;
    memcpy(to, text, size);
    return put_value(c, e, slice_of(to - 1, size + 1), e->exists ? e->value.cell.expires_at_ms : 0);
}

static int add(conn *c, slice key, int64_t change) {
    entry *e;
    slice text;
    int64_t v = 0;
    int r = get_text(c, key, &e, &text);
    if (r != GO) return r;
    if (e->exists && !number_read(text, &v)) return say_not_integer(c);
    if (__builtin_add_overflow(v, change, &v)) return say_error(c, "ERR increment or decrement would overflow");
    uint8_t digits[INT64_TEXT_MAX];
    r = put_text(c, e, digits, number_write(digits, v));
    return r == GO ? say_integer(c, v) : r;
}

int run_incr(conn *c, const slice *args, uint32_t count) {
    (void)count;
    return add(c, args[1], 1);
}

int run_decr(conn *c, const slice *args, uint32_t count) {
    (void)count;
    return add(c, args[1], -1);
}

int run_incrby(conn *c, const slice *args, uint32_t count) {
    (void)count;
    int64_t change;
    return number_read(args[2], &change) ? add(c, args[1], change) : say_not_integer(c);
}

int run_decrby(conn *c, const slice *args, uint32_t count) {
    (void)count;
    int64_t change;
    if (!number_read(args[2], &change)) return say_not_integer(c);
    if (change == INT64_MIN) return say_error(c, "ERR decrement would overflow");
    return add(c, args[1], -change);
}

int run_incrbyfloat(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *e;
    slice text;
    long double v = 0, change;
    char digits[FLOAT_TEXT_MAX];
    int r = get_text(c, args[1], &e, &text);
    if (r != GO) return r;
    if ((e->exists && !float_read(text, &v)) || !float_read(args[2], &change))
        return say_error(c, "ERR value is not a valid float");
    v += change;
    if (isnan(v) || isinf(v)) return say_error(c, "ERR increment would produce NaN or Infinity");
    size_t size = float_write(digits, v);
    int rc = reply_bulk(&c->out, slice_of(digits, size)); /* before the put: it may be long */
    if (rc) return say_status(c, rc);
    r = put_text(c, e, digits, size);
    return r == GO ? DONE : r;
}
