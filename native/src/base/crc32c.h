/* crc32c.h: CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), the checksum of every record and block.
 *
 * Uses the SSE4.2 instruction where the processor has it, a table of 8 x 256 words elsewhere: same result.
 */
#ifndef RKV_BASE_CRC32C_H
#define RKV_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of a ++ b is crc32c(crc32c(0, a), b). */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* The table-driven twin, for tests and other processors. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);

#endif
