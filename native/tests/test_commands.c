/* test_commands.c: every native command by table, and those that touch values also on values that lie in the value log.
 *
 * The expected replies are redis-server 7.0.15's; tests/compat compares with a live one. Time stands still at 1,700,000,000,000 ms.
 */
#include <stdlib.h>

#include "check.h"
#include "serve/command.h"
#include "serve/keys.h"
#include "serve/lcs.h"
#include "serve_fixture.h"

#define WRONG_TYPE        "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
#define NOT_INTEGER       "-ERR value is not an integer or out of range\r\n"
#define SYNTAX            "-ERR syntax error\r\n"
#define TOO_LONG          "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"
#define ARITY(name)       "-ERR wrong number of arguments for '" name "' command\r\n"
#define EXPIRE_TIME(name) "-ERR invalid expire time in '" name "' command\r\n"
#define NIL               "$-1\r\n"

typedef struct line {
    const char *command, *reply;
} line;

/* A key of a type that these commands do not know, as a later version may have written it. */
static void put_other_type(fixture *f, const char *key) {
    uint8_t internal[64];
    cell c = {.hlc = hlc_tick(&f->store.clock, 1), .node = 7, .payload = slice_text("hash")};
    key_write(internal, KIND_META, 0, slice_text(key));
    slice k = slice_of(internal, KEY_PREFIX_SIZE + strlen(key));
    OK(db_reserve(f->store.db, 1, 100));
    db_put(f->store.db, k, db_hash(f->store.db, k), &c);
    OK(db_commit(f->store.db, NULL));
}

static void open_store(fixture *f) {
    limits l;
    fixture_init(f, &l);
    l.value_max = 1 << 20;
    f->options.value_log_min = VALUE_REF_SIZE_MAX; /* the least there may be */
    fixture_open(f, &l);
    put_other_type(f, "other");
}

static void run_lines(fixture *f, const line *lines, size_t count) {
    client *c = client_new(f);
    for (size_t i = 0; i < count; i++) {
        const char *got = client_ask(f, c, lines[i].command);
        if (strcmp(got, lines[i].reply) != 0) {
            fprintf(stderr, "%s\n  got      %s\n  expected %s\n", lines[i].command, got, lines[i].reply);
            abort();
        }
    }
}

#define TABLE(...)                                                                                                     \
    do {                                                                                                               \
        static const line lines[] = {__VA_ARGS__};                                                                     \
        fixture f;                                                                                                     \
        open_store(&f);                                                                                                \
        run_lines(&f, lines, sizeof lines / sizeof *lines);                                                            \
        fixture_free(&f);                                                                                              \
    } while (0)

static void test_basic(void) {
    TABLE({"PING", "+PONG\r\n"}, {"ping x", "$1\r\nx\r\n"}, {"PING a b", ARITY("ping")}, {"ECHO hi", "$2\r\nhi\r\n"},
          {"ECHO", ARITY("echo")}, {"SELECT 15", "+OK\r\n"}, {"SELECT 16", "-ERR DB index is out of range\r\n"},
          {"SELECT -1", "-ERR DB index is out of range\r\n"}, {"SELECT x", NOT_INTEGER},
          {"SELECT 99999999999", "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"},
          {"SET a 15", "+OK\r\n"}, {"SELECT 0", "+OK\r\n"}, {"GET a", NIL}, {"SELECT 15", "+OK\r\n"},
          {"GET a", "$2\r\n15\r\n"});
}

static void test_get_and_set(void) {
    TABLE({"GET k", NIL}, {"SET k v", "+OK\r\n"}, {"GET k", "$1\r\nv\r\n"}, {"get k", "$1\r\nv\r\n"},
          {"SET k \"\"", "+OK\r\n"}, {"GET k", "$0\r\n\r\n"}, {"GET", ARITY("get")}, {"GET a b", ARITY("get")},
          {"SET k", ARITY("set")}, {"GET other", WRONG_TYPE}, {"SET other x", "+OK\r\n"}, {"GET other", "$1\r\nx\r\n"},
          {"SETNX k w", ":0\r\n"}, {"SETNX n w", ":1\r\n"}, {"GET n", "$1\r\nw\r\n"}, {"GETSET n x", "$1\r\nw\r\n"},
          {"GETSET new x", NIL}, {"GETDEL n", "$1\r\nx\r\n"}, {"GETDEL n", NIL}, {"GET n", NIL});
    TABLE({"GETSET other x", WRONG_TYPE}, {"GETDEL other", WRONG_TYPE}, {"SETNX other x", ":0\r\n"},
          {"GETEX other", WRONG_TYPE}, {"TYPE other", "+unknown\r\n"}, {"EXISTS other", ":1\r\n"},
          {"DEL other", ":1\r\n"}, {"SETNX other x", ":1\r\n"});
}

static void test_set_options(void) {
    TABLE({"SET k a NX", "+OK\r\n"}, {"SET k b NX", NIL}, {"SET k b xx", "+OK\r\n"}, {"SET none b XX", NIL},
          {"SET k c GET", "$1\r\nb\r\n"}, {"SET k d NX GET", "$1\r\nc\r\n"}, {"GET k", "$1\r\nc\r\n"},
          {"SET new d NX GET", NIL}, {"GET new", "$1\r\nd\r\n"}, {"SET none e XX GET", NIL}, {"EXISTS none", ":0\r\n"},
          {"SET k a NX XX", SYNTAX}, {"SET k a XX NX", SYNTAX}, {"SET k a NX NX", NIL}, {"SET k a what", SYNTAX},
          {"SET k a EX", SYNTAX}, {"SET k a EX 10 PX 10", SYNTAX}, {"SET k a EX 10 KEEPTTL", SYNTAX},
          {"SET k a KEEPTTL EX 10", SYNTAX}, {"SET k a PERSIST", SYNTAX}, {"SET k a EX 10 EX 20", "+OK\r\n"},
          {"TTL k", ":20\r\n"}, {"SET k b KEEPTTL", "+OK\r\n"}, {"TTL k", ":20\r\n"}, {"SET k b", "+OK\r\n"},
          {"TTL k", ":-1\r\n"}, {"SET other x GET", WRONG_TYPE}, {"TYPE other", "+unknown\r\n"},
          {"SET other x KEEPTTL", "+OK\r\n"}, {"GET other", "$1\r\nx\r\n"});
    TABLE({"SET k a IFEQ x", NIL}, {"EXISTS k", ":0\r\n"}, {"SET k a IFNE x", "+OK\r\n"}, {"SET k b IFEQ x", NIL},
          {"SET k b IFEQ a", "+OK\r\n"}, {"SET k c IFNE b", NIL}, {"SET k c IFNE a", "+OK\r\n"},
          {"GET k", "$1\r\nc\r\n"}, {"SET k d IFEQ x GET", "$1\r\nc\r\n"}, {"SET k d IFEQ c GET", "$1\r\nc\r\n"},
          {"GET k", "$1\r\nd\r\n"}, {"SET k d IFEQ", SYNTAX}, {"SET k d IFEQ a NX", SYNTAX},
          {"SET k d IFEQ a IFNE b", SYNTAX}, {"SET other d IFEQ a", WRONG_TYPE});
}

static void test_set_expiry(void) {
    TABLE({"SET k v EX 0", EXPIRE_TIME("set")}, {"SET k v EX -1", EXPIRE_TIME("set")}, {"SET k v EX x", NOT_INTEGER},
          {"SET k v EX 9223372036854775807", EXPIRE_TIME("set")},
          {"SET k v PX 9223372036854775807", EXPIRE_TIME("set")}, {"SET k v EXAT 9223372036854776", EXPIRE_TIME("set")},
          {"SET k v PXAT 1", "+OK\r\n"}, {"EXISTS k", ":0\r\n"}, {"SET k v PX 1500", "+OK\r\n"},
          {"PTTL k", ":1500\r\n"}, {"TTL k", ":2\r\n"}, {"SET k v EXAT 1700000100", "+OK\r\n"}, {"TTL k", ":100\r\n"},
          {"SET k v PXAT 1700000000001", "+OK\r\n"}, {"PTTL k", ":1\r\n"}, {"SETEX k 10 v", "+OK\r\n"},
          {"TTL k", ":10\r\n"}, {"SETEX k 0 v", EXPIRE_TIME("setex")}, {"SETEX k x v", NOT_INTEGER},
          {"PSETEX k 10 v", "+OK\r\n"}, {"PTTL k", ":10\r\n"}, {"PSETEX k -5 v", EXPIRE_TIME("psetex")},
          {"GETSET k w", "$1\r\nv\r\n"}, {"TTL k", ":-1\r\n"});
}

static void test_getex(void) {
    TABLE({"GETEX k", NIL}, {"GETEX k EX 0", NIL}, {"SET k v", "+OK\r\n"}, {"GETEX k", "$1\r\nv\r\n"},
          {"TTL k", ":-1\r\n"}, {"GETEX k EX 10", "$1\r\nv\r\n"}, {"TTL k", ":10\r\n"},
          {"GETEX k PERSIST", "$1\r\nv\r\n"}, {"TTL k", ":-1\r\n"}, {"GETEX k PXAT 1700000000100", "$1\r\nv\r\n"},
          {"PTTL k", ":100\r\n"}, {"GETEX k EX 0", EXPIRE_TIME("getex")}, {"GETEX k EX", SYNTAX},
          {"GETEX k EX 1 PERSIST", SYNTAX}, {"GETEX k PERSIST EX 1", SYNTAX}, {"GETEX k NX", SYNTAX},
          {"GETEX k EX 1 PX 1", SYNTAX}, {"GETEX k EXAT 1", "$1\r\nv\r\n"}, {"EXISTS k", ":0\r\n"});
}

static void test_many(void) {
    TABLE({"MSET a 1 b 2 c 3", "+OK\r\n"},
          {"MGET a none b other c", "*5\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n$-1\r\n$1\r\n3\r\n"},
          {"MSET a 1 b", ARITY("mset")}, {"MSET a", ARITY("mset")}, {"MSET a x a y", "+OK\r\n"},
          {"GET a", "$1\r\ny\r\n"}, {"MSETNX a 1 z 2", ":0\r\n"}, {"EXISTS z", ":0\r\n"},
          {"MSETNX z 1 y 2 z 3", ":1\r\n"}, {"GET z", "$1\r\n3\r\n"}, {"MSETNX a", ARITY("msetnx")},
          {"MSETNX a 1 b", ARITY("msetnx")}, {"EXISTS a a none b", ":3\r\n"}, {"TOUCH a none", ":1\r\n"},
          {"DEL a a none b", ":2\r\n"}, {"UNLINK a c", ":1\r\n"}, {"DEL z y", ":2\r\n"}, {"EXISTS a b c z y", ":0\r\n"},
          {"DEL", ARITY("del")}, {"TYPE z", "+none\r\n"}, {"SET z 1", "+OK\r\n"}, {"TYPE z", "+string\r\n"});
}

static void test_ranges(void) {
    TABLE({"SET a abcdef", "+OK\r\n"}, {"GETRANGE a 0 -1", "$6\r\nabcdef\r\n"}, {"GETRANGE a -3 -1", "$3\r\ndef\r\n"},
          {"GETRANGE a 2 1", "$0\r\n\r\n"}, {"GETRANGE a -1 -3", "$0\r\n\r\n"},
          {"GETRANGE a -100 100", "$6\r\nabcdef\r\n"}, {"GETRANGE a 6 10", "$0\r\n\r\n"},
          {"SUBSTR a 1 2", "$2\r\nbc\r\n"}, {"GETRANGE a x 1", NOT_INTEGER}, {"GETRANGE none 0 1", "$0\r\n\r\n"},
          {"GETRANGE other 0 1", WRONG_TYPE},
          {"GETRANGE a -9223372036854775808 9223372036854775807", "$6\r\nabcdef\r\n"}, {"SETRANGE a 2 XX", ":6\r\n"},
          {"GET a", "$6\r\nabXXef\r\n"}, {"SETRANGE a 8 z", ":9\r\n"}, {"STRLEN a", ":9\r\n"},
          {"SETRANGE a -1 x", "-ERR offset is out of range\r\n"}, {"SETRANGE a x x", NOT_INTEGER},
          {"SETRANGE a 1048576 x", TOO_LONG}, {"SETRANGE a 9223372036854775807 x", TOO_LONG},
          {"SETRANGE none 5 \"\"", ":0\r\n"}, {"EXISTS none", ":0\r\n"}, {"SETRANGE new 0 x", ":1\r\n"},
          {"SETRANGE other 0 x", WRONG_TYPE}, {"SETRANGE a 0 \"\"", ":9\r\n"}, {"EXPIRE a 100", ":1\r\n"},
          {"APPEND a yz", ":11\r\n"}, {"TTL a", ":100\r\n"}, {"SETRANGE a 0 q", ":11\r\n"}, {"TTL a", ":100\r\n"},
          {"APPEND fresh 12", ":2\r\n"}, {"APPEND fresh \"\"", ":2\r\n"}, {"GET fresh", "$2\r\n12\r\n"},
          {"APPEND other x", WRONG_TYPE}, {"STRLEN other", WRONG_TYPE}, {"STRLEN none", ":0\r\n"});
    TABLE({"SETRANGE a 3 b", ":4\r\n"}, {"GETRANGE a 3 3", "$1\r\nb\r\n"}, {"SETRANGE big 1048575 b", ":1048576\r\n"},
          {"APPEND big x", TOO_LONG}, {"STRLEN big", ":1048576\r\n"}, {"GETRANGE big -1 -1", "$1\r\nb\r\n"});
}

static void test_numbers(void) {
    TABLE({"INCR n", ":1\r\n"}, {"INCRBY n 10", ":11\r\n"}, {"DECR n", ":10\r\n"}, {"DECRBY n -5", ":15\r\n"},
          {"EXPIRE n 50", ":1\r\n"}, {"INCR n", ":16\r\n"}, {"TTL n", ":50\r\n"},
          {"SET n 9223372036854775807", "+OK\r\n"}, {"INCR n", "-ERR increment or decrement would overflow\r\n"},
          {"GET n", "$19\r\n9223372036854775807\r\n"},
          {"DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"}, {"INCRBY n x", NOT_INTEGER},
          {"DECRBY n 1.0", NOT_INTEGER}, {"INCRBY n -0", NOT_INTEGER}, {"SET n \" 1\"", "+OK\r\n"},
          {"INCR n", NOT_INTEGER}, {"SET n \"1 \"", "+OK\r\n"}, {"INCR n", NOT_INTEGER},
          {"SET n -9223372036854775808", "+OK\r\n"}, {"DECR n", "-ERR increment or decrement would overflow\r\n"},
          {"INCR other", WRONG_TYPE}, {"INCR", ARITY("incr")});
    TABLE({"INCRBYFLOAT f 1.5", "$3\r\n1.5\r\n"}, {"INCRBYFLOAT f -1.5", "$1\r\n0\r\n"}, {"SET f 3.0e3", "+OK\r\n"},
          {"INCRBYFLOAT f 200", "$4\r\n3200\r\n"}, {"EXPIRE f 9", ":1\r\n"},
          {"INCRBYFLOAT f 0.25", "$7\r\n3200.25\r\n"}, {"TTL f", ":9\r\n"},
          {"INCRBYFLOAT f x", "-ERR value is not a valid float\r\n"},
          {"INCRBYFLOAT f nan", "-ERR value is not a valid float\r\n"},
          {"INCRBYFLOAT f inf", "-ERR increment would produce NaN or Infinity\r\n"}, {"SET f abc", "+OK\r\n"},
          {"INCRBYFLOAT f 1", "-ERR value is not a valid float\r\n"}, {"INCRBYFLOAT other 1", WRONG_TYPE});
}

static void test_expiry(void) {
    TABLE({"EXPIRE none 10", ":0\r\n"}, {"SET a v", "+OK\r\n"}, {"EXPIRE a 100", ":1\r\n"}, {"TTL a", ":100\r\n"},
          {"PTTL a", ":100000\r\n"}, {"EXPIRETIME a", ":1700000100\r\n"}, {"PEXPIRETIME a", ":1700000100000\r\n"},
          {"PEXPIRE a 1499", ":1\r\n"}, {"TTL a", ":1\r\n"}, {"EXPIREAT a 1700000200", ":1\r\n"}, {"TTL a", ":200\r\n"},
          {"PEXPIREAT a 1700000000700", ":1\r\n"}, {"PTTL a", ":700\r\n"}, {"PERSIST a", ":1\r\n"},
          {"PERSIST a", ":0\r\n"}, {"PERSIST none", ":0\r\n"}, {"TTL a", ":-1\r\n"}, {"EXPIRETIME a", ":-1\r\n"},
          {"TTL none", ":-2\r\n"}, {"PEXPIRETIME none", ":-2\r\n"}, {"EXPIRE a -1", ":1\r\n"}, {"EXISTS a", ":0\r\n"},
          {"SET a v", "+OK\r\n"}, {"PEXPIREAT a 1700000000000", ":1\r\n"}, {"EXISTS a", ":0\r\n"});
    TABLE({"SET a v", "+OK\r\n"}, {"EXPIRE a 100 XX", ":0\r\n"}, {"EXPIRE a 100 GT", ":0\r\n"},
          {"EXPIRE a 100 nx", ":1\r\n"}, {"EXPIRE a 100 NX", ":0\r\n"}, {"EXPIRE a 50 GT", ":0\r\n"},
          {"EXPIRE a 100 GT", ":0\r\n"}, {"EXPIRE a 150 GT", ":1\r\n"}, {"EXPIRE a 150 LT", ":0\r\n"},
          {"EXPIRE a 10 LT", ":1\r\n"}, {"EXPIRE a 20 XX", ":1\r\n"}, {"EXPIRE a 30 XX GT", ":1\r\n"},
          {"EXPIRE a 25 LT XX", ":1\r\n"}, {"PERSIST a", ":1\r\n"}, {"EXPIRE a 25 LT", ":1\r\n"},
          {"EXPIRE a 10 NX XX", "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"},
          {"EXPIRE a 10 GT LT", "-ERR GT and LT options at the same time are not compatible\r\n"},
          {"EXPIRE a 10 what", "-ERR Unsupported option what\r\n"},
          {"EXPIRE none 10 what", "-ERR Unsupported option what\r\n"}, {"EXPIRE a x", NOT_INTEGER},
          {"EXPIRE a 9223372036854775807", EXPIRE_TIME("expire")},
          {"EXPIRE a -9223372036854775808", EXPIRE_TIME("expire")},
          {"PEXPIRE a 9223372036854775807", EXPIRE_TIME("pexpire")},
          {"EXPIREAT a 9223372036854775807", EXPIRE_TIME("expireat")}, {"PEXPIREAT a 9223372036854775807", ":1\r\n"},
          {"PEXPIRETIME a", ":9223372036854775807\r\n"}, {"EXPIRE other 100", ":1\r\n"}, {"TTL other", ":100\r\n"},
          {"TYPE other", "+unknown\r\n"}, {"PERSIST other", ":1\r\n"});
}

static void test_time_passes(void) {
    fixture f;
    open_store(&f);
    client *c = client_new(&f);
    CHECK(strcmp(client_ask(&f, c, "SET a v PX 100"), "+OK\r\n") == 0);
    fixture_advance(&f, 99);
    CHECK(strcmp(client_ask(&f, c, "GET a"), "$1\r\nv\r\n") == 0);
    fixture_advance(&f, 1);
    CHECK(strcmp(client_ask(&f, c, "GET a"), NIL) == 0);
    CHECK(f.server->stats.expired_reads == 1);
    CHECK(strcmp(client_ask(&f, c, "EXISTS a"), ":0\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "DEL a"), ":0\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "EXPIRE a 10"), ":0\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "APPEND a x"), ":1\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "TTL a"), ":-1\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "SET a v PX 1 NX"), NIL) == 0);
    CHECK(strcmp(client_ask(&f, c, "SET a v PX 1 XX"), "+OK\r\n") == 0);
    fixture_advance(&f, 1);
    CHECK(strcmp(client_ask(&f, c, "SET a v KEEPTTL"), "+OK\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "TTL a"), ":-1\r\n") == 0);
    fixture_free(&f);
}

static void test_resp3(void) {
    fixture f;
    open_store(&f);
    client *c = client_new(&f);
    c->conn->resp = 3;
    CHECK(strcmp(client_ask(&f, c, "GET a"), "_\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "MGET a b"), "*2\r\n_\r\n_\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "LCS a b IDX"), "%2\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n") == 0);
    fixture_free(&f);
}

/* --- LCS ------------------------------------------------------------------------------------------------------------------------ */

static void test_lcs_replies(void) {
    TABLE({"MSET a ohmytext b mynewtext", "+OK\r\n"}, {"LCS a b", "$6\r\nmytext\r\n"}, {"LCS a b LEN", ":6\r\n"},
          {"LCS a b IDX",
           "*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*2\r\n*2\r\n:2\r\n:3\r\n"
           "*2\r\n:0\r\n:1\r\n$3\r\nlen\r\n:6\r\n"},
          {"LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
           "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n$3\r\nlen\r\n:6\r\n"},
          {"LCS a b IDX LEN", "-ERR If you want both the length and indexes, please just use IDX.\r\n"},
          {"LCS a b what", SYNTAX}, {"LCS a b MINMATCHLEN", SYNTAX}, {"LCS a b MINMATCHLEN x", NOT_INTEGER},
          {"LCS a none", "$0\r\n\r\n"}, {"LCS none none LEN", ":0\r\n"},
          {"LCS a other what", "-ERR The specified keys must contain string values\r\n"}, {"LCS a", ARITY("lcs")});
}

/* The length by the definition, for short strings. */
static uint32_t lcs_twin(slice a, slice b) {
    if (!a.size || !b.size) return 0;
    slice a_rest = slice_of(a.data, a.size - 1), b_rest = slice_of(b.data, b.size - 1);
    if (a.data[a.size - 1] == b.data[b.size - 1]) return 1 + lcs_twin(a_rest, b_rest);
    uint32_t without_a = lcs_twin(a_rest, b), without_b = lcs_twin(a, b_rest);
    return without_a > without_b ? without_a : without_b;
}

static void check_lcs(slice a, slice b, uint32_t size) {
    lcs_result r, lengths;
    OK(lcs_compute(a, b, true, &r));
    OK(lcs_compute(a, b, false, &lengths));
    CHECK(r.size == size && lengths.size == size && r.text.size == size);
    const lcs_range *ranges = (const lcs_range *)r.ranges.data;
    uint32_t a_before = (uint32_t)a.size, b_before = (uint32_t)b.size, at = size;
    for (size_t i = 0; i < r.ranges.size / sizeof *ranges; i++) {
        uint32_t n = ranges[i].a_last - ranges[i].a_first + 1;
        CHECK(ranges[i].b_last - ranges[i].b_first + 1 == n);
        CHECK(ranges[i].a_last < a_before && ranges[i].b_last < b_before);
        CHECK(memcmp(a.data + ranges[i].a_first, b.data + ranges[i].b_first, n) == 0);
        at -= n;
        CHECK(memcmp(a.data + ranges[i].a_first, r.text.data + at, n) == 0);
        a_before = ranges[i].a_first;
        b_before = ranges[i].b_first;
    }
    CHECK(at == 0);
    lcs_clear(&r);
    lcs_clear(&lengths);
}

static void test_lcs_twin(void) {
    uint64_t state = 12345;
    for (int i = 0; i < 400; i++) {
        uint8_t a[10], b[10];
        for (int k = 0; k < 10; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            a[k] = (uint8_t)('a' + (state >> 60) % 4);
            b[k] = (uint8_t)('a' + (state >> 40) % 4);
        }
        slice x = slice_of(a, (state >> 33) % 11), y = slice_of(b, (state >> 20) % 11);
        check_lcs(x, y, lcs_twin(x, y));
    }
}

/* Two strings so long that a job computes it. */
static void test_lcs_job(void) {
    fixture f;
    open_store(&f);
    client *c = client_new(&f);
    CHECK(strcmp(client_ask(&f, c, "SETRANGE a 1000 x"), ":1001\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "SETRANGE b 500 x"), ":501\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "LCS a b LEN"), ":501\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "SETRANGE a 1048575 x"), ":1048576\r\n") == 0);
    CHECK(strcmp(client_ask(&f, c, "LCS a b LEN"),
                 "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n") == 0);
    fixture_free(&f);
}

/* --- keys ------------------------------------------------------------------------------------------------------------------------- */

static void test_slots(void) {
    static const struct {
        const char *key;
        uint16_t slot;
    } known[] = {{"", 0},
                 {"123456789", 12739},
                 {"foo", 12182},
                 {"{user1000}.following", 3443},
                 {"{user1000}.x", 3443},
                 {"foo{}{bar}", 8363},
                 {"foo{{bar}}zap", 4015},
                 {"foo{bar}{zap}", 5061},
                 {"bar", 5061}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        CHECK(hash_slot(slice_text(known[i].key)) == known[i].slot);
    uint8_t bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 151 + 7);
        CHECK(crc16(slice_of(bytes, i)) == crc16_bitwise(slice_of(bytes, i)));
    }
    key_write(bytes, KIND_META, 3, slice_text("foo"));
    CHECK(memcmp(bytes,
                 "\x2f\x96\x01\x03"
                 "foo",
                 7) == 0);
}

static void test_table(void) {
    for (uint32_t i = 0; i < command_count; i++) {
        CHECK(command_find(slice_text(commands[i].name)) == &commands[i]);
        char upper[16];
        size_t size = strlen(commands[i].name);
        for (size_t k = 0; k < size; k++) upper[k] = commands[i].name[k] & ~0x20;
        CHECK(command_find(slice_of(upper, size)) == &commands[i]);
        CHECK(!command_find(slice_of(upper, size - 1)) || size > 4);
    }
    CHECK(!command_find(slice_of("get\0", 4)) && !command_find(slice_of("get ", 4)) &&
          !command_find(slice_of("pi\0g", 4)));
    static const char *unknown[] = {"", "x", "gett", "se", "hset", "averyveryverylongcommandname", "g\x05t"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) CHECK(!command_find(slice_text(unknown[i])));
}

/* --- values in the value log -------------------------------------------------------------------------------------------------- */

#define TEN        "0123456789"
#define FIFTY      TEN TEN TEN TEN TEN
#define FIFTY_BULK "$50\r\n" FIFTY "\r\n"

static void test_long_values(void) {
    TABLE({"SET a " FIFTY, "+OK\r\n"}, {"GET a", FIFTY_BULK}, {"STRLEN a", ":50\r\n"}, {"TYPE a", "+string\r\n"},
          {"EXISTS a", ":1\r\n"}, {"GETRANGE a -3 -1", "$3\r\n789\r\n"}, {"INCR a", NOT_INTEGER},
          {"SET a x IFEQ y", NIL}, {"SET a " FIFTY " IFEQ " FIFTY " GET", FIFTY_BULK}, {"SET b " FIFTY " NX GET", NIL},
          {"MGET a b none", "*3\r\n" FIFTY_BULK FIFTY_BULK NIL}, {"LCS a b LEN", ":50\r\n"}, {"EXPIRE a 100", ":1\r\n"},
          {"TTL a", ":100\r\n"}, {"GET a", FIFTY_BULK}, {"PERSIST a", ":1\r\n"}, {"GETEX a EX 10", FIFTY_BULK},
          {"GET a", FIFTY_BULK}, {"TTL a", ":10\r\n"}, {"GETEX a PERSIST", FIFTY_BULK}, {"GETEX a", FIFTY_BULK},
          {"TTL a", ":-1\r\n"}, {"APPEND a xyz", ":53\r\n"}, {"GET a", "$53\r\n" FIFTY "xyz\r\n"},
          {"SETRANGE a 0 X", ":53\r\n"}, {"GETRANGE a 0 3", "$4\r\nX123\r\n"}, {"GETSET b short", FIFTY_BULK},
          {"GETSET b " FIFTY, "$5\r\nshort\r\n"}, {"GETDEL b", FIFTY_BULK},
          {"MSET a " FIFTY " b 1 c " FIFTY, "+OK\r\n"}, {"MGET a b c", "*3\r\n" FIFTY_BULK "$1\r\n1\r\n" FIFTY_BULK},
          {"MSETNX c 1 d " FIFTY, ":0\r\n"}, {"MSETNX d " FIFTY, ":1\r\n"}, {"GET d", FIFTY_BULK},
          {"SETEX e 10 " FIFTY, "+OK\r\n"}, {"PTTL e", ":10000\r\n"}, {"SET e " FIFTY " KEEPTTL", "+OK\r\n"},
          {"TTL e", ":10\r\n"}, {"SET e " FIFTY " PXAT 1", "+OK\r\n"}, {"EXISTS e", ":0\r\n"},
          {"DEL a b c d", ":4\r\n"}, {"MSET a " FIFTY " a 1 b 1 b " FIFTY, "+OK\r\n"},
          {"MGET a b", "*2\r\n$1\r\n1\r\n" FIFTY_BULK},
          {"INCRBYFLOAT f 1e60", "$60\r\n999999999999999999999373423426722168652130621984886772203520\r\n"});
}

int main(void) {
    RUN(test_slots);
    RUN(test_table);
    RUN(test_lcs_twin);
    RUN(test_basic);
    RUN(test_get_and_set);
    RUN(test_set_options);
    RUN(test_set_expiry);
    RUN(test_getex);
    RUN(test_many);
    RUN(test_ranges);
    RUN(test_numbers);
    RUN(test_expiry);
    RUN(test_time_passes);
    RUN(test_resp3);
    RUN(test_lcs_replies);
    RUN(test_lcs_job);
    RUN(test_long_values);
    return check_done();
}
