/* level_iter.h: disjoint tables in key order as one iterator. Opens one table's iterator at a time. */
#ifndef RKV_LSM_LEVEL_ITER_H
#define RKV_LSM_LEVEL_ITER_H

#include "lsm/iter.h"
#include "lsm/version.h"

/* The files (and their array) are borrowed until close. scan: as for table_iter_new. RKV_ENOMEM. */
int level_iter_new(iter **out, table_file *const *files, size_t count, bool scan);

#endif
