/* test_vlog.c: the value log: records, damage, crashes, failing calls, garbage. See lsm/vlog.h; threads are in
 * test_vlog_threads.c. */
#include "vlog_model.h"

static int try_reopen(const vlog_file_info *files, size_t count) {
    vlog_options options = options_of(os_fault_os(f));
    return vlog_open(&v, &options, files, count, 1);
}

static const char *path_of(uint64_t number) {
    static char path[64];
    value_path(path, dir, number);
    return path;
}

static uint64_t file_size(uint64_t number) {
    uint64_t size;
    OK(os_fault_os(f)->ops->stat(os_fault_os(f), path_of(number), &size));
    return size;
}

static bool file_exists(uint64_t number) {
    uint64_t size;
    return os_fault_os(f)->ops->stat(os_fault_os(f), path_of(number), &size) == RKV_OK;
}

static vlog_file_info info_of(uint64_t number) {
    vlog_file_info files[64];
    size_t count = vlog_files(v, files, 64);
    CHECK(count <= 64);
    for (size_t i = 0; i < count; i++)
        if (files[i].number == number) return files[i];
    return (vlog_file_info){0};
}

/* ---- references -------------------------------------------------------------------------------------------------- */

static void test_references(void) {
    const uint64_t numbers[] = {0, 1, 127, 128, 1 << 20, UINT32_MAX, UINT64_MAX};
    enum { COUNT = sizeof numbers / sizeof *numbers };
    for (int a = 0; a < COUNT; a++)
        for (int b = 0; b < COUNT; b++) {
            value_ref ref = {numbers[a], numbers[b], numbers[(a + b) % COUNT], (uint32_t)numbers[b]}, back;
            uint8_t bytes[VALUE_REF_SIZE_MAX + 1];
            size_t size = value_ref_encode(bytes, &ref);
            CHECK(size <= VALUE_REF_SIZE_MAX && value_ref_decode(slice_of(bytes, size), &back));
            CHECK(back.file == ref.file && back.offset == ref.offset && back.size == ref.size);
            CHECK(back.key_size == ref.key_size);
            for (size_t less = 0; less < size; less++) CHECK(!value_ref_decode(slice_of(bytes, less), &back));
            bytes[size] = 0;
            CHECK(!value_ref_decode(slice_of(bytes, size + 1), &back));
        }
    static const uint8_t big_key[] = {1, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x10}; /* 2^32 */
    value_ref ref;
    CHECK(!value_ref_decode(slice_of(big_key, sizeof big_key), &ref));
}

static void test_record_sizes(void) {
    CHECK(vlog_record_size(&(value_ref){.size = 0, .key_size = 0}) == 32);
    CHECK(vlog_record_size(&(value_ref){.size = 1, .key_size = 0}) == 40);
    CHECK(vlog_record_size(&(value_ref){.size = 8, .key_size = 8}) == 48);
    CHECK(vlog_record_size(&(value_ref){.size = VALUE_LARGE_MIN - 1, .key_size = 0}) == 32 + VALUE_LARGE_MIN);
    CHECK(vlog_record_size(&(value_ref){.size = VALUE_LARGE_MIN, .key_size = 0}) == 4096 + VALUE_LARGE_MIN);
    CHECK(vlog_record_size(&(value_ref){.size = VALUE_LARGE_MIN - 32 + 4096, .key_size = 0}) == 4096 + VALUE_LARGE_MIN);
}

/* ---- the plain course of things ---------------------------------------------------------------------------------- */

static void test_append_read_reopen(void) {
    static value_ref refs[REFS];
    machine(1);
    uint64_t done = 0;
    for (int round = 0; round < 4; round++) {
        for (uint64_t i = 0; i < REFS / 4; i++, done++) refs[done] = append(done);
        for (uint64_t i = 0; i < done; i++) must_read(i, &refs[i]);
        OK(vlog_sync(v));
        OK(vlog_close(v));
        os_fault_reboot(f, FAULT_CUT_DROP, 1);
        OK(try_reopen(NULL, 0));
    }
    uint64_t files = vlog_files(v, NULL, 0);
    CHECK(files > 8);
    for (uint64_t i = 1; i <= files; i++) CHECK(info_of(i).number == i);
    for (uint64_t i = 0; i < done; i++) {
        CHECK(refs[i].offset % (refs[i].size >= VALUE_LARGE_MIN ? 4096 : 8) == 0);
        must_read(i, &refs[i]);
    }
    finish();
}

/* Bytes are those of the records, no more: so a file can be told to be all garbage. */
static void test_bytes_are_records(void) {
    static uint64_t bytes[200];
    machine(1);
    for (uint64_t i = 0; i < REFS; i++) {
        value_ref ref = append(i);
        bytes[ref.file] += vlog_record_size(&ref);
        CHECK(info_of(ref.file).bytes == bytes[ref.file]);
    }
    OK(vlog_close(v));
    OK(try_reopen(NULL, 0));
    for (uint64_t i = 1; i <= vlog_files(v, NULL, 0); i++) CHECK(info_of(i).bytes == bytes[i]);
    finish();
}

static void test_wrong_references(void) {
    machine(1);
    value_ref refs[20];
    for (uint64_t i = 0; i < 20; i++) refs[i] = append(i);
    uint8_t data[32];
    for (uint64_t i = 3; i < 20; i++) {
        value_ref r = refs[i];
        if (size_of(i) > 16) { /* another key, of the same size */
            char key[600];
            memcpy(key, key_of(i).data, r.key_size);
            if (r.key_size) key[0] ^= 1;
            if (r.key_size) CHECK(vlog_check(v, &r, slice_of(key, r.key_size)) == RKV_ECORRUPT);
        }
        r.size++;
        CHECK(vlog_check(v, &r, key_of(i)) == RKV_ECORRUPT);
        r = refs[i];
        r.key_size++;
        CHECK(vlog_check(v, &r, key_of(i)) == RKV_ECORRUPT);
        r = refs[i];
        r.offset += 8;
        CHECK(vlog_check(v, &r, key_of(i)) == RKV_ECORRUPT && strstr(status_text(), path_of(r.file)));
        r.offset = 1 << 30;
        CHECK(vlog_check(v, &r, key_of(i)) == RKV_ECORRUPT);
        r.offset = UINT64_MAX - 3;
        CHECK(vlog_read(v, &r, key_of(i), false, data) == RKV_ECORRUPT);
        vlog_add_garbage(v, &r); /* harmless */
        r = refs[i];
        r.file = 99;
        CHECK(vlog_read(v, &r, key_of(i), false, data) == RKV_ECORRUPT && strstr(status_text(), "0000000099.vlog"));
        vlog_add_garbage(v, &r);
    }
    char long_key[KEY_SIZE_MAX + 1] = {0};
    cell version = version_of(1);
    value_ref ref;
    CHECK(vlog_append(v, slice_of(long_key, sizeof long_key), &version, value_of(1), &ref) == RKV_ETOOBIG);
    OK(vlog_append(v, slice_of(long_key, KEY_SIZE_MAX), &version, value_of(1), &ref));
    OK(vlog_check(v, &ref, slice_of(long_key, KEY_SIZE_MAX)));
    for (uint64_t i = 1; i <= vlog_files(v, NULL, 0); i++) CHECK(info_of(i).garbage == 0);
    finish();
}

typedef struct scanned {
    uint64_t ids[REFS * 4];
    value_ref refs[REFS * 4];
    size_t count, stop_at;
} scanned;

static int note_record(void *context, slice key, const cell *version, const value_ref *ref) {
    scanned *s = context;
    cell expected = version_of(version->hlc);
    CHECK(version->node == expected.node && slice_equal(key, key_of(version->hlc)));
    CHECK(ref->size == size_of(version->hlc) && ref->key_size == key.size);
    CHECK(s->count == 0 || ref->offset > s->refs[s->count - 1].offset);
    if (s->stop_at && s->count == s->stop_at) return RKV_STALE;
    s->ids[s->count] = version->hlc;
    s->refs[s->count++] = *ref;
    return RKV_OK;
}

static void test_scan(void) {
    static value_ref refs[REFS];
    static scanned s;
    machine(1);
    for (uint64_t i = 0; i < REFS; i++) refs[i] = append(i);
    size_t seen = 0;
    for (uint64_t number = 1; number <= vlog_files(v, NULL, 0); number++) {
        s = (scanned){0};
        OK(vlog_scan(v, number, note_record, &s));
        for (size_t i = 0; i < s.count; i++) {
            CHECK(s.refs[i].offset == refs[s.ids[i]].offset && s.refs[i].file == number);
            CHECK(refs[s.ids[i]].file == number);
        }
        seen += s.count;
    }
    CHECK(seen == REFS);
    s = (scanned){.stop_at = 3};
    CHECK(vlog_scan(v, 1, note_record, &s) == RKV_STALE && s.count == 3);
    CHECK(vlog_scan(v, 99, note_record, &s) == RKV_NOTFOUND);
    finish();
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

/* A flipped bit anywhere: the values it does not touch are right, the one it does is refused. */
static void test_every_flipped_byte(void) {
    enum { COUNT = 6 };
    machine(1);
    value_ref refs[COUNT];
    uint64_t ids[COUNT], id = 1;
    for (int i = 0; i < COUNT; i++, id++) {
        while (size_of(id) > 2000) id++;
        ids[i] = id;
        refs[i] = append(id);
        CHECK(refs[i].file == 1);
    }
    OK(vlog_close(v));
    os_fault *before = f;
    uint64_t size = file_size(1);
    unsigned refused = 0;
    for (uint64_t at = 0; at < size; at++) {
        f = os_fault_clone(before);
        os_fault_flip_bit(f, path_of(1), at, (unsigned)(at % 8));
        int rc = try_reopen(NULL, 0);
        CHECK(rc == RKV_OK || (at < 40 && (rc == RKV_ECORRUPT || rc == RKV_EFORMAT)));
        if (rc) {
            CHECK(strstr(status_text(), path_of(1)));
            os_fault_free(f);
            f = before;
            continue;
        }
        for (int i = 0; i < COUNT; i++) {
            uint64_t end = refs[i].offset + VALUE_HEAD + refs[i].key_size + refs[i].size;
            bool hit = at >= refs[i].offset && at < end;
            CHECK(try_read(ids[i], &refs[i]) == (hit ? RKV_ECORRUPT : RKV_OK));
            CHECK(vlog_check(v, &refs[i], key_of(ids[i])) == (hit ? RKV_ECORRUPT : RKV_OK));
            refused += hit;
        }
        static scanned s;
        s = (scanned){0};
        OK(vlog_scan(v, 1, note_record, &s)); /* never invents one */
        CHECK(s.count >= COUNT - 1);
        OK(vlog_close(v));
        os_fault_free(f);
        f = before;
    }
    CHECK(refused > 1000);
    os_fault_free(before);
}

static void patch_at(uint64_t number, uint64_t offset, const void *data, size_t size) {
    os *o = os_fault_os(f);
    os_file *file;
    OK(o->ops->open(o, &file, path_of(number), OS_WRITE));
    OK(file->ops->write_at(file, offset, data, size));
    OK(file->ops->close(file));
}

/* A record copied to another place of its file, or a file under another name, is not believed. */
static void test_misplaced(void) {
    machine(1);
    uint64_t a = 1, b;
    while (size_of(a) > 30000 || size_of(a) < 1000) a++;
    value_ref first = append(a);
    for (b = a + 1; size_of(b) > 30000 || size_of(b) < size_of(a) + 600; b++) continue;
    value_ref second = append(b);
    uint8_t *data;
    size_t size;
    os *o = os_fault_os(f);
    OK(os_read_file(o, path_of(1), 1 << 20, &data, &size));
    patch_at(1, second.offset, data + first.offset, (size_t)vlog_record_size(&first));
    value_ref moved = first;
    moved.offset = second.offset;
    CHECK(try_read(a, &moved) == RKV_ECORRUPT && try_read(b, &second) == RKV_ECORRUPT);
    must_read(a, &first);
    OK(vlog_seal(v)); /* at the same place of another file */
    for (b = a + 1; size_of(b) > 30000 || size_of(b) < size_of(a); b++) continue;
    second = append(b);
    CHECK(second.file == 2 && second.offset == first.offset);
    patch_at(2, second.offset, data + first.offset, (size_t)vlog_record_size(&first));
    moved = first;
    moved.file = 2;
    CHECK(try_read(a, &moved) == RKV_ECORRUPT);
    uint8_t foreign[VALUE_HEAD]; /* of another store, at the same place of the same file */
    value_head h;
    value_head_decode(&h, data + first.offset);
    value_head_encode(foreign, &h, key_of(a), (const uint8_t *)"another store's.", 1, first.offset);
    patch_at(1, first.offset, foreign, VALUE_HEAD);
    CHECK(try_read(a, &first) == RKV_ECORRUPT);
    value_head_encode(foreign, &h, key_of(a), store, 1, first.offset);
    patch_at(1, first.offset, foreign, VALUE_HEAD);
    must_read(a, &first);
    mem_free(data);
    OK(vlog_close(v));
    OK(o->ops->rename(o, path_of(1), "/data/0000000007.vlog"));
    CHECK(try_reopen(NULL, 0) == RKV_EFORMAT && strstr(status_text(), path_of(7)));
    os_fault_free(f);
}

static void test_foreign_newer_missing(void) {
    machine(1);
    value_ref ref = append(3);
    vlog_file_info info = info_of(ref.file);
    OK(vlog_close(v));
    patch_at(1, 7, "2", 1);
    CHECK(try_reopen(NULL, 0) == RKV_EFORMAT && strstr(status_text(), path_of(1)));
    patch_at(1, 7, "1", 1);
    vlog_options options = options_of(os_fault_os(f));
    options.store_id[0]++;
    CHECK(vlog_open(&v, &options, NULL, 0, 1) == RKV_EFORMAT && strstr(status_text(), path_of(1)));
    vlog_file_info missing[] = {info, {2, 100, 99}};
    CHECK(try_reopen(missing, 2) == RKV_ECORRUPT && strstr(status_text(), path_of(2)));
    missing[1].garbage = 100; /* deleted, and the manifest not yet told */
    OK(try_reopen(missing, 2));
    must_read(3, &ref);
    OK(vlog_close(v));
    patch_at(1, 20, "damage", 6); /* the header of a file with values in it */
    CHECK(try_reopen(missing, 2) == RKV_ECORRUPT && strstr(status_text(), path_of(1)));
    os_fault_free(f);
}

/* ---- garbage ----------------------------------------------------------------------------------------------------- */

static void test_collect(void) {
    static value_ref refs[REFS];
    machine(1);
    for (uint64_t i = 0; i < REFS; i++) refs[i] = append(i);
    uint64_t number;
    size_t deleted = 9;
    CHECK(vlog_pick(v, &number) == RKV_NOTFOUND);
    OK(vlog_collect(v, &deleted));
    CHECK(deleted == 0);
    OK(vlog_seal(v));
    uint64_t left = vlog_files(v, NULL, 0);
    for (uint64_t file = 1; left; file++) {
        for (uint64_t i = 0; i < REFS; i++)
            if (refs[i].file == file) vlog_add_garbage(v, &refs[i]);
        vlog_file_info info = info_of(file);
        if (!info.number) continue;
        CHECK(info.garbage == info.bytes && info.bytes > 0);
        OK(vlog_collect(v, &deleted));
        CHECK(deleted == 1 && vlog_files(v, NULL, 0) == --left && !file_exists(file));
    }
    CHECK(os_fault_used(f) == 0);
    os_fault *before = f;
    f = os_fault_clone(before);
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    uint64_t size;
    for (uint64_t i = 1; i <= refs[REFS - 1].file; i++) /* none comes back */
        CHECK(os_fault_os(f)->ops->stat(os_fault_os(f), path_of(i), &size) == RKV_NOTFOUND);
    os_fault_free(f);
    f = before;
    value_ref again = append(1); /* numbers are not used twice */
    CHECK(again.file > refs[REFS - 1].file);
    finish();
}

/* Of a dead large value only the block with its head stays, at once. */
static void test_punch(void) {
    machine(1);
    value_ref refs[10];
    uint64_t ids[10], id = 1;
    for (int i = 0; i < 10; i++, id++) {
        while (size_of(id) < VALUE_LARGE_MIN) id++;
        ids[i] = id;
        refs[i] = append(id);
    }
    OK(vlog_sync(v));
    uint64_t used = os_fault_used(f);
    for (int i = 0; i < 10; i += 2) {
        uint64_t size = vlog_record_size(&refs[i]);
        vlog_add_garbage(v, &refs[i]);
        uint64_t now = os_fault_used(f);
        CHECK(used - now + 2 * 4096 >= size && used - now < size);
        used = now;
        CHECK(try_read(ids[i], &refs[i]) == RKV_ECORRUPT);
    }
    for (int i = 1; i < 10; i += 2) must_read(ids[i], &refs[i]);
    static scanned s;
    s = (scanned){0};
    for (uint64_t number = 1; number <= refs[9].file; number++) {
        size_t before = s.count;
        scanned one = {0};
        OK(vlog_scan(v, number, note_record, &one));
        s.count = before + one.count;
    }
    CHECK(s.count == 10); /* the dead ones are still records */
    uint64_t number;
    OK(vlog_seal(v));
    CHECK(vlog_pick(v, &number) == RKV_NOTFOUND); /* nothing to win by rewriting */
    finish();
}

static void test_pick_and_remove(void) {
    static value_ref refs[REFS];
    machine(1);
    for (uint64_t i = 0; i < REFS; i++) refs[i] = append(i);
    uint64_t small[2] = {0};
    for (uint64_t i = 0, n = 0; n < 2; i++) /* two sealed files of small values */
        if (size_of(i) < VALUE_LARGE_MIN && (n == 0 || refs[i].file != small[0])) small[n++] = refs[i].file;
    uint64_t bytes[2] = {0}, number;
    for (uint64_t i = 0; i < REFS; i++)
        for (int k = 0; k < 2; k++)
            if (refs[i].file == small[k] && bytes[k] < info_of(small[k]).bytes * (k ? 8 : 6) / 10) {
                vlog_add_garbage(v, &refs[i]);
                bytes[k] += vlog_record_size(&refs[i]);
            }
    OK(vlog_pick(v, &number));
    CHECK(number == small[1]); /* the emptier one */
    vlog_file_info known[64];
    size_t count = vlog_files(v, known, 64);
    OK(vlog_sync(v));
    OK(vlog_close(v));
    OK(try_reopen(known, count)); /* counts come back from the manifest */
    CHECK(info_of(small[1]).garbage == bytes[1]);
    OK(vlog_pick(v, &number));
    CHECK(number == small[1]);
    OK(vlog_remove(v, number));
    CHECK(vlog_remove(v, number) == RKV_NOTFOUND && !file_exists(number));
    os_fault *running = f;
    f = os_fault_clone(running);
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    CHECK(!file_exists(number)); /* nor does it come back */
    os_fault_free(f);
    f = running;
    OK(vlog_pick(v, &number));
    CHECK(number == small[0]);
    for (uint64_t i = 0; i < REFS; i++)
        if (refs[i].file == small[1]) vlog_add_garbage(v, &refs[i]); /* ignored */
    finish();
}

/* ---- crashes ----------------------------------------------------------------------------------------------------- */

/* Whatever was synced can be read after any cut; of the rest a check tells whether it can. */
static void crash_everywhere(uint64_t seed, unsigned *states) {
    enum { COUNT = 60 };
    value_ref refs[COUNT];
    for (uint64_t n = 0;; n++) {
        machine(seed);
        if (seed & 1) os_fault_write_back(f, 4);
        uint64_t appended = 0, synced = 0;
        os_fault_crash_at(f, FAULT_CHANGES, NULL, n * 3);
        for (uint64_t i = 0; i < COUNT; i++, appended++) {
            if (try_append(seed + i, &refs[i])) break;
            if (i % 9 == 8 && vlog_sync(v) == RKV_OK) synced = i + 1;
        }
        bool crashed = os_fault_crashed(f);
        vlog_close(v);
        os_fault_crash(f);
        for (int model = 0; model < FAULT_CUT_COUNT; model++, ++*states) {
            os_fault *before = f;
            f = os_fault_clone(before);
            os_fault_reboot(f, (enum fault_cut)model, seed + n);
            OK(try_reopen(NULL, 0));
            for (uint64_t i = 0; i < appended; i++) {
                int rc = vlog_check(v, &refs[i], key_of(seed + i));
                CHECK(rc == RKV_OK || (rc == RKV_ECORRUPT && i >= synced && model != FAULT_CUT_KEEP));
                CHECK(try_read(seed + i, &refs[i]) == rc);
            }
            static scanned s;
            for (uint64_t number = 1; number <= vlog_files(v, NULL, 0); number++) {
                s = (scanned){0};
                int rc = vlog_scan(v, number, note_record, &s);
                CHECK(rc == RKV_OK || rc == RKV_NOTFOUND);
            }
            value_ref ref = append(1); /* never over what is there */
            for (uint64_t i = 0; i < appended; i++) CHECK(ref.file != refs[i].file);
            size_t deleted;
            OK(vlog_seal(v));
            OK(vlog_collect(v, &deleted)); /* nothing that has records */
            for (uint64_t i = 0; i < synced; i++) must_read(seed + i, &refs[i]);
            OK(vlog_close(v));
            os_fault_free(f);
            f = before;
        }
        os_fault_free(f);
        if (!crashed) break;
    }
}

static void test_crashes(void) {
    const char *text = getenv("SEED");
    uint64_t first = text ? strtoull(text, NULL, 10) : 1, last = text ? first : 2;
    unsigned states = 0;
    for (uint64_t seed = first; seed <= last; seed++) crash_everywhere(seed * 1000, &states);
    CHECK(states > 100);
    printf("%u crash states\n", states);
}

/* A killed process leaves unsynced files: the next one's first sync takes them, and what a failed sync lost is written
 * anew on request. */
static void test_sync_after_kill(void) {
    for (int fail = 0; fail < 2; fail++) {
        machine(1);
        value_ref refs[20];
        for (uint64_t i = 0; i < 20; i++) refs[i] = append(i);
        if (fail) {
            os_fault_fail(f, FAULT_SYNC, NULL, 0, RKV_EIO, false);
            CHECK(vlog_sync(v) == RKV_EIO && vlog_sync(v) == RKV_EREADONLY);
            CHECK(strstr(status_text(), "injected"));
            value_ref ref;
            CHECK(try_append(30, &ref) == RKV_EREADONLY);
            must_read(1, &refs[1]); /* still served */
        }
        os_fault_crash(f);
        vlog_close(v);
        os_fault_reboot(f, FAULT_CUT_KEEP, 1);
        OK(try_reopen(NULL, 0));
        if (fail) OK(vlog_sync(v)); /* says all is well, and writes nothing */
        for (uint64_t i = 0; i < 20; i++) {
            must_read(i, &refs[i]);
            if (fail) OK(vlog_rewrite(v, &refs[i], key_of(i)));
        }
        OK(vlog_sync(v));
        OK(vlog_close(v));
        os_fault_reboot(f, FAULT_CUT_DROP, 1);
        OK(try_reopen(NULL, 0));
        for (uint64_t i = 0; i < 20; i++) must_read(i, &refs[i]);
        finish();
    }
}

/* Each record is written anew as a whole, whatever sectors it shares with others. */
static void test_rewrite_one(void) {
    enum { COUNT = 90 };
    static value_ref refs[COUNT];
    static const size_t key_sizes[] = {0, 5, 9};
    machine(1);
    cell version = version_of(1);
    for (int i = 0; i < COUNT; i++)
        OK(vlog_append(v, slice_of("key-bytes", key_sizes[i % 3]), &version, slice_of("some value", (size_t)i % 11),
                       &refs[i]));
    os_fault_fail(f, FAULT_SYNC, NULL, 0, RKV_EIO, false);
    CHECK(vlog_sync(v) == RKV_EIO);
    OK(vlog_close(v));
    os_fault *before = f;
    for (int i = 0; i < COUNT; i++) {
        slice key = slice_of("key-bytes", key_sizes[i % 3]);
        f = os_fault_clone(before);
        os_fault_reboot(f, FAULT_CUT_KEEP, 1);
        OK(try_reopen(NULL, 0));
        OK(vlog_rewrite(v, &refs[i], key));
        OK(vlog_sync(v));
        OK(vlog_close(v));
        os_fault_reboot(f, FAULT_CUT_DROP, 1);
        OK(try_reopen(NULL, 0));
        OK(vlog_check(v, &refs[i], key));
        finish();
    }
    os_fault_free(before);
}

/* ---- failing calls ----------------------------------------------------------------------------------------------- */

static void test_no_space_passes(void) {
    machine(1);
    os_fault_limit_space(f, 1 << 20);
    value_ref refs[REFS], ref;
    uint64_t count = 0;
    int rc;
    while ((rc = try_append(count, &refs[count])) == RKV_OK) count++;
    CHECK(rc == RKV_ENOSPC && count > 5);
    OK(vlog_sync(v));
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < count; i++) must_read(i, &refs[i]);
    for (uint64_t i = 0; i < count; i++) bytes += vlog_record_size(&refs[i]);
    for (uint64_t i = 1; i <= vlog_files(v, NULL, 0); i++) bytes -= info_of(i).bytes;
    CHECK(bytes == 0); /* what failed has given its space back */
    os_fault_limit_space(f, UINT64_MAX);
    ref = append(count);
    must_read(count, &ref);
    finish();
}

typedef struct interloper {
    uint64_t id;
    value_ref ref;
    bool done;
} interloper;

static void append_meanwhile(void *context, unsigned call, const char *path) {
    interloper *other = context;
    (void)path;
    if (call != FAULT_WRITE || other->done) return;
    other->done = true;
    os_fault_fail(f, FAULT_WRITE, NULL, 1, RKV_ENOSPC, false); /* not the other's, but the one it interrupts */
    other->ref = append(other->id);
}

/* A failed append behind which another one has its space: that stays, as garbage. */
static void test_failed_append_in_the_middle(void) {
    machine(1);
    uint64_t small = 1;
    while (size_of(small) > 30000) small++;
    append(small);
    interloper other = {.id = small};
    uint64_t before = info_of(1).bytes;
    value_ref ref;
    os_fault_on_call(f, append_meanwhile, &other);
    CHECK(try_append(small, &ref) == RKV_ENOSPC && other.done);
    os_fault_on_call(f, NULL, NULL);
    must_read(small, &other.ref);
    CHECK(info_of(1).bytes == 3 * before && info_of(1).garbage == before);
    static scanned s;
    s = (scanned){0};
    OK(vlog_scan(v, 1, note_record, &s)); /* its head is there, half its value is not */
    CHECK(s.count == 3 && s.refs[2].offset == other.ref.offset && try_read(small, &s.refs[1]) == RKV_ECORRUPT);
    finish();
}

static void test_every_call_fails(void) {
    for (int variant = 0; variant < 4; variant++)
        for (uint64_t n = 0;; n++) {
            f = os_fault_new(1);
            os *o = os_fault_os(f);
            OK(o->ops->make_dir(o, dir));
            OK(o->ops->sync_dir(o, "/"));
            int status = variant & 2 ? RKV_ENOSPC : RKV_EIO;
            os_fault_fail(f, FAULT_ANY & ~FAULT_READ, NULL, n, status, variant & 1);
            value_ref refs[60];
            bool there[60] = {0};
            uint64_t synced = 0;
            int opened = try_reopen(NULL, 0);
            CHECK(opened == RKV_OK || opened == status);
            for (uint64_t i = 0; i < 60 && !opened; i++) {
                int rc = try_append(i, &refs[i]);
                CHECK(rc == RKV_OK || rc == status || rc == RKV_EREADONLY);
                there[i] = rc == RKV_OK;
                if (i % 10 == 9 && vlog_sync(v) == RKV_OK) synced = i + 1;
                if (i % 10 == 4 && there[i] && i > synced) {
                    vlog_add_garbage(v, &refs[i]);
                    there[i] = false;
                }
                size_t deleted;
                if (i == 33 && vlog_seal(v) == RKV_OK) vlog_collect(v, &deleted);
            }
            bool struck = os_fault_failed(f);
            if (!opened) vlog_close(v);
            os_fault_heal(f);
            for (int model = FAULT_CUT_KEEP; model <= FAULT_CUT_DROP; model++) {
                os_fault_reboot(f, (enum fault_cut)model, 1);
                OK(try_reopen(NULL, 0));
                for (uint64_t i = 0; i < 60; i++)
                    if (there[i] && (i < synced || model == FAULT_CUT_KEEP)) must_read(i, &refs[i]);
                OK(vlog_close(v));
            }
            os_fault_free(f);
            if (!struck) break;
        }
}

static void test_failing_reads(void) {
    machine(1);
    value_ref ref = append(7); /* key of 500 bytes */
    for (uint64_t n = 0; n < 3; n++) {
        os_fault_fail(f, FAULT_READ, NULL, n, RKV_EIO, false);
        CHECK(try_read(7, &ref) == RKV_EIO);
        must_read(7, &ref);
    }
    finish();
}

static void test_every_allocation_fails(void) {
    for (long n = 0;; n++) {
        machine(1);
        value_ref refs[30];
        bool there[30];
        int reopened = RKV_OK;
        alloc_fail_after(n);
        for (uint64_t i = 0; i < 30; i++) {
            int rc = try_append(i, &refs[i]);
            CHECK(rc == RKV_OK || rc == RKV_ENOMEM);
            there[i] = rc == RKV_OK;
            rc = there[i] ? vlog_check(v, &refs[i], key_of(i)) : RKV_OK;
            CHECK(rc == RKV_OK || rc == RKV_ENOMEM);
        }
        OK(vlog_close(v));
        reopened = try_reopen(NULL, 0);
        bool done = reopened == RKV_OK && there[29];
        alloc_fail_after(-1);
        CHECK(reopened == RKV_OK || reopened == RKV_ENOMEM);
        if (reopened) OK(try_reopen(NULL, 0));
        for (uint64_t i = 0; i < 30; i++)
            if (there[i]) must_read(i, &refs[i]);
        finish();
        if (done) break;
    }
}

/* A value is not there while its device is slow, and the caller who will not wait is told so. */
static void test_slow_disk(void) {
    f = os_fault_new(1);
    os *slow = os_slow_new(os_fault_os(f), 0);
    OK(slow->ops->make_dir(slow, dir));
    vlog_options options = options_of(slow);
    OK(vlog_open(&v, &options, NULL, 0, 1));
    value_ref ref = append(7);
    os_slow_set(slow, 1, 0);
    static uint8_t data[VALUE_MAX];
    CHECK(vlog_read(v, &ref, key_of(7), true, data) == RKV_WOULDBLOCK);
    OK(vlog_read(v, &ref, key_of(7), false, data));
    os_slow_set(slow, 0, 0);
    OK(vlog_read(v, &ref, key_of(7), true, data));
    OK(vlog_close(v));
    os_slow_free(slow);
    os_fault_free(f);
}

int main(void) {
    RUN(test_references);
    RUN(test_record_sizes);
    RUN(test_append_read_reopen);
    RUN(test_bytes_are_records);
    RUN(test_wrong_references);
    RUN(test_scan);
    RUN(test_every_flipped_byte);
    RUN(test_misplaced);
    RUN(test_foreign_newer_missing);
    RUN(test_collect);
    RUN(test_punch);
    RUN(test_pick_and_remove);
    RUN(test_crashes);
    RUN(test_sync_after_kill);
    RUN(test_rewrite_one);
    RUN(test_no_space_passes);
    RUN(test_failed_append_in_the_middle);
    RUN(test_every_call_fails);
    RUN(test_failing_reads);
    RUN(test_every_allocation_fails);
    RUN(test_slow_disk);
    return check_done();
}
