/* peek.h: a look at requests that are not up yet, to fetch ahead what they will need.
 *
 * Only the plain case is seen: a multi-bulk request of two to PEEK_ARGS arguments that is there whole. Nothing is decided by it: what is not
 * plain is not seen, and the scanner will tell what it is.
 */
#ifndef RKV_RESP_PEEK_H
#define RKV_RESP_PEEK_H

#include "base/slice.h"

enum { PEEK_ARGS = 4 };

typedef struct peeked {
    slice name, key;
    uint32_t count; /* of arguments */
} peeked;

/* The request that input begins with; returns its size, 0: not plain, or not whole. */
size_t peek_request(slice input, peeked *out);

#endif
