/* command.h: the commands that run here, as data, and what they are written with.
 *
 * A command function reads through entries, writes through put_*, and appends its reply to c->out. It returns DONE when it has
 * replied (an error is a reply), or AGAIN when something it needs is not in memory: then it must not have put anything, its
 * partial reply is dropped, and it is run again from the start. So it reads everything first, then decides, then writes.
 */
#ifndef RKV_SERVE_COMMAND_H
#define RKV_SERVE_COMMAND_H

#include "resp/reply.h"
#include "serve/server.h"

enum { DONE, AGAIN };

enum command_flags {
    COMMAND_WRITE = 1,   /* is held back when writers are paced or paused */
    COMMAND_FOREIGN = 2, /* a word of HTTP: the client is dropped without a reply */
};

typedef int (*command_fn)(conn *c, const slice *args, uint32_t count);

struct command {
    const char *name; /* lower case */
    int arity;        /* arguments with the name; negative: at least so many */
    unsigned flags;
    int first_key, last_key, key_step; /* last_key negative: from the end */
    command_fn run;                    /* NULL: foreign */
};

extern const command commands[];
extern const uint32_t command_count; /* without the foreign ones, which come last */

/* The command of that name in any case, or NULL. */
const command *command_find(slice name);

/* Run the request that c->scan holds: reply, or wait, or queue it for the owner. */
void command_run(conn *c);

/* --- replies ------------------------------------------------------------------------------------------------------------- */

/* All of these return DONE, so that a command can end with them. A queue that is out of memory ends the connection. */
int say(conn *c, int rc); /* rc: of a reply_ function */
int say_error(conn *c, const char *text);
int say_format(conn *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
int say_status(conn *c, int code); /* the error reply for a status of the engine, whose text is status_text() */
int say_ok(conn *c);
int say_integer(conn *c, int64_t v);
int say_bulk(conn *c, slice data);
int say_null(conn *c);
int say_syntax(conn *c);
int say_wrong_type(conn *c);
int say_not_integer(conn *c);

/* Is arg this word, in any case? word is lower case. */
bool is_word(slice arg, const char *word);

/* --- the commands, by file ------------------------------------------------------------------------------------------------ */

int run_ping(conn *c, const slice *args, uint32_t count);
int run_echo(conn *c, const slice *args, uint32_t count);
int run_select(conn *c, const slice *args, uint32_t count);

int run_get(conn *c, const slice *args, uint32_t count);
int run_set(conn *c, const slice *args, uint32_t count);
int run_setnx(conn *c, const slice *args, uint32_t count);
int run_setex(conn *c, const slice *args, uint32_t count);
int run_psetex(conn *c, const slice *args, uint32_t count);
int run_getset(conn *c, const slice *args, uint32_t count);
int run_getdel(conn *c, const slice *args, uint32_t count);
int run_getex(conn *c, const slice *args, uint32_t count);
int run_mget(conn *c, const slice *args, uint32_t count);
int run_mset(conn *c, const slice *args, uint32_t count);
int run_msetnx(conn *c, const slice *args, uint32_t count);

int run_append(conn *c, const slice *args, uint32_t count);
int run_strlen(conn *c, const slice *args, uint32_t count);
int run_setrange(conn *c, const slice *args, uint32_t count);
int run_getrange(conn *c, const slice *args, uint32_t count);
int run_lcs(conn *c, const slice *args, uint32_t count);

int run_incr(conn *c, const slice *args, uint32_t count);
int run_decr(conn *c, const slice *args, uint32_t count);
int run_incrby(conn *c, const slice *args, uint32_t count);
int run_decrby(conn *c, const slice *args, uint32_t count);
int run_incrbyfloat(conn *c, const slice *args, uint32_t count);

int run_del(conn *c, const slice *args, uint32_t count);
int run_exists(conn *c, const slice *args, uint32_t count);
int run_type(conn *c, const slice *args, uint32_t count);

int run_expire(conn *c, const slice *args, uint32_t count);
int run_pexpire(conn *c, const slice *args, uint32_t count);
int run_expireat(conn *c, const slice *args, uint32_t count);
int run_pexpireat(conn *c, const slice *args, uint32_t count);
int run_ttl(conn *c, const slice *args, uint32_t count);
int run_pttl(conn *c, const slice *args, uint32_t count);
int run_expiretime(conn *c, const slice *args, uint32_t count);
int run_pexpiretime(conn *c, const slice *args, uint32_t count);
int run_persist(conn *c, const slice *args, uint32_t count);

/* GO, or DONE with an error: a database that clients may select. */
int database_read(conn *c, slice arg, uint8_t *out);

int run_rename(conn *c, const slice *args, uint32_t count);
int run_renamenx(conn *c, const slice *args, uint32_t count);
int run_copy(conn *c, const slice *args, uint32_t count);
int run_move(conn *c, const slice *args, uint32_t count);

#endif
