/* os_file.c: what every implementation of os.h gets from its functions; see os.h. */
#include "base/alloc.h"
#include "base/status.h"
#include "os/os.h"

static int read_whole(os_file *file, const char *path, size_t size_max, uint8_t **out, size_t *out_size) {
    uint64_t size;
    int rc = file->ops->size(file, &size);
    if (rc) return rc;
    if (size > size_max)
        return status_set(RKV_ETOOBIG, "%s: %llu bytes, at most %zu expected", path, (unsigned long long)size,
                          size_max);
    uint8_t *data = mem_alloc((size_t)size);
    if (!data) return alloc_failed((size_t)size);
    size_t got;
    rc = file->ops->read_at(file, 0, data, (size_t)size, false, &got);
    if (rc) {
        mem_free(data);
        return rc;
    }
    *out = data;
    *out_size = got;
    return RKV_OK;
}

int os_read_file(os *o, const char *path, size_t size_max, uint8_t **out, size_t *out_size) {
    os_file *file;
    int rc = o->ops->open(o, &file, path, OS_READ);
    if (rc) return rc;
    rc = read_whole(file, path, size_max, out, out_size);
    file->ops->close(file);
    return rc;
}
