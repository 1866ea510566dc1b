/* The store without a disk: what the others do, in arrays. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "archive/store.h"
#include "base/alloc.h"

struct remembered {
    struct incident incident;
    struct transition *transitions;
    struct action *actions;
    size_t transition_count, action_count;
};

struct memory_store {
    struct store base;
    struct remembered *all; /* in the order in which they were first recorded */
    size_t count;
};

static struct remembered *find(struct memory_store *memory, const char *incident_id) {
    for (size_t i = 0; i < memory->count; i++)
        if (strcmp(memory->all[i].incident.id, incident_id) == 0)
            return &memory->all[i];
    return NULL;
}

static struct remembered *find_or_add(struct memory_store *memory, const struct incident *incident) {
    struct remembered *found = find(memory, incident->id);
    if (found)
        return found;
    memory->all = xrealloc(memory->all, memory->count + 1, sizeof *memory->all);
    found = &memory->all[memory->count++];
    *found = (struct remembered){.incident = *incident};
    return found;
}

static void add_transition(struct remembered *to, const struct transition *transition) {
    for (size_t i = 0; i < to->transition_count; i++)
        if (to->transitions[i].sequence == transition->sequence)
            return;
    to->transitions = xrealloc(to->transitions, to->transition_count + 1, sizeof *to->transitions);
    to->transitions[to->transition_count++] = *transition;
}

static void put_action(struct remembered *to, const struct action *action) {
    for (size_t i = 0; i < to->action_count; i++) {
        if (strcmp(to->actions[i].id, action->id) == 0) {
            to->actions[i] = *action;
            return;
        }
    }
    to->actions = xrealloc(to->actions, to->action_count + 1, sizeof *to->actions);
    to->actions[to->action_count++] = *action;
}

static enum status memory_record(struct store *store, const struct incident *incident,
                                 const struct transition *transition, const struct action *action,
                                 struct error *err) {
    (void)err;
    struct remembered *to = find_or_add((struct memory_store *)store, incident);
    if (incident->sequence >= to->incident.sequence)
        to->incident = *incident;
    if (transition)
        add_transition(to, transition);
    if (action)
        put_action(to, action);
    return STATUS_OK;
}

static enum status memory_load_open(struct store *store, struct incident *out, size_t capacity, size_t *count,
                                    struct error *err) {
    (void)err;
    struct memory_store *memory = (struct memory_store *)store;
    *count = 0;
    for (size_t i = 0; i < memory->count && *count < capacity; i++)
        if (memory->all[i].incident.state != INCIDENT_RESOLVED)
            out[(*count)++] = memory->all[i].incident;
    return STATUS_OK;
}

static enum status memory_load_last_action(struct store *store, const char *incident_id, struct action *out,
                                           struct error *err) {
    struct remembered *found = find((struct memory_store *)store, incident_id);
    if (!found || found->action_count == 0)
        return error_set(err, STATUS_NOT_FOUND, "incident %s has no action", incident_id);
    *out = found->actions[found->action_count - 1];
    return STATUS_OK;
}

static enum status memory_list(struct store *store, size_t limit, store_visitor *each, void *context,
                               struct error *err) {
    (void)err;
    struct memory_store *memory = (struct memory_store *)store;
    for (size_t i = memory->count; i-- > 0 && limit-- > 0;) {
        const struct remembered *at = &memory->all[i];
        each(context, &at->incident, at->transitions, at->transition_count, at->actions, at->action_count);
    }
    return STATUS_OK;
}

static void memory_close(struct store *store) {
    struct memory_store *memory = (struct memory_store *)store;
    for (size_t i = 0; i < memory->count; i++) {
        free(memory->all[i].transitions);
        free(memory->all[i].actions);
    }
    free(memory->all);
    free(memory);
}

struct store *store_open_memory(void) {
    static const struct store_ops ops = {
        .name = "memory",
        .record = memory_record,
        .load_open = memory_load_open,
        .load_last_action = memory_load_last_action,
        .list = memory_list,
        .close = memory_close,
    };
    struct memory_store *memory = xcalloc(1, sizeof *memory);
    memory->base.ops = &ops;
    return &memory->base;
}
