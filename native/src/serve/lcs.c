/* lcs.c: see lcs.h. Rows belong to bytes of a, columns to bytes of b. */
#include "serve/lcs.h"

#include "base/alloc.h"
#include "base/status.h"

/* Fill row after row. up, if there: bit i * b.size + j says that at a[i] != b[j] the path drops a[i], not b[j]. */
static uint32_t fill(slice a, slice b, uint32_t *above, uint32_t *row, uint8_t *up) {
    uint64_t bit = 0;
    for (size_t i = 0; i < a.size; i++) {
        for (size_t j = 0; j < b.size; j++, bit++) {
            uint32_t without_a = above[j + 1], without_b = row[j];
            if (a.data[i] == b.data[j]) {
                row[j + 1] = above[j] + 1;
                continue;
            }
            row[j + 1] = without_a > without_b ? without_a : without_b;
            if (up && without_a > without_b) up[bit / 8] |= (uint8_t)(1 << bit % 8);
        }
        uint32_t *swap = above;
        above = row;
        row = swap;
    }
    return above[b.size];
}

/* Follow the path from the end. text has room for it. */
static int walk(slice a, slice b, const uint8_t *up, lcs_result *out) {
    size_t i = a.size, j = b.size, at = out->size;
    while (i && j) {
        lcs_range range = {.a_last = (uint32_t)i - 1, .b_last = (uint32_t)j - 1};
        size_t begin = i;
        for (; i && j && a.data[i - 1] == b.data[j - 1]; i--, j--) out->text.data[--at] = a.data[i - 1];
        if (i < begin) {
            range.a_first = (uint32_t)i;
            range.b_first = (uint32_t)j;
            int rc = buf_append(&out->ranges, &range, sizeof range);
            if (rc) return rc;
        }
        if (!i || !j) break;
        uint64_t bit = (uint64_t)(i - 1) * b.size + (j - 1);
        if (up[bit / 8] >> bit % 8 & 1)
            i--;
        else
            j--;
    }
    return RKV_OK;
}

int lcs_compute(slice a, slice b, bool path, lcs_result *out) {
    *out = (lcs_result){0};
    size_t row_bytes = (b.size + 1) * sizeof(uint32_t);
    uint64_t bits_bytes = path ? ((uint64_t)a.size * b.size + 7) / 8 : 0;
    uint32_t *rows = mem_zalloc(row_bytes * 2);
    uint8_t *up = path ? mem_zalloc((size_t)bits_bytes) : NULL;
    int rc = rows && (up || !path) ? RKV_OK : alloc_failed((size_t)bits_bytes + row_bytes * 2);
    if (rc) goto done;
    out->size = fill(a, b, rows, rows + b.size + 1, up);
    if (!path) goto done;
    rc = buf_reserve(&out->text, (size_t)out->size + 1);
    if (rc) goto done;
    out->text.size = out->size;
    rc = walk(a, b, up, out);
done:
    mem_free(rows);
    mem_free(up);
    if (rc) lcs_clear(out);
    return rc;
}

void lcs_clear(lcs_result *r) {
    buf_clear(&r->text);
    buf_clear(&r->ranges);
}
