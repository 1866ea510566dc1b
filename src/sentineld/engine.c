#include "sentineld/engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "archive/archive.h"
#include "base/alloc.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/queue.h"

enum {
    TICK_MS = 250,
    STATUS_EVERY_MS = 1000,
    TRAINER_CAPACITY = 1024, /* a full one puts a fit off, which costs nothing but freshness */
    RESTORE_LIMIT = 200,     /* newest incidents shown again after a restart */
    RESTORE_OPEN_LIMIT = 4096,
};

enum message_kind { MESSAGE_BATCH, MESSAGE_TRAINED, MESSAGE_ANSWER, MESSAGE_DURABLE, MESSAGE_POLICY };

struct message {
    enum message_kind kind;
    uint32_t host;   /* MESSAGE_TRAINED */
    uint64_t ticket; /* MESSAGE_DURABLE */
    void *payload;   /* batch, training, answer or policy; owned by the message */
};

struct training_job {
    uint32_t host;
    struct training *training;
};

struct engine {
    struct engine_settings settings;
    struct policy policy; /* core's own; written on the core thread only */
    struct core *core;
    struct queue *inbox, *training;
    struct archive *archive;
    struct actor **actors; /* by their number */
    size_t actor_count;
    pthread_t core_thread, trainer_thread;
    bool core_started, trainer_started;
    atomic_bool running;
    struct board_status status; /* core thread */
    int64_t next_tick_ms, next_status_ms;
};

/* ---- into core ---- */

static void message_discard(void *item) {
    struct message *message = item;
    if (message->kind == MESSAGE_TRAINED)
        training_destroy(message->payload);
    else
        free(message->payload);
    free(message);
}

static struct message *message_create(enum message_kind kind, void *payload) {
    struct message *message = xcalloc(1, sizeof *message);
    message->kind = kind;
    message->payload = payload;
    return message;
}

enum status engine_deliver(void *context, struct observation_batch *batch) {
    struct engine *engine = context;
    struct message *message = message_create(MESSAGE_BATCH, batch);
    enum status status = queue_try_push(engine->inbox, message);
    if (status != STATUS_OK)
        free(message); /* the batch stays the caller's */
    return status;
}

/* For threads that may wait: what they have to say must not be lost. */
static void deliver_or_wait(struct engine *engine, struct message *message) {
    const struct timespec a_moment = {.tv_nsec = 1000000};
    enum status status;
    while ((status = queue_try_push(engine->inbox, message)) == STATUS_BUSY)
        nanosleep(&a_moment, NULL);
    if (status != STATUS_OK) /* core has ended; the archive knows what is unfinished */
        message_discard(message);
}

static void answer_arrived(void *context, struct act_answer *answer) {
    deliver_or_wait(context, message_create(MESSAGE_ANSWER, answer));
}

static void record_is_durable(void *context, uint64_t ticket) {
    struct message *message = message_create(MESSAGE_DURABLE, NULL);
    message->ticket = ticket;
    deliver_or_wait(context, message);
}

void engine_set_policy(struct engine *engine, const struct policy *policy) {
    struct policy *copy = xcalloc(1, sizeof *copy);
    *copy = *policy;
    deliver_or_wait(engine, message_create(MESSAGE_POLICY, copy));
}

/* ---- out of core ---- */

static enum status port_train(void *context, uint32_t host, struct training *training) {
    struct engine *engine = context;
    struct training_job *job = xcalloc(1, sizeof *job);
    *job = (struct training_job){host, training};
    enum status status = queue_try_push(engine->training, job);
    if (status != STATUS_OK)
        free(job);
    return status;
}

static enum status port_list(void *context, size_t actor, uint32_t host, uint64_t request) {
    struct engine *engine = context;
    return actor_list(engine->actors[actor], host, request);
}

static enum status port_act(void *context, size_t actor, uint32_t host, uint64_t request,
                            const struct action *action) {
    struct engine *engine = context;
    return actor_deed(engine->actors[actor], host, request, action);
}

static void log_record(const struct incident *incident, const struct transition *transition,
                       const struct action *action) {
    char host[300], why[400];
    log_quote(incident->host, host, sizeof host);
    if (transition)
        LOG_INFO("transition", "incident=%s host=%s rule=%s from=%s to=%s why=%s", incident->id, host,
                 incident->rule, incident_state_name(transition->from), incident_state_name(transition->to),
                 log_quote(transition->why, why, sizeof why));
    if (action)
        LOG_INFO("action", "incident=%s action=%s host=%s kind=%s outcome=%s pid=%d dry_run=%d reason=%s",
                 incident->id, action->id, host, action_kind_name(action->kind),
                 action_outcome_name(action->outcome), (int)action->target.pid, action->dry_run,
                 log_quote(action->reason, why, sizeof why));
}

static enum status port_record(void *context, uint64_t ticket, const struct incident *incident,
                               const struct transition *transition, const struct action *action) {
    struct engine *engine = context;
    struct archive_record *record = xcalloc(1, sizeof *record);
    record->ticket = ticket;
    record->incident = *incident;
    record->has_transition = transition != NULL;
    record->has_action = action != NULL;
    if (transition)
        record->transition = *transition;
    if (action)
        record->action = *action;
    enum status status = archive_submit(engine->archive, record);
    if (status == STATUS_OK)
        log_record(incident, transition, action);
    free(record);
    return status;
}

/* ---- the core thread ---- */

static void show_helper(struct engine *engine, const struct act_answer *answer) {
    struct board_helper *shown = &engine->status.helpers[answer->actor];
    bool reachable = answer->status == STATUS_OK;
    if (reachable != shown->reachable || (!reachable && !shown->text[0])) {
        char path[200], text[300];
        log_quote(shown->path, path, sizeof path);
        if (reachable)
            LOG_INFO("helper_reachable", "socket=%s mode=%s policy_ok=%d", path,
                     answer->helper.mode_act ? "act" : "observe", answer->helper.policy_ok);
        else
            LOG_WARN("helper_unreachable", "socket=%s error=%s", path,
                     log_quote(answer->text, text, sizeof text));
    }
    shown->reachable = reachable;
    snprintf(shown->text, sizeof shown->text, "%.*s", (int)sizeof shown->text - 1,
             reachable ? answer->helper.policy_text : answer->text);
    if (!reachable)
        return;
    shown->mode_act = answer->helper.mode_act;
    shown->paused = answer->helper.paused;
    shown->policy_ok = answer->helper.policy_ok;
    shown->deeds_last_hour = answer->helper.deeds_last_hour;
    shown->budget_per_hour = answer->helper.budget_per_hour;
}

static void show_status(struct engine *engine) {
    struct board_status *status = &engine->status;
    status->mode_act = engine->policy.mode == MODE_ACT;
    status->archive_failing = archive_is_failing(engine->archive);
    status->archive_depth = archive_depth(engine->archive);
    status->archive_capacity = archive_capacity(engine->archive);
    status->core_depth = queue_depth(engine->inbox);
    status->core_capacity = queue_capacity(engine->inbox);
    if (engine->settings.series_active)
        status->series_active = engine->settings.series_active(engine->settings.series_context);
    board_put_status(engine->settings.core.board, status);
}

static void take_batch(struct engine *engine, const struct observation_batch *batch, struct moment now) {
    size_t points = core_observe(engine->core, batch, now);
    if (points > 0)
        histogram_observe(HISTOGRAM_DECISION_SECONDS,
                          (double)(clock_monotonic_us() - batch->received_at_monotonic_us) * 1e-6);
}

static void take_policy(struct engine *engine, const struct policy *policy) {
    uint64_t generation = engine->policy.generation + 1;
    engine->policy = *policy;
    engine->policy.generation = generation;
}

static void take_message(struct engine *engine, struct message *message, struct moment now) {
    switch (message->kind) {
    case MESSAGE_BATCH:
        take_batch(engine, message->payload, now);
        break;
    case MESSAGE_TRAINED:
        core_trained(engine->core, message->host, message->payload);
        message->payload = NULL; /* core's now */
        break;
    case MESSAGE_ANSWER: {
        const struct act_answer *answer = message->payload;
        if (answer->kind == ACT_STATUS)
            show_helper(engine, answer);
        else
            core_answered(engine->core, answer, now);
        break;
    }
    case MESSAGE_DURABLE:
        core_durable(engine->core, message->ticket, now);
        break;
    case MESSAGE_POLICY:
        take_policy(engine, message->payload);
        break;
    }
    free(message->payload);
    free(message);
}

static void take_time(struct engine *engine, struct moment now) {
    if (now.monotonic_ms >= engine->next_tick_ms) {
        engine->next_tick_ms = now.monotonic_ms + TICK_MS;
        core_tick(engine->core, now);
    }
    if (now.monotonic_ms >= engine->next_status_ms) {
        engine->next_status_ms = now.monotonic_ms + STATUS_EVERY_MS;
        show_status(engine);
    }
}

static void *run_core(void *context) {
    struct engine *engine = context;
    for (;;) {
        struct moment now = clock_now();
        take_time(engine, now);
        /* Asked before the inbox is: it was closed by then, so an empty one stays empty. */
        bool ending = !atomic_load(&engine->running);
        struct message *message = queue_pop(engine->inbox, engine->next_tick_ms - now.monotonic_ms);
        if (message)
            take_message(engine, message, clock_now());
        else if (ending)
            return NULL;
    }
}

static void *run_trainer(void *context) {
    struct engine *engine = context;
    struct training_job *job;
    while ((job = queue_pop(engine->training, -1)) != NULL) {
        training_run(job->training);
        struct message *message = message_create(MESSAGE_TRAINED, job->training);
        message->host = job->host;
        deliver_or_wait(engine, message);
        free(job);
    }
    return NULL;
}

static void training_job_discard(void *item) {
    struct training_job *job = item;
    training_destroy(job->training);
    free(job);
}

/* ---- what was left unfinished ---- */

struct restoring {
    struct engine *engine;
    struct moment now;
    struct incident_row *rows; /* newest first, as the store gives them */
    size_t count;
    enum status status;
    struct error *err;
};

static void restore_story(void *context, const struct incident *incident,
                          const struct transition *transitions, size_t transition_count,
                          const struct action *actions, size_t action_count) {
    struct restoring *restoring = context;
    struct incident_story story = {incident, transitions, transition_count, actions, action_count};
    core_fill_incident_row(&story, &restoring->rows[restoring->count++]);
    if (restoring->status == STATUS_OK)
        restoring->status = core_restore(restoring->engine->core, incident, transitions, transition_count,
                                         actions, action_count, restoring->now, restoring->err);
}

/* Open incidents that are older than the newest RESTORE_LIMIT; core knows the others already. */
static enum status restore_older(struct engine *engine, struct store *store, struct moment now,
                                 struct error *err) {
    struct incident *open = xcalloc(RESTORE_OPEN_LIMIT, sizeof *open);
    struct action *action = xcalloc(1, sizeof *action);
    size_t count = 0;
    enum status status = store_load_open(store, open, RESTORE_OPEN_LIMIT, &count, err);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        enum status found = store_load_last_action(store, open[i].id, action, err);
        if (found != STATUS_OK && found != STATUS_NOT_FOUND)
            status = found;
        else
            status = core_restore(engine->core, &open[i], NULL, 0, action, found == STATUS_OK, now, err);
    }
    free(action);
    free(open);
    return status;
}

static enum status restore(struct engine *engine, struct store *store, struct error *err) {
    struct restoring restoring = {
        .engine = engine,
        .now = clock_now(),
        .rows = xcalloc(RESTORE_LIMIT, sizeof *restoring.rows),
        .err = err,
    };
    enum status status = store_list(store, RESTORE_LIMIT, restore_story, &restoring, err);
    if (status == STATUS_OK)
        status = restoring.status;
    for (size_t i = restoring.count; i > 0; i--) /* oldest first: the board shows the last one put on top */
        board_put_incident(engine->settings.core.board, &restoring.rows[i - 1]);
    free(restoring.rows);
    return status == STATUS_OK ? restore_older(engine, store, restoring.now, err) : status;
}

/* ---- a life ---- */

static void create_actors(struct engine *engine) {
    const struct core_settings *core = &engine->settings.core;
    engine->actors = xcalloc(core->helper_count, sizeof *engine->actors);
    engine->actor_count = engine->status.helper_count = core->helper_count;
    for (size_t i = 0; i < core->helper_count; i++) {
        engine->actors[i] = actor_create(i, core->helpers[i].socket_path, answer_arrived, engine);
        snprintf(engine->status.helpers[i].path, sizeof engine->status.helpers[i].path, "%s",
                 core->helpers[i].socket_path);
    }
}

enum status engine_create(const struct engine_settings *settings, struct store *store, struct engine **out,
                          struct error *err) {
    struct engine *engine = xcalloc(1, sizeof *engine);
    engine->settings = *settings;
    engine->policy = *settings->core.policy;
    engine->settings.core.policy = &engine->policy;
    engine->inbox = queue_create(settings->queue_capacity, message_discard);
    engine->training = queue_create(TRAINER_CAPACITY, training_job_discard);
    engine->archive = archive_create(store, settings->archive_capacity, record_is_durable, engine);
    create_actors(engine);
    const struct core_ports ports = {
        .context = engine,
        .train = port_train,
        .list = port_list,
        .act = port_act,
        .record = port_record,
    };
    engine->core = core_create(&engine->settings.core, &ports);
    enum status status = restore(engine, store, err);
    if (status != STATUS_OK) {
        engine_destroy(engine);
        return status;
    }
    *out = engine;
    return STATUS_OK;
}

enum status engine_start(struct engine *engine, struct error *err) {
    enum status status = archive_start(engine->archive, err);
    if (status != STATUS_OK)
        return status;
    atomic_store(&engine->running, true);
    if (pthread_create(&engine->trainer_thread, NULL, run_trainer, engine) != 0)
        return error_set(err, STATUS_SYSTEM, "cannot start the trainer's thread: is a limit on threads set?");
    engine->trainer_started = true;
    if (pthread_create(&engine->core_thread, NULL, run_core, engine) != 0)
        return error_set(err, STATUS_SYSTEM, "cannot start core's thread: is a limit on threads set?");
    engine->core_started = true;
    for (size_t i = 0; i < engine->actor_count; i++) {
        status = actor_start(engine->actors[i], err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

bool engine_is_ready(void *context) {
    struct engine *engine = context;
    return atomic_load(&engine->running) && !archive_is_failing(engine->archive);
}

void engine_stop(struct engine *engine, int64_t grace_ms) {
    /* Those who talk to core first, then core (it drains its queue), then the archive that it talks to. */
    for (size_t i = 0; i < engine->actor_count; i++)
        actor_stop(engine->actors[i]);
    queue_close(engine->training);
    if (engine->trainer_started)
        pthread_join(engine->trainer_thread, NULL);
    engine->trainer_started = false;
    queue_close(engine->inbox);
    atomic_store(&engine->running, false);
    if (engine->core_started)
        pthread_join(engine->core_thread, NULL);
    engine->core_started = false;
    archive_stop(engine->archive, grace_ms);
}

void engine_destroy(struct engine *engine) {
    if (!engine)
        return;
    for (size_t i = 0; i < engine->actor_count; i++)
        actor_destroy(engine->actors[i]);
    free(engine->actors);
    archive_destroy(engine->archive);
    core_destroy(engine->core);
    queue_destroy(engine->training);
    queue_destroy(engine->inbox);
    free(engine);
}
