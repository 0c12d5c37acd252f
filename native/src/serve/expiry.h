/* expiry.h: times to live as arguments: seconds or milliseconds, from now or absolute. */
#ifndef RKV_SERVE_EXPIRY_H
#define RKV_SERVE_EXPIRY_H

#include "serve/entry.h"

typedef struct expiry_unit {
    bool seconds, absolute;
} expiry_unit;

/* Read the time to live of a command that sets a value: positive. GO: *out_ms is wall time. */
int expiry_read(conn *c, slice arg, expiry_unit unit, const char *command, uint64_t *out_ms);

/* EX, PX, EXAT or PXAT. */
bool expiry_option(slice arg, expiry_unit *out);

#endif
