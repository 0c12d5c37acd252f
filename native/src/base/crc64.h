/* crc64.h: CRC-64 as Redis uses it for DUMP payloads (polynomial 0xad93d23594c935a9, reflected, from 0, not inverted).
 *
 * Only for payloads that go to and come from Redis; what is ours is checked with CRC-32C.
 */
#ifndef RKV_BASE_CRC64_H
#define RKV_BASE_CRC64_H

#include "base/slice.h"

/* About 1 ns for each byte. Threads: any. */
uint64_t crc64(slice bytes);

/* The twin that works bit by bit, for tests. */
uint64_t crc64_bitwise(slice bytes);

#endif
