/* test_os.c: os.h on the real system and on its twin in memory, by the same tests; then the twin's laws
 * (os/fault_disk.h) and the slow disk. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/slice.h"
#include "check.h"
#include "os/os_fault.h"

/* ---- every implementation ---------------------------------------------------------------------------------------- */

static os *o;          /* the one under test */
static char root[200]; /* its scratch directory */

static const char *at(const char *name) {
    static char paths[4][300];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, 300, "%s/%s", root, name);
    return path;
}

static os_file *must_open(const char *name, enum os_open_mode mode) {
    os_file *file;
    OK(o->ops->open(o, &file, at(name), mode));
    return file;
}

static void put(const char *name, const char *text, bool sync) {
    os_file *file;
    if (o->ops->open(o, &file, at(name), OS_WRITE)) file = must_open(name, OS_CREATE);
    OK(file->ops->truncate(file, 0));
    OK(file->ops->write_at(file, 0, text, strlen(text)));
    if (sync) OK(file->ops->sync(file));
    OK(file->ops->close(file));
}

static bool holds(const char *name, const char *text) {
    uint8_t *data;
    size_t size;
    if (os_read_file(o, at(name), 1 << 20, &data, &size)) return false;
    bool same = slice_equal(slice_of(data, size), slice_text(text));
    mem_free(data);
    return same;
}

static bool is_there(const char *name) {
    uint64_t size;
    return o->ops->stat(o, at(name), &size) == RKV_OK;
}

static void remove_all(void);

static void any_open_modes(void) {
    os_file *file;
    CHECK(o->ops->open(o, &file, at("a"), OS_READ) == RKV_NOTFOUND);
    CHECK(o->ops->open(o, &file, at("a"), OS_WRITE) == RKV_NOTFOUND);
    CHECK(o->ops->open(o, &file, at("no/a"), OS_CREATE) == RKV_NOTFOUND);
    file = must_open("a", OS_CREATE);
    CHECK(strstr(status_text(), "no/a")); /* the text names the path */
    OK(file->ops->close(file));
    CHECK(o->ops->open(o, &file, at("a"), OS_CREATE) == RKV_EIO);
    CHECK(holds("a", ""));
}

static void any_read_write(void) {
    os_file *file = must_open("a", OS_CREATE);
    char data[16];
    size_t got = 99;
    OK(file->ops->write_at(file, 3, "xyz", 3));
    OK(file->ops->read_at(file, 0, data, 16, false, &got));
    CHECK(got == 6 && memcmp(data, "\0\0\0xyz", 6) == 0);
    OK(file->ops->read_at(file, 4, data, 1, true, &got)); /* just written, so it is in the page cache */
    CHECK(got == 1 && data[0] == 'y');
    OK(file->ops->read_at(file, 6, data, 16, false, &got));
    CHECK(got == 0);
    OK(file->ops->read_at(file, 100, data, 16, true, &got));
    CHECK(got == 0);
    OK(file->ops->write_at(file, 1, "", 0));
    uint64_t size;
    OK(file->ops->truncate(file, 4));
    OK(file->ops->truncate(file, 6)); /* what was cut does not come back */
    OK(file->ops->size(file, &size));
    CHECK(size == 6);
    OK(file->ops->read_at(file, 0, data, 16, false, &got));
    CHECK(got == 6 && memcmp(data, "\0\0\0x\0\0", 6) == 0);
    file->ops->write_back(file, 0, 6);
    file->ops->will_need(file, 0, 6);
    file->ops->dont_need(file, 0, 6);
    OK(file->ops->sync(file));
    OK(file->ops->close(file));
}

static void any_map(void) {
    enum { SIZE = 3 << 12 };
    os_file *file = must_open("a", OS_CREATE);
    OK(file->ops->preallocate(file, SIZE));
    uint64_t size;
    OK(file->ops->size(file, &size));
    CHECK(size == SIZE);
    uint8_t *base;
    int rc = file->ops->map(file, SIZE, &base);
    CHECK(rc == RKV_OK || rc == RKV_EINVAL);
    if (!rc) {
        char data[8];
        size_t got;
        CHECK(base[0] == 0 && base[SIZE - 1] == 0);
        memcpy(base + 5000, "stored", 6);
        OK(file->ops->read_at(file, 5000, data, 6, false, &got));
        CHECK(got == 6 && memcmp(data, "stored", 6) == 0);
        OK(file->ops->write_at(file, 5006, "!", 1));
        CHECK(base[5006] == '!');
        OK(file->ops->sync(file));
        base[SIZE - 1] = 7;
        file->ops->unmap(file, base, SIZE);
        OK(file->ops->read_at(file, SIZE - 1, data, 1, false, &got));
        CHECK(data[0] == 7);
    }
    OK(file->ops->close(file));
}

static void any_punch(void) {
    enum { SIZE = 8 << 12 };
    static uint8_t data[SIZE];
    os_file *file = must_open("a", OS_CREATE);
    memset(data, 1, SIZE);
    OK(file->ops->write_at(file, 0, data, SIZE));
    int rc = file->ops->punch(file, 4096, 2 * 4096);
    CHECK(rc == RKV_OK || rc == RKV_EINVAL);
    size_t got;
    OK(file->ops->read_at(file, 0, data, SIZE, false, &got));
    CHECK(got == SIZE && data[4095] == 1 && data[3 * 4096] == 1);
    if (!rc) CHECK(data[4096] == 0 && data[3 * 4096 - 1] == 0);
    OK(file->ops->close(file));
}

static void count_name(void *context, const char *name) {
    unsigned *seen = context;
    *seen += strcmp(name, "sub") == 0 ? 100 : strcmp(name, "b") == 0 ? 10 : 1;
}

static void any_names(void) {
    put("a", "A", false);
    put("b", "B", false);
    OK(o->ops->make_dir(o, at("sub")));
    OK(o->ops->make_dir(o, at("sub")));
    CHECK(o->ops->make_dir(o, at("a")) == RKV_EIO);
    CHECK(o->ops->make_dir(o, at("x/y")) == RKV_NOTFOUND);
    OK(o->ops->sync_dir(o, root));
    CHECK(o->ops->sync_dir(o, at("none")) == RKV_NOTFOUND);
    unsigned seen = 0;
    OK(o->ops->list(o, root, count_name, &seen));
    CHECK(seen == 111);
    CHECK(o->ops->list(o, at("none"), count_name, &seen) == RKV_NOTFOUND);
    OK(o->ops->rename(o, at("a"), at("b"))); /* replaces */
    CHECK(!is_there("a") && holds("b", "A"));
    CHECK(o->ops->rename(o, at("a"), at("b")) == RKV_NOTFOUND);
    OK(o->ops->rename(o, at("b"), at("sub/c")));
    OK(o->ops->link(o, at("sub/c"), at("d")));
    CHECK(o->ops->link(o, at("sub/c"), at("d")) == RKV_EIO);
    CHECK(o->ops->link(o, at("none"), at("e")) == RKV_NOTFOUND);
    OK(o->ops->unlink(o, at("sub/c")));
    CHECK(o->ops->unlink(o, at("sub/c")) == RKV_NOTFOUND);
    uint64_t size, space;
    OK(o->ops->stat(o, at("d"), &size));
    CHECK(size == 1 && holds("d", "A"));
    OK(o->ops->free_space(o, root, &space));
}

static void any_unlinked_file_stays_open(void) {
    put("a", "still here", false);
    os_file *file = must_open("a", OS_READ);
    OK(o->ops->unlink(o, at("a")));
    put("a", "another", false);
    char data[10];
    size_t got;
    OK(file->ops->read_at(file, 0, data, 10, false, &got));
    CHECK(got == 10 && memcmp(data, "still here", 10) == 0);
    OK(file->ops->close(file));
}

static void any_lock(void) {
    os_file *lock, *second;
    OK(o->ops->lock(o, &lock, at("LOCK")));
    CHECK(o->ops->lock(o, &second, at("LOCK")) == RKV_ELOCKED);
    CHECK(strstr(status_text(), "LOCK"));
    o->ops->unlock(o, lock);
    OK(o->ops->lock(o, &lock, at("LOCK")));
    o->ops->unlock(o, lock);
}

static void any_read_file(void) {
    put("a", "12345", false);
    uint8_t *data;
    size_t size;
    OK(os_read_file(o, at("a"), 5, &data, &size));
    CHECK(size == 5 && memcmp(data, "12345", 5) == 0);
    mem_free(data);
    CHECK(os_read_file(o, at("a"), 4, &data, &size) == RKV_ETOOBIG);
    CHECK(os_read_file(o, at("b"), 4, &data, &size) == RKV_NOTFOUND);
    alloc_fail_after(0);
    CHECK(os_read_file(o, at("a"), 5, &data, &size) == RKV_ENOMEM);
    alloc_fail_after(-1);
}

static void any_clock_and_chance(void) {
    uint8_t a[32] = {0}, b[32] = {0};
    OK(o->ops->random(o, a, sizeof a));
    OK(o->ops->random(o, b, sizeof b));
    CHECK(memcmp(a, b, sizeof a) != 0);
    uint64_t before = o->ops->mono_ns(o);
    CHECK(o->ops->mono_ns(o) >= before && o->ops->now_ms(o) > 1600000000000);
}

static void run_any(void) {
    void (*const tests[])(void) = {any_open_modes, any_read_write, any_map,
                                   any_punch,      any_names,      any_unlinked_file_stays_open,
                                   any_lock,       any_read_file,  any_clock_and_chance};
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        OK(o->ops->make_dir(o, root));
        RUN(tests[i]);
        remove_all();
    }
}

typedef struct name_list {
    char names[16][32];
    unsigned count;
} name_list;

static void collect_name(void *context, const char *name) {
    name_list *list = context;
    CHECK(list->count < 16 && strlen(name) < 32);
    strcpy(list->names[list->count++], name);
}

static void remove_all(void) {
    name_list list = {0};
    OK(o->ops->list(o, root, collect_name, &list));
    for (unsigned i = 0; i < list.count; i++)
        if (strcmp(list.names[i], "sub") != 0) OK(o->ops->unlink(o, at(list.names[i])));
}

static void test_posix(void) {
    o = os_posix();
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/respkv-os-XXXXXX", tmp ? tmp : "/tmp");
    CHECK(mkdtemp(root));
    run_any();
    CHECK(rmdir(at("sub")) == 0 && rmdir(root) == 0);
}

/* ---- the twin ---------------------------------------------------------------------------------------------------- */

static os_fault *f;

static void machine(uint64_t seed) {
    f = os_fault_new(seed);
    o = os_fault_os(f);
    strcpy(root, "/data");
    OK(o->ops->make_dir(o, root));
    OK(o->ops->sync_dir(o, "/"));
}

static void test_twin_is_an_os(void) {
    machine(1);
    run_any();
    os_fault_free(f);
}

static void test_slow_is_an_os(void) {
    machine(1);
    o = os_slow_new(o, 0);
    run_any();
    os_slow_free(o);
    os_fault_free(f);
}

static void test_synced_survives_every_cut(void) {
    for (int model = 0; model < FAULT_CUT_COUNT; model++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            machine(seed);
            put("a", "synced", true);
            OK(o->ops->sync_dir(o, root));
            put("b", "file synced, entry not", true);
            os_fault_reboot(f, (enum fault_cut)model, seed);
            CHECK(holds("a", "synced"));
            if (model == FAULT_CUT_DROP) CHECK(!is_there("b"));
            if (model == FAULT_CUT_KEEP || is_there("b")) CHECK(holds("b", "file synced, entry not"));
            os_fault_free(f);
        }
}

static void test_entry_without_bytes(void) {
    machine(1);
    put("a", "never synced", false);
    OK(o->ops->sync_dir(o, root));
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    CHECK(holds("a", ""));
    os_fault_free(f);
}

/* Kill -9 keeps everything, and everything unsynced is still at risk afterwards. */
static void test_killed_is_not_synced(void) {
    machine(1);
    put("a", "cached", false);
    os_fault_reboot(f, FAULT_CUT_KEEP, 1);
    CHECK(holds("a", "cached"));
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    CHECK(!is_there("a"));
    os_fault_free(f);
}

/* new -> CURRENT by rename, then the old one unlinked, no directory sync: each may be lost alone, in any
 * combination. */
static void test_unsynced_renames(void) {
    unsigned seen[2][2] = {{0}};
    for (uint64_t seed = 0; seed < 64; seed++) {
        machine(seed);
        put("CURRENT", "1", true);
        put("MANIFEST-1", "old", true);
        put("tmp", "2", true);
        OK(o->ops->sync_dir(o, root));
        OK(o->ops->rename(o, at("tmp"), at("CURRENT")));
        OK(o->ops->unlink(o, at("MANIFEST-1")));
        os_fault_reboot(f, FAULT_CUT_RANDOM, seed);
        bool renamed = holds("CURRENT", "2");
        CHECK(renamed || holds("CURRENT", "1")); /* never neither */
        CHECK(is_there("tmp") == !renamed);
        seen[renamed][is_there("MANIFEST-1")]++;
        os_fault_free(f);
    }
    CHECK(seen[0][0] && seen[0][1] && seen[1][0] && seen[1][1]);
}

static void test_sync_dir_is_per_directory(void) {
    machine(1);
    OK(o->ops->make_dir(o, at("x")));
    OK(o->ops->make_dir(o, at("y")));
    OK(o->ops->sync_dir(o, root));
    put("x/moved", "m", true);
    put("x/stays", "s", true);
    OK(o->ops->rename(o, at("x/moved"), at("y/moved")));
    OK(o->ops->sync_dir(o, at("y")));
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    CHECK(holds("y/moved", "m") && !is_there("x/moved") && !is_there("x/stays"));
    os_fault_free(f);
    machine(1);
    OK(o->ops->make_dir(o, at("lost")));
    put("lost/a", "a", true);
    OK(o->ops->sync_dir(o, at("lost")));
    os_fault_reboot(f, FAULT_CUT_DROP, 1); /* its own entry was not synced */
    CHECK(!is_there("lost") && !is_there("lost/a"));
    os_fault_free(f);
}

/* A failed sync: the cache shows the bytes, the next sync says all is well, and they are gone (fsyncgate). */
static void test_failed_sync_loses_silently(void) {
    machine(1);
    put("a", "first", true);
    OK(o->ops->sync_dir(o, root));
    os_file *file = must_open("a", OS_WRITE);
    OK(file->ops->write_at(file, 0, "FIRST", 5));
    os_fault_fail(f, FAULT_SYNC, "/a", 0, RKV_EIO, false);
    CHECK(!os_fault_failed(f) && file->ops->sync(file) == RKV_EIO && os_fault_failed(f));
    CHECK(holds("a", "FIRST"));
    OK(file->ops->write_at(file, 512, "second sector", 13));
    OK(file->ops->sync(file));
    OK(file->ops->close(file));
    os_fault_reboot(f, FAULT_CUT_KEEP, 1);
    CHECK(os_fault_handles(f) == 0);
    file = must_open("a", OS_READ);
    char data[600];
    size_t got;
    OK(file->ops->read_at(file, 0, data, sizeof data, false, &got));
    CHECK(got == 525 && memcmp(data, "FIRST", 5) == 0 && memcmp(data + 512, "second sector", 13) == 0);
    OK(file->ops->close(file));
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    file = must_open("a", OS_READ);
    OK(file->ops->read_at(file, 0, data, sizeof data, false, &got));
    CHECK(got == 525 && memcmp(data, "first", 5) == 0 && memcmp(data + 512, "second sector", 13) == 0);
    OK(file->ops->close(file));
    os_fault_free(f);
}

/* ... unless they are written once more, even the same. */
static void test_rewriting_heals_a_failed_sync(void) {
    for (int again = 0; again < 2; again++) {
        machine(1);
        put("a", "first", true);
        OK(o->ops->sync_dir(o, root));
        os_file *file = must_open("a", OS_WRITE);
        OK(file->ops->write_at(file, 0, "FIRST", 5));
        for (int i = 0; i < 2; i++) {
            os_fault_fail(f, FAULT_SYNC, NULL, 0, RKV_EIO, false);
            CHECK(file->ops->sync(file) == RKV_EIO);
        }
        if (again) OK(file->ops->write_at(file, 0, "FIRST", 5));
        OK(file->ops->sync(file));
        OK(file->ops->close(file));
        os_fault_reboot(f, FAULT_CUT_DROP, 1);
        CHECK(holds("a", again ? "FIRST" : "first"));
        os_fault_free(f);
    }
}

static void test_failing_calls(void) {
    machine(1);
    put("a", "1234", true);
    os_file *file = must_open("a", OS_WRITE);
    os_fault_fail(f, FAULT_WRITE, NULL, 1, RKV_ENOSPC, true);
    OK(file->ops->write_at(file, 0, "abcd", 4));
    CHECK(file->ops->write_at(file, 0, "ABCD", 4) == RKV_ENOSPC);
    CHECK(file->ops->write_at(file, 4, "EF", 2) == RKV_ENOSPC);
    os_fault_heal(f);
    CHECK(holds("a", "ABcdE")); /* first halves */
    os_fault_fail(f, FAULT_ENTRY, "other", 0, RKV_EIO, false);
    OK(o->ops->rename(o, at("a"), at("b")));
    CHECK(o->ops->rename(o, at("b"), at("other")) == RKV_EIO && is_there("b"));
    OK(o->ops->rename(o, at("b"), at("other")));
    os_fault_fail(f, FAULT_CLOSE, NULL, 0, RKV_EIO, false);
    CHECK(file->ops->close(file) == RKV_EIO);
    os_fault_fail(f, FAULT_READ | FAULT_OPEN, NULL, 0, RKV_EIO, false);
    CHECK(!holds("other", "ABcdE") && holds("other", "ABcdE"));
    os_fault_free(f);
}

static void test_crash_at_a_call(void) {
    machine(1);
    put("a", "0", true);
    OK(o->ops->sync_dir(o, root));
    os_file *file = must_open("a", OS_WRITE);
    os_file *lock;
    OK(o->ops->lock(o, &lock, at("LOCK")));
    OK(file->ops->preallocate(file, 4096));
    OK(file->ops->sync(file));
    uint8_t *base;
    OK(file->ops->map(file, 4096, &base));
    base[0] = '1';
    os_fault_crash_at(f, FAULT_CHANGES, NULL, 1);
    OK(file->ops->write_at(file, 1, "2", 1));
    CHECK(!os_fault_crashed(f) && file->ops->write_at(file, 2, "345678", 6) == RKV_EIO && os_fault_crashed(f));
    base[8] = '9'; /* the dead process may go on for a while */
    uint64_t size;
    CHECK(file->ops->size(file, &size) == RKV_EIO && o->ops->sync_dir(o, root) == RKV_EIO);
    os_fault_reboot(f, FAULT_CUT_KEEP, 1);
    CHECK(file->ops->write_at(file, 2, "x", 1) == RKV_EIO && file->ops->sync(file) == RKV_EIO);
    os_file *again;
    OK(o->ops->lock(o, &again, at("LOCK")));
    o->ops->unlock(o, lock); /* must not give the new one away */
    CHECK(o->ops->lock(o, &lock, at("LOCK")) == RKV_ELOCKED);
    o->ops->unlock(o, again);
    base[9] = 'x';
    file->ops->unmap(file, base, 4096);
    CHECK(file->ops->close(file) == RKV_EIO);
    file = must_open("a", OS_READ);
    char data[16];
    size_t got;
    OK(file->ops->read_at(file, 0, data, 16, false, &got));
    CHECK(got == 16 && memcmp(data, "12345\0\0\0\0\0", 10) == 0);
    OK(file->ops->close(file));
    os_fault_free(f);
}

static void test_space_limit(void) {
    machine(1);
    put("a", "x", true);
    CHECK(os_fault_used(f) == 4096);
    os_fault_limit_space(f, 3 * 4096);
    os_file *file = must_open("b", OS_CREATE);
    static uint8_t data[4 * 4096];
    memset(data, 1, sizeof data);
    CHECK(file->ops->write_at(file, 0, data, sizeof data) == RKV_ENOSPC);
    uint64_t size, space;
    OK(file->ops->size(file, &size));
    OK(o->ops->free_space(o, root, &space));
    CHECK(size == 2 * 4096 && space == 0);
    OK(file->ops->write_at(file, 10, data, 100)); /* in place needs none */
    OK(file->ops->punch(file, 0, 4096));
    OK(o->ops->free_space(o, root, &space));
    CHECK(space == 4096);
    OK(file->ops->write_at(file, 2 * 4096, data, 4096));
    CHECK(file->ops->write_at(file, 0, data, 1) == RKV_ENOSPC); /* into the hole */
    OK(o->ops->unlink(o, at("a")));
    OK(file->ops->write_at(file, 0, data, 1));
    os_file *third = must_open("c", OS_CREATE);
    CHECK(third->ops->preallocate(third, 4096) == RKV_ENOSPC);
    OK(third->ops->close(third));
    OK(o->ops->unlink(o, at("b")));
    CHECK(os_fault_used(f) == 3 * 4096); /* open still */
    OK(file->ops->close(file));
    CHECK(os_fault_used(f) == 0);
    os_fault_free(f);
}

static void test_damage(void) {
    machine(1);
    put("a", "abc", true);
    OK(o->ops->sync_dir(o, root));
    os_fault_flip_bit(f, "/data/a", 1, 0);
    CHECK(holds("a", "acc"));
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    CHECK(holds("a", "acc"));
    os_fault_truncate(f, "/data/a", 1);
    os_fault_reboot(f, FAULT_CUT_DROP, 1);
    CHECK(holds("a", "a"));
    os_fault_free(f);
}

static void test_clock(void) {
    machine(1);
    uint64_t now_ms = o->ops->now_ms(o), mono_ns = o->ops->mono_ns(o);
    os_fault_advance_ms(f, 5);
    CHECK(o->ops->now_ms(o) == now_ms + 5 && o->ops->mono_ns(o) == mono_ns + 5000000);
    os_fault_set_now_ms(f, 77);
    CHECK(o->ops->now_ms(o) == 77 && o->ops->mono_ns(o) == mono_ns + 5000000);
    os_fault_free(f);
}

/* ---- random cuts against what is allowed ------------------------------------------------------------------------- */

enum { SPAN = 24 * 512 };

/* The obvious twin of one file: what each sector may be after a cut. */
typedef struct shadow {
    uint8_t now[SPAN], disk[SPAN];
    uint64_t now_size, disk_size;
} shadow;

/* One random step on both; cut: sizes go down too. */
static void random_step(os_file *file, shadow *s, uint64_t *state) {
    uint8_t data[1500];
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = *state >> 20;
    uint64_t offset = x % (SPAN - sizeof data);
    size_t size = 1 + (x >> 16) % sizeof data;
    memset(data, (int)(x >> 30) | 1, size);
    if (x >> 40 & 7) {
        OK(file->ops->write_at(file, offset, data, size));
        memcpy(s->now + offset, data, size);
        if (offset + size > s->now_size) s->now_size = offset + size;
    } else if (x >> 43 & 1) {
        OK(file->ops->sync(file));
        memcpy(s->disk, s->now, SPAN);
        s->disk_size = s->now_size;
    } else {
        OK(file->ops->truncate(file, offset));
        if (offset < s->now_size) memset(s->now + offset, 0, s->now_size - offset);
        s->now_size = offset;
    }
}

static bool sector_allowed(const shadow *s, const uint8_t *got, uint64_t begin, uint64_t size, bool garbage) {
    if (memcmp(got + begin, s->now + begin, size) == 0 || memcmp(got + begin, s->disk + begin, size) == 0) return true;
    return garbage && begin + 511 >= s->disk_size;
}

static void check_cut(const shadow *s, os *machine_os, enum fault_cut model) {
    uint8_t *got;
    size_t size;
    OK(os_read_file(machine_os, "/data/a", SPAN, &got, &size));
    uint64_t low = s->now_size < s->disk_size ? s->now_size : s->disk_size;
    uint64_t high = s->now_size < s->disk_size ? s->disk_size : s->now_size;
    CHECK(size >= low && size <= high);
    if (model == FAULT_CUT_KEEP) CHECK(size == s->now_size && memcmp(got, s->now, size) == 0);
    if (model == FAULT_CUT_DROP) CHECK(size == s->disk_size && memcmp(got, s->disk, size) == 0);
    for (uint64_t b = 0; b < size; b += 512)
        CHECK(sector_allowed(s, got, b, size - b < 512 ? size - b : 512, model == FAULT_CUT_TORN));
    mem_free(got);
}

static void test_random_cuts(void) {
    const char *text = getenv("SEED");
    uint64_t first = text ? strtoull(text, NULL, 10) : 1, last = text ? first : 60;
    for (uint64_t seed = first; seed <= last; seed++) {
        machine(seed);
        shadow s = {0};
        os_file *file = must_open("a", OS_CREATE);
        OK(o->ops->sync_dir(o, root));
        uint64_t state = seed;
        for (int step = 0; step < 40; step++) {
            random_step(file, &s, &state);
            for (int model = 0; model < FAULT_CUT_COUNT; model++) {
                os_fault *clone = os_fault_clone(f), *same = os_fault_clone(f);
                os_fault_reboot(clone, (enum fault_cut)model, state);
                os_fault_reboot(same, (enum fault_cut)model, state);
                check_cut(&s, os_fault_os(clone), (enum fault_cut)model);
                uint8_t *a, *b;
                size_t a_size, b_size;
                OK(os_read_file(os_fault_os(clone), "/data/a", SPAN, &a, &a_size));
                OK(os_read_file(os_fault_os(same), "/data/a", SPAN, &b, &b_size));
                CHECK(slice_equal(slice_of(a, a_size), slice_of(b, b_size))); /* a seed names a cut */
                mem_free(a);
                mem_free(b);
                os_fault_free(clone);
                os_fault_free(same);
            }
        }
        OK(file->ops->close(file));
        os_fault_free(f);
    }
}

/* Each model shows what it is for: some cut keeps a later sector and loses an earlier one, or leaves garbage. */
static void test_cuts_are_nasty(void) {
    static uint8_t data[4096], old[4096];
    bool hole = false, torn_hole = false, garbage = false, shorter = false;
    memset(data, 0xaa, sizeof data);
    for (uint64_t seed = 0; seed < 100; seed++) {
        for (int model = FAULT_CUT_PREFIX; model < FAULT_CUT_COUNT; model++) {
            machine(seed);
            os_file *file = must_open("a", OS_CREATE);
            OK(o->ops->sync_dir(o, root));
            OK(file->ops->write_at(file, 0, data, sizeof data));
            OK(file->ops->close(file));
            os_fault_reboot(f, (enum fault_cut)model, seed);
            file = must_open("a", OS_READ);
            size_t got;
            memset(old, 0, sizeof old);
            OK(file->ops->read_at(file, 0, old, sizeof old, false, &got));
            OK(file->ops->close(file));
            bool lost = false, after = false;
            for (size_t b = 0; b < got; b++) {
                if (old[b] == 0xaa && lost) after = true;
                if (old[b] == 0) lost = true;
                if (old[b] != 0 && old[b] != 0xaa) garbage |= model == FAULT_CUT_TORN;
            }
            CHECK(!(after && model == FAULT_CUT_PREFIX));
            hole |= after && model == FAULT_CUT_RANDOM;
            torn_hole |= after && model == FAULT_CUT_TORN;
            shorter |= got < sizeof data;
            os_fault_free(f);
        }
    }
    CHECK(hole && torn_hole && garbage && shorter);
}

/* Write-back by itself: a sector may hold what it held between the last sync and the last write. */
static void test_write_back_gives_states_between(void) {
    bool between = false;
    for (uint64_t seed = 0; seed < 50 && !between; seed++) {
        machine(seed);
        put("a", "synced", true);
        OK(o->ops->sync_dir(o, root));
        os_fault_write_back(f, 2);
        os_file *file = must_open("a", OS_WRITE);
        OK(file->ops->write_at(file, 0, "middle", 6));
        uint64_t size;
        for (int i = 0; i < 8; i++) OK(file->ops->size(file, &size));
        OK(file->ops->write_at(file, 0, "newest", 6));
        OK(file->ops->close(file));
        os_fault_reboot(f, FAULT_CUT_DROP, 1);
        between = holds("a", "middle");
        CHECK(between || holds("a", "synced") || holds("a", "newest"));
        os_fault_free(f);
    }
    CHECK(between);
}

/* ---- watching and slowness --------------------------------------------------------------------------------------- */

typedef struct watch {
    unsigned changes, with_a;
} watch;

static void watch_call(void *context, unsigned call, const char *path) {
    watch *w = context;
    if (!(call & FAULT_CHANGES)) return;
    w->changes++;
    os_fault *clone = os_fault_clone(f);
    uint64_t size;
    w->with_a += os_fault_os(clone)->ops->stat(os_fault_os(clone), "/data/a", &size) == RKV_OK;
    os_fault_free(clone);
    CHECK(strncmp(path, "/data", 5) == 0);
}

static void test_hook_sees_the_state_before(void) {
    machine(1);
    watch w = {0};
    uint64_t before = os_fault_calls(f, FAULT_CHANGES);
    os_fault_on_call(f, watch_call, &w);
    put("a", "x", true); /* create, truncate, write, sync */
    OK(o->ops->sync_dir(o, root));
    os_fault_on_call(f, NULL, NULL);
    CHECK(w.changes == 5 && w.with_a == 4 && os_fault_calls(f, FAULT_CHANGES) == before + 5);
    os_fault_free(f);
}

static void test_slow_disk(void) {
    machine(1);
    put("a", "x", true);
    o = os_slow_new(o, 20);
    CHECK(o);
    os_file *file = must_open("a", OS_READ);
    char byte = 0;
    size_t got;
    CHECK(file->ops->read_at(file, 0, &byte, 1, true, &got) == RKV_WOULDBLOCK && byte == 0);
    os *real = os_posix();
    uint64_t begin = real->ops->mono_ns(real);
    OK(file->ops->read_at(file, 0, &byte, 1, false, &got));
    CHECK(byte == 'x' && real->ops->mono_ns(real) - begin >= 20000000);
    os_slow_set(o, 0, 10);
    OK(file->ops->read_at(file, 0, &byte, 1, true, &got));
    begin = real->ops->mono_ns(real);
    OK(file->ops->sync(file));
    CHECK(real->ops->mono_ns(real) - begin >= 10000000);
    OK(file->ops->close(file));
    os_slow_free(o);
    os_fault_free(f);
}

int main(void) {
    RUN(test_posix);
    RUN(test_twin_is_an_os);
    RUN(test_slow_is_an_os);
    RUN(test_synced_survives_every_cut);
    RUN(test_entry_without_bytes);
    RUN(test_killed_is_not_synced);
    RUN(test_unsynced_renames);
    RUN(test_sync_dir_is_per_directory);
    RUN(test_failed_sync_loses_silently);
    RUN(test_rewriting_heals_a_failed_sync);
    RUN(test_failing_calls);
    RUN(test_crash_at_a_call);
    RUN(test_space_limit);
    RUN(test_damage);
    RUN(test_clock);
    RUN(test_random_cuts);
    RUN(test_cuts_are_nasty);
    RUN(test_write_back_gives_states_between);
    RUN(test_hook_sees_the_state_before);
    RUN(test_slow_disk);
    return check_done();
}
