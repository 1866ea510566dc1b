/* src/helper/watch.h - how hot is each process, and since when? The helper's own measurement.
 *
 * Two scans make an interval. A process' share is the CPU it used in it, plus that of short-lived children
 * it waited for, over the interval's monotonic time. A child that was already seen running is not counted
 * again when its parent reaps it. Every interval must reach a rule's min_cpu for the rule's clock to run, so
 * a burst between two quiet intervals never ripens. A gap (suspend, a stopped helper) starts afresh.
 *
 * Tables of fixed size, allocated by watch_create(). One thread; time is a parameter. */
#ifndef SENTINEL_HELPER_WATCH_H
#define SENTINEL_HELPER_WATCH_H

#include "helper/helper_policy.h"
#include "helper/processes.h"

struct watched {
    struct process_sample sample;
    double cpu; /* of one CPU, over the last interval; 0 when seen for the first time */
};

struct watch;

struct watch *watch_create(void);
/* Scans, and closes an interval at `now_ms`. */
MUST_CHECK enum status watch_update(struct watch *watch, struct processes *processes,
                                    const struct helper_policy *policy, int64_t now_ms, struct error *err);
int64_t watch_updated_at_ms(const struct watch *watch); /* 0: no interval yet */
/* NULL: not seen by the last scan. Valid until the next update. */
const struct watched *watch_find(const struct watch *watch, struct process_id id);
/* Since when `row` has been at or above the min_cpu of that rule; 0: it is below. */
int64_t watch_hot_since_ms(const struct watch *watch, const struct watched *row, size_t rule);
/* The hottest at or above `floor` (of one CPU), hottest first; returns how many. */
size_t watch_hottest(const struct watch *watch, double floor, const struct watched **out, size_t capacity);
void watch_destroy(struct watch *watch);

#endif
