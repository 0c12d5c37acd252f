/* scratch.c: see scratch.h. */
#include "serve/scratch.h"

#include "base/alloc.h"
#include "base/status.h"

int scratch_init(scratch *s) {
    *s = (scratch){.kept = mem_aligned(16, SCRATCH_SIZE)};
    return s->kept ? RKV_OK : alloc_failed(SCRATCH_SIZE);
}

void scratch_clear(scratch *s) {
    scratch_free(s->blocks);
    mem_free(s->kept);
    *s = (scratch){0};
}

void *scratch_take_block(scratch *s, size_t size) {
    if (size > SIZE_MAX - sizeof(scratch_block)) return NULL;
    scratch_block *b = mem_alloc(sizeof *b + size);
    if (!b) return NULL;
    b->next = s->blocks;
    s->blocks = b;
    return b->data;
}

scratch_block *scratch_detach(scratch *s) {
    scratch_block *b = s->blocks;
    s->blocks = NULL;
    return b;
}

void scratch_free(scratch_block *blocks) {
    while (blocks) {
        scratch_block *next = blocks->next;
        mem_free(blocks);
        blocks = next;
    }
}
