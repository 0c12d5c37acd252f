/* table_footer.h: the last bytes of a table: what it is, what is in it, and where. Bytes: table_format.h. Pure. */
#ifndef RKV_LSM_TABLE_FOOTER_H
#define RKV_LSM_TABLE_FOOTER_H

#include "base/buf.h"
#include "lsm/bloom.h"
#include "lsm/table_format.h"

typedef struct table_footer {
    uint8_t store_id[16];
    uint64_t number;
    uint64_t entries, tombstones, expiring;
    uint64_t min_hlc, max_hlc, min_expires_ms, max_expires_ms;
    uint64_t value_bytes;
    uint64_t filter_offset, index_offset, top_offset; /* data lies before filter_offset */
    bloom_shape filter;
    uint32_t compression; /* TABLE_LZ4: some data blocks may be compressed */
    uint32_t before_crc;  /* of all bytes before the footer */
    slice smallest, largest;
} table_footer;

/* Append the footer to out. RKV_ENOMEM changes nothing. */
int footer_append(buf *out, const table_footer *f);

/* The size of the footer, from the last FOOTER_END_SIZE bytes of a file; 0: these are not the end of a table. */
size_t footer_size(const uint8_t *end);

enum footer_state { FOOTER_OK, FOOTER_DAMAGED, FOOTER_NEWER };

/* Take apart the bytes of a footer, footer_size of them. FOOTER_NEWER: sound, but of a version above TABLE_VERSION.
 * Keys point into bytes. Whether the numbers fit the file is the caller's to check. */
enum footer_state footer_parse(slice bytes, table_footer *out);

#endif
