/* cmd_lcs.c: LCS. Its cost is the product of the two sizes, so all but small ones are computed by a job, on copies of the strings. */
#include "base/alloc.h"
#include "base/status.h"
#include "resp/number.h"
#include "serve/job.h"
#include "serve/keys.h"
#include "serve/lcs.h"

enum {
    CELLS_HERE_MAX = 64 * 1024,    /* computed on the owner's thread */
    CELLS_MAX = 128 * 1024 * 1024, /* as many as Redis computes with its default limits */
};

typedef struct lcs_options {
    bool size, ranges, range_sizes;
    int64_t range_min;
} lcs_options;

/* What a job works on; the strings lie behind it. */
typedef struct lcs_work {
    slice a, b;
    bool path;
    int status;
    lcs_result result;
    uint8_t bytes[];
} lcs_work;

static int read_options(conn *c, const slice *args, uint32_t count, lcs_options *o) {
    for (uint32_t i = 3; i < count; i++) {
        if (is_word(args[i], "idx")) {
            o->ranges = true;
        } else if (is_word(args[i], "len")) {
            o->size = true;
        } else if (is_word(args[i], "withmatchlen")) {
            o->range_sizes = true;
        } else if (is_word(args[i], "minmatchlen") && i + 1 < count) {
            if (!number_read(args[++i], &o->range_min)) return say_not_integer(c);
        } else {
            return say_syntax(c);
        }
    }
    if (o->ranges && o->size) return say_error(c, "ERR If you want both the length and indexes, please just use IDX.");
    return GO;
}

static int get_strings(conn *c, const slice *args, entry *out[2]) {
    for (int i = 0; i < 2; i++) {
        int r = entry_read(c, args[1 + i], &out[i]);
        if (r != GO) return r;
    }
    for (int i = 0; i < 2; i++)
        if (out[i]->exists && entry_type(out[i]) != TYPE_STRING)
            return say_error(c, "ERR The specified keys must contain string values");
    return GO;
}

static int get_texts(conn *c, entry *entries[2], slice out[2]) {
    int r = GO;
    for (int i = 0; i < 2; i++) {
        out[i] = slice_of("", 0);
        int one = entries[i]->exists ? entry_text(c, entries[i], &out[i]) : GO;
        if (one == DONE) return DONE;
        if (one == AGAIN) r = AGAIN;
    }
    return r;
}

/* --- reply -------------------------------------------------------------------------------------------------------------------- */

static int reply_pair(out *o, uint32_t first, uint32_t last) {
    int rc = reply_array(o, 2);
    if (!rc) rc = reply_integer(o, first);
    return rc ? rc : reply_integer(o, last);
}

static int reply_range(out *o, const lcs_range *range, bool with_size) {
    int rc = reply_array(o, with_size ? 3 : 2);
    if (!rc) rc = reply_pair(o, range->a_first, range->a_last);
    if (!rc) rc = reply_pair(o, range->b_first, range->b_last);
    if (!rc && with_size) rc = reply_integer(o, (int64_t)range->a_last - range->a_first + 1);
    return rc;
}

static int reply_ranges(conn *c, const lcs_result *found, const lcs_options *o) {
    const lcs_range *ranges = (const lcs_range *)found->ranges.data;
    size_t all = found->ranges.size / sizeof *ranges;
    int64_t count = 0;
    for (size_t i = 0; i < all; i++) count += (int64_t)ranges[i].a_last - ranges[i].a_first + 1 >= o->range_min;
    int rc = reply_map(&c->out, c->resp, 2);
    if (!rc) rc = reply_bulk(&c->out, slice_text("matches"));
    if (!rc) rc = reply_array(&c->out, count);
    for (size_t i = 0; i < all && !rc; i++)
        if ((int64_t)ranges[i].a_last - ranges[i].a_first + 1 >= o->range_min)
            rc = reply_range(&c->out, &ranges[i], o->range_sizes);
    if (!rc) rc = reply_bulk(&c->out, slice_text("len"));
    return rc ? rc : reply_integer(&c->out, found->size);
}

static int reply_result(conn *c, const lcs_result *found, const lcs_options *o) {
    if (o->ranges) return say(c, reply_ranges(c, found, o));
    return o->size ? say_integer(c, found->size) : say_bulk(c, buf_slice(&found->text));
}

/* --- computing ------------------------------------------------------------------------------------------------------------------ */

static void compute(void *context) {
    lcs_work *w = context;
    w->status = lcs_compute(w->a, w->b, w->path, &w->result);
}

static void clear(void *context) {
    lcs_clear(&((lcs_work *)context)->result);
}

static int start(conn *c, const slice texts[2], bool path) {
    lcs_work *w = mem_alloc(sizeof *w + texts[0].size + texts[1].size);
    if (!w) return say_status(c, alloc_failed(sizeof *w + texts[0].size + texts[1].size));
    *w = (lcs_work){.path = path};
    memcpy(w->bytes, texts[0].data, texts[0].size);
    memcpy(w->bytes + texts[0].size, texts[1].data, texts[1].size);
    w->a = slice_of(w->bytes, texts[0].size);
    w->b = slice_of(w->bytes + texts[0].size, texts[1].size);
    static const computation work = {compute, clear};
    return job_start(c, &work, w);
}

int run_lcs(conn *c, const slice *args, uint32_t count) {
    lcs_options o = {0};
    entry *entries[2];
    slice texts[2];
    int r = get_strings(c, args, entries);
    if (r == GO) r = read_options(c, args, count, &o);
    if (r != GO) return r;
    const lcs_work *done = job_computed(c);
    if (done) return done->status ? say_status(c, done->status) : reply_result(c, &done->result, &o);
    r = get_texts(c, entries, texts);
    if (r != GO) return r;
    uint64_t cells = (uint64_t)texts[0].size * texts[1].size;
    if (cells > CELLS_MAX)
        return say_error(c, "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    if (cells > CELLS_HERE_MAX) return start(c, texts, !o.size);
    lcs_result found;
    int rc = lcs_compute(texts[0], texts[1], !o.size, &found);
    if (rc) return say_status(c, rc);
    r = reply_result(c, &found, &o);
    lcs_clear(&found);
    return r;
}
