/* reply.h: replies as RESP2 and RESP3 write them.
 *
 *   status +text CRLF   error -text CRLF   integer :n CRLF   bulk $size CRLF data CRLF   array *n CRLF item x n
 *   null: $-1 CRLF, in RESP3 _ CRLF        map: in RESP3 %n CRLF (key value) x n, else an array of 2n
 *
 * Every function appends to the queue or returns RKV_ENOMEM with nothing written. resp is 2 or 3.
 */
#ifndef RKV_RESP_REPLY_H
#define RKV_RESP_REPLY_H

#include "resp/out.h"

/* Bytes that are a whole reply already. */
int reply_raw(out *o, slice bytes);
int reply_integer(out *o, int64_t v);
int reply_bulk(out *o, slice data);
int reply_null(out *o, uint8_t resp);
int reply_array(out *o, int64_t count);
int reply_map(out *o, uint8_t resp, int64_t count);

/* "-text", cut at 1 KiB, without line ends behind it and with blanks for those inside. text begins with its prefix ("ERR ..."). */
int reply_error(out *o, slice text);

static inline int reply_ok(out *o) {
    return reply_raw(o, slice_of("+OK\r\n", 5));
}

#endif
