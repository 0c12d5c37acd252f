/* crc64.c: eight bytes a step from eight tables (Kounavis and Berry, "A Systematic Approach to Building High Performance Software-Based
 * CRC Generators", 2005), made at first use. */
#include "base/crc64.h"

#include <pthread.h>

#include "base/coding.h"

enum { WIDTH = 8 };

static const uint64_t POLYNOMIAL = 0x95ac9329ac4bc9b5; /* 0xad93d23594c935a9, its bits in reverse */

static uint64_t table[WIDTH][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static uint64_t shift_byte(uint64_t crc) {
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
    return crc;
}

static void make_table(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint64_t crc = (uint64_t)byte;
        for (int i = 0; i < WIDTH; i++) table[i][byte] = crc = shift_byte(crc);
    }
}

uint64_t crc64(slice bytes) {
    pthread_once(&table_once, make_table);
    const uint8_t *p = bytes.data;
    size_t left = bytes.size;
    uint64_t crc = 0;
    for (; left >= WIDTH; p += WIDTH, left -= WIDTH) {
        crc ^= get_fixed64(p);
        uint64_t next = 0;
        for (int i = 0; i < WIDTH; i++) next ^= table[WIDTH - 1 - i][crc >> 8 * i & 0xff];
        crc = next;
    }
    for (; left; p++, left--) crc = table[0][(crc ^ *p) & 0xff] ^ crc >> 8;
    return crc;
}

uint64_t crc64_bitwise(slice bytes) {
    uint64_t crc = 0;
    for (size_t i = 0; i < bytes.size; i++) crc = shift_byte(crc ^ bytes.data[i]);
    return crc;
}
