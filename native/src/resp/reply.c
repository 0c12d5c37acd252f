/* reply.c: see reply.h. */
#include "resp/reply.h"

#include "base/alloc.h"
#include "base/status.h"
#include "resp/number.h"

enum {
    HEADER_MAX = 1 + INT64_TEXT_MAX + 2,
    COPY_WHOLE_MAX = 4096, /* bulks up to this are not split over chunks */
    ERROR_MAX = 1024,
};

int reply_raw(out *o, slice bytes) {
    if (bytes.size > CHUNK_ROOM) return out_append(o, bytes);
    uint8_t *p = out_room(o, bytes.size);
    if (!p) return alloc_failed(CHUNK_ROOM);
    memcpy(p, bytes.data, bytes.size);
    out_wrote(o, bytes.size);
    return RKV_OK;
}

/* Write "<type><number>CRLF" at p; returns what follows. */
static uint8_t *header(uint8_t *p, char type, int64_t v) {
    *p++ = (uint8_t)type;
    if (v >= 0 && v < 10)
        *p++ = (uint8_t)('0' + v);
    else
        p += number_write(p, v);
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

static int reply_header(out *o, char type, int64_t v) {
    uint8_t *p = out_room(o, HEADER_MAX);
    if (!p) return alloc_failed(CHUNK_ROOM);
    out_wrote(o, (size_t)(header(p, type, v) - p));
    return RKV_OK;
}

int reply_integer(out *o, int64_t v) {
    return reply_header(o, ':', v);
}

int reply_array(out *o, int64_t count) {
    return reply_header(o, '*', count);
}

int reply_map(out *o, uint8_t resp, int64_t count) {
    return resp >= 3 ? reply_header(o, '%', count) : reply_header(o, '*', count * 2);
}

int reply_null(out *o, uint8_t resp) {
    return resp >= 3 ? reply_raw(o, slice_of("_\r\n", 3)) : reply_raw(o, slice_of("$-1\r\n", 5));
}

int reply_bulk(out *o, slice data) {
    if (data.size <= COPY_WHOLE_MAX) {
        uint8_t *begin = out_room(o, HEADER_MAX + data.size + 2);
        if (!begin) return alloc_failed(CHUNK_ROOM);
        uint8_t *p = header(begin, '$', (int64_t)data.size);
        if (data.size) memcpy(p, data.data, data.size);
        p += data.size;
        *p++ = '\r';
        *p++ = '\n';
        out_wrote(o, (size_t)(p - begin));
        return RKV_OK;
    }
    out_mark before = out_here(o);
    int rc = reply_header(o, '$', (int64_t)data.size);
    if (!rc) rc = out_append(o, data);
    if (!rc) rc = out_append(o, slice_of("\r\n", 2));
    if (rc) out_return(o, before);
    return rc;
}

int reply_error(out *o, slice text) {
    size_t size = text.size < ERROR_MAX ? text.size : ERROR_MAX;
    while (size && (text.data[size - 1] == '\r' || text.data[size - 1] == '\n')) size--;
    uint8_t *begin = out_room(o, 1 + size + 2), *p = begin;
    if (!begin) return alloc_failed(CHUNK_ROOM);
    *p++ = '-';
    for (size_t i = 0; i < size; i++) {
        uint8_t c = text.data[i];
        *p++ = c == '\r' || c == '\n' ? ' ' : c;
    }
    *p++ = '\r';
    *p++ = '\n';
    out_wrote(o, (size_t)(p - begin));
    return RKV_OK;
}
