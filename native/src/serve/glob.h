/* glob.h: Redis's glob patterns over bytes.
 *
 *   *  any bytes    ?  one byte    [abc] [a-z] [^a]  one byte of a class, or not of it    \x  x itself
 *
 * Edges as Redis has them: a class that is not closed ends with the pattern; a range may be written backwards; [] matches nothing and [^]
 * any byte; a backslash at the end stands for itself; of patterns that are all stars only * matches the empty text.
 */
#ifndef RKV_SERVE_GLOB_H
#define RKV_SERVE_GLOB_H

#include "base/slice.h"

/* Does the whole text match? At most pattern times text steps, no memory. */
bool glob_match(slice pattern, slice text);

#endif
