#include "base/nearest.h"

#include <string.h>

enum { LONGEST = 64 };

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t distance(const char *a, const char *b) {
    size_t a_len = smaller(strlen(a), LONGEST), b_len = smaller(strlen(b), LONGEST);
    size_t rows[3][LONGEST + 1]; /* the row before the last, the last, the one being filled */
    for (size_t j = 0; j <= b_len; j++)
        rows[1][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[(i + 1) % 3], *last = rows[i % 3], *before = rows[(i + 2) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = smaller(change, smaller(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = smaller(now[j], before[j - 2] + 1);
        }
    }
    return rows[(a_len + 1) % 3][b_len];
}

const char *nearest_name(const char *mistyped, const char *const *names, size_t count) {
    /* More than a third of the letters wrong is another word, not a slip. */
    size_t best = strlen(mistyped) / 3 + 2;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(mistyped, names[i]);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}
