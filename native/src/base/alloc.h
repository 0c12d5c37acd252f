/* alloc.h: the one door to the heap, so that a test can make the nth allocation fail.
 *
 * NULL means out of memory: the caller returns alloc_failed(size). Sizes are in bytes. Thread-safe.
 */
#ifndef RKV_BASE_ALLOC_H
#define RKV_BASE_ALLOC_H

#include <stddef.h>

void *mem_alloc(size_t size);                     /* uninitialised; size 0 gives a unique pointer */
void *mem_zalloc(size_t size);                    /* zeroed */
void *mem_realloc(void *block, size_t size);      /* on NULL the old block is untouched */
void *mem_aligned(size_t alignment, size_t size); /* alignment: a power of two >= 8 */
void mem_free(void *block);                       /* accepts NULL */

/* Whole pages straight from the system: zeroed, resident only once touched, given back at once. From 2 MiB on they are aligned for
 * huge pages and ask for them; a system that has none gives small ones. size is the same in both calls, > 0. */
void *mem_map(size_t size);
void mem_unmap(void *block, size_t size); /* accepts NULL */

/* Under AddressSanitizer: reading or writing these bytes is an error, or no more. Else nothing. For whoever hands out parts of a
 * mem_map; mem_unmap lifts it. */
void mem_poison(const void *block, size_t size);
void mem_unpoison(const void *block, size_t size);

/* Set the text "out of memory: size bytes" and return RKV_ENOMEM. */
int alloc_failed(size_t size);

/* Tests only: after n more allocations every allocation fails, until called with n < 0. */
void alloc_fail_after(long n);

#endif
