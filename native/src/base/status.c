/* status.c: thread-local error text; see status.h. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 512 };

static _Thread_local char text[TEXT_SIZE];

int status_set(int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return code;
}

int status_errno(int errnum, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) n = 0;
    if ((size_t)n < sizeof text) snprintf(text + n, sizeof text - (size_t)n, ": %s", strerror(errnum));
    switch (errnum) {
    case ENOSPC:
    case EDQUOT: return RKV_ENOSPC;
    case ENOMEM: return RKV_ENOMEM;
    case ENOENT: return RKV_NOTFOUND;
    default: return RKV_EIO;
    }
}

const char *status_text(void) {
    return text;
}

const char *status_name(int code) {
    switch (code) {
    case RKV_OK: return "RKV_OK";
    case RKV_NOTFOUND: return "RKV_NOTFOUND";
    case RKV_WOULDBLOCK: return "RKV_WOULDBLOCK";
    case RKV_STALE: return "RKV_STALE";
    case RKV_END: return "RKV_END";
    case RKV_ENOMEM: return "RKV_ENOMEM";
    case RKV_EIO: return "RKV_EIO";
    case RKV_ECORRUPT: return "RKV_ECORRUPT";
    case RKV_ENOSPC: return "RKV_ENOSPC";
    case RKV_EINVAL: return "RKV_EINVAL";
    case RKV_ELOCKED: return "RKV_ELOCKED";
    case RKV_EFORMAT: return "RKV_EFORMAT";
    case RKV_EREADONLY: return "RKV_EREADONLY";
    case RKV_ETOOBIG: return "RKV_ETOOBIG";
    case RKV_ECLOSED: return "RKV_ECLOSED";
    default: return "RKV_UNKNOWN";
    }
}
