/* src/present/metrics.h - everything this process knows about itself, as Prometheus text 0.0.4.
 *
 * Families are written whole and once, so there is no series twice. Label values come from bounded sets: host
 * names (bounded by the directory), features, states, kinds, outcomes. Never the name of a process. */
#ifndef SENTINEL_PRESENT_METRICS_H
#define SENTINEL_PRESENT_METRICS_H

#include <stdio.h>

#include "present/board.h"

void metrics_write(struct board *board, FILE *out);

#endif
