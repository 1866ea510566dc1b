/* src/orient/assessment.h - what orient hands on: one host, at one moment, how unusual, and why. By value. */
#ifndef SENTINEL_ORIENT_ASSESSMENT_H
#define SENTINEL_ORIENT_ASSESSMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEADING_FEATURES_MAX = 4 };

struct leading_feature {
    size_t feature; /* index into the feature set */
    double share;   /* of the score, 0..1 */
    double value;
    double usual_low, usual_high; /* 1 % and 99 % quantile of the host's own window */
};

struct assessment {
    int64_t at_ms;          /* timestamp of the point, by the sender's clock */
    double score;           /* in (0, 1]; NaN while there is no live model */
    double threshold;       /* NaN likewise */
    bool anomalous;         /* score above threshold, or still near it since it was */
    bool alert;             /* the first such point after a quiet period: worth one notification */
    size_t learning_points; /* seen so far, at most learning_target */
    size_t learning_target; /* learning_points < learning_target: LEARNING */
    size_t leading_count;   /* 0 while nothing stands out */
    struct leading_feature leading[LEADING_FEATURES_MAX]; /* largest share first */
};

#endif
