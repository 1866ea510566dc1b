#include "decide/action.h"

#include <string.h>

static const char *const kind_names[] = {
    [ACTION_NONE] = "none",
    [ACTION_DEPRIORITIZE] = "deprioritize",
    [ACTION_FREEZE] = "freeze",
    [ACTION_TERMINATE] = "terminate",
};

static const char *const outcome_names[] = {
    [OUTCOME_PENDING] = "pending",
    [OUTCOME_TERMINATED] = "terminated",
    [OUTCOME_KILLED] = "killed",
    [OUTCOME_DONE] = "done",
    [OUTCOME_WOULD] = "would",
    [OUTCOME_REFUSED] = "refused",
    [OUTCOME_GONE] = "gone",
    [OUTCOME_FAILED] = "failed",
    [OUTCOME_UNREACHABLE] = "unreachable",
    [OUTCOME_NO_TARGET] = "no_target",
};

/* -1: no such name. */
static int find(const char *const *names, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0)
            return (int)i;
    }
    return -1;
}

const char *action_kind_name(enum action_kind kind) {
    return kind_names[kind];
}

bool action_kind_parse(const char *text, enum action_kind *out) {
    int found = find(kind_names, sizeof kind_names / sizeof kind_names[0], text);
    if (found >= 0)
        *out = (enum action_kind)found;
    return found >= 0;
}

const char *action_outcome_name(enum action_outcome outcome) {
    return outcome_names[outcome];
}

bool action_outcome_parse(const char *text, enum action_outcome *out) {
    int found = find(outcome_names, sizeof outcome_names / sizeof outcome_names[0], text);
    if (found >= 0)
        *out = (enum action_outcome)found;
    return found >= 0;
}
