/* lcs.h: the longest common subsequence of two byte strings, by the classical table (Wagner and Fischer, 1974).
 *
 * Only two rows of lengths are kept; of the whole table one bit a cell stays, which way the path goes where the bytes
 * differ, so that 2^27 cells take 16 MiB. Cost: one step a cell. Pure; any thread.
 */
#ifndef RKV_SERVE_LCS_H
#define RKV_SERVE_LCS_H

#include "base/buf.h"

/* A stretch that both have: a[a_first .. a_last] = b[b_first .. b_last]. */
typedef struct lcs_range {
    uint32_t a_first, a_last, b_first, b_last;
} lcs_range;

typedef struct lcs_result {
    uint32_t size; /* of the subsequence */
    buf text;      /* the subsequence, if the path was asked for */
    buf ranges;    /* of lcs_range, from the end of the strings to their beginning */
} lcs_result;

/* RKV_OK or RKV_ENOMEM. Sizes below 2^32. */
int lcs_compute(slice a, slice b, bool path, lcs_result *out);
void lcs_clear(lcs_result *r);

#endif
