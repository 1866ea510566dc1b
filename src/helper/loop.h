/* src/helper/loop.h - the one loop: measure, wait, receive, step.
 *
 * Measures each `sample_interval` of the policy, more seldom where a scan is dear (it may cost 0.8 %
 * of one CPU), and at once when a deed waits for a fresh measurement. */
#ifndef SENTINEL_HELPER_LOOP_H
#define SENTINEL_HELPER_LOOP_H

#include "helper/deeds.h"
#include "helper/sessions.h"

/* Runs until a byte can be read from `stop`. */
void loop_run(struct helper_world *world, struct deeds *deeds, struct sessions *sessions, int stop);

#endif
