#include "decide/target.h"

#include <stdio.h>

/* A runner-up within a fifth of the hottest process may be as guilty; below that it is not what hurts. */
static const double EXPLAINS_RATIO = 0.8;

int target_choose(const struct candidate *candidates, size_t count, char *reason, size_t size) {
    if (count == 0) {
        snprintf(reason, size, "the helper measured no process as hot");
        return -1;
    }
    int hottest = 0, target = -1;
    for (size_t i = 0; i < count; i++) {
        if (candidates[i].cpu_ratio > candidates[hottest].cpu_ratio)
            hottest = (int)i;
        if (candidates[i].allowed && (target < 0 || candidates[i].cpu_ratio > candidates[target].cpu_ratio))
            target = (int)i;
    }
    const struct candidate *top = &candidates[hottest];
    if (target < 0) {
        snprintf(reason, size, "the helper would touch none of %zu hot processes; hottest: pid %d (%s): %s",
                 count, (int)top->pid, top->comm, top->reason);
        return -1;
    }
    const struct candidate *chosen = &candidates[target];
    if (chosen->cpu_ratio < EXPLAINS_RATIO * top->cpu_ratio) {
        snprintf(reason, size,
                 "pid %d (%s) at %.0f %% of a CPU does not explain it: pid %d (%s) uses %.0f %%: %s",
                 (int)chosen->pid, chosen->comm, chosen->cpu_ratio * 100, (int)top->pid, top->comm,
                 top->cpu_ratio * 100, top->reason);
        return -1;
    }
    snprintf(reason, size, "pid %d (%s) of uid %u at %.0f %% of a CPU, hottest of %zu", (int)chosen->pid,
             chosen->comm, chosen->uid, chosen->cpu_ratio * 100, count);
    return target;
}
