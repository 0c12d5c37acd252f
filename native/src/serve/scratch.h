/* scratch.h: memory that lasts until a command ends: internal keys, entries, computed values.
 *
 * One block is kept for ever, so that the usual command allocates nothing; what does not fit there gets blocks of its own. A job that
 * outlives the command takes those blocks along (scratch_detach); what lies in the kept block it has to copy.
 */
#ifndef RKV_SERVE_SCRATCH_H
#define RKV_SERVE_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

enum { SCRATCH_SIZE = 64 * 1024 };

typedef struct scratch_block {
    struct scratch_block *next;
    _Alignas(16) uint8_t data[];
} scratch_block;

typedef struct scratch {
    uint8_t *kept; /* SCRATCH_SIZE bytes */
    size_t used;
    scratch_block *blocks;
} scratch;

int scratch_init(scratch *s); /* RKV_OK, RKV_ENOMEM */
void scratch_clear(scratch *s);

/* size bytes, 16-aligned; NULL: out of memory. */
void *scratch_take_block(scratch *s, size_t size);
static inline void *scratch_take(scratch *s, size_t size) {
    size_t rounded = (size + 15) & ~(size_t)15;
    if (rounded < size || rounded > SCRATCH_SIZE - s->used) return scratch_take_block(s, size);
    void *p = s->kept + s->used;
    s->used += rounded;
    return p;
}

void scratch_free(scratch_block *blocks);

/* Forget everything taken. */
static inline void scratch_reset(scratch *s) {
    s->used = 0;
    if (s->blocks) {
        scratch_free(s->blocks);
        s->blocks = NULL;
    }
}

/* Give away the blocks beside the kept one; free them with scratch_free. */
scratch_block *scratch_detach(scratch *s);

#endif
