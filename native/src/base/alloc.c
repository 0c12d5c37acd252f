/* alloc.c: malloc behind a countdown; see alloc.h. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/status.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(block, size)   ((void)(block), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(block, size) ((void)(block), (void)(size))
#endif

enum { HUGE_PAGE = 2 << 20 };

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

void *mem_map(size_t size) {
    if (refused() || size > SIZE_MAX - HUGE_PAGE) return NULL;
    size_t slack = size >= HUGE_PAGE ? HUGE_PAGE : 0;
    uint8_t *raw = mmap(NULL, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) return NULL;
    if (!slack) return raw;
    uint8_t *block = (uint8_t *)(((uintptr_t)raw + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    size_t pages = (size + 4095) & ~(size_t)4095;
    size_t all = (size + slack + 4095) & ~(size_t)4095;
    size_t before = (size_t)(block - raw);
    if (before) munmap(raw, before);
    if (all > before + pages) munmap(block + pages, all - before - pages);
    madvise(block, pages, MADV_HUGEPAGE);
    return block;
}

void mem_unmap(void *block, size_t size) {
    if (!block) return;
    mem_unpoison(block, size);
    munmap(block, size);
}

void mem_poison(const void *block, size_t size) {
    ASAN_POISON_MEMORY_REGION(block, size);
}

void mem_unpoison(const void *block, size_t size) {
    ASAN_UNPOISON_MEMORY_REGION(block, size);
}

int alloc_failed(size_t size) {
    return status_set(RKV_ENOMEM, "out of memory: %zu bytes", size);
}

void alloc_fail_after(long n) {
    atomic_store(&left, n);
    atomic_store(&armed, n >= 0);
}
