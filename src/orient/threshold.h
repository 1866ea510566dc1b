/* src/orient/threshold.h - from which score on a host is unusual.
 *
 * Scores of a forest are comparable across hosts, so there is one floor for all; it is higher while the model
 * is young. A host on which alerts begin more often than the wanted rate is a host that does such things: its
 * threshold rises a step with every alert and sinks back slowly, so that in the long run the rate holds
 * (stochastic approximation; H. Robbins, S. Monro, 1951). docs/detection.md compares this with quantiles of
 * the host's scores, which cost more than they gave. By value. */
#ifndef SENTINEL_ORIENT_THRESHOLD_H
#define SENTINEL_ORIENT_THRESHOLD_H

#include <stdbool.h>

struct threshold_settings {
    double floor, ceiling;
    double young;            /* the floor of a host without history; it comes down as points are seen */
    double false_alarm_rate; /* alerts per point that a host may have */
};

struct threshold {
    struct threshold_settings settings;
    double points; /* learned so far */
    double raised; /* above the floor */
    double value;  /* the current threshold */
};

void threshold_init(struct threshold *threshold, const struct threshold_settings *settings);
/* One more point was scored; did an alert begin there? */
void threshold_learn(struct threshold *threshold, bool alert);

#endif
