#include "helper/offers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"

struct handle {
    struct offer offer; /* first: an offer is handed out as its address; pid 0: free */
    struct helper_handle secret;
    int64_t expires_ms;
};

struct offers {
    struct helper_world *world;
    struct handle handles[HANDLES_MAX];
    struct process_facts facts; /* scratch */
};

struct offers *offers_create(struct helper_world *world) {
    struct offers *offers = xcalloc(1, sizeof *offers);
    offers->world = world;
    return offers;
}

static void free_handle(struct offers *offers, struct handle *handle) {
    if (handle->offer.pin.id.pid)
        offers->world->processes->unpin(offers->world->processes, &handle->offer.pin);
    memset(handle, 0, sizeof *handle);
}

static struct handle *find_handle(struct offers *offers, const struct helper_handle *secret, int64_t now_ms) {
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        struct handle *handle = &offers->handles[i];
        if (handle->offer.pin.id.pid && now_ms < handle->expires_ms &&
            memcmp(handle->secret.bytes, secret->bytes, sizeof secret->bytes) == 0)
            return handle;
    }
    return NULL;
}

/* A process listed again keeps its handle while that has half of its life before it. Otherwise a free
 * place, or that of the handle which expires first. */
static struct handle *place_for(struct offers *offers, struct process_id id, int64_t now_ms) {
    struct handle *place = &offers->handles[0];
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        struct handle *handle = &offers->handles[i];
        if (process_id_equals(handle->offer.pin.id, id) && now_ms < handle->expires_ms - HANDLE_LIFE_MS / 2)
            return handle;
        if (handle->expires_ms < place->expires_ms)
            place = handle;
    }
    free_handle(offers, place);
    return place;
}

/* Takes over `pin`. */
static void give_handle(struct offers *offers, struct process_pin *pin, int64_t now_ms,
                        struct helper_handle *out) {
    struct handle *handle = place_for(offers, pin->id, now_ms);
    if (handle->offer.pin.id.pid) {
        offers->world->processes->unpin(offers->world->processes, pin);
    } else {
        if (getentropy(handle->secret.bytes, sizeof handle->secret.bytes) != 0)
            abort(); /* the kernel has no random bytes: guessable handles would be worse than none */
        handle->offer.pin = *pin;
        handle->expires_ms = now_ms + HANDLE_LIFE_MS;
    }
    handle->offer.facts = offers->facts;
    *out = handle->secret;
}

static void describe(const struct process_facts *facts, struct helper_candidate *out) {
    out->uid = facts->uid;
    out->age_ms = facts->age_ms;
    set_text(out->where, sizeof out->where, "%s", facts->group[0] ? facts->group : facts->exe);
}

static bool list_one(struct offers *offers, const struct watched *watched, int64_t now_ms,
                     struct helper_candidate *out) {
    struct processes *processes = offers->world->processes;
    struct process_pin pin;
    struct error err;
    size_t rule;
    *out = (struct helper_candidate){.pid = watched->sample.id.pid,
                                     .cpu_milli = (uint32_t)(watched->cpu * 1000)};
    set_text(out->comm, sizeof out->comm, "%s", watched->sample.comm);
    enum status status = processes->pin(processes, watched->sample.id, &pin, &err);
    if (status == STATUS_OK) {
        status = processes->inspect(processes, &pin, &offers->facts, &err);
        if (status != STATUS_OK)
            processes->unpin(processes, &pin);
    }
    if (status == STATUS_NOT_FOUND)
        return false;
    if (status != STATUS_OK) {
        set_text(out->reason, sizeof out->reason, "%.95s", err.text);
        return true;
    }
    describe(&offers->facts, out);
    bool frozen = world_is_frozen(offers->world, watched->sample.id);
    out->allowed = world_judge(offers->world, &offers->facts, JUDGE_ALL, &rule, out->reason);
    if (frozen)
        set_text(out->reason, sizeof out->reason, "frozen by the helper");
    if (out->allowed)
        give_handle(offers, &pin, now_ms, &out->handle);
    else
        processes->unpin(processes, &pin);
    return true;
}

void offers_list(struct offers *offers, int64_t now_ms, struct helper_list *out) {
    const struct helper_world *world = offers->world;
    const struct watched *rows[HELPER_LIST_MAX];
    out->count = 0;
    if (!world->policy_ok)
        return;
    size_t count = 0;
    for (size_t i = 0; i < DEEDS_MAX; i++) {
        const struct watched *frozen =
            world->frozen[i].pid ? watch_find(world->watch, world->frozen[i]) : NULL;
        if (frozen && count < HELPER_LIST_MAX)
            rows[count++] = frozen;
    }
    size_t frozen_count = count;
    count += watch_hottest(world->watch, world->policy->list_above, rows + count, HELPER_LIST_MAX - count);
    world_look_around(offers->world);
    for (size_t i = 0; i < count; i++)
        if (i < frozen_count || !world_is_frozen(world, rows[i]->sample.id))
            out->count += list_one(offers, rows[i], now_ms, &out->items[out->count]);
}

const struct offer *offers_find(struct offers *offers, const struct helper_handle *secret, int64_t now_ms) {
    struct handle *handle = find_handle(offers, secret, now_ms);
    return handle ? &handle->offer : NULL;
}

void offers_take(struct offers *offers, const struct offer *offer, struct offer *out) {
    struct handle *handle = &offers->handles[(const struct handle *)(const void *)offer - offers->handles];
    *out = handle->offer;
    memset(handle, 0, sizeof *handle);
}

void offers_expire(struct offers *offers, int64_t now_ms) {
    for (size_t i = 0; i < HANDLES_MAX; i++)
        if (offers->handles[i].offer.pin.id.pid && now_ms >= offers->handles[i].expires_ms)
            free_handle(offers, &offers->handles[i]);
}

void offers_destroy(struct offers *offers) {
    if (!offers)
        return;
    for (size_t i = 0; i < HANDLES_MAX; i++)
        free_handle(offers, &offers->handles[i]);
    free(offers);
}
