/* fault_file.c: the bytes of files on the disk in memory, shared until written, and memory itself; see fault_disk.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "os/fault_disk.h"

void *disk_take(size_t size) {
    void *block = calloc(1, size ? size : 1);
    if (!block) abort();
    return block;
}

void *disk_grow(void *block, size_t size) {
    void *grown = realloc(block, size);
    if (!grown) abort();
    return grown;
}

/* ---- contents ---------------------------------------------------------------------------------------------------- */

static disk_blob *blob_new(size_t capacity) {
    disk_blob *b = disk_take(sizeof *b + capacity);
    atomic_init(&b->refs, 1);
    b->capacity = capacity;
    return b;
}

void disk_blob_unref(disk_blob *b) {
    if (b && atomic_fetch_sub(&b->refs, 1) == 1) free(b);
}

disk_content disk_content_share(const disk_content *c) {
    if (c->blob) atomic_fetch_add(&c->blob->refs, 1);
    return *c;
}

void disk_content_drop(disk_content *c) {
    disk_blob_unref(c->blob);
    *c = (disk_content){0};
}

/* A copy of its own, with room for capacity bytes. */
disk_content disk_content_copy(const disk_content *c, size_t capacity) {
    if (capacity < c->size) capacity = (size_t)c->size;
    disk_content copy = {blob_new(capacity), c->size};
    if (c->size) memcpy(copy.blob->data, c->blob->data, (size_t)c->size);
    return copy;
}

/* Nobody else sees c's blob, and it holds size bytes. */
static void content_own(disk_content *c, uint64_t size) {
    bool alone = c->blob && atomic_load(&c->blob->refs) == 1;
    if (alone && c->blob->capacity >= size) return;
    size_t capacity = (size_t)size;
    if (c->blob && size > c->size && capacity < 2 * c->size) capacity = (size_t)(2 * c->size);
    disk_content copy = disk_content_copy(c, capacity);
    disk_content_drop(c);
    *c = copy;
}

void disk_content_resize(disk_content *c, uint64_t size) {
    if (size == c->size) return;
    content_own(c, size);
    if (size < c->size) memset(c->blob->data + size, 0, (size_t)(c->size - size));
    c->size = size;
}

/* The part of sector s inside c: its bytes and their count, at most SECTOR. */
static const uint8_t *sector_of(const disk_content *c, uint64_t s, size_t *out_size) {
    uint64_t begin = s * SECTOR;
    *out_size = begin >= c->size ? 0 : c->size - begin < SECTOR ? (size_t)(c->size - begin) : SECTOR;
    return *out_size ? c->blob->data + begin : (const uint8_t *)"";
}

static bool all_zero(const uint8_t *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (data[i]) return false;
    return true;
}

bool disk_sector_same(const disk_content *a, const disk_content *b, uint64_t s) {
    if (a->blob == b->blob && a->size == b->size) return true;
    size_t a_size, b_size;
    const uint8_t *x = sector_of(a, s, &a_size), *y = sector_of(b, s, &b_size);
    size_t both = a_size < b_size ? a_size : b_size;
    if (both && memcmp(x, y, both) != 0) return false;
    return a_size > both ? all_zero(x + both, a_size - both) : all_zero(y + both, b_size - both);
}

void disk_sector_copy(disk_content *to, const disk_content *from, uint64_t s) {
    size_t size;
    const uint8_t *data = sector_of(from, s, &size);
    uint64_t begin = s * SECTOR;
    if (begin + size > to->size) disk_content_resize(to, begin + size);
    if (to->size <= begin) return;
    content_own(to, to->size);
    size_t room = to->size - begin < SECTOR ? (size_t)(to->size - begin) : SECTOR;
    memset(to->blob->data + begin, 0, room);
    if (size) memcpy(to->blob->data + begin, data, size);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

uint64_t disk_size(const disk_node *n) {
    return n->now.size;
}

size_t disk_read(const disk_node *n, uint64_t offset, void *data, size_t size) {
    if (offset >= n->now.size) return 0;
    size_t got = n->now.size - offset < size ? (size_t)(n->now.size - offset) : size;
    if (got) memcpy(data, n->now.blob->data + offset, got);
    return got;
}

/* Make the cache's bytes writable up to size. A mapped file's stay where they are. */
static void now_own(disk_node *n, uint64_t size) {
    if (n->maps)
        assert(size <= n->now.blob->capacity);
    else
        content_own(&n->now, size);
}

static uint64_t blocks_of(uint64_t size) {
    return (size + BLOCK - 1) / BLOCK;
}

void disk_write(disk_node *n, uint64_t offset, const void *data, size_t size) {
    if (!size) return;
    uint64_t end = offset + size;
    now_own(n, end > n->now.size ? end : n->now.size);
    if (data)
        memcpy(n->now.blob->data + offset, data, size);
    else
        memset(n->now.blob->data + offset, 0, size);
    if (end > n->now.size) n->now.size = end;
    for (uint64_t b = offset / BLOCK; b < blocks_of(end) && b < n->hole_blocks; b++) n->holes[b] = 0;
    for (uint64_t s = offset / SECTOR; s * SECTOR < end && s * SECTOR < n->lost.size; s++) n->lost_sectors[s] = 0;
}

void disk_resize(disk_node *n, uint64_t size) {
    assert(!n->maps || size <= n->now.blob->capacity);
    if (n->maps) {
        if (size < n->now.size) memset(n->now.blob->data + size, 0, (size_t)(n->now.size - size));
        n->now.size = size;
    } else {
        disk_content_resize(&n->now, size);
    }
    if (blocks_of(size) < n->hole_blocks) n->hole_blocks = blocks_of(size);
}

void disk_punch(disk_node *n, uint64_t offset, uint64_t size) {
    uint64_t end = offset + size < n->now.size ? offset + size : n->now.size;
    if (offset >= end) return;
    now_own(n, n->now.size);
    memset(n->now.blob->data + offset, 0, (size_t)(end - offset));
    /* The last block of the file may go even if the file ends inside it. */
    uint64_t first = blocks_of(offset), last = end == n->now.size ? blocks_of(end) : end / BLOCK;
    if (last > n->hole_blocks) {
        n->holes = disk_grow(n->holes, (size_t)last);
        memset(n->holes + n->hole_blocks, 0, (size_t)(last - n->hole_blocks));
        n->hole_blocks = last;
    }
    for (uint64_t b = first; b < last; b++) n->holes[b] = 1;
}

uint64_t disk_sector_count(const disk_node *n) {
    uint64_t size = n->now.size > n->disk.size ? n->now.size : n->disk.size;
    return (size + SECTOR - 1) / SECTOR;
}

bool disk_sector_dirty(const disk_node *n, uint64_t s) {
    if (disk_sector_same(&n->now, &n->disk, s)) return false;
    bool lost = s * SECTOR < n->lost.size && n->lost_sectors[s];
    return !lost || !disk_sector_same(&n->now, &n->lost, s);
}

void disk_sync(disk_node *n) {
    if (!n->maps && !n->lost.blob) {
        disk_content old = n->disk;
        n->disk = disk_content_share(&n->now);
        disk_content_drop(&old);
        return;
    }
    uint64_t count = disk_sector_count(n);
    for (uint64_t s = 0; s < count; s++)
        if (disk_sector_dirty(n, s)) disk_sector_copy(&n->disk, &n->now, s);
    disk_content_resize(&n->disk, n->now.size);
}

void disk_sync_failed(disk_node *n) {
    uint64_t count = (n->now.size + SECTOR - 1) / SECTOR;
    uint8_t *sectors = disk_take((size_t)count);
    /* What an earlier failure lost and nobody wrote since stays lost. */
    for (uint64_t s = 0; s < count; s++) sectors[s] = !disk_sector_same(&n->now, &n->disk, s);
    disk_lost_forget(n);
    n->lost_sectors = sectors;
    n->lost = n->maps ? disk_content_copy(&n->now, 0) : disk_content_share(&n->now);
}

void disk_lost_forget(disk_node *n) {
    disk_content_drop(&n->lost);
    free(n->lost_sectors);
    n->lost_sectors = NULL;
}

uint8_t *disk_map(disk_node *n, disk_blob **out_blob) {
    if (!n->maps) content_own(&n->now, n->now.size);
    n->maps++;
    /* The mapping's reference is not one that a write must copy for: now_own knows by maps. */
    atomic_fetch_add(&n->now.blob->refs, 1);
    *out_blob = n->now.blob;
    return n->now.blob->data;
}

void disk_unmap(disk_node *n) {
    assert(n->maps);
    n->maps--;
}

static uint64_t hole_count(const disk_node *n, uint64_t first, uint64_t last) {
    uint64_t count = 0;
    for (uint64_t b = first; b < last && b < n->hole_blocks; b++) count += n->holes[b];
    return count;
}

uint64_t disk_node_used(const disk_node *n) {
    uint64_t all = blocks_of(n->now.size);
    return (all - hole_count(n, 0, all)) * BLOCK;
}

uint64_t disk_need(const disk_node *n, uint64_t offset, uint64_t size) {
    uint64_t end = blocks_of(offset + size), all = blocks_of(n->now.size);
    return ((end > all ? end - all : 0) + hole_count(n, offset / BLOCK, end)) * BLOCK;
}

static void flip(disk_content *c, uint64_t offset, unsigned bit) {
    if (offset < c->size) c->blob->data[offset] ^= (uint8_t)(1u << bit);
}

void disk_flip(disk_node *n, uint64_t offset, unsigned bit) {
    assert(offset < n->now.size && bit < 8);
    now_own(n, n->now.size);
    flip(&n->now, offset, bit);
    content_own(&n->disk, n->disk.size);
    flip(&n->disk, offset, bit);
}

void disk_chop(disk_node *n, uint64_t size) {
    assert(size <= n->now.size);
    disk_resize(n, size);
    if (size < n->disk.size) disk_content_resize(&n->disk, size);
}
