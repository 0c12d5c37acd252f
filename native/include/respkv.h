/* respkv.h: the one public header of the C core: the source of the Python binding (native/build_ffi.py reads it as it stands).
 *
 * Conventions. Functions return a status: 0, a positive outcome, or a negative error whose text rkv_error() gives until the next call on
 * the same thread. Outputs are written only on success. Handles are opaque; free and close accept NULL. Sizes are bytes, times are ms
 * (wall) unless the name says otherwise. Pointers given to a function are borrowed for the call; pointers that come out say whose they are.
 *
 * Threads. A store and the server on it belong to one thread, the owner (the event loop). Functions marked [any] may be called on other
 * threads meanwhile. No function calls back into the caller.
 *
 * No preprocessor below this block but the include guard: the binding's parser reads the rest.
 */
#ifndef RESPKV_H
#define RESPKV_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rkv_status {
    RKV_STATUS_OK = 0,
    RKV_STATUS_NOTFOUND = 1,
    RKV_STATUS_WOULDBLOCK = 2,
    RKV_STATUS_STALE = 3,
    RKV_STATUS_END = 4,
    RKV_STATUS_ENOMEM = -1,
    RKV_STATUS_EIO = -2,
    RKV_STATUS_ECORRUPT = -3,
    RKV_STATUS_ENOSPC = -4,
    RKV_STATUS_EINVAL = -5,
    RKV_STATUS_ELOCKED = -6,
    RKV_STATUS_EFORMAT = -7,
    RKV_STATUS_EREADONLY = -8,
    RKV_STATUS_ETOOBIG = -9,
    RKV_STATUS_ECLOSED = -10
};

const char *rkv_error(void);           /* [any] text of this thread's last error; valid until its next call */
const char *rkv_status_name(int code); /* [any] */
const char *rkv_build_info(void);      /* [any] "version=... lz4=yes crc32c=sse4.2 ..." */
void rkv_free(void *block);            /* [any] memory that a function gave away */
uint64_t rkv_crc64(const uint8_t *data, size_t size); /* [any] Redis's CRC-64, which closes DUMP payloads */

/* ---- the store ------------------------------------------------------------------------------------------------------- */

typedef struct rkv_store rkv_store;
typedef struct rkv_view rkv_view;
typedef struct rkv_iter rkv_iter;

typedef struct rkv_options {
    uint64_t memory_bytes;   /* memtables and block cache together */
    uint64_t memtable_bytes; /* 0: min(64 MiB, memory_bytes / 8) */
    int sync_policy;         /* 0 always, 1 everysec, 2 no */
    bool mapped_wal;
    uint64_t wal_segment_bytes;
    uint64_t value_log_min; /* payloads of at least this go to the value log */
    uint64_t block_bytes;
    uint32_t bloom_bits;
    bool compress;
    uint64_t level_bytes;
    uint64_t table_bytes;
    uint64_t compaction_rate; /* bytes a second, 0: no limit */
    uint32_t read_threads;
    uint32_t node; /* the node id in the versions written here */
    bool read_only;
} rkv_options;

typedef struct rkv_recovery {
    bool created;
    uint64_t tables, table_bytes, wal_records, wal_bytes, wal_cut_bytes, max_hlc, elapsed_ms;
    char wal_cut_at[300];
} rkv_recovery;

void rkv_options_init(rkv_options *out);
/* Progress of a long recovery is written to progress[0] (done bytes) and progress[1] (all bytes) for another thread to read; may be NULL. */
int rkv_store_open(rkv_store **out, const char *dir, const rkv_options *options, rkv_recovery *out_recovery,
                   uint64_t *progress);
int rkv_store_close(rkv_store *s);

/* The hybrid clock: a new version stamp above all given before, at or after the wall clock. */
uint64_t rkv_store_tick(rkv_store *s);
uint64_t rkv_now_ms(rkv_store *s);

/* Apply a commit batch (grammar: native/src/lsm/batch.h), one log record. *out_seq: pass it to rkv_server_reply to hold a reply until it is durable. */
int rkv_store_write(rkv_store *s, const uint8_t *batch, size_t size, uint64_t *out_seq);
uint64_t rkv_store_last_seq(rkv_store *s); /* of the last record in the log */
int rkv_store_sync(rkv_store *s);
int rkv_store_set_sync(rkv_store *s, int policy);
int rkv_store_set_memory(rkv_store *s, uint64_t memory_bytes);
int rkv_store_failure(rkv_store *s); /* [any] 0, or why writes are refused (text in rkv_error) */

typedef struct rkv_cell {
    uint64_t hlc, expires_at_ms;
    uint32_t node;
    uint8_t flags;       /* 1: tombstone */
    const uint8_t *data; /* the payload, values from the value log included; freed by rkv_cell_clear */
    size_t size;
    void *owner; /* private */
} rkv_cell;

/* The winning cell of a key, tombstones and expired cells too. Waits for the disk. */
int rkv_store_get(rkv_store *s, const uint8_t *key, size_t key_size, rkv_cell *out);
void rkv_cell_clear(rkv_cell *c);

/* A stable picture of the store. Take it on the owner thread; use and release it on any. */
rkv_view *rkv_view_acquire(rkv_store *s);
void rkv_view_release(rkv_view *v);                                                /* [any] */
int rkv_view_get(rkv_view *v, const uint8_t *key, size_t key_size, rkv_cell *out); /* [any] */

/* Live cells at now_ms of keys in [lower, upper), ascending; 0 sizes are open ends; now_ms 0: dead ones too. [any] */
int rkv_iter_new(rkv_iter **out, rkv_view *v, const uint8_t *lower, size_t lower_size, const uint8_t *upper,
                 size_t upper_size, uint64_t now_ms, bool scan);
void rkv_iter_free(rkv_iter *it);
int rkv_iter_seek(rkv_iter *it, const uint8_t *key, size_t key_size, bool for_prev);
/* Up to bytes_max of entries from where the iterator stands, as records {key_size:u32 value_size:u32 flags:u32 node:u32 hlc:u64 expires:u64 key value}
 * (host order, unpadded; values only if values; those in the value log as if inline), stepping over them. *out_size 0: the end. At least one entry if there is one. The
 * bytes are the iterator's, until its next call. */
int rkv_iter_chunk(rkv_iter *it, bool values, bool backwards, size_t bytes_max, const uint8_t **out, size_t *out_size);
typedef struct rkv_keys {
    const uint8_t *data; /* the matching keys as RESP bulk strings; the iterator's, until its next call */
    size_t size;
    uint64_t examined, matched;
    const uint8_t *next; /* the internal key where the walk goes on; the iterator's; NULL: it has ended */
    size_t next_size;
    bool new_slot; /* that key is in another slot than the last examined one */
} rkv_keys;
/* Walk over the client keys (META) of a stored database from where the iterator stands, at most examined_max of them and about bytes_max of data. Those that
 * match the glob pattern (native/src/serve/glob.h; NULL: all) are written if `write`, else only counted. */
int rkv_iter_keys(rkv_iter *it, uint32_t db, const uint8_t *pattern, size_t pattern_size, bool write,
                  uint64_t examined_max, size_t bytes_max, rkv_keys *out);

/* How many live keys are in [lower, upper). [any] Stops early with RKV_STATUS_ECLOSED when *cancel becomes true; cancel may be NULL. */
int rkv_view_count(rkv_view *v, const uint8_t *lower, size_t lower_size, const uint8_t *upper, size_t upper_size,
                   uint64_t now_ms, const bool *cancel, uint64_t *out);

typedef struct rkv_population {
    uint64_t keys, expiring, ttl_sum_ms; /* ttl_sum_ms: of the keys that expire, together */
} rkv_population;
/* Count the live META cells of clients (slots below 16384) by stored database, in one pass: out has 256 places. *out_next_expiry_ms: when the first of them
 * expires, 0: none will. [any] */
int rkv_view_census(rkv_view *v, uint64_t now_ms, rkv_population *out, uint64_t *out_next_expiry_ms);

int rkv_store_flush(rkv_store *s);
int rkv_store_compact(rkv_store *s, const uint8_t *lower, size_t lower_size, const uint8_t *upper, size_t upper_size);
int rkv_store_wait_idle(rkv_store *s);
int rkv_store_checkpoint(rkv_store *s, const char *new_dir);
int rkv_store_verify(rkv_store *s, char **out_report); /* [any] report: one line a problem, rkv_free */
int rkv_store_repair(const char *dir, const rkv_options *options, char **out_report); /* of a closed store */
/* Figures as "name value" lines (gauges and counters of db_stats), rkv_free. */
int rkv_store_stats(rkv_store *s, char **out_text);

/* ---- the server ------------------------------------------------------------------------------------------------------- */

typedef struct rkv_server rkv_server;

typedef struct rkv_limits {
    uint32_t clients_max, clients_unauthenticated_max;
    uint64_t bulk_bytes_max; /* proto-max-bulk-len */
    uint64_t value_bytes_max, key_bytes_max;
    uint64_t query_buffer_max; /* per client, beyond the current bulk */
    uint64_t output_hard_max, output_soft_max;
    uint32_t output_soft_seconds;
    uint64_t all_buffers_max; /* of all clients together: the largest is closed */
    uint32_t timeout_s;       /* idle clients; 0: never */
    uint32_t auth_timeout_s;
    uint32_t tcp_keepalive_s;
    bool auth_required;  /* new connections must AUTH first */
    bool protected_mode; /* refuse clients from other hosts while no password is set */
    int64_t slowlog_us;  /* -1: off */
    uint32_t databases;
} rkv_limits;

void rkv_limits_init(rkv_limits *out);
int rkv_server_new(rkv_server **out, rkv_store *s, const rkv_limits *limits);
void rkv_server_free(rkv_server *v);
int rkv_server_configure(rkv_server *v, const rkv_limits *limits);

/* Accept clients from a listening socket (the caller keeps ownership of the descriptor) / stop accepting. */
int rkv_server_listen(rkv_server *v, int fd);
int rkv_server_unlisten(rkv_server *v, int fd);
/* A descriptor that is readable whenever rkv_server_poll has something to do: the event loop watches it. */
int rkv_server_fd(rkv_server *v);

/* Serve everything that is ready: accept, read, parse, run, log, write; again until nothing is ready or budget_us have passed. Returns
 * how many requests wait for rkv_server_request, or a negative error. */
int rkv_server_poll(rkv_server *v, uint32_t budget_us);
/* Time-outs, soft limits, buffer totals: call about ten times a second. */
void rkv_server_cron(rkv_server *v);

typedef struct rkv_bytes {
    const uint8_t *data;
    size_t size;
} rkv_bytes;

typedef struct rkv_request {
    uint64_t client;
    uint32_t argc;
    const rkv_bytes *args; /* valid until the last reply to it */
    uint32_t db;           /* logical */
    uint8_t resp;          /* 2 or 3 */
    bool authenticated;
} rkv_request;

/* The next command that C does not run itself: RKV_STATUS_OK or RKV_STATUS_END. Its client is not read further until it is replied to.
 * Arity, ACLs and the cap of keys are the caller's to check; names are as the client wrote them. Before AUTH only AUTH, HELLO, QUIT and RESET come here. While
 * writes are paused (rkv_server_pause) the caller holds back its own writes. */
int rkv_server_request(rkv_server *v, rkv_request *out);
/* Append reply bytes of the running request and, if last, finish it: the client goes on. Every request must be finished so, also when its client has gone
 * (RKV_STATUS_NOTFOUND) or was closed because it has more unsent than it may (RKV_STATUS_ETOOBIG). wait_seq: hold these bytes until the log
 * is durable to it (0: do not; under appendfsync always: what rkv_store_write gave, or rkv_store_last_seq for what only shows data). */
int rkv_server_reply(rkv_server *v, uint64_t client, const uint8_t *data, size_t size, uint64_t wait_seq, bool last);
/* Unsent bytes of a client: writers of long replies pause above a MiB. */
size_t rkv_server_unsent(rkv_server *v, uint64_t client);

typedef struct rkv_client {
    uint64_t id;
    int fd;
    char address[64], local_address[64]; /* ip:port */
    char name[128], lib_name[64], lib_version[64], user[64], last_command[64];
    uint32_t db;
    uint8_t resp;
    bool authenticated, no_evict, no_touch, blocked;
    int reply_mode; /* 0 on, 1 off, 2 skip the next */
    uint64_t created_ms, active_ms;
    uint64_t query_bytes, query_capacity, output_bytes, commands, bytes_in, bytes_out;
} rkv_client;

int rkv_client_get(rkv_server *v, uint64_t client, rkv_client *out);
size_t rkv_client_list(rkv_server *v, uint64_t *out_ids, size_t count); /* ascending ids; returns how many there are */
/* Set what the fields flagged in mask say: 1 db, 2 resp, 4 authenticated and user, 8 name, 16 lib_name and lib_version, 32 no_evict, 64 no_touch, 128 reply_mode.
 * RKV_STATUS_NOTFOUND: gone. reply_mode 0 lets the reply of the running request out, 1 and 2 hold from the next command on. */
int rkv_client_set(rkv_server *v, const rkv_client *values, uint32_t mask);
int rkv_client_close(rkv_server *v, uint64_t client, bool after_replies); /* RKV_STATUS_NOTFOUND: gone */
/* CLIENT PAUSE: hold commands (all, or only writes) until wall time until_ms. 0: unpause. */
void rkv_server_pause(rkv_server *v, uint64_t until_ms, bool writes_only);
/* Logical database -> stored database number, count entries (SWAPDB). */
int rkv_server_map_databases(rkv_server *v, const uint8_t *map, size_t count);

/* The native commands, as a table that is never freed; returns how many there are. */
typedef struct rkv_command {
    const char *name; /* lower case */
    int32_t arity;    /* with the name; negative: at least */
    bool write;
    int32_t first_key, last_key, key_step;
} rkv_command;
size_t rkv_server_commands(rkv_command *out, size_t count);

typedef struct rkv_command_stats {
    const char *name;
    uint64_t calls, ns, rejected, failed;
} rkv_command_stats;
/* In the order of rkv_server_commands. */
size_t rkv_server_command_stats(rkv_server *v, rkv_command_stats *out, size_t count);

typedef struct rkv_slow {
    uint64_t client, at_ms, us;
    uint32_t argc_all, argc; /* argc: how many are kept */
    const uint8_t *argv[32];
    uint32_t sizes[32];
    uint32_t sizes_all[32];
} rkv_slow;
/* Take the next slow native command; the bytes are valid until the next call. RKV_STATUS_OK or RKV_STATUS_END. */
int rkv_server_slow(rkv_server *v, rkv_slow *out);

typedef struct rkv_server_stats {
    uint64_t clients, clients_unauthenticated, connections, rejected, commands, protocol_errors, foreign_protocols;
    uint64_t bytes_in, bytes_out, keyspace_hits, keyspace_misses, expired_reads, evicted_clients, output_limit_closed,
        query_limit_closed, cold_reads;
    uint64_t query_bytes, output_bytes; /* memory of requests, unsent replies: now */
    uint64_t blocked;                   /* clients that wait for a job or a pause: now */
    uint64_t polls;
} rkv_server_stats;
void rkv_server_get_stats(rkv_server *v, rkv_server_stats *out);
void rkv_server_reset_stats(rkv_server *v);

#endif
