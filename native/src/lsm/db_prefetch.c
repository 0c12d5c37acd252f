/* db_prefetch.c: see db.h. */
#include "lsm/db_parts.h"

void db_prefetch(db *d, slice key, uint64_t hash) {
    memtable_prefetch(d->active->table, hash);
    __builtin_prefetch(&d->newest[key_slot(key)]);
}
