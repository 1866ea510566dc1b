/* src/present/process_usage.h - what this process costs, as the standard process_* metrics want it.
 *
 * Prometheus, "Writing client libraries", "Standard and runtime metrics". Any thread. */
#ifndef SENTINEL_PRESENT_PROCESS_USAGE_H
#define SENTINEL_PRESENT_PROCESS_USAGE_H

/* NaN: this system does not say. */
struct process_usage {
    double cpu_seconds;
    double open_fds, max_fds;
    double virtual_bytes, resident_bytes;
    double start_seconds; /* Unix */
    double threads;
};

void process_usage_read(struct process_usage *out);

#endif
