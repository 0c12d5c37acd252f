/* fuzz_edit.c: manifest edits whose checksum is right and whose bytes are not. What decodes means the same once it has been encoded
 * anew, and can be laid over an image or is refused. */
#include "fuzz.h"

#include "base/status.h"
#include "lsm/manifest_edit.h"

static void fuzz_valid(uint64_t n, buf *out) {
    uint64_t state = n;
    edit e = {0};
    for (uint64_t i = 0; i < n % 4; i++) {
        table_props p = {.number = 10 + i, .size = fuzz_draw(&state), .entries = n, .max_hlc = fuzz_draw(&state)};
        fuzz_append(&p.smallest, "aaa", fuzz_below(&state, 4));
        fuzz_append(&p.largest, "zzz", fuzz_below(&state, 4));
        FUZZ_CHECK(edit_add_table(&e, &p, (unsigned)(n % 7), n, n % 2) == RKV_OK);
        table_props_clear(&p);
        vlog_file_info info = {i + 1, fuzz_draw(&state), fuzz_draw(&state)};
        FUZZ_CHECK(edit_set_value_file(&e, &info) == RKV_OK);
        FUZZ_CHECK(edit_remove_value_file(&e, i + 100) == RKV_OK);
        if (n % 3 == 0) FUZZ_CHECK(edit_remove_table(&e, i + 1) == RKV_OK);
    }
    if (n % 5 == 0) {
        rdel items[] = {{slice_text("b"), slice_text("d"), 7, 1, 3}, {slice_text("c"), slice_of(NULL, 0), 9, 2, 4}};
        rdel_set *set = NULL;
        FUZZ_CHECK(rdel_set_add(&set, NULL, items, 2) == RKV_OK);
        edit_set_rdels(&e, set);
        rdel_set_unref(set);
    }
    e.next_file = n;
    e.durable_seq = n / 2;
    e.has_log = n % 2;
    e.log_segment = n + 1;
    FUZZ_CHECK(edit_encode(&e, out) == RKV_OK);
    edit_clear(&e);
}

static void fuzz_one(slice input) {
    edit e = {0}, again = {0}, image = {0};
    buf bytes = {0}, more = {0};
    int rc = edit_decode(&e, input);
    FUZZ_CHECK(rc == RKV_OK || rc == RKV_ECORRUPT);
    if (rc == RKV_OK) {
        FUZZ_CHECK(edit_encode(&e, &bytes) == RKV_OK);
        FUZZ_CHECK(edit_decode(&again, buf_slice(&bytes)) == RKV_OK);
        FUZZ_CHECK(edit_encode(&again, &more) == RKV_OK);
        FUZZ_CHECK(slice_equal(buf_slice(&bytes), buf_slice(&more)));
        rc = edit_apply(&image, &e);
        FUZZ_CHECK(rc == RKV_OK || rc == RKV_ECORRUPT);
    }
    edit_clear(&e);
    edit_clear(&again);
    edit_clear(&image);
    buf_clear(&bytes);
    buf_clear(&more);
}
