#include "orient/threshold.h"

/* What one alert adds. At one alert in 1,000 points it is gone again after 1,000 points. */
static const double STEP = 0.005;
/* So long the floor stays where it is for the young; then the difference shrinks as 1/n, as the uncertainty
 * about a share of n points does. */
static const double YOUNG_POINTS = 300;

void threshold_init(struct threshold *threshold, const struct threshold_settings *settings) {
    *threshold = (struct threshold){.settings = *settings, .value = settings->young};
}

void threshold_learn(struct threshold *threshold, bool alert) {
    const struct threshold_settings *settings = &threshold->settings;
    threshold->points++;
    double youth = threshold->points > YOUNG_POINTS ? YOUNG_POINTS / threshold->points : 1;
    double floor = settings->floor + youth * (settings->young - settings->floor);
    double raised = threshold->raised + STEP * ((alert ? 1 : 0) - settings->false_alarm_rate);
    double most = settings->ceiling - floor;
    raised = raised < most ? raised : most;
    threshold->raised = raised > 0 ? raised : 0;
    threshold->value = floor + threshold->raised;
}
