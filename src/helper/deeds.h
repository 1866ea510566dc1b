/* src/helper/deeds.h - from a handle to a deed: every check, then the signal, then proof that it worked.
 *
 *   (new)       -> MEASURING    the key is new, the handle good, the rung known
 *   MEASURING   -> over         refused, would, or gone; judged on a measurement taken after the request
 *   MEASURING   -> TERMINATING  intention on the disk, TERM sent
 *   MEASURING   -> FROZEN       intention on the disk, STOP sent
 *   TERMINATING -> over         gone after TERM
 *   TERMINATING -> KILLING      grace is over, it is still the same program: KILL sent
 *   KILLING     -> over         gone after KILL, or not within KILL_PATIENCE_MS
 *   FROZEN      -> over         lease, release, the asker went, or it was sent TERM: CONT sent
 *
 * deeds_step() performs these. Nothing waits: the main loop polls the pins and steps. An answer is found by
 * its key afterwards, too, so nobody has to be there when a deed ends. One thread, fixed tables. */
#ifndef SENTINEL_HELPER_DEEDS_H
#define SENTINEL_HELPER_DEEDS_H

#include <poll.h>

#include "helper/helper_protocol.h"
#include "helper/offers.h"
#include "helper/world.h"

enum {
    DEADLINE_FAR_MS = 600000, /* a deadline further off than this is a mistake */
};

struct deeds;

/* Thaws what an earlier helper of this boot left frozen and closes what it left open. */
struct deeds *deeds_create(struct helper_world *world, struct offers *offers, int64_t now_ms);
/* True: `reply` is the answer. False: it runs; ask deeds_answer() after each step. `asker` is who loses its
 * frozen processes when deeds_forget_asker() is called with the same number. */
bool deeds_ask(struct deeds *deeds, const struct helper_act_request *request, uint64_t asker, int64_t now_ms,
               struct helper_act_reply *reply);
bool deeds_answer(const struct deeds *deeds, const uint8_t key[16], struct helper_act_reply *reply);
/* How many run again. `asker` 0: everybody's. */
uint32_t deeds_release(struct deeds *deeds, uint64_t asker, int64_t now_ms);
/* False: it does not hold, because the journal could not keep it or it was turned less than a second ago. */
bool deeds_pause(struct deeds *deeds, bool paused, int64_t now_ms);
void deeds_status(const struct deeds *deeds, int64_t now_ms, struct helper_status_reply *out);
uint32_t deeds_capabilities(const struct deeds *deeds);
void deeds_step(struct deeds *deeds, int64_t now_ms);
/* The pins to poll for; returns how many (at most DEEDS_MAX). */
size_t deeds_polled(const struct deeds *deeds, struct pollfd *out);
/* When deeds_step() has something to do at the latest; INT64_MAX: nothing by itself. */
int64_t deeds_due_ms(const struct deeds *deeds);
/* A deed waits for a measurement later than this; 0: none does. */
int64_t deeds_wants_measurement_after_ms(const struct deeds *deeds);
/* Thaws everybody. */
void deeds_destroy(struct deeds *deeds, int64_t now_ms);

#endif
