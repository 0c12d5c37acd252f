/* cmd_range.c: parts of a string: APPEND, STRLEN, SETRANGE, GETRANGE. */
#include "resp/number.h"
#include "serve/entry.h"

static int say_too_long(conn *c) {
    return say_error(c, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
}

/* Look up a string to change: absent is empty. */
static int get_text(conn *c, slice key, entry **out, slice *out_text) {
    int r = entry_get(c, key, out);
    if (r == GO) r = entry_string(c, *out);
    *out_text = slice_of("", 0);
    if (r == GO && (*out)->exists) r = entry_text(c, *out, out_text);
    return r;
}

/* Replace the string by text with piece laid over it at offset, zeros between; the time to live stays. */
static int overlay(conn *c, const entry *e, slice text, uint64_t offset, slice piece) {
    uint64_t end = offset + piece.size, size = end > text.size ? end : text.size;
    uint8_t *to;
    int r = payload_room(c, size, &to);
    if (r != GO) return r;
    memcpy(to, text.data, text.size);
    if (offset > text.size) memset(to + text.size, 0, offset - text.size);
    if (piece.size) memcpy(to + offset, piece.data, piece.size);
    uint64_t expires_at_ms = e->exists ? e->value.cell.expires_at_ms : 0;
    r = put_value(c, e, slice_of(to - 1, (size_t)size + 1), expires_at_ms);
    return r == GO ? say_integer(c, (int64_t)size) : r;
}

int run_append(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *e;
    slice text;
    int r = get_text(c, args[1], &e, &text);
    if (r != GO) return r;
    if (text.size + args[2].size > c->server->limits.value_max) return say_too_long(c);
    return overlay(c, e, text, text.size, args[2]);
}

int run_setrange(conn *c, const slice *args, uint32_t count) {
    (void)count;
    int64_t offset;
    entry *e;
    slice text;
    if (!number_read(args[2], &offset)) return say_not_integer(c);
    if (offset < 0) return say_error(c, "ERR offset is out of range");
    int r = get_text(c, args[1], &e, &text);
    if (r != GO) return r;
    if (args[3].size == 0) return say_integer(c, (int64_t)text.size);
    if ((uint64_t)offset + args[3].size > c->server->limits.value_max) return say_too_long(c);
    return overlay(c, e, text, (uint64_t)offset, args[3]);
}

int run_strlen(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *e;
    uint64_t size = 0;
    int r = entry_read(c, args[1], &e);
    if (r == GO) r = entry_string(c, e);
    if (r == GO && e->exists) r = entry_size(c, e, &size);
    return r == GO ? say_integer(c, (int64_t)size) : r;
}

/* The bytes from..to of text, both inclusive, negative ones from the end. */
static slice part(slice text, int64_t from, int64_t to) {
    int64_t size = (int64_t)text.size;
    if (from < 0 && to < 0 && from > to) return slice_of("", 0);
    if (from < 0) from = from + size < 0 ? 0 : from + size;
    if (to < 0) to = to + size < 0 ? 0 : to + size;
    if (to >= size) to = size - 1;
    return from > to || size == 0 ? slice_of("", 0) : slice_of(text.data + from, (size_t)(to - from + 1));
}

/* GETRANGE and SUBSTR. */
int run_getrange(conn *c, const slice *args, uint32_t count) {
    (void)count;
    int64_t from, to;
    entry *e;
    slice text = slice_of("", 0);
    if (!number_read(args[2], &from) || !number_read(args[3], &to)) return say_not_integer(c);
    int r = entry_read(c, args[1], &e);
    if (r == GO) r = entry_string(c, e);
    if (r == GO && e->exists) r = entry_text(c, e, &text);
    return r == GO ? say_bulk(c, part(text, from, to)) : r;
}
