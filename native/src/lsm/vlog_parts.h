/* vlog_parts.h: what the files of the value log share; see vlog.h.
 *
 * Locks, in this order: `append` while space is reserved or a file made; `sync` during a sync, so that nobody returns
 * from one before the running one is done; `lock` for the list of files and all counts in them, never during I/O. A
 * file is used outside the locks by whoever has a reference; out of the list it lives until the last one.
 */
#ifndef RKV_LSM_VLOG_PARTS_H
#define RKV_LSM_VLOG_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "lsm/vlog.h"

enum value_kind { VALUE_SMALL = 1, VALUE_LARGE = 2, VALUE_KINDS };

enum {
    VALUE_FILE_HEADER = 64,
    VALUE_HEAD = 32, /* of a record, before its key */
    VALUE_BLOCK = 4096,
    VALUE_LARGE_MIN = 64 << 10,
    VALUE_PIECE = 256 << 10, /* what a check or scan reads at once */
};

typedef struct value_file {
    uint64_t number;
    enum value_kind kind;
    os_file *file;
    uint64_t end;     /* where the next record goes; of a sealed one, past the last */
    uint64_t garbage; /* bytes of records */
    bool sealed, removed;
    bool unsynced; /* may have bytes that no finished or running sync covers */
    unsigned refs; /* the list's, and users' */
    char path[];   /* value_path_size */
} value_file;

struct vlog {
    vlog_options options; /* dir: ours */
    pthread_mutex_t append, sync, lock;
    value_file **files; /* by number */
    size_t count, room;
    value_file *active[VALUE_KINDS]; /* by kind; also in files */
    uint64_t next_number;
    bool no_holes; /* the file system cannot punch */
    atomic_int failure;
    char failure_text[400];
};

/* ---- vlog_record.c: bytes ---------------------------------------------------------------------------------------- */

typedef struct value_head {
    uint32_t value_crc, key_size, node;
    uint64_t value_size, hlc;
} value_head;

static inline enum value_kind kind_of(uint64_t value_size) {
    return value_size >= VALUE_LARGE_MIN ? VALUE_LARGE : VALUE_SMALL;
}
static inline uint64_t first_record(enum value_kind kind) {
    return kind == VALUE_LARGE ? VALUE_BLOCK : VALUE_FILE_HEADER;
}
static inline uint64_t record_alignment(enum value_kind kind) {
    return kind == VALUE_LARGE ? VALUE_BLOCK : 8;
}

void value_head_encode(uint8_t out[VALUE_HEAD], const value_head *h, slice key, const uint8_t store_id[16],
                       uint64_t number, uint64_t offset);
/* Is this the head, with the key behind it, of a record at this place? h->key_size bytes of key are at in +
 * VALUE_HEAD. */
bool value_head_check(const uint8_t *in, const value_head *h, const uint8_t store_id[16], uint64_t number,
                      uint64_t offset);
void value_head_decode(value_head *out, const uint8_t in[VALUE_HEAD]);

void value_header_encode(uint8_t out[VALUE_FILE_HEADER], const uint8_t store_id[16], uint64_t number,
                         enum value_kind kind);
/* RKV_OK; RKV_NOTFOUND: no header, or a damaged one; RKV_EFORMAT: of another store or version, or another file's. */
int value_header_check(const uint8_t in[VALUE_FILE_HEADER], const uint8_t store_id[16], uint64_t number,
                       const char *path, enum value_kind *out_kind);

size_t value_path_size(const char *dir);
void value_path(char *path, const char *dir, uint64_t number);
uint64_t value_number_of_name(const char *name); /* 0: no value file's */

/* Read the head and key at offset into *buffer, which has *capacity bytes and grows (mem_free); RKV_ECORRUPT if there
 * is no record. */
int value_head_read(const vlog *v, value_file *f, uint64_t offset, uint64_t end, bool nowait, uint8_t **buffer,
                    size_t *capacity, value_head *out);

/* ---- vlog.c ------------------------------------------------------------------------------------------------------ */

/* A reference to the file, or NULL; *out_end is where its records end now. */
value_file *value_file_take(vlog *v, uint64_t number, uint64_t *out_end);
void value_file_drop(vlog *v, value_file *f);

#endif
