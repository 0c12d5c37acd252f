/* scan.h: requests out of a stream of bytes.
 *
 *   request   := multibulk | inline
 *   multibulk := '*' count CRLF ('$' size CRLF data CRLF) x count       count <= 0: skipped
 *   inline    := words LF | words CRLF                                  blanks and quotes as a shell's; see inline.c
 *
 * No socket, no clock: bytes go in, arguments come out, in any pieces with the same result. As Redis does, it takes what follows a
 * CR for its LF, and does not look at the two bytes after a bulk. Every limit is checked before memory is taken for what it limits,
 * and memory is taken only for bytes that came.
 *
 * A bulk of SCAN_BIG_MIN bytes and more that is not there whole gets memory of its own, which the caller receives into directly
 * (scan_space), so that its bytes are copied once. A bulk above value_max is dropped as it comes, and the request is marked oversized.
 *
 * Arguments lie in the caller's input or in memory of the scanner. The byte before each argument is free to be written
 * over by whoever runs the request: a value can be given a type byte without a copy.
 *
 * A zeroed scan is a valid fresh one. Threads: one at a time.
 */
#ifndef RKV_RESP_SCAN_H
#define RKV_RESP_SCAN_H

#include "base/slice.h"

enum { SCAN_BIG_MIN = 32 * 1024 };

typedef struct scan_limits {
    size_t line_max;       /* inline request, or the line of a count or size */
    int64_t count_max;     /* arguments */
    uint64_t bulk_max;     /* larger: protocol error */
    uint64_t value_max;    /* larger: skipped, request marked oversized */
    uint64_t buffered_max; /* bytes held for one request beyond the bulk being received */
    bool authenticated;    /* only chooses the error texts */
} scan_limits;

enum scan_result {
    SCAN_MORE,     /* the request is not complete */
    SCAN_REQUEST,  /* args are there; scan_finish when they have been used */
    SCAN_ERROR,    /* not the protocol: error is the text for the client; the stream cannot go on */
    SCAN_FOREIGN,  /* somebody speaks HTTP or TLS here */
    SCAN_OVERFLOW, /* buffered_max */
    SCAN_NOMEM,    /* an allocation failed; the stream cannot go on */
};

typedef struct scan_block scan_block;

typedef struct scan {
    slice *args;
    uint32_t count, capacity;
    bool oversized;      /* an argument was above value_max, and is empty here */
    bool skipping;       /* the bulk being read is dropped: filling is a sink */
    bool sized;          /* bulk is the size of the next argument; else its size line comes first */
    uint32_t left;       /* arguments still to come; 0: between requests, or complete */
    uint64_t bulk;       /* size of the argument being read */
    size_t taken;        /* bytes of the input that belong to this request and have been scanned */
    size_t looked;       /* bytes after taken known to hold no line end */
    uint64_t args_bytes; /* of all arguments so far */
    uint64_t held;       /* bytes in blocks */
    scan_block *blocks;  /* memory of this request, newest first */
    scan_block *filling; /* the first of blocks, if scan_space receives into it */
    const char *error;
    char error_text[48];
} scan;

/* Scan input, which begins with the current request: the same bytes as at the last call, at the same address unless
 * scan_moved was called, and perhaps more. On SCAN_REQUEST s->taken bytes of it are this request's. */
enum scan_result scan_next(scan *s, const scan_limits *limits, slice input);

/* The input of an unfinished or unused request now lies at to; from is still readable as a number, not as memory. */
void scan_moved(scan *s, slice from, const uint8_t *to);

/* Is a big bulk being received? Then give scan_space the next bytes of the stream, not the input. */
static inline bool scan_filling(const scan *s) {
    return s->filling != NULL;
}

/* Room for the next bytes of the big bulk: *out_size of them, at least one; grows with what came. NULL: out of memory. */
uint8_t *scan_space(scan *s, size_t *out_size);

/* size bytes were written to scan_space. scan_next goes on when the bulk is whole. */
void scan_received(scan *s, size_t size);

/* Done with the request: its memory goes. The array of arguments stays. */
void scan_finish(scan *s);

/* Free everything, the array too; s is fresh again. */
void scan_clear(scan *s);

/* Bytes held for the request outside the input. */
static inline uint64_t scan_memory(const scan *s) {
    return s->held + (uint64_t)s->capacity * sizeof(slice);
}

/* --- for inline.c --- */

/* size bytes of memory that lasts until scan_finish; NULL: out of memory. */
uint8_t *scan_take(scan *s, size_t size);
/* Append an argument; false: out of memory. */
bool scan_add(scan *s, slice arg);
/* Split a line (without its line end) into arguments. */
enum scan_result inline_split(scan *s, slice line);

#endif
