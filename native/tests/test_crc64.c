/* test_crc64.c: the checksum of DUMP payloads: the known value, the twin, every size and alignment. */
#include "base/crc64.h"
#include "check.h"

static void test_check_value(void) {
    CHECK(crc64(slice_text("123456789")) == 0xe9c6d914c4b8d9ca);
    CHECK(crc64(slice_of(NULL, 0)) == 0);
}

static void test_twin_agrees(void) {
    uint8_t bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 + i * i);
    for (size_t from = 0; from < 16; from++)
        for (size_t size = 0; size + from <= sizeof bytes; size++)
            CHECK(crc64(slice_of(bytes + from, size)) == crc64_bitwise(slice_of(bytes + from, size)));
}

int main(void) {
    RUN(test_check_value);
    RUN(test_twin_agrees);
    return check_done();
}
