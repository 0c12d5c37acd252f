/* api_upkeep.c: the public interface of flush, compaction, copies, checks and figures. */
#include <inttypes.h>
#include <stdio.h>

#include "api.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"

int rkv_store_flush(rkv_store *s) {
    return db_flush(s->store.db);
}

int rkv_store_compact(rkv_store *s, const uint8_t *lower, size_t lower_size, const uint8_t *upper, size_t upper_size) {
    return db_compact(s->store.db, slice_of(lower, lower_size), slice_of(upper, upper_size));
}

int rkv_store_wait_idle(rkv_store *s) {
    return db_wait_idle(s->store.db);
}

int rkv_store_checkpoint(rkv_store *s, const char *new_dir) {
    return db_checkpoint(s->store.db, new_dir);
}

/* Give the bytes of b away as a text. */
static int give_text(buf *b, char **out) {
    int rc = buf_append(b, "", 1);
    if (rc) {
        buf_clear(b);
        return rc;
    }
    *out = (char *)b->data;
    return RKV_OK;
}

int api_give_report(int rc, buf *report, char **out) {
    if (rc && rc != RKV_ECORRUPT) {
        buf_clear(report);
        return rc;
    }
    int given = give_text(report, out);
    return given ? given : rc;
}

int rkv_store_verify(rkv_store *s, char **out_report) {
    buf report = {0};
    return api_give_report(db_verify(s->store.db, &report), &report, out_report);
}

static int line(buf *b, const char *name, uint64_t value) {
    char text[80];
    int size = snprintf(text, sizeof text, "%s %" PRIu64 "\n", name, value);
    return buf_append(b, text, (size_t)size);
}

static int level_lines(buf *b, const db_stats *s) {
    int rc = RKV_OK;
    for (unsigned i = 0; i < s->levels && !rc; i++) {
        char name[40];
        snprintf(name, sizeof name, "level%u_tables", i);
        rc = line(b, name, s->level[i].tables);
        snprintf(name, sizeof name, "level%u_bytes", i);
        if (!rc) rc = line(b, name, s->level[i].bytes);
    }
    return rc;
}

int rkv_store_stats(rkv_store *s, char **out_text) {
    db_stats d;
    buf text = {0};
    db_get_stats(s->store.db, &d);
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"memtable_bytes", d.memtable_bytes},
        {"memtable_count", d.memtable_count},
        {"table_memory", d.table_memory},
        {"cache_bytes", d.cache.bytes},
        {"cache_capacity", d.cache.capacity},
        {"cache_pinned", d.cache.pinned},
        {"cache_hits", d.cache.hits},
        {"cache_misses", d.cache.misses},
        {"cache_inserts", d.cache.inserts},
        {"cache_evictions", d.cache.evictions},
        {"wal_bytes_written", d.wal.bytes_written},
        {"wal_records", d.wal.records},
        {"wal_syncs", d.wal.syncs},
        {"wal_sync_ns", d.wal.sync_ns},
        {"wal_segments", d.wal.segments},
        {"wal_recycled", d.wal.recycled},
        {"user_bytes", d.user_bytes},
        {"flush_bytes", d.flush_bytes},
        {"compact_read_bytes", d.compact_read_bytes},
        {"compact_write_bytes", d.compact_write_bytes},
        {"value_log_bytes", d.value_log_bytes},
        {"value_log_garbage", d.value_log_garbage},
        {"flushes", d.flushes},
        {"compactions", d.compactions},
        {"moves", d.moves},
        {"stalls", d.stalls},
        {"stall_us", d.stall_us},
        {"gets", d.gets},
        {"filter_skips", d.filter_skips},
        {"would_block", d.would_block},
        {"keys_estimate", d.keys_estimate},
        {"last_seq", db_last_seq(s->store.db)},
        {"durable_seq", db_durable(s->store.db)},
        {"last_hlc", s->store.clock.last},
        {"write_delay_us_per_mib", db_write_delay(s->store.db)},
    };
    int rc = RKV_OK;
    for (size_t i = 0; i < sizeof figures / sizeof *figures && !rc; i++)
        rc = line(&text, figures[i].name, figures[i].value);
    if (!rc) rc = level_lines(&text, &d);
    if (!rc) return give_text(&text, out_text);
    buf_clear(&text);
    return rc;
}
