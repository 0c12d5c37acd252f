/* serve_fixture.h: a server on a store on a disk in memory, and clients without sockets.
 *
 * Time is the disk's: it stands still until fixture_advance. The store has no threads: jobs run when they are submitted, and come back with
 * the next fixture_round. Whatever is allocated must be gone by fixture_free: AddressSanitizer and os_fault see to it.
 */
#ifndef RKV_TESTS_SERVE_FIXTURE_H
#define RKV_TESTS_SERVE_FIXTURE_H

#include "os/os_fault.h"
#include "serve/server.h"

typedef struct client {
    conn *conn; /* NULL: closed */
    uint64_t id;
    buf got;      /* received and not yet looked at */
    bool stalled; /* takes nothing */
    struct client *next;
} client;

typedef struct fixture {
    os_fault *disk;
    os *os; /* the disk, made slow at will */
    db_options options;
    store store;
    server *server;
    client *clients;
} fixture;

/* A store with defaults but for memory (8 MiB), and no threads. Change options and limits before fixture_open. */
void fixture_init(fixture *f, limits *out_limits);
void fixture_open(fixture *f, const limits *l);
void fixture_close(fixture *f); /* server and store, not the disk */
void fixture_free(fixture *f);

client *client_new(fixture *f); /* lives until fixture_free */
/* Put bytes into a connection; returns how many it took before it stopped reading (or closed). */
size_t client_feed(client *c, const void *data, size_t size);
/* Run what may run, commit, let clients receive: until nothing moves. */
void fixture_round(fixture *f);
void fixture_advance(fixture *f, uint64_t ms);

/* Feed, one round, and what came: the text stays until the next call on this client. */
const char *client_talk(fixture *f, client *c, const void *data, size_t size);
/* The same for one inline command, "\r\n" added. */
const char *client_ask(fixture *f, client *c, const char *line);
/* What came since the last look. */
const char *client_got(client *c);

/* Answer all waiting requests of the owner with "+owner <name> <arguments>\r\n". Returns how many. */
int fixture_answer(fixture *f);

#endif
