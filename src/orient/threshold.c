#include "orient/threshold.h"

#include <assert.h>

#include "orient/portable_math.h"

/* Below this many scores a quantile says nothing, and the value for the young is used. */
static const double SCORES_NEEDED = 50;
static const double UPPER = 0.01, INNER = 0.10;

void threshold_init(struct threshold *threshold, const struct threshold_settings *settings) {
    *threshold = (struct threshold){.settings = *settings, .scale = 1, .value = settings->young};
}

/* The score that this share of the weight lies above. */
static double upper_quantile(const struct threshold *threshold, double share) {
    double above = share * threshold->total;
    size_t bin = SCORE_BINS;
    while (bin > 0 && threshold->weights[bin - 1] <= above) {
        above -= threshold->weights[--bin];
    }
    double within = bin > 0 ? above / threshold->weights[bin - 1] : 0;
    return ((double)bin - within) / SCORE_BINS;
}

static void forget_scale(struct threshold *threshold) {
    for (size_t i = 0; i < SCORE_BINS; i++) {
        threshold->weights[i] /= threshold->scale;
    }
    threshold->total /= threshold->scale;
    threshold->scale = 1;
}

/* For an exponential tail, q(p) grows by the same amount whenever p falls by the same factor. */
static double extrapolate(const struct threshold *threshold) {
    double upper = upper_quantile(threshold, UPPER);
    double inner = upper_quantile(threshold, INNER);
    double rate = threshold->settings.false_alarm_rate;
    double steps = rate < UPPER ? portable_log1p(UPPER / rate - 1) / portable_log1p(INNER / UPPER - 1) : 0;
    return upper + (upper - inner) * steps;
}

void threshold_learn(struct threshold *threshold, double score) {
    assert(score >= 0 && score <= 1);
    const struct threshold_settings *settings = &threshold->settings;
    size_t bin = (size_t)(score * SCORE_BINS);
    threshold->weights[bin < SCORE_BINS ? bin : SCORE_BINS - 1] += threshold->scale;
    threshold->total += threshold->scale;
    threshold->scale *= 1 + 1 / settings->memory_points;
    if (threshold->scale > 1e9) {
        forget_scale(threshold);
    }
    double count = threshold->total / threshold->scale;
    if (count < SCORES_NEEDED) {
        return;
    }
    double value = extrapolate(threshold);
    value = value > settings->floor ? value : settings->floor;
    threshold->value = value < settings->ceiling ? value : settings->ceiling;
}
