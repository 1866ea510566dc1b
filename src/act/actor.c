#include "act/actor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/queue.h"

enum {
    QUEUE_CAPACITY = 64, /* one host has at most one question under way; a helper serves one machine */
    ANSWER_TIMEOUT_MS = 3000,
    DEED_TIMEOUT_MS = 45 * 1000, /* the longest grace a policy may set, and some */
    ASK_AGAIN_AFTER_MS = 500,
    STATUS_EVERY_MS = 5000,
};

struct request {
    enum act_kind kind;
    uint32_t host;
    uint64_t request;
    enum action_kind deed;
    bool dry_run;
    uint8_t handle[16];
    char id[33];
};

struct actor {
    size_t number;
    struct helper_client *client;
    struct queue *queue;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    void (*deliver)(void *context, struct act_answer *answer);
    void *context;
};

struct actor *actor_create(size_t number, const char *socket_path,
                           void (*deliver)(void *context, struct act_answer *answer), void *context) {
    struct actor *actor = xcalloc(1, sizeof *actor);
    actor->number = number;
    actor->client = helper_client_create(socket_path, ANSWER_TIMEOUT_MS);
    actor->queue = queue_create(QUEUE_CAPACITY, free);
    actor->deliver = deliver;
    actor->context = context;
    return actor;
}

/* Once a deed has been asked for, a broken connection leaves open whether it was done. The same id is asked
 * for again until there is an answer: the helper does it at most once and repeats what it said. Each question
 * is short, so that stopping does not wait for a helper that gives its target a long grace. */
static enum status ask_for_deed(struct actor *actor, const struct request *request, struct act_answer *answer,
                                struct error *err) {
    const struct timespec pause = {.tv_nsec = ASK_AGAIN_AFTER_MS * 1000000L};
    int64_t deadline_ms = clock_monotonic_ms() + DEED_TIMEOUT_MS;
    for (;;) {
        enum status status =
            helper_client_act(actor->client, request->handle, request->deed, request->id, request->dry_run,
                              ANSWER_TIMEOUT_MS, &answer->outcome, answer->text, err);
        if (status != STATUS_UNAVAILABLE || clock_monotonic_ms() > deadline_ms ||
            atomic_load(&actor->stopping))
            return status;
        nanosleep(&pause, NULL);
    }
}

static enum status ask(struct actor *actor, const struct request *request, struct act_answer *answer,
                       struct error *err) {
    switch (request->kind) {
    case ACT_LIST:
        return helper_client_list(actor->client, answer->candidates, CANDIDATES_MAX, &answer->candidate_count,
                                  err);
    case ACT_DEED:
        return ask_for_deed(actor, request, answer, err);
    case ACT_STATUS:
        return helper_client_status(actor->client, &answer->helper, err);
    }
    return error_set(err, STATUS_INVALID, "no such request");
}

static void serve(struct actor *actor, const struct request *request) {
    struct act_answer *answer = xcalloc(1, sizeof *answer);
    struct error err = {0};
    answer->kind = request->kind;
    answer->actor = actor->number;
    answer->host = request->host;
    answer->request = request->request;
    answer->status = ask(actor, request, answer, &err);
    if (answer->status != STATUS_OK) {
        answer->outcome = OUTCOME_UNREACHABLE;
        answer->candidate_count = 0;
        snprintf(answer->text, sizeof answer->text, "%s", err.text);
        counter_add(COUNTER_HELPER_ERRORS, 1);
    }
    actor->deliver(actor->context, answer);
}

static void *run(void *argument) {
    struct actor *actor = argument;
    const struct request how_are_you = {.kind = ACT_STATUS};
    int64_t next_status_ms = clock_monotonic_ms();
    while (!atomic_load(&actor->stopping)) {
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= next_status_ms) {
            serve(actor, &how_are_you);
            next_status_ms = now_ms + STATUS_EVERY_MS;
            continue;
        }
        struct request *request = queue_pop(actor->queue, next_status_ms - now_ms);
        if (request)
            serve(actor, request);
        free(request);
    }
    return NULL;
}

enum status actor_start(struct actor *actor, struct error *err) {
    if (pthread_create(&actor->thread, NULL, run, actor) != 0)
        return error_set(err, STATUS_SYSTEM, "cannot start a thread for the helper at %s",
                         helper_client_path(actor->client));
    actor->started = true;
    return STATUS_OK;
}

static enum status submit(struct actor *actor, const struct request *request) {
    struct request *copy = xcalloc(1, sizeof *copy);
    *copy = *request;
    enum status status = queue_try_push(actor->queue, copy);
    if (status != STATUS_OK)
        free(copy);
    return status;
}

enum status actor_list(struct actor *actor, uint32_t host, uint64_t number) {
    return submit(actor, &(struct request){.kind = ACT_LIST, .host = host, .request = number});
}

enum status actor_deed(struct actor *actor, uint32_t host, uint64_t number, const struct action *action) {
    struct request request = {
        .kind = ACT_DEED, .host = host, .request = number, .deed = action->kind, .dry_run = action->dry_run};
    memcpy(request.handle, action->target.handle, sizeof request.handle);
    snprintf(request.id, sizeof request.id, "%s", action->id);
    return submit(actor, &request);
}

void actor_stop(struct actor *actor) {
    if (!actor->started)
        return;
    atomic_store(&actor->stopping, true);
    queue_close(actor->queue);
    pthread_join(actor->thread, NULL);
    actor->started = false;
}

void actor_destroy(struct actor *actor) {
    if (!actor)
        return;
    actor_stop(actor);
    queue_destroy(actor->queue);
    helper_client_destroy(actor->client);
    free(actor);
}
