/* entry.h: keys as commands see them: read, decide, put.
 *
 * Functions return GO when the command goes on, else what it has to return: DONE (an error reply has been written) or AGAIN.
 * An entry lives until the command ends, and so do the bytes it shows.
 *
 * What a command would have to wait for becomes a want: a block that is not in memory, a value from VALUE_JOB_MIN on that is to be read or
 * written. A command that returns AGAIN has its wants done by one job and is run again, when it finds the results; after
 * COMMAND_TRIES such rounds it does everything itself, waiting.
 *
 * A large value is written to the value log before its cell is put, under a version drawn when the job begins. Run again, the command
 * puts it only if no newer version of the key has come meanwhile; else the value is written anew. So what a command decided on
 * is still so when it takes effect.
 */
#ifndef RKV_SERVE_ENTRY_H
#define RKV_SERVE_ENTRY_H

#include "serve/command.h"

enum {
    GO = -1,
    COMMAND_TRIES = 4,
    VALUE_JOB_MIN = 256 * 1024, /* values from this size on are not read or written on the owner's thread */
};

struct entry {
    entry *next; /* in server.entries */
    slice key;   /* internal */
    uint64_t hash;
    bool exists; /* live at server.now_ms */
    bool held;   /* value must be released */
    db_value value;
    chunk *chunk;          /* the value as read from the value log here; owned */
    struct job_item *item; /* or by a job, which has it */
};

/* --- read ----------------------------------------------------------------------------------------------------------------- */

/* Look a key up, of whatever type. */
int entry_get(conn *c, slice key, entry **out);
/* The same in another logical database. */
int entry_get_in(conn *c, uint8_t db, slice key, entry **out);
/* entry_get for commands that only read: counts a hit or a miss. */
int entry_read(conn *c, slice key, entry **out);

/* Look up args[0], args[step], ... and visit each in order, overlapping the lookups. visit returns GO or what the command has to return; the entry is
 * gone after it. All are visited even if one of them wants something, so that one job serves all. */
typedef int (*entry_visit)(conn *c, entry *e, uint32_t number, void *context);
int entry_each(conn *c, const slice *args, uint32_t count, uint32_t step, entry_visit visit, void *context);

/* DONE with -WRONGTYPE if it exists and is no string. */
int entry_string(conn *c, const entry *e);
void entry_count(conn *c, const entry *e);
/* The type byte of an entry that exists. */
uint8_t entry_type(const entry *e);

/* Bytes of an existing string. Does not read it. */
int entry_size(conn *c, const entry *e, uint64_t *out);
/* The bytes of an existing string. */
int entry_text(conn *c, entry *e, slice *out);
/* The payload of an existing string, to be put elsewhere: two cells may not share a value in the value log. */
int entry_payload(conn *c, entry *e, slice *out);
/* Append an existing string as a bulk reply, without a copy where it is large. */
int entry_reply(conn *c, entry *e);

/* --- write ---------------------------------------------------------------------------------------------------------------- */

/* A cell to put. */
typedef struct put {
    slice key; /* internal */
    uint64_t hash;
    slice payload;          /* type byte and content; empty: delete */
    uint64_t expires_at_ms; /* 0: never */
} put;

/* Set key and hash of *out for a key that is not read. */
int put_key(conn *c, slice key, put *out);

/* The payload of an argument or of an entry's text, without a copy: the byte before either is free. */
slice payload_of(slice arg);
/* Room for a computed string of size bytes at *out; its payload is slice_of(*out - 1, size + 1). */
int payload_room(conn *c, uint64_t size, uint8_t **out);

/* Put all of them or none, as one step that no other command sees in parts. GO: done. */
int put_all(conn *c, const put *puts, uint32_t count);
int put_value(conn *c, const entry *e, slice payload, uint64_t expires_at_ms);
int put_delete(conn *c, const entry *e);
/* The same value with another expiry (0: never). A value in the value log is written anew. */
int put_expiry(conn *c, entry *e, uint64_t expires_at_ms);

/* --- for command.c, job.c ------------------------------------------------------------------------------------------------- */

/* Something to be done off the owner's thread before the command can run. */
enum want_action { WANT_BLOCK, WANT_VALUE, WANT_WRITE };
typedef struct want {
    struct want *next;
    enum want_action action;
    slice key;
    uint64_t hash;
    cell cell;     /* VALUE: the pointer, WRITE: the version */
    slice payload; /* WRITE; in memory that outlives the command: a big argument, or a scratch block */
} want;

/* Release the entries of the command, and forget its wants. */
void entries_clear(server *v);

#endif
