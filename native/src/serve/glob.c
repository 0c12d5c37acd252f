/* glob.c: see glob.h. A star need only try the first place where what follows it fits: so there is one place to go back to. */
#include "serve/glob.h"

/* Does the class that begins at *at (behind its bracket) have the byte? *at moves behind its end. */
static bool class_has(slice pattern, size_t *at, uint8_t byte) {
    const uint8_t *p = pattern.data;
    size_t i = *at;
    bool negated = i < pattern.size && p[i] == '^', found = false;
    i += negated;
    while (i < pattern.size && p[i] != ']') {
        size_t left = pattern.size - i;
        if (p[i] == '\\' && left >= 2) {
            found |= p[i + 1] == byte;
            i += 2;
        } else if (left >= 3 && p[i + 1] == '-') {
            uint8_t low = p[i] < p[i + 2] ? p[i] : p[i + 2], high = p[i] < p[i + 2] ? p[i + 2] : p[i];
            found |= low <= byte && byte <= high;
            i += 3;
        } else {
            found |= p[i] == byte;
            i++;
        }
    }
    *at = i < pattern.size ? i + 1 : i;
    return found != negated;
}

/* Does the item at *at, which is no star, match the byte? *at moves behind it. */
static bool item_has(slice pattern, size_t *at, uint8_t byte) {
    uint8_t first = pattern.data[(*at)++];
    if (first == '?') return true;
    if (first == '[') return class_has(pattern, at, byte);
    if (first == '\\' && *at < pattern.size) first = pattern.data[(*at)++];
    return first == byte;
}

bool glob_match(slice pattern, slice text) {
    if (text.size == 0) return pattern.size == 0 || (pattern.size == 1 && pattern.data[0] == '*');
    size_t at = 0, i = 0, after_star = 0, retry = 0;
    bool starred = false;
    while (i < text.size) {
        size_t here = at;
        if (at < pattern.size && pattern.data[at] == '*') {
            starred = true;
            after_star = ++at;
            retry = i;
        } else if (at < pattern.size && item_has(pattern, &here, text.data[i])) {
            at = here;
            i++;
        } else if (starred) {
            at = after_star;
            i = ++retry;
        } else {
            return false;
        }
    }
    while (at < pattern.size && pattern.data[at] == '*') at++;
    return at == pattern.size;
}
