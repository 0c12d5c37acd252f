/* recover.h: opening a store: recover.c fills a db whose options, os and cache are set. */
#ifndef RKV_LSM_RECOVER_H
#define RKV_LSM_RECOVER_H

#include "lsm/db.h"

/* Read what is in d's directory, or begin a new store there. On failure the caller frees what d has got so far. */
int recover(db *d, db_recovery *out);

#endif
