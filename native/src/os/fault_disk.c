/* fault_disk.c: nodes, entries and pending changes of the disk in memory; see fault_disk.h. Bytes are in fault_file.c,
 * cuts in fault_cut.c. */
#include "os/fault_disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

static char *take_text(const char *text, size_t size) {
    char *copy = disk_take(size + 1);
    return memcpy(copy, text, size);
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static disk_node *node_new(disk *d, bool dir) {
    disk_node *n = disk_take(sizeof *n);
    n->refs = 1;
    n->dir = dir;
    n->previous = d->last;
    *(d->last ? &d->last->next : &d->first) = n;
    d->last = n;
    return n;
}

void disk_ref(disk_node *n) {
    n->refs++;
}

static void entries_clear(disk *d, disk_entries *e) {
    for (disk_entry *gone = e->first, *next; gone; gone = next) {
        next = gone->next;
        disk_unref(d, gone->node);
        free(gone);
    }
    *e = (disk_entries){0};
}

void disk_unref(disk *d, disk_node *n) {
    if (!n || --n->refs) return;
    *(n->previous ? &n->previous->next : &d->first) = n->next;
    *(n->next ? &n->next->previous : &d->last) = n->previous;
    entries_clear(d, &n->entries_now);
    entries_clear(d, &n->entries_disk);
    disk_content_drop(&n->now);
    disk_content_drop(&n->disk);
    disk_lost_forget(n);
    free(n->holes);
    free(n);
}

/* The link to the entry of that name, or NULL. */
static disk_entry **entry_link(disk_entries *e, const char *name) {
    disk_entry **link = &e->first;
    while (*link && strcmp((*link)->name, name) != 0) link = &(*link)->next;
    return *link ? link : NULL;
}

static disk_entry *entry_find(disk_entries *e, const char *name) {
    disk_entry **link = entry_link(e, name);
    return link ? *link : NULL;
}

static void entry_set(disk *d, disk_entries *e, const char *name, disk_node *n) {
    disk_ref(n);
    disk_entry *entry = entry_find(e, name);
    if (entry) {
        disk_unref(d, entry->node);
        entry->node = n;
        return;
    }
    size_t size = strlen(name) + 1;
    entry = disk_take(sizeof *entry + size);
    entry->node = n;
    memcpy(entry->name, name, size);
    *(e->end ? e->end : &e->first) = entry;
    e->end = &entry->next;
    e->count++;
}

static void entry_remove(disk *d, disk_entries *e, const char *name) {
    disk_entry **link = entry_link(e, name), *gone = *link;
    *link = gone->next;
    if (!gone->next) e->end = link == &e->first ? NULL : link;
    e->count--;
    disk_unref(d, gone->node);
    free(gone);
}

void disk_entries_copy(disk *d, disk_entries *to, const disk_entries *from) {
    disk_entries old = *to;
    *to = (disk_entries){0};
    for (const disk_entry *e = from->first; e; e = e->next) entry_set(d, to, e->name, e->node);
    entries_clear(d, &old);
}

/* ---- paths ------------------------------------------------------------------------------------------------------- */

/* The next component of *path, a new string, or NULL at its end. */
static char *component(const char **path) {
    for (;;) {
        while (**path == '/') ++*path;
        size_t size = strcspn(*path, "/");
        if (!size) return NULL;
        const char *begin = *path;
        *path += size;
        if (size != 1 || *begin != '.') return take_text(begin, size);
    }
}

/* The directory of path's last component, which goes to *out_name (free it), or NULL. */
static disk_node *parent_of(disk *d, const char *path, char **out_name) {
    disk_node *dir = d->root;
    char *name = component(&path);
    char *next;
    while (name && (next = component(&path)) != NULL) {
        disk_entry *e = dir->dir ? entry_find(&dir->entries_now, name) : NULL;
        free(name);
        name = next;
        if (!e) {
            free(name);
            return NULL;
        }
        dir = e->node;
    }
    if (!name || !dir->dir) {
        free(name);
        return NULL;
    }
    *out_name = name;
    return dir;
}

disk_node *disk_find(disk *d, const char *path) {
    const char *rest = path;
    char *first = component(&rest);
    if (!first) return d->root;
    free(first);
    char *name;
    disk_node *dir = parent_of(d, path, &name);
    if (!dir) return NULL;
    disk_entry *e = entry_find(&dir->entries_now, name);
    free(name);
    return e ? e->node : NULL;
}

bool disk_is_dir(const disk_node *n) {
    return n->dir;
}

/* ---- directory changes ------------------------------------------------------------------------------------------- */

/* Takes over both names. */
static void change_add(disk *d, disk_change change) {
    if (d->change_count == d->change_capacity) {
        d->change_capacity = d->change_capacity ? 2 * d->change_capacity : 16;
        d->changes = disk_grow(d->changes, d->change_capacity * sizeof *d->changes);
    }
    disk_ref(change.node);
    if (change.from_dir) disk_ref(change.from_dir);
    if (change.to_dir) disk_ref(change.to_dir);
    d->changes[d->change_count++] = change;
}

void disk_change_forget(disk *d, size_t i) {
    disk_change gone = d->changes[i];
    memmove(d->changes + i, d->changes + i + 1, (d->change_count - i - 1) * sizeof gone);
    d->change_count--;
    disk_unref(d, gone.node);
    disk_unref(d, gone.from_dir);
    disk_unref(d, gone.to_dir);
    free(gone.from);
    free(gone.to);
}

void disk_change_apply(disk *d, size_t i) {
    disk_change c = d->changes[i];
    disk_entry *from = c.from_dir ? entry_find(&c.from_dir->entries_disk, c.from) : NULL;
    bool sound = !c.from_dir || (from && from->node == c.node);
    /* A new name must be free; only a rename may replace what has it. */
    if (!c.from_dir && entry_find(&c.to_dir->entries_disk, c.to)) sound = false;
    if (sound) {
        if (c.from_dir) entry_remove(d, &c.from_dir->entries_disk, c.from);
        if (c.to_dir) entry_set(d, &c.to_dir->entries_disk, c.to, c.node);
    }
    disk_change_forget(d, i);
}

static int missing(const char *path) {
    return status_set(RKV_NOTFOUND, "%s: no such file or directory", path);
}

static int link_node(disk *d, const char *path, disk_node *n) {
    char *name;
    disk_node *dir = parent_of(d, path, &name);
    if (!dir) return missing(path);
    if (entry_find(&dir->entries_now, name)) {
        free(name);
        return status_set(RKV_EIO, "%s: exists", path);
    }
    entry_set(d, &dir->entries_now, name, n);
    change_add(d, (disk_change){.node = n, .to_dir = dir, .to = name});
    return RKV_OK;
}

int disk_create(disk *d, const char *path, bool dir, disk_node **out) {
    disk_node *n = node_new(d, dir);
    int rc = link_node(d, path, n);
    if (!rc) *out = n;
    disk_unref(d, n);
    return rc;
}

int disk_link(disk *d, const char *from, const char *to) {
    disk_node *n = disk_find(d, from);
    if (!n || n->dir) return missing(from);
    return link_node(d, to, n);
}

int disk_unlink(disk *d, const char *path) {
    disk_node *n = disk_find(d, path);
    if (!n) return missing(path);
    if (n->dir) return status_set(RKV_EIO, "%s: is a directory", path);
    char *name;
    disk_node *dir = parent_of(d, path, &name);
    change_add(d, (disk_change){.node = n, .from_dir = dir, .from = name});
    entry_remove(d, &dir->entries_now, name);
    return RKV_OK;
}

int disk_rename(disk *d, const char *from, const char *to) {
    disk_node *n = disk_find(d, from);
    disk_node *over = disk_find(d, to);
    if (!n || n == d->root) return missing(from);
    if (over && (over->dir || n->dir)) return status_set(RKV_EIO, "%s: rename to %s: exists", from, to);
    if (over == n) return RKV_OK;
    char *from_name, *to_name;
    disk_node *to_dir = parent_of(d, to, &to_name);
    if (!to_dir) return missing(to);
    disk_node *from_dir = parent_of(d, from, &from_name);
    change_add(d, (disk_change){n, from_dir, to_dir, from_name, to_name});
    entry_set(d, &to_dir->entries_now, to_name, n);
    entry_remove(d, &from_dir->entries_now, from_name);
    return RKV_OK;
}

static bool change_touches(const disk_change *c, const disk_node *dir, const char *name) {
    return (c->from_dir == dir && (!name || strcmp(c->from, name) == 0)) ||
           (c->to_dir == dir && (!name || strcmp(c->to, name) == 0));
}

/* Does a change marked as wanted, after change i, build on a name that i changes? */
static bool change_is_needed(const disk *d, size_t i, const bool *wanted) {
    for (size_t j = i + 1; j < d->change_count; j++) {
        const disk_change *later = &d->changes[j];
        if (!wanted[j]) continue;
        if (later->from_dir && change_touches(&d->changes[i], later->from_dir, later->from)) return true;
        if (later->to_dir && change_touches(&d->changes[i], later->to_dir, later->to)) return true;
    }
    return false;
}

int disk_sync_dir(disk *d, const char *path) {
    disk_node *dir = disk_find(d, path);
    if (!dir || !dir->dir) return missing(path);
    bool *wanted = disk_take(d->change_count);
    for (size_t i = d->change_count; i-- > 0;)
        wanted[i] = change_touches(&d->changes[i], dir, NULL) || change_is_needed(d, i, wanted);
    size_t applied = 0;
    for (size_t i = 0, count = d->change_count; i < count; i++)
        if (wanted[i]) disk_change_apply(d, i - applied++);
    free(wanted);
    return RKV_OK;
}

int disk_list(disk *d, const char *path, disk_names *out) {
    disk_node *dir = disk_find(d, path);
    if (!dir || !dir->dir) return missing(path);
    const disk_entries *e = &dir->entries_now;
    disk_names names = {.at = disk_take(e->count * sizeof *names.at)};
    for (const disk_entry *entry = e->first; entry; entry = entry->next)
        names.at[names.count++] = take_text(entry->name, strlen(entry->name));
    *out = names;
    return RKV_OK;
}

void disk_names_clear(disk_names *names) {
    for (size_t i = 0; i < names->count; i++) free(names->at[i]);
    free(names->at);
    *names = (disk_names){0};
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

disk *disk_new(void) {
    disk *d = disk_take(sizeof *d);
    d->root = node_new(d, true);
    return d;
}

void disk_free(disk *d) {
    while (d->change_count) disk_change_forget(d, d->change_count - 1);
    free(d->changes);
    disk_unref(d, d->root);
    assert(!d->first);
    free(d);
}

static disk_node *node_clone(disk *d, disk_node *n) {
    disk_node *copy = node_new(d, n->dir);
    copy->now = n->maps ? disk_content_copy(&n->now, 0) : disk_content_share(&n->now);
    copy->disk = disk_content_share(&n->disk);
    if (n->lost_sectors) {
        uint64_t count = (n->lost.size + SECTOR - 1) / SECTOR;
        copy->lost = disk_content_share(&n->lost);
        copy->lost_sectors = memcpy(disk_take((size_t)count), n->lost_sectors, (size_t)count);
    }
    if (n->hole_blocks) {
        copy->holes = disk_take((size_t)n->hole_blocks);
        memcpy(copy->holes, n->holes, (size_t)n->hole_blocks);
        copy->hole_blocks = n->hole_blocks;
    }
    return copy;
}

static void entries_clone(disk *d, disk_entries *to, const disk_entries *from) {
    for (const disk_entry *e = from->first; e; e = e->next) entry_set(d, to, e->name, e->node->twin);
}

/* Files without a name and a handle take no space, even while the unlink is unsynced. */
uint64_t disk_used(disk *d) {
    uint64_t used = 0;
    for (disk_node *n = d->first; n; n = n->next) n->counted = n->handles > 0;
    for (disk_node *dir = d->first; dir; dir = dir->next)
        for (const disk_entry *e = dir->entries_now.first; e; e = e->next) e->node->counted = true;
    for (disk_node *n = d->first; n; n = n->next)
        if (n->counted) used += disk_node_used(n);
    return used;
}

static char *text_clone(const char *text) {
    return text ? take_text(text, strlen(text)) : NULL;
}

disk *disk_clone(disk *d) {
    disk *copy = disk_take(sizeof *copy);
    for (disk_node *n = d->first; n; n = n->next) n->twin = node_clone(copy, n);
    for (disk_node *n = d->first; n; n = n->next) {
        entries_clone(copy, &n->twin->entries_now, &n->entries_now);
        entries_clone(copy, &n->twin->entries_disk, &n->entries_disk);
    }
    for (size_t i = 0; i < d->change_count; i++) {
        const disk_change *c = &d->changes[i];
        change_add(copy, (disk_change){c->node->twin, c->from_dir ? c->from_dir->twin : NULL,
                                       c->to_dir ? c->to_dir->twin : NULL, text_clone(c->from), text_clone(c->to)});
    }
    copy->root = d->root->twin;
    /* Each copy was born with one reference; those of entries and changes have been added. What only a handle held
     * goes. */
    for (disk_node *n = d->first; n; n = n->next)
        if (n != d->root) disk_unref(copy, n->twin);
    return copy;
}
