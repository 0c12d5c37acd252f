/* server.h: client connections as a machine without sockets: bytes go in, commands run, bytes come out.
 *
 * A round: feed connections what they sent (conn_space, conn_received, conn_run), then server_commit once, then send what each
 * connection's out lets go (conn_sent). Commands run at once and in order, on every connection; only replies wait.
 *
 *            conn_received                     reply(last)
 *   READY ---- parse, run ----> REQUEST (owner's turn) ----> READY
 *     |  \---- cold read or large write ----> JOB ----> READY (the command is run again, and finds what it missed)
 *     |  \---- writes paced, CLIENT PAUSE ----> PAUSED ----> READY (run again)
 *     |------- QUIT, protocol error, end of stream ----> CLOSING (sends the rest) ----> CLOSED
 *     any ---- limit, failed commit, reset ----> CLOSED (memory stays while a request or a job uses it)
 *
 * Laws. A command that is run again has changed nothing before. What a connection writes in a round is logged before its replies of
 * the round can be sent; if that fails its outcome is unknown, and the connection is closed. Under the policy `always` a reply
 * that acknowledges a write, or shows one that is not synced yet, is held until it is.
 *
 * Threads: the owner's, but for the work of jobs.
 */
#ifndef RKV_SERVE_SERVER_H
#define RKV_SERVE_SERVER_H

#include "base/list.h"
#include "resp/out.h"
#include "resp/scan.h"
#include "serve/scratch.h"
#include "serve/store.h"

enum {
    INPUT_SIZE = 64 * 1024,         /* of the server's shared receive buffer */
    INPUT_COPY_MAX = 16 * 1024,     /* an unfinished request up to this goes on in the shared buffer */
    OUTPUT_PARSE_MAX = 1024 * 1024, /* unsent bytes above which a client's commands wait */
    OUTPUT_UNAUTHENTICATED_MAX = 64 * 1024,
    RUN_COMMANDS_MAX = 1024,    /* of one connection in one round */
    COMMIT_BYTES = 1024 * 1024, /* uncommitted bytes above which a commit does not wait for the end of the round */
    DATABASES_MAX = 256,        /* a database number is a byte of the key */
    DRAIN_MS = 1000,            /* how long a closed client may take to read its last replies */
    MARKS_MAX = 1024,           /* commits that are remembered until they are durable */
};

enum conn_state { CONN_READY, CONN_REQUEST, CONN_JOB, CONN_PAUSED, CONN_CLOSING, CONN_CLOSED };

typedef struct server server;
typedef struct conn conn;
typedef struct command command;
typedef struct entry entry;
typedef struct job job;
typedef struct slow_log slow_log;
typedef struct ahead ahead;

typedef struct limits {
    uint32_t clients_max, clients_unauthenticated_max;
    uint64_t bulk_max, value_max, key_max, query_max;
    uint64_t output_hard_max, output_soft_max;
    uint32_t output_soft_s;
    uint64_t all_buffers_max;
    uint32_t timeout_s, auth_timeout_s, keepalive_s;
    bool auth_required, protected_mode;
    int64_t slow_us; /* -1: off */
    uint32_t databases;
} limits;

void limits_init(limits *out);

/* What a client told about itself; made when it does. */
typedef struct conn_names {
    char name[128], lib_name[64], lib_version[64], user[64];
} conn_names;

struct conn {
    server *server;
    uint64_t id;
    enum conn_state state;
    uint8_t resp;       /* 2 or 3 */
    uint8_t db;         /* logical */
    uint8_t reply_mode; /* 0 on, 1 off, 2 skip the next */
    uint8_t tries;      /* how often the current command has waited for a job */
    bool authenticated; /* or need not */
    bool pending;       /* scan holds a request that has not been answered */
    bool in_shared;     /* input is the server's shared buffer */
    bool ended;         /* nothing more will come */
    bool muted;         /* replies of the current command are dropped */
    bool throttled;     /* waits for its replies to be sent */
    bool wrote;         /* the current command's reply depends on the open batch, or on what is not durable */
    bool running;       /* REQUEST: handed out */
    bool no_evict, no_touch;
    scan scan;
    const uint8_t *input; /* the current request and what follows it; the server's shared buffer, or own */
    size_t input_size;
    uint8_t *own;                /* memory of its own, NULL while idle */
    size_t own_capacity, own_at; /* input begins at own + own_at when it lies there */
    out out;
    uint64_t dirty_offset; /* first byte that waits for the open batch, if in server.dirty */
    job *jobs;             /* finished ones of the current command */
    uint64_t job_bytes;    /* of values that jobs read for it */
    job *working;          /* the one that runs */
    const command *last_command;
    char last_name[24]; /* of the last command that was not native */
    conn_names *names;
    uint64_t created_ms, active_ms, soft_since_ms, drain_until_ms;
    uint64_t commands, bytes_in, bytes_out;
    uint64_t counted_query, counted_output; /* in the server's totals */
    list all, ready, dirty, sending, waiting, held, dead;

    /* the socket driver's */
    int fd; /* -1: none */
    bool readable, writable;
    bool hung; /* the peer has closed its side, or more: the end of the stream is to be read */
    bool shut; /* our side is closed */
    char address[64], local_address[64];
};

typedef struct server_stats {
    uint64_t connections, rejected, commands, protocol_errors, foreign_protocols;
    uint64_t bytes_in, bytes_out, keyspace_hits, keyspace_misses, expired_reads, evicted_clients, output_limit_closed,
        query_limit_closed, cold_reads, polls;
} server_stats;

typedef struct command_stats {
    uint64_t calls, ns, rejected, failed;
} command_stats;

struct server {
    store *store;
    db *db;
    limits limits;
    scan_limits scan_limits[2]; /* by conn.authenticated */
    uint64_t now_ms, now_ns;
    uint64_t clock_next_ns; /* when now_ms has to be read again */
    uint8_t map[DATABASES_MAX];
    uint64_t value_log_min;

    list clients; /* conn.all, ascending ids */
    uint64_t last_id;
    uint32_t client_count, unauthenticated_count, blocked_count;
    conn **index; /* open hash by id */
    size_t index_capacity, index_count;

    list ready;    /* may run more, or have bytes to read */
    list dirty;    /* replies wait for the open batch */
    list sending;  /* have replies that may go */
    list requests; /* conn.waiting: wait for server_request */
    list paused;   /* conn.waiting */
    list held;     /* have holds */
    list dead;     /* closed, to be freed */
    uint32_t request_count;

    uint8_t *shared; /* INPUT_SIZE */
    slice *args;     /* the spare array of scanners */
    uint32_t args_capacity;
    scratch scratch;
    struct ahead *ahead;
    entry *entries;     /* of the command that runs */
    struct want *wants; /* of the command that runs, newest first */
    uint64_t want_bytes;
    uint32_t job_count; /* with the pool */
    chunk_pool chunks;
    bool failed;   /* the command that runs answered with an error */
    out_mark mark; /* where its reply begins */

    enum wal_policy policy; /* as of the last look at the store's */
    uint64_t durable_hlc;   /* a reply that shows a later version waits; UINT64_MAX unless the policy is always */
    uint64_t safe_hlc;      /* every version put in order up to this is synced */
    bool late;              /* a version below others was put in the open batch */
    uint64_t late_seq;      /* of the last such commit that is not durable, or 0: nothing counts as synced */
    struct durable_mark {
        uint64_t seq, hlc;
    } * marks; /* ring of commits that are not durable */
    uint32_t mark_first, mark_count;

    uint64_t write_at_ns;    /* writers wait until then */
    uint64_t written_values; /* bytes put in the value log since the last commit */
    uint64_t pause_until_ms;
    bool pause_writes_only;

    list *cron_next; /* in clients: whose turn it is */

    uint64_t query_total, output_total;
    server_stats stats;
    command_stats *command_stats; /* by command number */
    slow_log *slow;
};

int server_new(server **out, store *s, const limits *l);
/* Close all connections (closed: as in server_reap), wait for their jobs, free. Accepts NULL. */
void server_free(server *v, void (*closed)(conn *c));
void server_configure(server *v, const limits *l);

/* Read the clocks; rounds begin with it. */
void server_time(server *v);

/* --- connections ------------------------------------------------------------------------------------------------------- */

/* A new connection. NULL: out of memory. The caller has checked clients_max. */
conn *server_connect(server *v);
conn *server_client(server *v, uint64_t id); /* NULL: gone */
conn *server_find(server *v, uint64_t id);   /* a closed one too, while its memory lives */

/* Where the next bytes of the stream go; *out_size of them at most. NULL: out of memory (the connection is closed). Only when conn_reads. */
uint8_t *conn_space(conn *c, size_t *out_size);
/* size bytes were put there. */
void conn_received(conn *c, size_t size);
/* The peer sends no more: the connection closes when everything has been answered. */
void conn_end(conn *c);
/* Parse and run as much as there is and may be. */
void conn_run(conn *c);
/* May bytes be received now? */
bool conn_reads(const conn *c);

/* size bytes of out_pieces(&c->out) were sent. */
void conn_sent(conn *c, size_t size);
/* Queue c for sending if something may go. */
void conn_send(conn *c);

/* Close at once; what was not sent is lost. c lives until server_reap. */
void conn_kill(conn *c);
/* Close when the replies so far are sent. */
void conn_close(conn *c);
/* It has shown who it is, or is to show it again. */
void conn_authenticate(conn *c, bool authenticated);
/* Its command may be run again now. */
void conn_resume(conn *c);
/* Free the dead that nobody uses; calls closed for each (the driver closes its socket). */
void server_reap(server *v, void (*closed)(conn *c));

/* --- rounds --------------------------------------------------------------------------------------------------------------- */

/* Log what was written and say what may be sent. A failure closes the connections whose writes it concerns. */
void server_commit(server *v);

/* After db_event_fd: finished jobs, durable log, lifted stops. */
void server_events(server *v);

/* Paused connections whose time has come; returns how many ns until the next must be looked at, UINT64_MAX: none waits. */
uint64_t server_resume_paused(server *v);

/* Time-outs, soft limits, buffer totals: about ten times a second. */
void server_cron(server *v);

void server_pause(server *v, uint64_t until_ms, bool writes_only);
/* The store's policy has changed. */
void server_set_policy(server *v);

/* --- requests: the commands that are the owner's to run ------------------------------------------------------------------ */

/* The next one; NULL: none. Its arguments are c->scan.args until the last reply. */
conn *server_request(server *v);
/* Reply bytes of it; RKV_OK, RKV_NOTFOUND (gone), RKV_ETOOBIG (closed for its size), RKV_ENOMEM (closed). */
int server_reply(server *v, uint64_t id, slice bytes, uint64_t wait_seq, bool last);

/* --- for the files of this room ------------------------------------------------------------------------------------------- */

/* The largest buffers go until all together are below the limit. */
void server_evict(server *v);
/* The current command has been answered: its reply waits for what it wrote, the next one may come. */
void conn_finish(conn *c);
/* Its command waits for a time and is run again then. */
void conn_pause(conn *c);
/* What is written to c->out from offset on waits for the next commit. */
void conn_dirty(conn *c, uint64_t offset);
/* Bring the server's buffer totals up to date, and apply the output limits. */
void conn_account(conn *c);

#endif
