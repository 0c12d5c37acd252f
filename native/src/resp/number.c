/* number.c: see number.h. */
#include "resp/number.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool number_read(slice text, int64_t *out) {
    const uint8_t *p = text.data, *end = p + text.size;
    bool negative = text.size > 1 && *p == '-';
    if (negative) p++;
    size_t digits = (size_t)(end - p);
    if (digits == 0 || digits > 19 || (*p == '0' && text.size > 1)) return false;
    uint64_t v = 0; /* 19 digits fit */
    for (; p < end; p++) {
        unsigned digit = (unsigned)*p - '0';
        if (digit > 9) return false;
        v = v * 10 + digit;
    }
    if (v > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static const char two_digits[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                 "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                 "8081828384858687888990919293949596979899";

size_t number_write(uint8_t *out, int64_t v) {
    uint8_t text[INT64_TEXT_MAX], *p = text + sizeof text;
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    for (; rest >= 100; rest /= 100) {
        p -= 2;
        memcpy(p, two_digits + rest % 100 * 2, 2);
    }
    if (rest >= 10) {
        p -= 2;
        memcpy(p, two_digits + rest * 2, 2);
    } else {
        *--p = (uint8_t)('0' + rest);
    }
    if (v < 0) *--p = '-';
    size_t size = (size_t)(text + sizeof text - p);
    memcpy(out, p, size);
    return size;
}

bool float_read(slice text, long double *out) {
    char copy[FLOAT_TEXT_MAX];
    if (text.size == 0 || text.size >= sizeof copy) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (isspace((unsigned char)copy[0])) return false;
    char *end;
    errno = 0;
    long double v = strtold(copy, &end);
    bool out_of_range = errno == ERANGE && (isinf(v) || v == 0);
    if ((size_t)(end - copy) != text.size || out_of_range || isnan(v)) return false;
    *out = v;
    return true;
}

size_t float_write(char *out, long double v) {
    int size = snprintf(out, FLOAT_TEXT_MAX, "%.17Lf", v);
    while (out[size - 1] == '0') size--;
    if (out[size - 1] == '.') size--;
    if (size == 2 && memcmp(out, "-0", 2) == 0) {
        out[0] = '0';
        size = 1;
    }
    return (size_t)size;
}
