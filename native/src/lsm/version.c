/* version.c: sets of tables; see version.h. */
#include "lsm/version.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/status.h"

int table_file_new(table_file **out, table_props *props, table *t, const table_hook *hook) {
    table_file *f = mem_zalloc(sizeof *f);
    if (!f) return alloc_failed(sizeof *f);
    atomic_init(&f->refs, 1);
    f->props = *props;
    f->table = t;
    f->hook = hook;
    *props = (table_props){0};
    *out = f;
    return RKV_OK;
}

void table_file_ref(table_file *f) {
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
}

void table_file_unref(table_file *f) {
    if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1) return;
    if (f->hook)
        f->hook->unused(f->hook->context, f);
    else
        table_file_free(f);
}

void table_file_free(table_file *f) {
    table_unref(f->table);
    table_props_clear(&f->props);
    mem_free(f);
}

static int by_number_descending(const void *a, const void *b) {
    const table_file *x = *(table_file *const *)a;
    const table_file *y = *(table_file *const *)b;
    return x->props.number < y->props.number ? 1 : x->props.number > y->props.number ? -1 : 0;
}

static int by_smallest(const void *a, const void *b) {
    return slice_compare(table_smallest(*(table_file *const *)a), table_smallest(*(table_file *const *)b));
}

static bool is_removed(const version_change *change, const table_file *f) {
    for (size_t i = 0; i < change->removed_count; i++)
        if (change->removed[i] == f) return true;
    return false;
}

static size_t common_prefix(slice a, slice b) {
    size_t n = 0;
    while (n < a.size && n < b.size && a.data[n] == b.data[n]) n++;
    return n;
}

/* The 8 bytes of key behind prefix, zero padded, as a number: keys that share the prefix compare by it first. */
static uint64_t key_head(slice key, size_t prefix) {
    uint8_t bytes[8] = {0};
    size_t n = key.size - prefix < 8 ? key.size - prefix : 8;
    memcpy(bytes, key.data + prefix, n);
    return get_be64(bytes);
}

/* Fill what is derived from the files of a level. */
static int level_finish(level *l, unsigned number) {
    l->bytes = 0;
    l->max_hlc = 0;
    for (size_t i = 0; i < l->count; i++) {
        l->bytes += l->files[i]->props.size;
        if (l->files[i]->props.max_hlc > l->max_hlc) l->max_hlc = l->files[i]->props.max_hlc;
    }
    if (l->count == 0) return RKV_OK;
    qsort(l->files, l->count, sizeof *l->files, number ? by_smallest : by_number_descending);
    if (number == 0) return RKV_OK;
    for (size_t i = 1; i < l->count; i++)
        if (slice_compare(table_largest(l->files[i - 1]), table_smallest(l->files[i])) >= 0)
            return status_set(RKV_ECORRUPT, "tables %" PRIu64 " and %" PRIu64 " of level %u overlap",
                              l->files[i - 1]->props.number, l->files[i]->props.number, number);
    l->heads = mem_alloc(l->count * sizeof *l->heads);
    if (!l->heads) return alloc_failed(l->count * sizeof *l->heads);
    l->prefix = table_smallest(l->files[0]);
    l->prefix.size = common_prefix(l->prefix, table_largest(l->files[l->count - 1]));
    for (size_t i = 0; i < l->count; i++) l->heads[i] = key_head(table_largest(l->files[i]), l->prefix.size);
    return RKV_OK;
}

static bool level_has(const level *l, const table_file *f) {
    for (size_t i = 0; i < l->count; i++)
        if (l->files[i]->props.number == f->props.number) return true;
    return false;
}

/* Files of one level of the new version: base's without the removed, and the added. */
static int level_fill(level *l, unsigned number, const level *base, const version_change *change, size_t *removed) {
    size_t room = base ? base->count : 0;
    for (size_t i = 0; i < change->added_count; i++) room += change->added[i].level == number;
    if (room == 0) return RKV_OK;
    l->files = mem_alloc(room * sizeof *l->files);
    if (!l->files) return alloc_failed(room * sizeof *l->files);
    for (size_t i = 0; base && i < base->count; i++) {
        if (is_removed(change, base->files[i])) {
            ++*removed;
            continue;
        }
        table_file_ref(base->files[i]);
        l->files[l->count++] = base->files[i];
    }
    for (size_t i = 0; i < change->added_count; i++) {
        table_file *f = change->added[i].file;
        if (change->added[i].level != number) continue;
        if (number == 0 && level_has(l, f))
            return status_set(RKV_ECORRUPT, "table %" PRIu64 " is in level %u already", f->props.number, number);
        table_file_ref(f);
        l->files[l->count++] = f;
    }
    return level_finish(l, number);
}

int version_new(version **out, const version *base, const version_change *change) {
    int rc = RKV_OK;
    size_t removed = 0;
    version *v = mem_zalloc(sizeof *v);
    if (!v) return alloc_failed(sizeof *v);
    atomic_init(&v->refs, 1);
    v->rdels = rdel_set_ref(change->rdels);
    for (unsigned i = 0; i < LEVELS && rc == RKV_OK; i++) {
        rc = level_fill(&v->levels[i], i, base ? &base->levels[i] : NULL, change, &removed);
        if (v->levels[i].count) v->depth = i + 1;
        if (v->levels[i].max_hlc > v->max_hlc) v->max_hlc = v->levels[i].max_hlc;
    }
    if (rc == RKV_OK && removed != change->removed_count)
        rc = status_set(RKV_ECORRUPT, "%zu of %zu removed tables are not there", change->removed_count - removed,
                        change->removed_count);
    if (rc) {
        version_unref(v);
        return rc;
    }
    *out = v;
    return RKV_OK;
}

void version_ref(version *v) {
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
}

void version_unref(version *v) {
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1) return;
    for (unsigned i = 0; i < LEVELS; i++) {
        for (size_t k = 0; k < v->levels[i].count; k++) table_file_unref(v->levels[i].files[k]);
        mem_free(v->levels[i].files);
        mem_free(v->levels[i].heads);
    }
    rdel_set_unref(v->rdels);
    mem_free(v);
}

size_t level_find(const level *l, slice key) {
    if (l->count == 0) return 0;
    size_t shared = key.size < l->prefix.size ? key.size : l->prefix.size;
    int order = shared ? memcmp(key.data, l->prefix.data, shared) : 0;
    if (order < 0 || (order == 0 && key.size <= l->prefix.size)) return 0; /* at or below every key of the level */
    if (order > 0) return l->count;
    uint64_t head = key_head(key, l->prefix.size);
    size_t low = 0;
    size_t high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t other = l->heads[middle];
        bool below = other != head ? other < head : slice_compare(table_largest(l->files[middle]), key) < 0;
        if (below)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

table_file *level_file(const level *l, slice key) {
    size_t i = level_find(l, key);
    if (i == l->count || slice_compare(table_smallest(l->files[i]), key) > 0) return NULL;
    return l->files[i];
}

size_t level_overlap(const level *l, slice smallest, slice largest, size_t *out_first) {
    size_t first = level_find(l, smallest);
    size_t end = first;
    while (end < l->count && slice_compare(table_smallest(l->files[end]), largest) <= 0) end++;
    *out_first = first;
    return end - first;
}

uint64_t version_tables(const version *v) {
    uint64_t n = 0;
    for (unsigned i = 0; i < LEVELS; i++) n += v->levels[i].count;
    return n;
}

uint64_t version_bytes(const version *v) {
    uint64_t n = 0;
    for (unsigned i = 0; i < LEVELS; i++) n += v->levels[i].bytes;
    return n;
}
