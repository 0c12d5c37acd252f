/* cmd_basic.c: commands without a key, and those that only ask for or remove keys. */
#include <stdlib.h>

#include "base/alloc.h"
#include "resp/number.h"
#include "serve/entry.h"
#include "serve/keys.h"

int run_ping(conn *c, const slice *args, uint32_t count) {
    if (count > 2) return say_error(c, "ERR wrong number of arguments for 'ping' command");
    return count == 2 ? say_bulk(c, args[1]) : say(c, reply_raw(&c->out, slice_of("+PONG\r\n", 7)));
}

int run_echo(conn *c, const slice *args, uint32_t count) {
    (void)count;
    return say_bulk(c, args[1]);
}

int run_select(conn *c, const slice *args, uint32_t count) {
    (void)count;
    int r = database_read(c, args[1], &c->db);
    return r == GO ? say_ok(c) : r;
}

static int count_existing(conn *c, entry *e, uint32_t number, void *context) {
    (void)number;
    entry_count(c, e);
    if (e->exists) ++*(int64_t *)context;
    return GO;
}

/* EXISTS and TOUCH. */
int run_exists(conn *c, const slice *args, uint32_t count) {
    int64_t found = 0;
    int r = entry_each(c, args + 1, count - 1, 1, count_existing, &found);
    return r == GO ? say_integer(c, found) : r;
}

/* Which keys DEL found, each once. */
typedef struct doomed {
    put *puts;
    uint32_t count;
} doomed;

static int doom(conn *c, entry *e, uint32_t number, void *context) {
    doomed *d = context;
    (void)c;
    (void)number;
    if (e->exists) d->puts[d->count++] = (put){.key = e->key, .hash = e->hash};
    return GO;
}

static int by_hash_and_key(const void *a, const void *b) {
    const put *p = a, *q = b;
    if (p->hash != q->hash) return p->hash < q->hash ? -1 : 1;
    return slice_compare(p->key, q->key);
}

/* A key named twice is deleted, and counted, once. */
static void drop_repeated(doomed *d) {
    if (d->count < 2) return;
    qsort(d->puts, d->count, sizeof *d->puts, by_hash_and_key);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < d->count; i++)
        if (by_hash_and_key(&d->puts[i], &d->puts[kept - 1]) != 0) d->puts[kept++] = d->puts[i];
    d->count = kept;
}

/* DEL and UNLINK. */
int run_del(conn *c, const slice *args, uint32_t count) {
    size_t size = (count - 1) * sizeof(put);
    doomed d = {.puts = scratch_take(&c->server->scratch, size)};
    if (!d.puts) return say_status(c, alloc_failed(size));
    int r = entry_each(c, args + 1, count - 1, 1, doom, &d);
    if (r != GO) return r;
    drop_repeated(&d);
    r = d.count ? put_all(c, d.puts, d.count) : GO;
    return r == GO ? say_integer(c, d.count) : r;
}

int run_type(conn *c, const slice *args, uint32_t count) {
    (void)count;
    entry *e;
    int r = entry_read(c, args[1], &e);
    if (r != GO) return r;
    const char *name = !e->exists ? "+none\r\n" : entry_type(e) == TYPE_STRING ? "+string\r\n" : "+unknown\r\n";
    return say(c, reply_raw(&c->out, slice_text(name)));
}
