/* keys.c: see keys.h. The CRC takes eight bytes a step: table i holds the CRC of a byte with i zero bytes behind it. */
#include "serve/keys.h"

#include <pthread.h>

#include "base/coding.h"

enum { POLYNOMIAL = 0x1021, STEP = 8 };

static uint16_t tables[STEP][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

uint16_t crc16_bitwise(slice bytes) {
    uint16_t crc = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= (uint16_t)(bytes.data[i] << 8);
        for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ POLYNOMIAL : crc << 1);
    }
    return crc;
}

static void make_tables(void) {
    for (int i = 0; i < 256; i++) tables[0][i] = crc16_bitwise(slice_of(&(uint8_t){(uint8_t)i}, 1));
    for (int step = 1; step < STEP; step++)
        for (int i = 0; i < 256; i++) {
            uint16_t before = tables[step - 1][i];
            tables[step][i] = (uint16_t)(before << 8 ^ tables[0][before >> 8]);
        }
}

uint16_t crc16(slice bytes) {
    pthread_once(&tables_once, make_tables);
    const uint8_t *p = bytes.data;
    size_t left = bytes.size;
    uint16_t crc = 0;
    for (; left >= STEP; left -= STEP, p += STEP)
        crc = tables[7][p[0] ^ crc >> 8] ^ tables[6][p[1] ^ (crc & 0xff)] ^ tables[5][p[2]] ^ tables[4][p[3]] ^
              tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^ tables[0][p[7]];
    for (; left; left--, p++) crc = (uint16_t)(crc << 8 ^ tables[0][crc >> 8 ^ *p]);
    return crc;
}

uint16_t hash_slot(slice key) {
    const uint8_t *open = key.size ? memchr(key.data, '{', key.size) : NULL;
    if (open) {
        size_t behind = key.size - (size_t)(open + 1 - key.data);
        const uint8_t *close = memchr(open + 1, '}', behind);
        if (close && close > open + 1) key = slice_of(open + 1, (size_t)(close - open - 1));
    }
    return crc16(key) % SLOT_COUNT;
}

void key_write(uint8_t *out, enum key_kind kind, uint8_t db, slice key) {
    put_be16(out, hash_slot(key));
    out[2] = (uint8_t)kind;
    out[3] = db;
    if (key.size) memcpy(out + KEY_PREFIX_SIZE, key.data, key.size);
}
