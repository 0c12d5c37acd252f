/* number.h: numbers as the protocol and the string commands write them.
 *
 * Integers have one spelling only: an optional '-', no '+', no blanks, no leading zeros, within int64. Floats are what
 * strtold reads of the whole text, no blanks in front, not NaN; they are written with at most 17 decimals and no trailing zeros.
 */
#ifndef RKV_RESP_NUMBER_H
#define RKV_RESP_NUMBER_H

#include "base/slice.h"

enum {
    INT64_TEXT_MAX = 20,   /* "-9223372036854775808" */
    FLOAT_TEXT_MAX = 5120, /* longer texts are not read as floats; none is written that long */
};

/* The integer that text spells; false: none, *out untouched. */
bool number_read(slice text, int64_t *out);

/* Write v at out (INT64_TEXT_MAX bytes of room); returns the size. */
size_t number_write(uint8_t *out, int64_t v);

/* The float that text spells; false: none, *out untouched. */
bool float_read(slice text, long double *out);

/* Write v, a finite number, at out (FLOAT_TEXT_MAX bytes of room); returns the size. */
size_t float_write(char *out, long double v);

#endif
