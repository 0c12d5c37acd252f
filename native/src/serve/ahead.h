/* ahead.h: what the next commands of a pipeline will need, fetched for all of them at once.
 *
 * A lookup costs a few cache misses one after the other; those of many lookups overlap (db_get_many). So when a command with a key is about to run and more
 * requests lie behind it, their keys are hashed and prefetched, and if the first of them are GETs those are looked up.
 * The commands then run as always, one by one, and find the work done (ahead_take). What was looked up stays true: between lookup and
 * use nothing runs but GETs of this connection.
 *
 * It lasts until the connection's turn ends. A wrong guess is work for nothing, no more: an item is used for its own key only.
 */
#ifndef RKV_SERVE_AHEAD_H
#define RKV_SERVE_AHEAD_H

#include "serve/server.h"

enum { AHEAD_MAX = 16, AHEAD_KEY_MAX = 256 };

struct ahead {
    uint32_t next, count;
    uint32_t looked_up;             /* so many of the first have status and value */
    const uint8_t *args[AHEAD_MAX]; /* keys as they lie in the input */
    slice keys[AHEAD_MAX];          /* internal, in bytes */
    uint64_t hashes[AHEAD_MAX];
    int status[AHEAD_MAX];
    db_value values[AHEAD_MAX];
    uint8_t bytes[AHEAD_MAX][AHEAD_KEY_MAX];
};

/* The command in c->scan is about to run: look ahead if the last look is used up. */
void ahead_look(conn *c);

/* The number of the item for the key at arg, which is then the caller's to use: its value too, if looked up. -1: none. */
int ahead_take(server *v, slice arg);

/* Release what was not used. */
void ahead_clear(server *v);

#endif
