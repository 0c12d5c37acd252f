/* check.h: the smallest test harness: a CHECK that says where, and a closing line that counts.
 *
 * A test program is: static void test_x(void) {...}  int main(void) { RUN(test_x); return check_done(); }
 */
#ifndef RKV_TESTS_CHECK_H
#define RKV_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"

static int check_passed;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s failed; last status text: %s\n", __FILE__, __LINE__, #condition,                \
                    status_text());                                                                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A status that must be RKV_OK. */
#define OK(expression) CHECK((expression) == RKV_OK)

#define RUN(test)                                                                                                      \
    do {                                                                                                               \
        test();                                                                                                        \
        check_passed++;                                                                                                \
    } while (0)

static inline int check_done(void) {
    printf("%d passed, 0 failed\n", check_passed);
    return 0;
}

#endif
