/* src/orient/features.h - which series make which column of a host's feature vector.
 *
 * A feature is a quotient of sums of terms; a term aggregates the series that one selector wants, as they
 * are (gauge) or as a rate per second over the scrape interval (counter). A feature may have alternatives,
 * because Linux and macOS name the same thing differently: the first whose inputs are all there counts.
 * Missing is missing (NaN), never zero. A feature set is immutable; any thread. */
#ifndef SENTINEL_ORIENT_FEATURES_H
#define SENTINEL_ORIENT_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/series.h"

enum { FEATURES_MAX = 32 };

struct feature_description {
    const char *name;       /* "cpu_busy" */
    const char *unit;       /* "ratio", "bytes/s", "1/s", "1" */
    const char *help;       /* one sentence for people */
    double smallest_change; /* the least change that means anything to a person, in the unit */
};

struct feature_set;

/* node_exporter on Linux and macOS. */
struct feature_set *feature_set_create_default(void);
size_t feature_set_count(const struct feature_set *set);
const struct feature_description *feature_set_describe(const struct feature_set *set, size_t feature);
/* -1 if there is no such feature. */
int feature_set_find(const struct feature_set *set, const char *name);
/* What observe has to look for; bit i of an observation's inputs stands for selectors[i]. */
const struct series_selector *feature_set_selectors(const struct feature_set *set, size_t *count);
void feature_set_destroy(struct feature_set *set);

/* What one selector's series add up to at one scrape time. */
struct input_reading {
    double sum, rate_sum; /* rate_sum: per second, over series with a usable predecessor */
    size_t count, rate_count;
    size_t missing_count; /* series that were there lately: without them the sums are too small */
};
/* Fills out[0 .. feature_set_count()), NaN where an input is missing. */
void feature_set_compute(const struct feature_set *set, const struct input_reading *inputs, double *out);

#endif
