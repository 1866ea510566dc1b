/* src/helper/sessions.h - connections: who may speak, one frame at a time, and the replies.
 *
 * The peer's uid is held against the policy before a byte of it is read. One request is in work per
 * connection; the next is read when its reply is out. Whatever breaks the protocol, is slower than
 * SESSION_PATIENCE_MS inside a frame, passes a descriptor or has lost its process is hung up on. When all
 * places are taken the longest idle connection makes room.
 *
 * Fixed tables; nothing waits; one thread. */
#ifndef SENTINEL_HELPER_SESSIONS_H
#define SENTINEL_HELPER_SESSIONS_H

#include <poll.h>

#include "helper/deeds.h"

enum { SESSION_PATIENCE_MS = 5000, SESSIONS_POLLED_MAX = CLIENTS_MAX + 1 };

struct sessions;

/* Makes a socket at `path`, mode 0660, for `group` ("": ours), or takes the one systemd or launchd opened. A
 * dead helper's socket is replaced; anything else that stands there is not. */
MUST_CHECK enum status sessions_listen(const char *path, const char *group, int *listener, struct error *err);

/* All are borrowed; `listener` is closed by sessions_destroy(). */
struct sessions *sessions_create(struct helper_world *world, struct offers *offers, struct deeds *deeds,
                                 int listener);
size_t sessions_polled(const struct sessions *sessions, struct pollfd *out);
/* `polled` as filled by sessions_polled() and poll(). */
void sessions_serve(struct sessions *sessions, const struct pollfd *polled, size_t count, int64_t now_ms);
/* Sends the answers of deeds that have ended, and hangs up on who was too slow. */
void sessions_step(struct sessions *sessions, int64_t now_ms);
int64_t sessions_due_ms(const struct sessions *sessions);
void sessions_destroy(struct sessions *sessions, int64_t now_ms);

#endif
