/* wal_format.c: the bytes of a segment: its name, header and records; see wal.h. */
#include <inttypes.h>
#include <stdio.h>

#include "lsm/wal_parts.h"

static const char magic[8] = {'R', 'K', 'V', 'W', 'A', 'L', '0', '1'};
enum { MAGIC_NAME = 6, HEADER_CHECKED = 32 };

record record_parse(const uint8_t *p, uint64_t left, uint32_t seed) {
    record r = {.kind = RECORD_BAD, .seq = get_fixed64(p + 8), .durable = get_fixed64(p + 16)};
    uint32_t field = get_fixed32(p + 4);
    uint64_t payload_size = field;
    enum record_kind kind = RECORD_DATA;
    if (field == WAL_SIZE_MARK || field == WAL_SIZE_END) {
        kind = field == WAL_SIZE_MARK ? RECORD_MARK : RECORD_END;
        payload_size = 0;
    } else if (field == 0 || field > WAL_PAYLOAD_MAX) {
        return r;
    }
    r.size = record_size(payload_size);
    if (r.size > left) return r;
    if (get_fixed32(p) != crc32c(seed, p + 4, WAL_RECORD_HEADER - 4 + (size_t)payload_size)) return r;
    r.kind = kind;
    r.payload = slice_of(p + WAL_RECORD_HEADER, (size_t)payload_size);
    return r;
}

void segment_header(uint8_t out[WAL_SEGMENT_HEADER], const uint8_t store_id[16], uint64_t id) {
    memset(out, 0, WAL_SEGMENT_HEADER);
    memcpy(out, magic, sizeof magic);
    memcpy(out + 8, store_id, 16);
    put_fixed64(out + 24, id);
    put_fixed32(out + HEADER_CHECKED, crc32c(0, out, HEADER_CHECKED));
}

enum header_state segment_header_check(const uint8_t in[WAL_SEGMENT_HEADER], const uint8_t store_id[16],
                                       uint64_t *out_id) {
    if (memcmp(in, magic, MAGIC_NAME) == 0 && memcmp(in, magic, sizeof magic) != 0) return HEADER_NEWER;
    if (memcmp(in, magic, sizeof magic) != 0) return HEADER_BLANK;
    if (get_fixed32(in + HEADER_CHECKED) != crc32c(0, in, HEADER_CHECKED)) return HEADER_BLANK;
    if (memcmp(in + 8, store_id, 16) != 0) return HEADER_FOREIGN;
    *out_id = get_fixed64(in + 24);
    return HEADER_OURS;
}

uint64_t segment_id_of_name(const char *name) {
    uint64_t id = 0;
    const char *p = name;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (id > (UINT64_MAX - 9) / 10) return 0;
        id = id * 10 + (uint64_t)(*p - '0');
    }
    return p - name >= 10 && id <= INT64_MAX && strcmp(p, ".wal") == 0 ? id : 0;
}

size_t segment_path_size(const char *dir) {
    return strlen(dir) + sizeof "/18446744073709551615.wal";
}

void segment_path(char *path, const char *dir, uint64_t id) {
    snprintf(path, segment_path_size(dir), "%s/%010" PRIu64 ".wal", dir, id);
}
