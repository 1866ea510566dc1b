/* src/orient/assembly.h - the pieces of one host's scrape become one point.
 *
 * A scrape arrives in pieces, over several connections and out of order. A point is closed when every
 * series known for the host has reported, when two later scrapes have begun, or when the settle time has
 * passed since its first piece; a piece that comes after that is late: counted, and never a second point of
 * the same time. Counters become rates against their last closed value; a counter that fell was reset, and
 * counts from zero. After a gap of more than `max_gap_ms` (sleep, an outage) rates start anew.
 * One host's; core thread; time is a parameter. */
#ifndef SENTINEL_ORIENT_ASSEMBLY_H
#define SENTINEL_ORIENT_ASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/observation.h"
#include "orient/features.h"

struct point {
    int64_t timestamp_ms;        /* of the scrape, by the sender's clock */
    int64_t received_at_ms;      /* when its last piece came, by our monotonic clock */
    bool complete;               /* false: closed by a later scrape or by time */
    double values[FEATURES_MAX]; /* NaN: missing */
};

struct assembly_settings {
    int64_t settle_ms;
    int64_t max_gap_ms;
    size_t max_series; /* per host; further series are ignored */
};

struct assembly;
struct assembly *assembly_create(const struct feature_set *set, const struct assembly_settings *settings);
/* False: late (its point is closed already), or beyond max_series. */
bool assembly_add(struct assembly *assembly, const struct observation *observation, int64_t now_monotonic_ms);
/* The next closed point, oldest first; false if none is ready. A first point without any rate is not given.
 */
bool assembly_next(struct assembly *assembly, int64_t now_monotonic_ms, struct point *out);
/* When assembly_next() is worth asking again without new input; INT64_MAX if nothing waits. */
int64_t assembly_deadline_ms(const struct assembly *assembly);
size_t assembly_series_count(const struct assembly *assembly);
void assembly_destroy(struct assembly *assembly);

#endif
