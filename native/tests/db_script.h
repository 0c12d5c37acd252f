/* db_script.h: known histories of a store: commits with upkeep between them, the state after each, and the question whether a store shows one of
 * them. For tests in which the disk crashes or fails.
 */
#ifndef RKV_TESTS_DB_SCRIPT_H
#define RKV_TESTS_DB_SCRIPT_H

#include "db_twin.h"
#include "os/os_fault.h"

enum { COMMITS_MAX = 80, PUTS_MAX = 12 };

enum upkeep { NONE, SYNC, FLUSH, STEP, COMPACT, REOPEN, UPKEEPS };

typedef struct commit {
    unsigned puts;
    unsigned keys[PUTS_MAX];
    uint64_t hlc; /* of the first put; ascending by one */
    bool range;   /* instead of puts: delete keys [keys[0], keys[1]) */
    bool as_batch;
    enum upkeep then;
} commit;

typedef struct script {
    uint64_t seed;
    bool mapped;
    bool keeps_dead; /* horizon 0: tombstones stay, so states are told apart exactly */
    unsigned count;
    commit commits[COMMITS_MAX];
    twin *states; /* states[i]: after i commits */
} script;

/* A script of `count` commits, drawn from seed. */
script *script_new(uint64_t seed, unsigned count);
void script_free(script *s);

/* Is this a long run (RKV_SOAK)? */
bool script_soak(void);

/* A run of a script, and what it has been promised. */
typedef struct runner {
    const script *script;
    os_fault *disk;
    db_options options;
    db *d;
    unsigned begun;     /* commits whose puts were made, at least in part */
    unsigned committed; /* of them: db_commit said RKV_OK */
    unsigned synced;    /* of them: synced */
} runner;

void runner_init(runner *r, const script *s, os_fault *disk);

/* Run commit i: RKV_OK, or what failed. */
int runner_commit(runner *r, unsigned i);

/* The puts of a commit alone. An error: none of them was made. */
int script_put(db *d, const commit *c);

/* RKV_OK, or what failed. */
int runner_upkeep(runner *r, enum upkeep what);

/* What a store shows, key by key. */
typedef struct found {
    bool there[TWIN_KEYS];
    twin_version version[TWIN_KEYS];
} found;

/* false: a read failed. */
bool found_read(db *d, found *out);
bool found_is(const found *f, const twin *t, uint64_t now_ms, bool exact);

/* One of the states [from, to] must be found, else it aborts, saying `what`; returns the status of walking over it once more. */
int script_check(db *d, const script *s, unsigned from, unsigned to, os *o, const char *what);

/* Open what is on the disk, and check it so. */
void script_check_disk(os_fault *disk, const script *s, unsigned from, unsigned to, const char *what);

#endif
