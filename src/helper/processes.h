/* src/helper/processes.h - the kernel's view of processes: list, pin, inspect, signal.
 *
 * A number is not an identity: the kernel gives it to a stranger as soon as its owner is reaped. So a
 * process is named by a number and its start (Linux: clock ticks since boot; macOS: the unique id that is
 * never reused), and is signalled through a pin only: a pidfd on Linux, an audit token with its pid version
 * on macOS. A pin is taken first, then facts are read by number, then the pin is asked again: if it still
 * answers, the facts were its own.
 *
 * One table of functions, so that a fake kernel can stand behind it in tests. One thread. Nothing here
 * allocates after processes_open(). */
#ifndef SENTINEL_HELPER_PROCESSES_H
#define SENTINEL_HELPER_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    PROCESSES_MAX = 16384, /* more than this on one host: STATUS_TOO_LARGE, and nobody is acted on */
    LINEAGE_MAX = 64,
};

struct process_id {
    int32_t pid;
    uint64_t start;
};

/* What one scan says of one process. */
struct process_sample {
    struct process_id id;
    int32_t parent;
    uint64_t own_ns;      /* CPU of all its threads, living and ended */
    uint64_t children_ns; /* CPU of children that it has waited for */
    bool kernel_thread;
    char comm[32]; /* the process chooses it: may protect or narrow, never authorise */
};

/* What is known of one pinned process. */
struct process_facts {
    struct process_sample sample;
    int64_t age_ms;
    uint32_t uid;
    bool mixed_uids;        /* real, effective and saved differ: a setuid program */
    bool foreign_namespace; /* lives in a pid namespace below ours */
    bool traced;
    char exe[256]; /* "" when it may not be read */
    uint64_t exe_device, exe_inode;
    char group[256];                        /* cgroup (Linux); "" on macOS */
    struct process_id lineage[LINEAGE_MAX]; /* parent first */
    size_t lineage_count;
};

struct process_pin {
    struct process_id id;
    int fd;           /* readable once the process has ended; for poll() */
    uint32_t version; /* macOS: of the audit token */
};

enum process_signal { PROCESS_TERM, PROCESS_KILL, PROCESS_STOP, PROCESS_CONT };

struct processes {
    bool pins_signals; /* false: signals would go to a number */
    bool privileged;   /* may signal processes of other users */
    char host_identity[65];
    char boot_id[37];

    /* In no particular order. */
    enum status (*scan)(struct processes *self, struct process_sample *out, size_t capacity, size_t *count,
                        struct error *err);
    /* STATUS_NOT_FOUND: nobody has that number now. */
    enum status (*look_up)(struct processes *self, int32_t pid, struct process_sample *out,
                           struct error *err);
    /* STATUS_NOT_FOUND: that process has ended, whoever has its number now. */
    enum status (*pin)(struct processes *self, struct process_id id, struct process_pin *out,
                       struct error *err);
    enum status (*inspect)(struct processes *self, const struct process_pin *pin, struct process_facts *out,
                           struct error *err);
    /* STATUS_NOT_FOUND: it has ended. STATUS_DENIED: the kernel does not let us. */
    enum status (*signal)(struct processes *self, const struct process_pin *pin, enum process_signal signal,
                          struct error *err);
    bool (*has_exited)(struct processes *self, const struct process_pin *pin);
    void (*unpin)(struct processes *self, struct process_pin *pin);
    void (*close)(struct processes *self);
};

/* `proc` is where procfs is mounted ("/proc"); not used on macOS. STATUS_DENIED: other users' processes
 * are hidden from us (hidepid), so a decision would rest on a part of the truth. */
MUST_CHECK enum status processes_open(const char *proc, struct processes **out, struct error *err);

bool process_id_equals(struct process_id a, struct process_id b);
/* Parents of `pid`, parent first, up to pid 1; each step is read twice, so that a number that changed
 * hands in between ends the list. Returns how many. */
size_t processes_lineage(struct processes *processes, int32_t pid, struct process_id *out, size_t capacity);

#endif
