/* manifest.h: the file that says what the store is: a log of edits, and the names of the other files.
 *
 *   STORE            := magic "RKVSTORE" format:fixed32 store_id:16 bytes seed:2 x fixed64 crc32c:fixed32
 *   CURRENT          := "MANIFEST-NNNNNNNNNN " crc32c of the name in 8 hex digits "\n"
 *   MANIFEST-N       := header record*
 *   header           := magic "RKVMAN01" format:fixed32 zero:fixed32 store_id:16 bytes seed:2 x fixed64 number:fixed64 crc32c:fixed32 zeros to 64
 *   record           := crc32c:fixed32 size:fixed32 edit zeros to a multiple of 8
 *                       crc32c covers size, manifest number, offset, edit; size 0 is a mark
 *
 * The first record is a snapshot. An edit is synced before anything relies on it; then a mark is written behind it (unsynced): so a bad last
 * edit is a torn one that nobody relied on and is cut, but a bad edit with anything good behind it is corruption.
 * A new manifest is switched in by the replace protocol of os.h. STORE repeats the identity for repair.
 *
 * Threads: one at a time; the caller locks.
 */
#ifndef RKV_LSM_MANIFEST_H
#define RKV_LSM_MANIFEST_H

#include "base/hash.h"
#include "lsm/manifest_edit.h"

enum {
    DIR_SIZE_MAX = 400, /* of the store's path */
    PATH_SIZE = DIR_SIZE_MAX + 64,
    MANIFEST_FORMAT = 1,
};

typedef struct store_identity {
    uint8_t id[16];
    hash_seed seed;
} store_identity;

/* Draw a new identity from the system's randomness. */
int identity_draw(os *o, store_identity *out);

/* Write STORE (synced, directory too). */
int identity_write(os *o, const char *dir, const store_identity *identity);

/* RKV_NOTFOUND: no STORE; RKV_ECORRUPT; RKV_EFORMAT: of a newer format. */
int identity_read(os *o, const char *dir, store_identity *out);

/* dir/name, and dir/NNNNNNNNNN.sst. */
void store_path(char out[PATH_SIZE], const char *dir, const char *name);
void table_path(char out[PATH_SIZE], const char *dir, uint64_t number);

/* Is name "<prefix><digits><suffix>"? */
bool numbered_name(const char *name, const char *prefix, const char *suffix, uint64_t *out_number);

typedef struct manifest_info {
    store_identity identity;
    uint64_t number;
    uint64_t cut_bytes; /* of a torn last record */
} manifest_info;

/* Read what CURRENT names into *image (empty before; cleared by the caller either way). RKV_NOTFOUND: no CURRENT. RKV_ECORRUPT and RKV_EFORMAT name file and offset. */
int manifest_load(os *o, const char *dir, manifest_info *out, edit *image);

/* Read one manifest as far as it is good: for repair. */
int manifest_salvage(os *o, const char *dir, uint64_t number, manifest_info *out, edit *image);

typedef struct manifest manifest;

/* Write MANIFEST-number with image as snapshot and make it CURRENT; what CURRENT named before is left alone. RKV_ENOSPC, RKV_EIO: CURRENT is as it was, unless
 * *out_unknown: the switch may or may not survive a power cut, and nothing more may be written to either. */
int manifest_create(manifest **out, os *o, const char *dir, const store_identity *identity, uint64_t number,
                    const edit *image, bool *out_unknown);

/* Append and sync one edit. RKV_ENOSPC, RKV_ENOMEM: the file is as before (synced), later appends may work. Other errors are final: the edit may or may
 * not be durable, and every later append returns RKV_EREADONLY. */
int manifest_append(manifest *m, const edit *e);

uint64_t manifest_number(const manifest *m);
uint64_t manifest_size(const manifest *m);          /* bytes */
uint64_t manifest_snapshot_size(const manifest *m); /* of them the snapshot */
/* Unlink MANIFEST-number, which CURRENT does not name any more; what stays is removed at the next open. */
void manifest_remove(os *o, const char *dir, uint64_t number);
int manifest_close(manifest *m); /* accepts NULL; does not sync */

#endif
