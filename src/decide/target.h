/* src/decide/target.h - which of the hot processes is the guilty one?
 *
 * The helper offers what it measured hot, with its own verdict on each. The target is the hottest that the
 * helper would touch, provided that it explains the trouble: if something that must not be touched is clearly
 * hotter, ending the runner-up would harm it and heal nothing. Pure. */
#ifndef SENTINEL_DECIDE_TARGET_H
#define SENTINEL_DECIDE_TARGET_H

#include <stddef.h>

#include "decide/action.h"

/* The index of the target, or -1: `reason` (for people) says why there is none. */
int target_choose(const struct candidate *candidates, size_t count, char *reason, size_t size);

#endif
