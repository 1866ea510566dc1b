/* src/sentinelctl/prometheus_text.h - one value out of a page in Prometheus' text format (0.0.4). Pure. */
#ifndef SENTINEL_SENTINELCTL_PROMETHEUS_TEXT_H
#define SENTINEL_SENTINELCTL_PROMETHEUS_TEXT_H

#include <stdbool.h>

/* The first series called `name` whose `label` has that value; false if there is none. */
bool prometheus_text_find(const char *text, const char *name, const char *label, const char *value,
                          double *out);

#endif
