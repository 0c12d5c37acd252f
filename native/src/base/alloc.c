/* alloc.c: malloc behind a countdown; see alloc.h. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/status.h"

static atomic_bool armed;
static atomic_long left;

static bool refused(void) {
    return atomic_load_explicit(&armed, memory_order_relaxed) && atomic_fetch_sub(&left, 1) <= 0;
}

void *mem_alloc(size_t size) {
    return refused() ? NULL : malloc(size ? size : 1);
}

void *mem_zalloc(size_t size) {
    return refused() ? NULL : calloc(1, size ? size : 1);
}

void *mem_realloc(void *block, size_t size) {
    return refused() ? NULL : realloc(block, size ? size : 1);
}

void *mem_aligned(size_t alignment, size_t size) {
    if (refused()) return NULL;
    return aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
}

void mem_free(void *block) {
    free(block);
}

int alloc_failed(size_t size) {
    return status_set(RKV_ENOMEM, "out of memory: %zu bytes", size);
}

void alloc_fail_after(long n) {
    atomic_store(&left, n);
    atomic_store(&armed, n >= 0);
}
