/* src/act/helper_client.h - asks the privileged helper; never acts itself.
 *
 * One client is one connection to one helper's socket, opened at need and opened again after any failure.
 * Blocking, with a deadline per call; belongs to the act thread (or to sentinelctl). */
#ifndef SENTINEL_ACT_HELPER_CLIENT_H
#define SENTINEL_ACT_HELPER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "decide/action.h"

struct helper_status {
    char host_identity[65]; /* machine id of the helper's host */
    char boot_id[37];
    bool mode_act; /* false: observe; the helper signals nobody */
    bool paused;
    bool policy_ok;
    bool breaker_open;     /* deeds did not help: refuses all until root runs sentinel-helper --reset */
    char policy_text[160]; /* what is wrong, when the policy is not ok or the breaker is open */
    bool pinned_signals;   /* pidfd or audit token */
    uint32_t deeds_last_hour;
    uint32_t budget_per_hour;
    uint32_t frozen; /* processes that are stopped now */
};

struct helper_client;
struct helper_client *helper_client_create(const char *socket_path, int64_t timeout_ms);
const char *helper_client_path(const struct helper_client *client);
/* STATUS_UNAVAILABLE: nobody listens, or no answer in time; the text says what to do. */
MUST_CHECK enum status helper_client_status(struct helper_client *client, struct helper_status *out,
                                            struct error *err);
/* What the helper measured hot over its own interval, hottest first. */
MUST_CHECK enum status helper_client_list(struct helper_client *client, struct candidate *out,
                                          size_t capacity, size_t *count, struct error *err);
/* Waits until the deed is done or refused (at most `timeout_ms`). The same `key` (32 hex digits) is answered
 * with the same outcome and done at most once, also after a restart of either side. `reason` has at least 160
 * bytes. */
MUST_CHECK enum status helper_client_act(struct helper_client *client, const uint8_t handle[16],
                                         enum action_kind kind, const char *key, bool dry_run,
                                         int64_t timeout_ms, enum action_outcome *outcome, char *reason,
                                         struct error *err);
MUST_CHECK enum status helper_client_pause(struct helper_client *client, bool paused, struct error *err);
MUST_CHECK enum status helper_client_release(struct helper_client *client,
                                             struct error *err); /* thaws all frozen */
void helper_client_destroy(struct helper_client *client);

#endif
