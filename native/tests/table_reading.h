/* table_reading.h: read all of a small table in every way, under errors that are allowed. For test_table_damage.c and
 * _faults.c. */
#ifndef RKV_TESTS_TABLE_READING_H
#define RKV_TESTS_TABLE_READING_H

#include "lsm/table_read.h"
#include "table_fixture.h"

/* Which errors a read may end in; none: RKV_OK only. */
enum { ALLOW_DAMAGE = 1, ALLOW_NO_MEMORY = 2, ALLOW_IO = 4 };

/* Check that rc is RKV_OK, or an error that is allowed and, being RKV_ECORRUPT, says where; returns it. */
int tolerate(int rc, int allowed);

uint64_t table_fixture_hash(const fixture *f, slice key);

/* Walk from one end to the other: the entries seen must be right, and all, unless there is an error, which is returned.
 * */
int read_walk(table *t, const twin *all, bool scan, bool backwards, int allowed);

/* Open the table anew and read it in every way, with nothing of it in the cache: right answers only. The first error of
 * any of them, RKV_OK if there was none. */
int read_all(fixture *f, const twin *all, int allowed);

/* Up to count entries of a set. */
twin some_of(enum set_shape shape, size_t count, uint64_t seed);

/* Tables of about 4 KiB with several data blocks each, one for each way in which filter, index and blocks may be kept.
 * */
enum { SMALL = 4 };
fixture small_fixture(size_t i, uint64_t seed, twin *out);
bool small_is_resident(size_t i);
void small_free(fixture *f, twin *all);

/* The file's bytes, past all checks. */
void table_fixture_read(fixture *f, uint64_t offset, void *data, size_t size);
void table_fixture_patch(fixture *f, uint64_t offset, const void *data, size_t size);

#endif
