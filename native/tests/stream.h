/* stream.h: a stream of requests through the scanner, in pieces of any size, as a transcript.
 *
 * One line a request: its arguments, each in <>, other bytes than letters, digits and punctuation as \xHH, long ones by size and checksum, "!" behind the line if it was
 * oversized. The last line is the error, "foreign", "overflow", "out of memory", or "more" with the bytes of the unfinished request.
 * The input moves to fresh memory before every call, so that whoever keeps a pointer into the old one is caught by AddressSanitizer.
 */
#ifndef RKV_TESTS_STREAM_H
#define RKV_TESTS_STREAM_H

#include "base/buf.h"
#include "resp/scan.h"

typedef struct stream {
    const scan_limits *limits;
    scan scan;
    buf input; /* begins with the current request */
    buf transcript;
    uint64_t memory_max; /* the most that the scanner held */
    bool ended;
} stream;

/* Feed size bytes; less may be taken when a big bulk needs less. Returns how many were. */
size_t stream_feed(stream *s, const uint8_t *data, size_t size);
/* Feed everything in pieces of the sizes that `next` gives (at least 1). */
void stream_feed_all(stream *s, slice data, size_t (*next)(void *context), void *context);
/* Write the last line. */
void stream_end(stream *s);
void stream_clear(stream *s);

#endif
