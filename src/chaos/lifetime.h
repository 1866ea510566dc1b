/* src/chaos/lifetime.h - a load that always ends.
 *
 * Every process of a load has the same deadline, and ends sooner when it is told to (SIGTERM, SIGINT,
 * SIGHUP), when its parent inside the load is gone, and, if asked for, when whoever started the load is gone.
 * One alarm per process, one second after the deadline, ends whatever does not look. State of the process;
 * call from its main thread, lifetime_is_over() from any. */
#ifndef SENTINEL_CHAOS_LIFETIME_H
#define SENTINEL_CHAOS_LIFETIME_H

#include <stdbool.h>
#include <sys/types.h>

enum { LIFETIME_CHILDREN_MAX = 512 };

void lifetime_begin(int seconds, bool die_with_parent);
/* From now on SIGTERM, SIGINT and SIGHUP are ignored. */
void lifetime_ignore_requests(void);

bool lifetime_is_over(void);
void lifetime_sleep_ms(int ms); /* returns at once when told to end */

/* fork() for children that share the deadline and die with this process. -1: there are
 * LIFETIME_CHILDREN_MAX already, or the system refuses. */
pid_t lifetime_fork(void);
size_t lifetime_children(void);
/* Takes note of children that have ended; returns how many. */
size_t lifetime_reap(void);
/* Ends and awaits all children, then this process: with the signal that asked for it, or with 0 after the
 * word "done" on stdout. */
_Noreturn void lifetime_end(void);

#endif
