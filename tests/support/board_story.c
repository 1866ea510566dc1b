#include "support/board_story.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/counters.h"
#include "base/rng.h"

enum {
    STEP_MS = 2000,
    PAST_MS = 600 * 1000,
    LEARNING_POINTS = 15,
    NAMED_HOSTS = 5,
    /* Of an incident, after its first anomalous sample: */
    OPENED_MS = 4000,
    SENT_MS = 4300,
    DONE_MS = 5600,
    PROVEN_MS = 15600,
};

struct story_host {
    char name[64];
    uint32_t index;
    int64_t born_ms;                /* its first point */
    int64_t broken_ms, repaired_ms; /* INT64_MAX: never */
    int64_t silent_ms;              /* its last point; INT64_MAX: goes on */
    struct incident_row incident;   /* sequence 0: none yet */
};

struct board_story {
    struct board *board;
    struct rng rng;
    int64_t next_ms;
    size_t host_count;
    struct story_host *hosts;
};

static const char usual_why[] = "cpu_busy 0.98 (usually 0.08 to 0.31), load_per_cpu 3.1 (usually 0.2 to 0.9)";

static double around(struct rng *rng, double middle, double spread) {
    return middle + (rng_uniform(rng) - 0.5) * 2 * spread;
}

static void set_feature(const struct board *board, double *values, const char *name, double value) {
    int feature = feature_set_find(board_features(board), name);
    if (feature >= 0)
        values[feature] = value;
}

static void fill_values(struct board_story *story, bool broken, double *values) {
    const struct board *board = story->board;
    struct rng *rng = &story->rng;
    for (size_t i = 0; i < FEATURES_MAX; i++)
        values[i] = NAN;
    set_feature(board, values, "cpu_busy", broken ? around(rng, 0.98, 0.015) : around(rng, 0.18, 0.1));
    set_feature(board, values, "cpu_kernel", around(rng, 0.05, 0.02));
    set_feature(board, values, "load_per_cpu", broken ? around(rng, 3.1, 0.3) : around(rng, 0.5, 0.2));
    set_feature(board, values, "memory_used", around(rng, 0.46, 0.02));
    set_feature(board, values, "swap_used", 0);
    set_feature(board, values, "disk_bytes", fabs(around(rng, 1.2e6, 1.1e6)));
    set_feature(board, values, "disk_operations", around(rng, 38, 20));
    set_feature(board, values, "network_in", around(rng, 340e3, 200e3));
    set_feature(board, values, "network_out", around(rng, 910e3, 300e3));
    set_feature(board, values, "filesystem_used", 0.613);
    set_feature(board, values, "context_switches", around(rng, broken ? 9000 : 5200, 900));
    set_feature(board, values, "processes_running", floor(broken ? around(rng, 6, 1) : around(rng, 2, 1)));
    set_feature(board, values, "pressure_cpu", broken ? around(rng, 0.7, 0.1) : around(rng, 0.02, 0.02));
}

static bool is_broken(const struct story_host *host, int64_t at_ms) {
    return at_ms >= host->broken_ms && at_ms < host->repaired_ms;
}

static bool is_healed_at(const struct story_host *host) {
    return host->repaired_ms != INT64_MAX;
}

static enum host_state state_at(const struct story_host *host, size_t points, int64_t at_ms) {
    if (at_ms > host->silent_ms)
        return HOST_STALE;
    if (points < LEARNING_POINTS)
        return HOST_LEARNING;
    if (is_healed_at(host) && at_ms >= host->broken_ms + SENT_MS && at_ms < host->broken_ms + PROVEN_MS)
        return HOST_HEALING;
    return is_broken(host, at_ms) ? HOST_ANOMALY : HOST_HEALTHY;
}

static void lead(struct assessment *seen, const struct board *board, const char *name, double share,
                 const double *values, double low, double high) {
    int feature = feature_set_find(board_features(board), name);
    if (feature < 0)
        return;
    seen->leading[seen->leading_count++] = (struct leading_feature){.feature = (size_t)feature,
                                                                    .share = share,
                                                                    .value = values[feature],
                                                                    .usual_low = low,
                                                                    .usual_high = high};
}

static void put_point(struct board_story *story, struct story_host *host, int64_t at_ms) {
    size_t points = (size_t)((at_ms - host->born_ms) / STEP_MS) + 1;
    bool broken = is_broken(host, at_ms), learning = points < LEARNING_POINTS;
    struct host_row row = {.state = state_at(host, points, at_ms),
                           .last_sample_ms = at_ms + 140,
                           .series_count = 118,
                           .window_points = points,
                           .model_bytes = 412 * 1024};
    snprintf(row.host, sizeof row.host, "%s", host->name);
    snprintf(row.helper, sizeof row.helper, "/run/sentinel/helper.sock");
    if (host->incident.incident.sequence && !incident_is_ended(&host->incident.incident))
        memcpy(row.incident_id, host->incident.incident.id, sizeof row.incident_id);
    fill_values(story, broken, row.values);
    struct assessment *seen = &row.assessment;
    seen->at_ms = at_ms;
    seen->learning_points = learning ? points : LEARNING_POINTS;
    seen->learning_target = LEARNING_POINTS;
    seen->score = learning ? NAN : broken ? around(&story->rng, 0.74, 0.02) : around(&story->rng, 0.41, 0.05);
    seen->threshold = learning ? NAN : 0.58;
    seen->anomalous = broken;
    if (!learning) {
        lead(seen, story->board, "cpu_busy", broken ? 0.46 : 0.18, row.values, 0.08, 0.31);
        lead(seen, story->board, "load_per_cpu", broken ? 0.24 : 0.16, row.values, 0.2, 0.9);
        lead(seen, story->board, "pressure_cpu", broken ? 0.15 : 0.11, row.values, 0, 0.04);
        lead(seen, story->board, "network_in", 0.06, row.values, 150e3, 535e3);
    }
    struct board_point point = {
        .at_ms = at_ms, .score = seen->score, .threshold = seen->threshold, .state = row.state};
    memcpy(point.values, row.values, sizeof point.values);
    board_put_host(story->board, host->index, &row, &point);
}

static void put_stale(struct board_story *story, const struct story_host *host) {
    struct host_row row;
    if (board_get_host(story->board, host->index, &row) && row.state != HOST_STALE) {
        row.state = HOST_STALE;
        board_put_host(story->board, host->index, &row, NULL);
    }
}

/* 32 hex digits, as the core chooses them. */
static void name_by_seed(char id[33], int64_t seed) {
    uint64_t high = rng_mix((uint64_t)seed), low = rng_mix(high);
    snprintf(id, 33, "%016" PRIx64 "%016" PRIx64, high, low);
}

static void begin(struct board_story *story, struct story_host *host) {
    struct incident *incident = &host->incident.incident;
    *incident = (struct incident){.first_seen_ms = host->broken_ms, .peak_score = 0.757};
    name_by_seed(incident->id, host->broken_ms + host->index);
    snprintf(incident->host, sizeof incident->host, "%s", host->name);
    snprintf(incident->trigger, sizeof incident->trigger, "forest");
    snprintf(incident->rule, sizeof incident->rule, "runaway-cpu");
    snprintf(incident->why, sizeof incident->why, "%s", usual_why);
    incident_begin(incident, host->broken_ms + 200, "score 0.741 above threshold 0.580",
                   &host->incident.transitions[host->incident.transition_count++]);
    board_count_incident(story->board, host->name, incident->trigger);
}

static void step(struct board_story *story, struct story_host *host, enum incident_event event, int64_t at_ms,
                 const char *why) {
    struct incident_row *row = &host->incident;
    struct error err = {0};
    enum status status =
        incident_advance(&row->incident, event, at_ms, why, &row->transitions[row->transition_count], &err);
    if (status != STATUS_OK) {
        fprintf(stderr, "the story tells an impossible transition: %s\n", err.text);
        abort();
    }
    row->transition_count++;
    board_put_incident(story->board, row);
}

static void add_candidate(struct action *action, int32_t pid, uint32_t uid, const char *comm,
                          double cpu_ratio, const char *where, const char *refusal) {
    struct candidate *candidate = &action->candidates[action->candidate_count++];
    *candidate = (struct candidate){
        .pid = pid, .uid = uid, .cpu_ratio = cpu_ratio, .age_ms = 41000, .allowed = !refusal};
    snprintf(candidate->comm, sizeof candidate->comm, "%s", comm);
    snprintf(candidate->where, sizeof candidate->where, "%s", where);
    snprintf(candidate->reason, sizeof candidate->reason, "%s", refusal ? refusal : "");
}

static struct action *intend(struct story_host *host, int64_t at_ms) {
    struct action *action = &host->incident.actions[host->incident.action_count++];
    *action = (struct action){.kind = ACTION_TERMINATE, .intended_at_ms = at_ms, .outcome = OUTCOME_PENDING};
    name_by_seed(action->id, at_ms + host->index);
    snprintf(action->incident_id, sizeof action->incident_id, "%s", host->incident.incident.id);
    snprintf(action->host, sizeof action->host, "%s", host->name);
    return action;
}

static void send_deed(struct story_host *host) {
    struct action *action = intend(host, host->broken_ms + SENT_MS);
    add_candidate(action, 48213, 1001, "runaway", 0.994, "/user.slice/user-1001.slice/session-4.scope", NULL);
    add_candidate(action, 912, 0, "dockerd", 0.061, "/system.slice/docker.service",
                  "user 0 is below the policy's lowest user id 1000");
    add_candidate(action, 30177, 1001, "<b>node</b>", 0.038, "/user.slice/user-1001.slice/session-4.scope",
                  NULL);
    action->target = action->candidates[0];
}

static void finish_deed(struct board_story *story, struct story_host *host) {
    struct action *action = &host->incident.actions[0];
    action->finished_at_ms = host->broken_ms + DONE_MS;
    action->outcome = OUTCOME_TERMINATED;
    snprintf(action->reason, sizeof action->reason, "exited 1.3 s after TERM; its pidfd reported the end");
    board_count_action(story->board, host->name, "terminate", "terminated");
}

static void refuse_deed(struct board_story *story, struct story_host *host) {
    struct action *action = intend(host, host->broken_ms + SENT_MS);
    add_candidate(action, 7710, 0, "postgres", 1.92, "/system.slice/postgresql.service",
                  "user 0 is below the policy's lowest user id 1000");
    action->outcome = OUTCOME_REFUSED;
    action->finished_at_ms = host->broken_ms + SENT_MS + 40;
    action->target = action->candidates[0];
    snprintf(action->reason, sizeof action->reason, "no candidate is allowed by the helper's policy");
    board_count_action(story->board, host->name, "terminate", "refused");
}

/* What has happened to this host's incident by `at_ms`, one transition at a time. */
static void tell_incident(struct board_story *story, struct story_host *host, int64_t at_ms) {
    struct incident_row *row = &host->incident;
    int64_t since = at_ms - host->broken_ms, start = host->broken_ms;
    bool healed = is_healed_at(host);
    if (since < 0)
        return;
    if (row->incident.sequence == 0) {
        begin(story, host);
        board_put_incident(story->board, row);
    }
    if (row->incident.state == INCIDENT_SUSPECTED && since >= OPENED_MS)
        step(story, host, EVENT_HELD, start + OPENED_MS, "anomalous for 3 of 3 points");
    if (row->incident.state == INCIDENT_OPEN && since >= SENT_MS && healed) {
        send_deed(host);
        step(story, host, EVENT_ACTION_SENT, start + SENT_MS,
             "terminate runaway (pid 48213), 99 % of one CPU");
    }
    if (row->incident.state == INCIDENT_OPEN && since >= SENT_MS && !healed) {
        refuse_deed(story, host);
        step(story, host, EVENT_NO_ACTION_LEFT, start + SENT_MS + 40,
             "the helper refused: no candidate is allowed by its policy");
    }
    if (row->incident.state == INCIDENT_REMEDIATING && since >= DONE_MS) {
        finish_deed(story, host);
        step(story, host, EVENT_ACTION_DONE, start + DONE_MS, "the pinned process is gone after TERM");
    }
    if (row->incident.state == INCIDENT_VERIFYING && since >= PROVEN_MS) {
        histogram_observe(HISTOGRAM_HEAL_SECONDS, PROVEN_MS / 1000.0);
        step(story, host, EVENT_BACK_TO_NORMAL, start + PROVEN_MS,
             "5 points in a row below the threshold, cpu_busy 0.17");
    }
}

/* What the loop would have counted for one point. */
static void count_point(struct board_story *story) {
    counter_add(COUNTER_WRITE_V1_204, 1);
    counter_add(COUNTER_SAMPLES_RECEIVED, 600);
    counter_add(COUNTER_SAMPLES_MATCHED, 118);
    counter_add(COUNTER_POINTS_COMPLETE, 1);
    histogram_observe(HISTOGRAM_DECISION_SECONDS, around(&story->rng, 0.0004, 0.0003));
}

static void advance_host(struct board_story *story, struct story_host *host, int64_t at_ms) {
    if (at_ms < host->born_ms)
        return;
    tell_incident(story, host, at_ms);
    if (at_ms > host->silent_ms) {
        put_stale(story, host);
        return;
    }
    put_point(story, host, at_ms);
    count_point(story);
}

void board_story_advance(struct board_story *story, int64_t now_ms) {
    for (; story->next_ms <= now_ms; story->next_ms += STEP_MS)
        for (size_t i = 0; i < story->host_count; i++)
            advance_host(story, &story->hosts[i], story->next_ms);
    struct board_status status = {.mode_act = true,
                                  .core_depth = 3,
                                  .core_capacity = 4096,
                                  .archive_capacity = 1024,
                                  .series_active = story->host_count * 118,
                                  .helper_count = 1};
    struct board_helper *helper = &status.helpers[0];
    *helper = (struct board_helper){
        .reachable = true, .mode_act = true, .policy_ok = true, .deeds_last_hour = 1, .budget_per_hour = 6};
    snprintf(helper->path, sizeof helper->path, "/run/sentinel/helper.sock");
    board_put_status(story->board, &status);
}

static struct story_host *add_host(struct board_story *story, int64_t born_ms) {
    struct story_host *host = &story->hosts[story->host_count];
    host->index = (uint32_t)story->host_count++;
    host->born_ms = born_ms;
    host->broken_ms = host->repaired_ms = host->silent_ms = INT64_MAX;
    return host;
}

static void break_host(struct story_host *host, int64_t broken_ms, bool healed) {
    host->broken_ms = broken_ms;
    host->repaired_ms = healed ? broken_ms + DONE_MS : INT64_MAX;
}

struct board_story *board_story_create(struct board *board, size_t pool_hosts, int64_t now_ms,
                                       int64_t break_after_ms) {
    struct board_story *story = xcalloc(1, sizeof *story);
    story->board = board;
    rng_seed(&story->rng, 42);
    story->hosts = xcalloc(NAMED_HOSTS + pool_hosts, sizeof *story->hosts);
    now_ms -= now_ms % STEP_MS;
    int64_t start_ms = story->next_ms = now_ms - PAST_MS;

    struct story_host *host = add_host(story, start_ms);
    snprintf(host->name, sizeof host->name, "web-1.example.net:9100");
    break_host(host, now_ms - 120 * 1000, true);
    host = add_host(story, start_ms);
    snprintf(host->name, sizeof host->name, "web-2.example.net:9100");
    break_host(host, now_ms + break_after_ms, true);
    host = add_host(story, start_ms);
    snprintf(host->name, sizeof host->name, "build-7.example.net:9100");
    break_host(host, now_ms - 50 * 1000, false);
    host = add_host(story, start_ms);
    snprintf(host->name, sizeof host->name, "edge-3.example.net:9100");
    host->silent_ms = now_ms - 190 * 1000;
    host = add_host(story, now_ms - 8 * STEP_MS);
    snprintf(host->name, sizeof host->name, "new-9.example.net:9100");
    for (size_t i = 0; i < pool_hosts; i++) {
        host = add_host(story, start_ms);
        snprintf(host->name, sizeof host->name, "pool-%04zu.example.net:9100", i + 1);
    }
    board_put_reload(board, true, start_ms);
    board_story_advance(story, now_ms);
    return story;
}

void board_story_destroy(struct board_story *story) {
    if (!story)
        return;
    free(story->hosts);
    free(story);
}
