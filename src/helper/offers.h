/* src/helper/offers.h - the list of hot processes, and the handles under which some of them may be named.
 *
 * A handle is 16 random bytes for a process that is pinned from now on; it is good for HANDLE_LIFE_MS and for
 * one deed. Only a process that the policy allows gets one. Processes that the helper froze are listed first,
 * hot or not, so that a next rung can be asked for. Fixed table; one thread. */
#ifndef SENTINEL_HELPER_OFFERS_H
#define SENTINEL_HELPER_OFFERS_H

#include "helper/helper_protocol.h"
#include "helper/world.h"

enum { HANDLES_MAX = 64, HANDLE_LIFE_MS = 30000 };

struct offer {
    struct process_pin pin;
    struct process_facts facts; /* as they were listed */
};

struct offers;

struct offers *offers_create(struct helper_world *world);
void offers_list(struct offers *offers, int64_t now_ms, struct helper_list *out);
/* NULL: unknown or too old. Valid until the next call. */
const struct offer *offers_find(struct offers *offers, const struct helper_handle *handle, int64_t now_ms);
/* Hands the pin over to the caller; the handle is spent. `offer` comes from offers_find(). */
void offers_take(struct offers *offers, const struct offer *offer, struct offer *out);
void offers_expire(struct offers *offers, int64_t now_ms);
void offers_destroy(struct offers *offers);

#endif
