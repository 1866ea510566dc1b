/* src/chaos/loads.h - the shapes of trouble that a host can be in, and one that only looks like it.
 *
 * Each runs until lifetime_is_over() and never beyond the sizes it is given. Main thread. */
#ifndef SENTINEL_CHAOS_LOADS_H
#define SENTINEL_CHAOS_LOADS_H

struct load_settings {
    int seconds;
    int threads;
    double share;       /* of each thread's time that is spent busy, 0..1 */
    int ramp_seconds;   /* the share grows from 0 in this time */
    int megabytes;      /* of memory, or of the file */
    int children;       /* alive at once */
    int respawns;       /* how often a burner that was ended is started again */
    const char *folder; /* for the file of io */
};

/* One process with busy threads. */
void load_cpu(const struct load_settings *settings);
/* One process that takes memory step by step, touches it, and holds it. */
void load_memory(const struct load_settings *settings);
/* A process that always has `children` busy children, none older than a moment. */
void load_fork_storm(const struct load_settings *settings);
/* Writes, syncs and reads a file that has no name: nothing is left of it however this ends. */
void load_io(const struct load_settings *settings);
/* A supervisor that starts its burner again when it was ended; prints the pid of each. */
void load_respawner(const struct load_settings *settings);
/* load_cpu(), deaf to SIGTERM. */
void load_stubborn(const struct load_settings *settings);
/* Innocent: as busy as a build, a tree of short-lived processes that each do a piece of real work. */
void load_compile(const struct load_settings *settings);

#endif
