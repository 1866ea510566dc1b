#include "sentineld/core.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/counters.h"

struct host {
    struct core *core;
    uint32_t index;
    const char *name; /* the directory's */
    int actor;        /* -1: no helper answers for it */
    struct assembly *assembly;
    struct model *model;
    struct response *response;
    uint64_t shown_changes;       /* response_changes() when the incident was last put on the board */
    struct host_row row;          /* as last put on the board */
    bool is_judged, is_anomalous; /* counted in the core's totals */
};

struct core {
    struct core_settings settings;
    struct core_ports ports;
    struct response_settings response_settings;
    struct rng ids;
    struct host **hosts; /* by number in the directory; NULL: not heard of yet */
    uint32_t host_capacity;
    unsigned hosts_judged, hosts_anomalous;
};

/* ---- what a response asks of the world ---- */

static enum status port_list(void *context, uint32_t index, uint64_t request) {
    struct core *core = context;
    return core->ports.list(core->ports.context, (size_t)core->hosts[index]->actor, index, request);
}

static enum status port_act(void *context, uint32_t index, uint64_t request, const struct action *action) {
    struct core *core = context;
    const struct host *host = core->hosts[index];
    if (host->actor < 0) /* restored, and its helper is no longer configured */
        return STATUS_UNAVAILABLE;
    return core->ports.act(core->ports.context, (size_t)host->actor, index, request, action);
}

/* A response numbers its tickets by itself; the host's number in front makes them unique here. */
static uint64_t global_ticket(uint32_t host, uint64_t ticket) {
    return (uint64_t)host << 32 | (ticket & UINT32_MAX);
}

static enum status port_record(void *context, uint32_t index, uint64_t ticket,
                               const struct incident *incident, const struct transition *transition,
                               const struct action *action) {
    struct core *core = context;
    return core->ports.record(core->ports.context, global_ticket(index, ticket), incident, transition,
                              action);
}

static void port_opened(void *context, const struct incident *incident) {
    struct core *core = context;
    board_count_incident(core->settings.board, incident->host, incident->trigger);
}

static void port_action_finished(void *context, const struct action *action) {
    struct core *core = context;
    board_count_action(core->settings.board, action->host, action_kind_name(action->kind),
                       action_outcome_name(action->outcome));
}

static void port_healed(void *context, const struct incident *incident, int64_t took_ms) {
    (void)context;
    (void)incident;
    histogram_observe(HISTOGRAM_HEAL_SECONDS, (double)took_ms / 1000);
}

/* ---- hosts ---- */

struct core *core_create(const struct core_settings *settings, const struct core_ports *ports) {
    struct core *core = xcalloc(1, sizeof *core);
    core->settings = *settings;
    core->ports = *ports;
    core->response_settings = (struct response_settings){
        .policy = settings->policy,
        .set = settings->set,
        .stale_after_ms = settings->stale_after_ms,
    };
    rng_seed(&core->ids, settings->id_seed);
    return core;
}

static int actor_for(const struct core *core, const char *name) {
    for (size_t i = 0; i < core->settings.helper_count; i++) {
        if (strcmp(core->settings.helpers[i].host, name) == 0)
            return (int)i;
    }
    return -1;
}

static struct host *host_create(struct core *core, uint32_t index) {
    const struct core_settings *settings = &core->settings;
    struct host *host = xcalloc(1, sizeof *host);
    host->core = core;
    host->index = index;
    host->name = host_directory_name(settings->directory, index);
    host->actor = actor_for(core, host->name);
    host->assembly = assembly_create(settings->set, &settings->assembly);
    struct model_settings model = settings->model;
    model.seed = rng_mix(model.seed ^ XXH3_64bits(host->name, strlen(host->name)));
    host->model = model_create(feature_set_count(settings->set), &model);
    struct response_ports ports = {
        .context = core,
        .list = port_list,
        .act = port_act,
        .record = port_record,
        .opened = port_opened,
        .action_finished = port_action_finished,
        .healed = port_healed,
    };
    host->response = response_create(&core->response_settings, &ports, index, host->name, &core->ids);
    snprintf(host->row.host, sizeof host->row.host, "%s", host->name);
    if (host->actor >= 0)
        snprintf(host->row.helper, sizeof host->row.helper, "%s", settings->helpers[host->actor].socket_path);
    host->row.assessment.score = host->row.assessment.threshold = NAN;
    host->row.assessment.learning_target = settings->model.learning_points;
    for (size_t i = 0; i < FEATURES_MAX; i++)
        host->row.values[i] = NAN;
    return host;
}

static struct host *host_at(struct core *core, uint32_t index) {
    if (index >= core->host_capacity) {
        uint32_t capacity = core->host_capacity ? core->host_capacity : 64;
        while (capacity <= index)
            capacity *= 2;
        core->hosts = xrealloc(core->hosts, capacity, sizeof core->hosts[0]);
        memset(core->hosts + core->host_capacity, 0,
               (capacity - core->host_capacity) * sizeof core->hosts[0]);
        core->host_capacity = capacity;
    }
    if (!core->hosts[index])
        core->hosts[index] = host_create(core, index);
    return core->hosts[index];
}

static void host_destroy(struct host *host) {
    if (!host)
        return;
    response_destroy(host->response);
    model_destroy(host->model);
    assembly_destroy(host->assembly);
    free(host);
}

void core_destroy(struct core *core) {
    if (!core)
        return;
    for (uint32_t i = 0; i < core->host_capacity; i++)
        host_destroy(core->hosts[i]);
    free(core->hosts);
    free(core);
}

/* ---- what people see ---- */

static enum host_state state_of(const struct host *host, struct moment now) {
    if (now.unix_ms - host->row.last_sample_ms > host->core->settings.stale_after_ms)
        return HOST_STALE;
    const struct incident *incident = response_incident(host->response);
    if (incident && (incident->state == INCIDENT_REMEDIATING || incident->state == INCIDENT_VERIFYING))
        return HOST_HEALING;
    const struct assessment *assessment = &host->row.assessment;
    if (incident || response_is_suspicious(host->response) || assessment->anomalous)
        return HOST_ANOMALY;
    return assessment->learning_points < assessment->learning_target ? HOST_LEARNING : HOST_HEALTHY;
}

/* Fits the newest steps of a story into a row. */
void core_fill_incident_row(const struct incident_story *story, struct incident_row *row) {
    size_t transitions = story->transition_count, actions = story->action_count;
    if (transitions > BOARD_TRANSITIONS_PER_INCIDENT)
        transitions = BOARD_TRANSITIONS_PER_INCIDENT;
    if (actions > BOARD_ACTIONS_PER_INCIDENT)
        actions = BOARD_ACTIONS_PER_INCIDENT;
    row->incident = *story->incident;
    row->transition_count = transitions;
    row->action_count = actions;
    for (size_t i = 0; i < transitions; i++)
        row->transitions[i] = story->transitions[story->transition_count - transitions + i];
    for (size_t i = 0; i < actions; i++)
        row->actions[i] = story->actions[story->action_count - actions + i];
}

static void show_incident(struct host *host) {
    struct incident_story story;
    if (host->shown_changes == response_changes(host->response) || !response_story(host->response, &story))
        return;
    host->shown_changes = response_changes(host->response);
    struct incident_row *row = xcalloc(1, sizeof *row); /* too large for a stack */
    core_fill_incident_row(&story, row);
    board_put_incident(host->core->settings.board, row);
    free(row);
}

/* A host's part in the fleet's totals, which the fleet brake looks at. */
static void count_in_fleet(struct host *host) {
    struct core *core = host->core;
    bool judged = host->row.state != HOST_STALE && host->row.state != HOST_LEARNING;
    bool anomalous = host->row.state == HOST_ANOMALY || host->row.state == HOST_HEALING;
    core->hosts_judged += (unsigned)judged - (unsigned)host->is_judged;
    core->hosts_anomalous += (unsigned)anomalous - (unsigned)host->is_anomalous;
    host->is_judged = judged;
    host->is_anomalous = anomalous;
}

/* Puts the host on the board if there is a new point, or if its state or incident has changed. */
static void show(struct host *host, const struct point *point, struct moment now) {
    show_incident(host);
    enum host_state state = state_of(host, now);
    const struct incident *incident = response_incident(host->response);
    const char *incident_id = incident ? incident->id : "";
    if (!point && state == host->row.state && strcmp(incident_id, host->row.incident_id) == 0)
        return;
    host->row.state = state;
    snprintf(host->row.incident_id, sizeof host->row.incident_id, "%s", incident_id);
    count_in_fleet(host);
    struct board_point shown = {.state = state};
    if (point) {
        shown.at_ms = point->timestamp_ms;
        shown.score = host->row.assessment.score;
        shown.threshold = host->row.assessment.threshold;
        memcpy(shown.values, point->values, sizeof shown.values);
    }
    board_put_host(host->core->settings.board, host->index, &host->row, point ? &shown : NULL);
}

/* ---- the loop: a point is assessed, watched, responded to and shown ---- */

static void ask_for_training(struct host *host) {
    struct training *training = model_training_due(host->model);
    if (!training)
        return;
    if (host->core->ports.train(host->core->ports.context, host->index, training) == STATUS_OK)
        return;
    model_adopt(host->model, training); /* as it is: the model asks again at its next point */
    counter_add(COUNTER_TRAINING_DEFERRED, 1);
}

static void take_point(struct host *host, const struct point *point, struct moment now) {
    const struct core *core = host->core;
    struct host_row *row = &host->row;
    counter_add(point->complete ? COUNTER_POINTS_COMPLETE : COUNTER_POINTS_PARTIAL, 1);
    model_observe(host->model, point->timestamp_ms, point->values, &row->assessment);
    ask_for_training(host);
    struct surroundings around = {
        .has_helper = host->actor >= 0,
        .newest_sample_at_ms = row->last_sample_ms,
        .hosts = core->hosts_judged,
        .hosts_anomalous = core->hosts_anomalous,
    };
    response_point(host->response, &row->assessment, point->values, &around, now);
    memcpy(row->values, point->values, sizeof row->values);
    row->series_count = assembly_series_count(host->assembly);
    row->window_points = model_window_points(host->model);
    row->model_bytes = model_bytes(host->model);
    show(host, point, now);
}

static size_t take_ready_points(struct host *host, struct moment now) {
    size_t count = 0;
    struct point point;
    while (assembly_next(host->assembly, now.monotonic_ms, &point)) {
        take_point(host, &point, now);
        count++;
    }
    return count;
}

size_t core_observe(struct core *core, const struct observation_batch *batch, struct moment now) {
    size_t points = 0, late = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct host *host = host_at(core, batch->observations[i].host);
        host->row.last_sample_ms = now.unix_ms;
        late += !assembly_add(host->assembly, &batch->observations[i], now.monotonic_ms);
        points += take_ready_points(host, now);
    }
    counter_add(COUNTER_SAMPLES_LATE, late);
    return points;
}

void core_trained(struct core *core, uint32_t host, struct training *training) {
    model_adopt(core->hosts[host]->model, training);
    counter_add(COUNTER_FORESTS_TRAINED, 1);
}

void core_answered(struct core *core, const struct act_answer *answer, struct moment now) {
    struct host *host = host_at(core, answer->host);
    switch (answer->kind) {
    case ACT_LIST:
        response_candidates(host->response, answer->request, answer->status, answer->text, answer->candidates,
                            answer->candidate_count, now);
        break;
    case ACT_DEED:
        response_acted(host->response, answer->request, answer->outcome, answer->text, now);
        break;
    case ACT_STATUS: /* the engine's to show: it is of no host */
        return;
    }
    show(host, NULL, now);
}

void core_durable(struct core *core, uint64_t ticket, struct moment now) {
    struct host *host = host_at(core, (uint32_t)(ticket >> 32));
    response_durable(host->response, ticket & UINT32_MAX, now);
    show(host, NULL, now);
}

void core_tick(struct core *core, struct moment now) {
    for (uint32_t i = 0; i < core->host_capacity; i++) {
        struct host *host = core->hosts[i];
        if (!host)
            continue;
        take_ready_points(host, now);
        response_tick(host->response, now);
        show(host, NULL, now);
    }
}

enum status core_restore(struct core *core, const struct incident *incident,
                         const struct transition *transitions, size_t transition_count,
                         const struct action *actions, size_t action_count, struct moment now,
                         struct error *err) {
    if (incident_is_ended(incident) &&
        now.unix_ms - incident->closed_at_ms >= core->settings.policy->cooldown_ms)
        return STATUS_OK;
    uint32_t index;
    enum status status = host_directory_intern(core->settings.directory, incident->host, &index, err);
    if (status != STATUS_OK)
        return status;
    struct host *host = host_at(core, index);
    if (!incident_is_ended(incident) && response_incident(host->response)) /* it is this very one */
        return STATUS_OK;
    response_restore(host->response, incident, transitions, transition_count, actions, action_count, now);
    host->row.state =
        HOST_LEARNING; /* so that the first show() differs: it is STALE until its first sample */
    show(host, NULL, now);
    return STATUS_OK;
}
