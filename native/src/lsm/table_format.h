/* table_format.h: the bytes of a table file, and the constants, checks and small codecs that its writer and readers
 * share.
 *
 *   table   := block:data+ block:filter* block:index+ block:top footer          file NNNNNNNNNN.sst
 *
 * --- what every block has in common ----------------------------------------------------------------------------------
 *
 *   block   := body trailer
 *   trailer := compression:u8 crc32c:fixed32
 *
 * The CRC covers the table's number and the block's offset (fixed64 each), then body and compression: a good block in
 * the wrong place, or of another file, fails. Blocks lie end to end, so a block's size is the distance to the next one.
 * compression is TABLE_RAW or, for data blocks of a table whose footer says so, TABLE_LZ4:
 * body := raw_size:fixed32 lz4_block.
 *
 * --- data (block.h) --------------------------------------------------------------------------------------------------
 *
 *   data    := head tag:u8[count] offset[count] prefix entry* pad:16 zero bytes
 *   head    := base_hlc:fixed64 node:fixed32 count:fixed16 prefix_size:fixed16 hlc_size:u8 offset_size:u8      18 bytes
 *   entry   := flags:u8 suffix_size:varint32 delta:hlc_size bytes [node:fixed32] [expires_at_ms:fixed64] suffix payload
 *   flags   := cell flags (bits 0-1) | BLOCK_EXPIRES (4): has expires_at_ms | BLOCK_NODE (8): has a node, not the head's
 *
 *   +------+---------+------------+--------+-------+-------+- - -+-------+-----+
 *   | head | tags... | offsets... | prefix | entry | entry |     | entry | pad |
 *   +------+---------+------------+--------+-------+-------+- - -+-------+-----+
 *
 * A key is prefix ++ suffix, prefix being what all keys of the block begin with (none if the block has one entry). Keys
 * strictly ascend. A version is (base_hlc + delta, node); base_hlc is the block's smallest. An entry ends where the
 * next begins, the last one at the pad, so a payload's size is what is left. tag is the low byte of the key's hash: a
 * point get compares eight tags at a time and then, nearly always, one key. What it needs before that stands together
 * at the front, so it costs two cache misses. offset is from the body's start, of 2 bytes, of 4 when one could be above
 * 65535. Thanks to the pad, loads of up to 16 bytes that begin inside an entry stay in the body.
 *
 * A block is closed at block_bytes, or later, up to BLOCK_STRETCH_MAX, until it has BLOCK_ENTRIES_MIN entries; an entry
 * above block_bytes has a block of its own.
 *
 * --- index: two levels (table_index.h) -------------------------------------------------------------------------------
 *
 *   index   := head:fixed64[count] offset:fixed32[count + 1] mark:fixed32[count + 1] prefix rest base:fixed64
 *              count:fixed32 prefix_size:fixed32
 *   top     := an index block over the index blocks, as they are over the data blocks
 *
 * Child i is the block at [base + offset[i], base + offset[i + 1]) and holds the keys k with separator[i] <= k <
 * separator[i + 1]. A separator is the shortest prefix of the child's first key that is above the key before it; the
 * first of a file is that key. It is kept as prefix (what all separators of the block begin with), head (the next 8
 * bytes, zero padded, as a big-endian number), and rest: mark[i] = start << 4 | bytes in head (0..8), the bytes of rest
 * being [start of i, start of i + 1). A search is over heads alone; only equal heads look at the rest. An index block
 * has up to INDEX_COUNT_MAX children.
 *
 * --- filter (bloom.h) ------------------------------------------------------------------------------------------------
 *
 *   filter  := line:64 bytes[lines]       footer.filter_partitions blocks of footer.filter_lines lines each
 *
 * --- footer ----------------------------------------------------------------------------------------------------------
 *
 *   footer  := fields smallest largest size:fixed32 crc32c:fixed32 version:fixed32 magic:8 bytes
 *   fields  := store_id:16 bytes number entries tombstones expiring min_hlc max_hlc min_expires_ms max_expires_ms
 *              value_bytes filter_offset index_offset top_offset (fixed64 each) filter_partitions filter_lines
 *              filter_probes compression before_crc smallest_size largest_size (fixed32 each)
 *
 * size is that of the whole footer; its crc32c covers all its other bytes. before_crc is the CRC32C of all bytes before
 * the footer: with the footer's own bytes it gives the file's. The last 20 bytes and the rule of the crc32c are the
 * same in every future version, so that a newer file is told from a broken one.
 *
 * --- in memory -------------------------------------------------------------------------------------------------------
 *
 * An open table holds top. Filter and index are loaded at the first use and kept, outside the cache, while together
 * they take at most table_options.resident_max, and RESIDENT_PER_ENTRY bytes an entry or RESIDENT_MIN; else the index,
 * and if it is still too much the filter too, goes through the cache, block by block, at the cost of a lookup for each
 * (some 20 ns). Values of 100 bytes: 1.25 + 0.7 bytes an entry; of 1 KiB: the index would take 2.5 bytes an entry, and
 * is cached.
 */
#ifndef RKV_LSM_TABLE_FORMAT_H
#define RKV_LSM_TABLE_FORMAT_H

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/slice.h"

enum {
    TABLE_VERSION = 1,
    TRAILER_SIZE = 5,

    BLOCK_HEAD_SIZE = 18,
    BLOCK_PAD = 16,
    BLOCK_EXPIRES = 4,
    BLOCK_NODE = 8,
    BLOCK_BYTES_DEFAULT = 4 * 1024,
    BLOCK_BYTES_MIN = 256,
    BLOCK_BYTES_MAX = 32 * 1024,
    BLOCK_ENTRIES_MIN = 8,
    BLOCK_STRETCH_MAX = 16 * 1024,

    INDEX_TAIL_SIZE = 16,
    INDEX_COUNT_MAX = 128,
    INDEX_BYTES_MAX = 32 * 1024, /* of separators in one index block, unless one alone is larger */
    INDEX_SPAN_MAX = 1 << 30,    /* of file bytes under one index block */
    PAYLOAD_SIZE_MAX = 1 << 30,  /* so that offsets under one index block fit 32 bits */

    FOOTER_FIELDS_SIZE = 16 + 12 * 8 + 7 * 4,
    FOOTER_END_SIZE = 20, /* size, crc32c, version, magic */

    RESIDENT_PER_ENTRY = 2,
    RESIDENT_MIN = 4096,
    RESIDENT_MAX_DEFAULT = 1024 * 1024,
};

#define TABLE_MAGIC "RKVTAB01"

/* The CRC of a block at offset of table number; size counts body and the compression byte. */
static inline uint32_t block_crc(uint64_t number, uint64_t offset, const uint8_t *block, size_t size) {
    uint8_t place[16];
    put_fixed64(place, number);
    put_fixed64(place + 8, offset);
    return crc32c(crc32c(0, place, sizeof place), block, size);
}

/* Are the size bytes at a and b equal? As memcmp says, but without a call for the short keys that are most. */
static inline bool bytes_equal(const uint8_t *a, const uint8_t *b, size_t size) {
    if (size > 24) return memcmp(a, b, size) == 0;
    if (size >= 8) {
        size_t last = size - 8, middle = size > 16 ? 8 : 0;
        return !((get_fixed64(a) ^ get_fixed64(b)) | (get_fixed64(a + middle) ^ get_fixed64(b + middle)) |
                 (get_fixed64(a + last) ^ get_fixed64(b + last)));
    }
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i]) return false;
    return true;
}

/* How many bytes a and b begin with alike. */
static inline size_t slice_common(slice a, slice b) {
    size_t n = a.size < b.size ? a.size : b.size, i = 0;
    for (; n - i >= 8; i += 8) {
        uint64_t differ = get_fixed64(a.data + i) ^ get_fixed64(b.data + i);
        if (differ) return i + (size_t)__builtin_ctzll(differ) / 8;
    }
    while (i < n && a.data[i] == b.data[i]) i++;
    return i;
}

#endif
