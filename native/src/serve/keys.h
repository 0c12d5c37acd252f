/* keys.h: how client keys lie in the engine.
 *
 *   internal key := slot:be16 kind:u8 db:u8 key
 *   META payload := type:u8 content             's' value: a string
 *
 * slot is Redis Cluster's: CRC16/XMODEM of the key, or of what stands between its first '{' and the next '}' if that is not
 * empty, mod 16384. So a slot is one contiguous range of the store.
 *
 * Only strings grow long: a META cell that lies in the value log is a string.
 */
#ifndef RKV_SERVE_KEYS_H
#define RKV_SERVE_KEYS_H

#include "base/slice.h"

enum key_kind { KIND_META = 1, KIND_DATA = 2, KIND_SCORE = 3 };

enum {
    KEY_PREFIX_SIZE = 4,
    SLOT_COUNT = 16384,
    TYPE_STRING = 's',
};

uint16_t hash_slot(slice key);

/* Write the internal key at out (KEY_PREFIX_SIZE + key.size bytes). */
void key_write(uint8_t *out, enum key_kind kind, uint8_t db, slice key);

/* The twin of the CRC that works bit by bit, for tests. */
uint16_t crc16_bitwise(slice bytes);
uint16_t crc16(slice bytes);

#endif
