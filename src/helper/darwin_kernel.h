/* src/helper/darwin_kernel.h - the few questions that processes_darwin.c asks of XNU.
 *
 * A table of functions in plain types: darwin_kernel_darwin.c answers with libproc, Mach and kqueue; a test
 * answers with a kernel of its own, so that the logic above it is run on Linux too. Each function returns 0
 * or an errno. */
#ifndef SENTINEL_HELPER_DARWIN_KERNEL_H
#define SENTINEL_HELPER_DARWIN_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helper/processes.h"

struct darwin_task {
    int32_t pid, parent;
    uint32_t uid, real_uid, saved_uid;
    bool traced;
    char name[32];
    uint64_t unique_id;  /* never reused while the system runs */
    uint32_t id_version; /* changes at fork and at exec */
    /* Mach ticks, not nanoseconds: 125/3 ns each on Apple silicon */
    uint64_t own_ticks, children_ticks, started_ticks;
};

struct darwin_timebase {
    uint32_t numerator, denominator; /* mach_timebase_info(): says 1/1 under Rosetta, where it is not */
    bool translated;                 /* sysctl.proc_translated: Rosetta */
    uint64_t frequency;              /* hw.tbfrequency: ticks a second; 0: unknown */
};

struct darwin_kernel {
    bool can_signal_pinned; /* proc_signal_with_audittoken is there (macOS 14) */
    bool is_root;
    struct darwin_timebase timebase;
    char host_identity[65], boot_id[37];

    int (*list)(struct darwin_kernel *kernel, int32_t *pids, size_t capacity, size_t *count);
    int (*task)(struct darwin_kernel *kernel, int32_t pid, struct darwin_task *out);
    /* Its executable, and that file's device and inode; "" and 0 when it is not there any more. */
    int (*path)(struct darwin_kernel *kernel, int32_t pid, char *out, size_t size, uint64_t *device,
                uint64_t *inode);
    /* A descriptor that becomes readable when the process that has the number now exits. */
    int (*watch_exit)(struct darwin_kernel *kernel, int32_t pid, int *fd);
    bool (*has_exited)(struct darwin_kernel *kernel, int fd);
    void (*unwatch)(struct darwin_kernel *kernel, int fd);
    int (*signal_pinned)(struct darwin_kernel *kernel, int32_t pid, uint32_t id_version, int signal);
    int (*signal_number)(struct darwin_kernel *kernel, int32_t pid, int signal);
    uint64_t (*now_ticks)(struct darwin_kernel *kernel);
};

/* `kernel` is borrowed. STATUS_INVALID: the length of a tick cannot be told, so nothing could be measured. */
MUST_CHECK enum status processes_darwin_open(struct darwin_kernel *kernel, struct processes **out,
                                             struct error *err);

#endif
