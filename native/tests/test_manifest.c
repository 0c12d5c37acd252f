/* test_manifest.c: edits to bytes and back, manifests through torn tails, flipped bits, lost marks, switches and full disks. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "check.h"
#include "db_twin.h"
#include "lsm/manifest.h"
#include "os/os_fault.h"

static const char DIR[] = "d";

/* --- edits ------------------------------------------------------------------------------------------------------------------- */

static uint64_t any(dice *d) {
    return dice_next(d) >> dice_below(d, 64);
}

static void any_key(dice *d, buf *out, char first) {
    uint8_t bytes[40];
    size_t n = dice_below(d, sizeof bytes);
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)dice_next(d);
    if (n) bytes[0] = (uint8_t)first;
    OK(buf_append(out, bytes, n));
}

static void any_table(dice *d, edit *e, uint64_t number) {
    table_props p = {
        .number = number,
        .size = any(d),
        .entries = any(d),
        .tombstones = any(d),
        .expiring = any(d),
        .min_hlc = any(d),
        .max_hlc = any(d),
        .min_expires_ms = any(d),
        .max_expires_ms = any(d),
        .value_bytes = any(d),
        .crc = (uint32_t)dice_next(d),
    };
    any_key(d, &p.smallest, 'a');
    any_key(d, &p.largest, 'b');
    if (p.largest.size == 0) OK(buf_append(&p.largest, "z", 1));
    OK(edit_add_table(e, &p, (unsigned)dice_below(d, 7), any(d), dice_one_in(d, 2)));
    table_props_clear(&p);
}

static void any_edit(dice *d, edit *e, uint64_t *number) {
    for (uint64_t n = dice_below(d, 4); n > 0; n--) any_table(d, e, ++*number);
    if (dice_one_in(d, 2)) {
        rdel r = {slice_text("b"), dice_one_in(d, 2) ? slice_text("k") : (slice){0}, any(d), 7, any(d)};
        rdel_set *set = NULL;
        if (dice_one_in(d, 3)) OK(rdel_set_add(&set, NULL, &r, 1));
        edit_set_rdels(e, set);
        rdel_set_unref(set);
    }
    if (dice_one_in(d, 2)) {
        e->has_log = true;
        e->log_segment = any(d);
        e->flushed_seq = any(d);
    }
    e->next_file = any(d);
    e->durable_seq = any(d);
    e->next_value_file = any(d);
    for (uint64_t n = dice_below(d, 3); n > 0; n--) OK(edit_set_value_file(e, &(vlog_file_info){n, any(d), any(d)}));
    if (dice_one_in(d, 4)) OK(edit_remove_value_file(e, 1 + dice_below(d, 3)));
}

static slice encoded(const edit *e, buf *room) {
    room->size = 0;
    OK(edit_encode(e, room));
    return buf_slice(room);
}

static void test_edits_come_back(void) {
    dice d = {dice_seed("edits", 1)};
    uint64_t number = 0;
    for (int i = 0; i < 2000; i++) {
        edit e = {0}, back = {0};
        buf a = {0}, b = {0};
        any_edit(&d, &e, &number);
        if (number && dice_one_in(&d, 3)) OK(edit_remove_table(&e, dice_below(&d, number)));
        slice bytes = encoded(&e, &a);
        OK(edit_decode(&back, bytes));
        CHECK(slice_equal(bytes, encoded(&back, &b)));
        /* Whatever is cut off is refused or is a shorter edit, and never read past. */
        edit_clear(&back);
        uint8_t *exact = malloc(bytes.size + 1);
        CHECK(exact);
        size_t cut = dice_below(&d, bytes.size + 1);
        memcpy(exact, bytes.data, cut);
        uint8_t *tight = realloc(exact, cut ? cut : 1);
        int rc = edit_decode(&back, slice_of(tight, cut));
        CHECK(rc == RKV_OK || rc == RKV_ECORRUPT);
        free(tight);
        edit_clear(&back);
        edit_clear(&e);
        buf_clear(&a);
        buf_clear(&b);
    }
}

static void test_nonsense_is_refused(void) {
    static const uint8_t unknown[] = {99};
    static const uint8_t huge_ranges[] = {3, 0xff, 0xff, 0xff, 0x0f};
    static const uint8_t long_key[] = {3, 1, 0xff, 0xff, 0x7f};
    edit e;
    CHECK(edit_decode(&e, slice_of(unknown, sizeof unknown)) == RKV_ECORRUPT);
    edit_clear(&e);
    CHECK(edit_decode(&e, slice_of(huge_ranges, sizeof huge_ranges)) == RKV_ECORRUPT);
    edit_clear(&e);
    CHECK(edit_decode(&e, slice_of(long_key, sizeof long_key)) == RKV_ECORRUPT);
    edit_clear(&e);
    edit image = {0}, twice = {0}, missing = {0};
    dice d = {1};
    any_table(&d, &twice, 5);
    OK(edit_apply(&image, &twice));
    CHECK(edit_apply(&image, &twice) == RKV_ECORRUPT);
    OK(edit_remove_table(&missing, 6));
    CHECK(edit_apply(&image, &missing) == RKV_ECORRUPT);
    edit_clear(&image);
    edit_clear(&twice);
    edit_clear(&missing);
}

/* --- a manifest with known states ---------------------------------------------------------------------------------------------- */

enum { EDITS = 12 };

typedef struct story {
    os_fault *disk;
    os *os;
    store_identity identity;
    edit edits[EDITS];
    buf states[EDITS + 1]; /* the image after so many edits, as bytes */
    manifest *m;
    unsigned appended; /* edits whose append returned RKV_OK */
} story;

static void story_new(story *s, uint64_t seed) {
    dice d = {seed};
    uint64_t number = 0;
    edit image = {0}, first = {0};
    *s = (story){.disk = os_fault_new(seed)};
    s->os = os_fault_os(s->disk);
    OK(s->os->ops->make_dir(s->os, DIR));
    OK(s->os->ops->sync_dir(s->os, "."));
    OK(identity_draw(s->os, &s->identity));
    any_edit(&d, &first, &number);
    first.next_file = 1;
    OK(edit_apply(&image, &first));
    edit_clear(&first);
    encoded(&image, &s->states[0]);
    bool unknown;
    OK(manifest_create(&s->m, s->os, DIR, &s->identity, 1, &image, &unknown));
    for (unsigned i = 0; i < EDITS; i++) {
        any_edit(&d, &s->edits[i], &number);
        if (image.added_count && dice_one_in(&d, 2))
            OK(edit_remove_table(&s->edits[i], image.added[dice_below(&d, image.added_count)].props.number));
        OK(edit_apply(&image, &s->edits[i]));
        encoded(&image, &s->states[i + 1]);
    }
    edit_clear(&image);
}

static void story_free(story *s) {
    OK(manifest_close(s->m));
    for (unsigned i = 0; i < EDITS; i++) edit_clear(&s->edits[i]);
    for (unsigned i = 0; i <= EDITS; i++) buf_clear(&s->states[i]);
    os_fault_free(s->disk);
}

static void story_append(story *s, unsigned count) {
    for (; s->appended < count; s->appended++) OK(manifest_append(s->m, &s->edits[s->appended]));
}

/* Load and find which state it is; -1: refused as corrupt. */
static int loaded_state(const story *s, os_fault *disk) {
    manifest_info info;
    edit image = {0};
    buf bytes = {0};
    int state = -1;
    int rc = manifest_load(os_fault_os(disk), DIR, &info, &image);
    CHECK(rc == RKV_OK || rc == RKV_ECORRUPT || rc == RKV_EFORMAT);
    if (rc == RKV_OK) {
        encoded(&image, &bytes);
        for (int i = 0; i <= EDITS && state < 0; i++)
            if (slice_equal(buf_slice(&bytes), buf_slice(&s->states[i]))) state = i;
        CHECK(state >= 0);
        CHECK(memcmp(&info.identity, &s->identity, sizeof s->identity) == 0);
    }
    edit_clear(&image);
    buf_clear(&bytes);
    return state;
}

static void test_appended_edits_are_there(void) {
    for (uint64_t seed = 1; seed < 40; seed++) {
        story s;
        story_new(&s, seed);
        for (unsigned n = 0; n <= EDITS; n++) {
            story_append(&s, n);
            for (unsigned model = 0; model < FAULT_CUT_COUNT; model++) {
                os_fault *disk = os_fault_clone(s.disk);
                os_fault_reboot(disk, (enum fault_cut)model, seed);
                CHECK(loaded_state(&s, disk) == (int)n);
                os_fault_free(disk);
            }
        }
        story_free(&s);
    }
}

typedef struct watcher {
    story *s;
    uint64_t seed;
} watcher;

static void cut_here(void *context, unsigned call, const char *path) {
    watcher *w = context;
    (void)path;
    if (!(call & FAULT_CHANGES)) return;
    for (unsigned model = 0; model < FAULT_CUT_COUNT; model++)
        for (uint64_t k = 0; k < 4; k++) {
            os_fault *disk = os_fault_clone(w->s->disk);
            os_fault_reboot(disk, (enum fault_cut)model, ++w->seed);
            int state = loaded_state(w->s, disk);
            CHECK(state == (int)w->s->appended || state == (int)w->s->appended + 1);
            os_fault_free(disk);
        }
}

static void test_power_cuts_between(void) {
    uint64_t seed = dice_seed("manifest cuts", 1);
    for (uint64_t i = 0; i < 30; i++) {
        story s;
        watcher w = {&s, (seed + i) * 1000};
        story_new(&s, seed + i);
        os_fault_on_call(s.disk, cut_here, &w);
        story_append(&s, EDITS);
        os_fault_on_call(s.disk, NULL, NULL);
        story_free(&s);
    }
}

static void test_every_flip_is_noticed_or_harmless(void) {
    story s;
    story_new(&s, 3);
    story_append(&s, EDITS);
    const char *paths[] = {"d/MANIFEST-0000000001", "d/CURRENT"};
    for (int p = 0; p < 2; p++) {
        uint64_t size;
        unsigned noticed = 0;
        OK(s.os->ops->stat(s.os, paths[p], &size));
        for (uint64_t at = 0; at < size; at++) {
            os_fault *disk = os_fault_clone(s.disk);
            os_fault_flip_bit(disk, paths[p], at, (unsigned)(at % 8));
            int state = loaded_state(&s, disk);
            CHECK(state == -1 || state == EDITS);
            noticed += state == -1;
            os_fault_free(disk);
        }
        CHECK(noticed > size / 2);
    }
    story_free(&s);
}

static void test_every_truncation(void) {
    story s;
    uint64_t size;
    story_new(&s, 4);
    story_append(&s, EDITS);
    OK(s.os->ops->stat(s.os, "d/MANIFEST-0000000001", &size));
    for (uint64_t at = 0; at < size; at++) {
        os_fault *disk = os_fault_clone(s.disk);
        os_fault_truncate(disk, "d/MANIFEST-0000000001", at);
        loaded_state(&s, disk); /* some state, or refused */
        os_fault_free(disk);
    }
    story_free(&s);
}

static void test_no_room_for_an_edit(void) {
    for (uint64_t n = 0; n < 3; n++) {
        story s;
        story_new(&s, 5 + n);
        story_append(&s, 3);
        os_fault_fail(s.disk, FAULT_WRITE, "MANIFEST", 0, RKV_ENOSPC, false);
        CHECK(manifest_append(s.m, &s.edits[3]) == RKV_ENOSPC);
        os_fault *disk = os_fault_clone(s.disk); /* nothing of it is left, not even in the cache */
        CHECK(loaded_state(&s, disk) == 3);
        os_fault_free(disk);
        story_append(&s, EDITS);
        CHECK(loaded_state(&s, s.disk) == EDITS);
        story_free(&s);
    }
}

static void test_a_failed_sync_is_final(void) {
    story s;
    story_new(&s, 6);
    story_append(&s, 3);
    os_fault_fail(s.disk, FAULT_SYNC, "MANIFEST", 0, RKV_EIO, false);
    CHECK(manifest_append(s.m, &s.edits[3]) == RKV_EIO);
    CHECK(manifest_append(s.m, &s.edits[3]) == RKV_EREADONLY);
    story_free(&s);
}

static void test_switch_at_every_call(void) {
    for (unsigned model = 0; model < FAULT_CUT_COUNT; model++)
        for (uint64_t n = 0;; n++) {
            story s;
            manifest *next = NULL;
            bool unknown;
            edit image = {0};
            story_new(&s, 7);
            story_append(&s, EDITS);
            OK(edit_decode(&image, buf_slice(&s.states[EDITS])));
            os_fault_crash_at(s.disk, FAULT_CHANGES, NULL, n);
            int rc = manifest_create(&next, s.os, DIR, &s.identity, 2, &image, &unknown);
            if (rc == RKV_OK) manifest_remove(s.os, DIR, 1);
            bool crashed = os_fault_crashed(s.disk);
            manifest_close(next);
            os_fault_reboot(s.disk, (enum fault_cut)model, n);
            CHECK(loaded_state(&s, s.disk) == EDITS);
            edit_clear(&image);
            manifest_close(s.m);
            s.m = NULL;
            story_free(&s);
            if (!crashed) break;
            CHECK(n < 100);
        }
}

static void test_identity(void) {
    os_fault *disk = os_fault_new(1);
    os *o = os_fault_os(disk);
    store_identity a, b;
    OK(o->ops->make_dir(o, DIR));
    CHECK(identity_read(o, DIR, &b) == RKV_NOTFOUND);
    OK(identity_draw(o, &a));
    OK(identity_write(o, DIR, &a));
    OK(identity_read(o, DIR, &b));
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    for (uint64_t at = 0; at < 48; at++) {
        os_fault *flipped = os_fault_clone(disk);
        os_fault_flip_bit(flipped, "d/STORE", at, 3);
        CHECK(identity_read(os_fault_os(flipped), DIR, &b) == RKV_ECORRUPT);
        os_fault_free(flipped);
    }
    os_fault_free(disk);
}

static void test_names(void) {
    uint64_t n = 0;
    CHECK(numbered_name("0000000012.sst", "", ".sst", &n) && n == 12);
    CHECK(numbered_name("MANIFEST-0000000007", "MANIFEST-", "", &n) && n == 7);
    CHECK(!numbered_name("12.sst.tmp", "", ".sst", &n) && !numbered_name(".sst", "", ".sst", &n));
    CHECK(!numbered_name("99999999999999999999999.sst", "", ".sst", &n) && !numbered_name("1a.sst", "", ".sst", &n));
}

int main(void) {
    RUN(test_edits_come_back);
    RUN(test_nonsense_is_refused);
    RUN(test_appended_edits_are_there);
    RUN(test_power_cuts_between);
    RUN(test_every_flip_is_noticed_or_harmless);
    RUN(test_every_truncation);
    RUN(test_no_room_for_an_edit);
    RUN(test_a_failed_sync_is_final);
    RUN(test_switch_at_every_call);
    RUN(test_identity);
    RUN(test_names);
    return check_done();
}
