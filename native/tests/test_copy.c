/* test_copy.c: RENAME, COPY and MOVE: small values, values that lie in the value log, and large ones that jobs read and write.
 *
 * The expected replies are redis-server 7.0.15's; tests/compat compares with a live one.
 */
#include "check.h"
#include "serve_fixture.h"

enum { LARGE = 300000 };

typedef struct line {
    const char *command, *reply;
} line;

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

/* With values inline, and all of them in the value log. */
#define TABLE(...)                                                                                                     \
    do {                                                                                                               \
        static const line lines[] = {__VA_ARGS__};                                                                     \
        for (int in_log = 0; in_log < 2; in_log++) {                                                                   \
            fixture f;                                                                                                 \
            limits l;                                                                                                  \
            fixture_init(&f, &l);                                                                                      \
            if (in_log) f.options.value_log_min = VALUE_REF_SIZE_MAX;                                                  \
            fixture_open(&f, &l);                                                                                      \
            run_lines(&f, lines, sizeof lines / sizeof *lines);                                                        \
            fixture_free(&f);                                                                                          \
        }                                                                                                              \
    } while (0)

#define LONG_TEXT "a-value-that-is-longer-than-a-reference-to-the-value-log"
#define LONG_BULK "$56\r\n" LONG_TEXT "\r\n"
#define NO_KEY    "-ERR no such key\r\n"
#define SAME      "-ERR source and destination objects are the same\r\n"
#define RANGE     "-ERR DB index is out of range\r\n"
#define NIL       "$-1\r\n"

static void test_rename(void) {
    TABLE({"RENAME a b", NO_KEY}, {"RENAMENX a b", NO_KEY}, {"SET a " LONG_TEXT " PX 5000", "+OK\r\n"},
          {"RENAME a b", "+OK\r\n"}, {"GET a", NIL}, {"GET b", LONG_BULK}, {"PTTL b", ":5000\r\n"},
          {"RENAME b b", "+OK\r\n"}, {"RENAMENX b b", ":0\r\n"}, {"SET c other", "+OK\r\n"}, {"RENAMENX b c", ":0\r\n"},
          {"RENAMENX b d", ":1\r\n"}, {"GET d", LONG_BULK}, {"RENAME d c", "+OK\r\n"}, {"GET c", LONG_BULK},
          {"EXISTS a b d", ":0\r\n"}, {"RENAME a", "-ERR wrong number of arguments for 'rename' command\r\n"});
}

static void test_copy(void) {
    TABLE({"COPY a b", ":0\r\n"}, {"SET a " LONG_TEXT " PX 5000", "+OK\r\n"}, {"COPY a b", ":1\r\n"},
          {"PTTL b", ":5000\r\n"}, {"COPY a b", ":0\r\n"}, {"SET b x", "+OK\r\n"}, {"COPY a b replace", ":1\r\n"},
          {"GET b", LONG_BULK}, {"COPY a a", SAME}, {"COPY a a DB 0", SAME}, {"COPY a a DB 3", ":1\r\n"},
          {"COPY a z DB 3 REPLACE", ":1\r\n"}, {"SELECT 3", "+OK\r\n"}, {"MGET a z", "*2\r\n" LONG_BULK LONG_BULK},
          {"COPY a b DB 16", RANGE}, {"COPY a b DB x", "-ERR value is not an integer or out of range\r\n"},
          {"COPY a b DB", "-ERR syntax error\r\n"}, {"COPY a b what", "-ERR syntax error\r\n"},
          {"SET a changed", "+OK\r\n"}, {"GET z", LONG_BULK});
}

static void test_move(void) {
    TABLE({"MOVE a 1", ":0\r\n"}, {"SET a " LONG_TEXT " PX 5000", "+OK\r\n"}, {"MOVE a 0", SAME}, {"MOVE a 16", RANGE},
          {"MOVE a -1", RANGE}, {"MOVE a 1", ":1\r\n"}, {"EXISTS a", ":0\r\n"}, {"SET a new", "+OK\r\n"},
          {"MOVE a 1", ":0\r\n"}, {"GET a", "$3\r\nnew\r\n"}, {"SELECT 1", "+OK\r\n"}, {"GET a", LONG_BULK},
          {"PTTL a", ":5000\r\n"});
}

static void test_what_has_expired_is_not_there(void) {
    fixture f;
    limits l;
    fixture_init(&f, &l);
    fixture_open(&f, &l);
    client *c = client_new(&f);
    CHECK(!strcmp(client_ask(&f, c, "SET a 1 PX 100"), "+OK\r\n"));
    CHECK(!strcmp(client_ask(&f, c, "SET b 2 PX 100"), "+OK\r\n"));
    CHECK(!strcmp(client_ask(&f, c, "SET live 3"), "+OK\r\n"));
    fixture_advance(&f, 100);
    CHECK(!strcmp(client_ask(&f, c, "RENAME a x"), NO_KEY));
    CHECK(!strcmp(client_ask(&f, c, "COPY a x"), ":0\r\n"));
    CHECK(!strcmp(client_ask(&f, c, "RENAMENX live b"), ":1\r\n"));
    fixture_free(&f);
}

static void set_large(fixture *f, client *c, const char *key, char fill) {
    char head[64];
    int size = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%d\r\n", strlen(key), key, LARGE);
    char *value = malloc(LARGE + 2);
    CHECK(value);
    memset(value, fill, LARGE);
    memcpy(value + LARGE, "\r\n", 2);
    client_feed(c, head, (size_t)size);
    CHECK(!strcmp(client_talk(f, c, value, LARGE + 2), "+OK\r\n"));
    free(value);
}

/* A large value is read and written by jobs; what the key holds when the command takes effect is what goes. */
static void test_large_values(void) {
    fixture f;
    limits l;
    fixture_init(&f, &l);
    fixture_open(&f, &l);
    client *a = client_new(&f), *b = client_new(&f);
    set_large(&f, a, "k", 'x');
    CHECK(!strcmp(client_ask(&f, a, "COPY k l"), ":1\r\n"));
    CHECK(!strcmp(client_ask(&f, a, "MOVE l 2"), ":1\r\n"));
    CHECK(!strcmp(client_ask(&f, a, "RENAME k m"), "+OK\r\n"));
    CHECK(!strcmp(client_ask(&f, a, "EXISTS k l m"), ":1\r\n"));
    CHECK(!strcmp(client_ask(&f, b, "SELECT 2"), "+OK\r\n"));
    CHECK(!strcmp(client_ask(&f, b, "STRLEN l"), ":300000\r\n"));
    CHECK(!strcmp(client_ask(&f, b, "GETRANGE l 299999 -1"), "$1\r\nx\r\n"));
    CHECK(!strcmp(client_ask(&f, a, "GETRANGE m 0 0"), "$1\r\nx\r\n"));
    client_feed(a, "RENAME m n\r\n", 12); /* its job is under way while the other client changes the value */
    CHECK(!strcmp(client_ask(&f, b, "SELECT 0"), "+OK\r\n"));
    CHECK(!strcmp(client_ask(&f, b, "SET m small"), "+OK\r\n"));
    fixture_round(&f);
    const char *reply = client_got(a);
    CHECK(!strcmp(reply, "+OK\r\n"));
    const char *left = client_ask(&f, b, "STRLEN n");
    CHECK(!strcmp(left, ":300000\r\n") || !strcmp(left, ":5\r\n"));
    bool after = !strcmp(left, ":5\r\n");
    CHECK(!strcmp(client_ask(&f, b, "EXISTS m"), after ? ":0\r\n" : ":1\r\n"));
    fixture_free(&f);
}

int main(void) {
    RUN(test_rename);
    RUN(test_copy);
    RUN(test_move);
    RUN(test_what_has_expired_is_not_there);
    RUN(test_large_values);
    return check_done();
}
