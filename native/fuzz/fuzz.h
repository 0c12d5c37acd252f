/* fuzz.h: the driver of a fuzz target: valid inputs, broken at random, given to code that must take any bytes.
 *
 * A target is one file that defines the two functions below and includes this header. Built as an ordinary program it
 * mutates for FUZZ_SECONDS (60), under the sanitizers; a failure shows SEED and ROUND, which replay it:
 *
 *     SEED=7 ROUND=123456 build/native/asan/fuzz_batch
 *
 * Built with clang -fsanitize=fuzzer and -DFUZZ_LIBFUZZER it is a libFuzzer target.
 */
#ifndef RKV_FUZZ_FUZZ_H
#define RKV_FUZZ_FUZZ_H

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

/* Append a valid input, another for each n, to out (empty). */
static void fuzz_valid(uint64_t n, buf *out);

/* Take any bytes. What must hold is checked with FUZZ_CHECK. */
static void fuzz_one(slice input);

#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s failed\n", __FILE__, __LINE__, #condition);                                     \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static uint64_t fuzz_draw(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

static inline size_t fuzz_below(uint64_t *state, size_t limit) {
    return limit ? (size_t)(fuzz_draw(state) % limit) : 0;
}

static inline void fuzz_append(buf *out, const void *data, size_t size) {
    FUZZ_CHECK(buf_append(out, data, size) == 0);
}

#ifdef FUZZ_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_one(slice_of(data, size));
    return 0;
}

#else

static uint64_t fuzz_seed, fuzz_round;

/* Sanitizers abort, so that the handler below tells how to replay. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "abort_on_error=1:detect_leaks=1";
}

static void fuzz_aborted(int signal_number) {
    char text[128];
    int n = snprintf(text, sizeof(text), "SEED=%" PRIu64 " ROUND=%" PRIu64 "\n", fuzz_seed, fuzz_round);
    ssize_t ignored = write(STDERR_FILENO, text, (size_t)n);
    (void)ignored;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* One random change: flip, set, overwrite with an edge, cut, double, or move bytes. */
static void fuzz_mutate(buf *b, uint64_t *state) {
    static const uint64_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, UINT64_MAX};
    size_t at = fuzz_below(state, b->size), span = 1 + fuzz_below(state, 1 + fuzz_below(state, 64));
    if (b->size == 0) {
        fuzz_append(b, edges, fuzz_below(state, 9));
        return;
    }
    if (span > b->size - at) span = b->size - at;
    switch (fuzz_below(state, 8)) {
    case 0:
    case 1: b->data[at] ^= (uint8_t)(1u << fuzz_below(state, 8)); break;
    case 2: b->data[at] = (uint8_t)fuzz_draw(state); break;
    case 3: {
        size_t width = (size_t)1 << fuzz_below(state, 4);
        uint64_t edge = edges[fuzz_below(state, sizeof(edges) / sizeof(edges[0]))];
        memcpy(b->data + at, &edge, width < b->size - at ? width : b->size - at);
        break;
    }
    case 4:
        memmove(b->data + at, b->data + at + span, b->size - at - span);
        b->size -= span;
        break;
    case 5: {
        FUZZ_CHECK(buf_reserve(b, span) == 0);
        memmove(b->data + at + span, b->data + at, b->size - at);
        b->size += span;
        break;
    }
    case 6: memmove(b->data + fuzz_below(state, b->size - span + 1), b->data + at, span); break;
    default:
        if (fuzz_below(state, 4) == 0) b->size = at;
        break;
    }
}

/* Everything about a round follows from the seed and its number. */
static void fuzz_run_round(void) {
    uint64_t state = fuzz_seed ^ fuzz_round * 0xd1342543de82ef95ULL;
    buf input = {0};
    fuzz_valid(fuzz_below(&state, 256), &input);
    size_t changes = fuzz_below(&state, 6);
    for (size_t i = 0; i < changes; i++) fuzz_mutate(&input, &state);
    /* In a block of its exact size, so that the sanitizer sees a read past the end. */
    uint8_t *exact = malloc(input.size ? input.size : 1);
    FUZZ_CHECK(exact);
    if (input.size) memcpy(exact, input.data, input.size);
    fuzz_one(slice_of(exact, input.size));
    free(exact);
    buf_clear(&input);
}

int main(void) {
    const char *seed = getenv("SEED"), *round = getenv("ROUND"), *seconds = getenv("FUZZ_SECONDS");
    fuzz_seed = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
    printf("SEED=%" PRIu64 "\n", fuzz_seed);
    fflush(stdout);
    signal(SIGABRT, fuzz_aborted);
    if (round) {
        fuzz_round = strtoull(round, NULL, 10);
        fuzz_run_round();
    } else {
        time_t end = time(NULL) + (seconds ? atol(seconds) : 60);
        do fuzz_run_round();
        while (++fuzz_round % 64 || time(NULL) < end);
    }
    printf("%" PRIu64 " passed, 0 failed\n", round ? 1 : fuzz_round);
    return 0;
}

#endif
#endif
