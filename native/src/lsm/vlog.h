/* vlog.h: the value log: large values beside the tree, so that no compaction rewrites them.
 *
 *   file   := header record*               file NNNNNNNNNN.vlog
 *   header := magic "RKVVLG01" store_id:16 bytes file_number:fixed64 kind:fixed32 crc32c:fixed32 zeros up to 64 bytes
 *   record := head_crc:fixed32 value_crc:fixed32 key_size:fixed32 node:fixed32 value_size:fixed64 hlc:fixed64
 *             key value padding
 *             head_crc is a crc32c of store_id, file_number, the record's offset, and all up to the value but itself
 *   kind   := 1: values below 64 KiB; records begin at 64, padded to 8
 *             2: values of 64 KiB and more; records begin at 4096, padded to 4096, so that they can be punched out
 *
 * So records follow one another without gaps, and a file's live bytes are its bytes less its garbage. A record can be
 * found and believed without its value: the scan reads heads only, and a punched record is still one.
 *
 * A value is written before the cell that points to it, and synced before that cell's WAL record is
 * (wal_options.before_sync). A cell never points to bytes that are not there, except above the durable mark after a
 * power cut, where recovery cuts the log at it.
 *
 * Space: the tree reports what died (vlog_add_garbage, from flush and compaction, recorded in the manifest). A sealed
 * file that is all garbage is deleted; dead values of 64 KiB and more are punched out at once; a file more than half
 * garbage of smaller values is rewritten: the owner relocates its live records with the same version (cell_compare lets
 * the higher file win).
 *
 * Threads: append, read, sync, add_garbage and the rest from any thread; open and close alone.
 */
#ifndef RKV_LSM_VLOG_H
#define RKV_LSM_VLOG_H

#include "lsm/cell.h"
#include "os/os.h"

typedef struct vlog vlog;

typedef struct value_ref {
    uint64_t file;
    uint64_t offset; /* of the record */
    uint64_t size;   /* of the value, bytes */
    uint32_t key_size;
} value_ref;

enum { VALUE_REF_SIZE_MAX = 40 };

/* Encode as varints; returns the size. */
size_t value_ref_encode(uint8_t out[VALUE_REF_SIZE_MAX], const value_ref *ref);
bool value_ref_decode(slice bytes, value_ref *out);

typedef struct vlog_options {
    os *os;
    const char *dir; /* exists; copied */
    uint8_t store_id[16];
    uint64_t file_bytes; /* a file is sealed at this size; default (0) 256 MiB */
} vlog_options;

typedef struct vlog_file_info {
    uint64_t number, bytes, garbage; /* bytes: of records, padding and all; garbage: of those that are dead */
} vlog_file_info;

/* Open with the files and garbage counts that the manifest knows; other .vlog files of this store are adopted with no
 * garbage (their tail may hold values of lost cells), foreign ones refused (RKV_EFORMAT). A known file that is missing
 * is RKV_ECORRUPT, unless it was all garbage. next_number: first free file number, at least; it is above that of every
 * file there is, too. Writes nothing; a file that a crash left without records goes with the next vlog_collect. */
int vlog_open(vlog **out, const vlog_options *options, const vlog_file_info *files, size_t count, uint64_t next_number);
int vlog_close(vlog *v); /* accepts NULL; does not sync */

/* Append one value. Writes on the calling thread; many threads append at once (space is reserved under a lock, bytes
 * are not). RKV_ENOSPC, RKV_EIO, RKV_ENOMEM: nothing points to what was written. RKV_EREADONLY: a sync has failed.
 * RKV_ETOOBIG: the key. */
int vlog_append(vlog *v, slice key, const cell *version, slice value, value_ref *out);

/* Read ref->size bytes of the value into data and check them. nowait: RKV_WOULDBLOCK if the bytes are not in the page
 * cache. RKV_ECORRUPT, RKV_EIO with file and offset. */
int vlog_read(vlog *v, const value_ref *ref, slice key, bool nowait, uint8_t *data);

/* Is the record of ref whole and right? RKV_OK or RKV_ECORRUPT. Reads it in pieces. */
int vlog_check(vlog *v, const value_ref *ref, slice key);

/* Check, and write the bytes again in place. For recovery, of values that no mark says were synced: after a failed sync
 * the page cache may show bytes that the disk never got and that no later sync would write. */
int vlog_rewrite(vlog *v, const value_ref *ref, slice key);

/* Sync every file written since its last sync, and those found at open once; a failure is sticky. */
int vlog_sync(vlog *v);

/* The value of ref is dead (no version shows it any more, and the manifest edit that says so is synced). Once for each
 * record. */
void vlog_add_garbage(vlog *v, const value_ref *ref);

/* Up to count files, oldest first; returns how many there are. */
size_t vlog_files(vlog *v, vlog_file_info *out, size_t count);

/* Seal the active files, so that they can be collected. */
int vlog_seal(vlog *v);

/* Delete sealed files that are all garbage; their names are gone for good on return. */
int vlog_collect(vlog *v, size_t *out_deleted);

/* The sealed file most worth rewriting (garbage above half its bytes, not all); RKV_NOTFOUND if none. Files of kind 2
 * count only where nothing can be punched. */
int vlog_pick(vlog *v, uint64_t *out_number);

/* Call fn for every record of a file, in order, without its value. Where no head is sound it goes on to the next that
 * is: what lies between, vlog_read would refuse. A sound head says nothing of its value, nor that a cell points to it.
 * A non-zero return of fn ends the scan and is passed up. RKV_NOTFOUND: there is no such file. */
typedef int (*vlog_record_fn)(void *context, slice key, const cell *version, const value_ref *ref);
int vlog_scan(vlog *v, uint64_t number, vlog_record_fn fn, void *context);

/* The bytes that the record of ref takes in its file, as vlog_add_garbage counts them. Pure. */
uint64_t vlog_record_size(const value_ref *ref);

/* Delete a sealed file into which no cell that can win points any more, whatever its garbage count (the store has moved
 * what lived in it). Later garbage of it is ignored. RKV_NOTFOUND: there is no such file. */
int vlog_remove(vlog *v, uint64_t number);

#endif
