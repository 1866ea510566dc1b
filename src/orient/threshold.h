/* src/orient/threshold.h - from which score on a host is unusual, and when that is worth saying.
 *
 * The threshold is calibrated on the scores that this host's points received before they were learned: their
 * upper quantiles, carried on as an exponential tail to the wanted false-alarm rate. It never falls below a
 * floor, because a very quiet host's largest scores still mean nothing. Old scores fade. An alert is due on
 * the first point above the threshold after a quiet period. One owner. */
#ifndef SENTINEL_ORIENT_THRESHOLD_H
#define SENTINEL_ORIENT_THRESHOLD_H

#include <stdbool.h>
#include <stddef.h>

struct threshold_settings {
    double floor, ceiling;   /* it stays between these */
    double young;            /* what it is before there are scores enough */
    double false_alarm_rate; /* share of normal points above it */
    double memory_points;    /* scores fade by 1/e over this many */
};

enum { SCORE_BINS = 512 };
struct threshold {
    struct threshold_settings settings;
    double weights[SCORE_BINS]; /* how many scores in each bin; the newest counts `scale` */
    double total, scale;
    double value; /* the current threshold */
};

void threshold_init(struct threshold *threshold, const struct threshold_settings *settings);
void threshold_learn(struct threshold *threshold, double score);

#endif
