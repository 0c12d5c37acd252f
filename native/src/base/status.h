/* status.h: what a function of the C core returns.
 *
 * Zero is success, a positive number an outcome that is not a fault (nothing there, would block, end), a
 * negative number an error. The text of an error is set once, where the fault is seen, in a thread-local
 * buffer: status_set(code, "...file, offset, what was expected"). Callers pass the code on untouched.
 * The numbers are public (include/respkv.h) and never change their meaning.
 */
#ifndef RKV_BASE_STATUS_H
#define RKV_BASE_STATUS_H

enum {
    RKV_OK = 0,
    RKV_NOTFOUND = 1,   /* no such key, file or record: an outcome */
    RKV_WOULDBLOCK = 2, /* the answer needs the disk and the caller asked not to wait */
    RKV_STALE = 3,      /* a cell lost against a newer version: nothing changed */
    RKV_END = 4,        /* a reader or log has no more */

    RKV_ENOMEM = -1,    /* an allocation failed; nothing changed */
    RKV_EIO = -2,       /* the system refused a read, write or sync */
    RKV_ECORRUPT = -3,  /* bytes on disk fail their check; the text names file and offset */
    RKV_ENOSPC = -4,    /* no space left; goes away when space returns */
    RKV_EINVAL = -5,    /* an argument or option is out of range */
    RKV_ELOCKED = -6,   /* another process holds the directory */
    RKV_EFORMAT = -7,   /* a file of another store, or of a newer format version */
    RKV_EREADONLY = -8, /* an earlier sync failed: the store refuses writes until reopened */
    RKV_ETOOBIG = -9,   /* a key, value or record is above its cap */
    RKV_ECLOSED = -10,  /* the handle is being closed */
};

/* Set this thread's error text (printf style, cut at 511 bytes) and return code. */
int status_set(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Like status_set, with ": <strerror(errnum)>" appended; ENOSPC and EDQUOT become RKV_ENOSPC,
 * ENOMEM RKV_ENOMEM, ENOENT RKV_NOTFOUND, everything else RKV_EIO. */
int status_errno(int errnum, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* This thread's last error text; never NULL, valid until the next status_set on this thread. */
const char *status_text(void);

/* A code's fixed name, "RKV_EIO" and so on; never NULL. */
const char *status_name(int code);

#endif
