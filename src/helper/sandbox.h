/* src/helper/sandbox.h - what the helper gives up once everything is open and allocated.
 *
 * Linux: no new privileges, no core dump, of root's powers only CAP_KILL and CAP_SYS_PTRACE, and a seccomp
 * filter: files are opened for reading only, signals go through pidfds only and are TERM, KILL, STOP, CONT
 * only; no new socket, no program is started, no memory becomes executable. A helper that was taken over
 * cannot even spell kill(-1). macOS: sandbox_init() with no network, no exec and no writing. */
#ifndef SENTINEL_HELPER_SANDBOX_H
#define SENTINEL_HELPER_SANDBOX_H

#include "base/status.h"

/* `journal` is the path of the one file that stays writable. */
MUST_CHECK enum status sandbox_enter(const char *journal, struct error *err);

#endif
