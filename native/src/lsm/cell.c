/* cell.c: which of two cells wins; see cell.h. Pure. */
#include "lsm/cell.h"

#include "lsm/vlog.h"

static int number_compare(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

/* The file that a pointer cell names; 0, below every file, for a payload that is no value_ref. */
static uint64_t pointer_file(const cell *c) {
    value_ref ref;
    return value_ref_decode(c->payload, &ref) ? ref.file : 0;
}

int cell_compare(const cell *a, const cell *b) {
    int order = version_compare(a->hlc, a->node, b->hlc, b->node);
    if (order) return order;
    bool pointers = a->flags & b->flags & CELL_POINTER;
    order = number_compare(a->flags & CELL_POINTER, b->flags & CELL_POINTER);
    if (!order) order = number_compare(a->flags, b->flags);
    if (!order && pointers) order = number_compare(pointer_file(a), pointer_file(b));
    if (!order) order = slice_compare(a->payload, b->payload);
    if (!order) order = number_compare(a->expires_at_ms, b->expires_at_ms);
    return order;
}
