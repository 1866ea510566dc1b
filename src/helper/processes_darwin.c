/* macOS: identity is the unique id, and a signal carries the pid version, so that XNU itself refuses a
 * process that is not the pinned one, an exec'd successor included.
 *
 * Before macOS 14 there is no such signal. Then, if the policy allows it, the unique id is compared right
 * before kill(2); what remains is an exit, a reap and a wrap of 99,999 numbers in between. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "helper/darwin_kernel.h"

struct darwin_processes {
    struct processes base; /* first: the table is handed out as its address */
    struct darwin_kernel *kernel;
    double tick_ns;
    int32_t pids[PROCESSES_MAX];
};

static struct darwin_processes *from(struct processes *base) {
    return (struct darwin_processes *)base;
}

static enum status explain(int error, int32_t pid, struct error *err) {
    if (error == 0)
        return STATUS_OK;
    if (error == ESRCH)
        return error_set(err, STATUS_NOT_FOUND, "process %d has ended", pid);
    if (error == EPERM) /* alive, and out of reach: System Integrity Protection, or no root */
        return error_set(err, STATUS_DENIED, "the kernel keeps process %d out of our reach", pid);
    errno = error;
    return error_set_errno(err, "process %d", pid);
}

static struct process_sample to_sample(const struct darwin_processes *self, const struct darwin_task *task) {
    struct process_sample sample = {
        .id = {.pid = task->pid, .start = task->unique_id},
        .parent = task->parent,
        .own_ns = (uint64_t)((double)task->own_ticks * self->tick_ns),
        .children_ns = (uint64_t)((double)task->children_ticks * self->tick_ns),
        .kernel_thread = task->pid == 0,
    };
    memcpy(sample.comm, task->name, sizeof sample.comm - 1);
    return sample;
}

static enum status darwin_look_up(struct processes *base, int32_t pid, struct process_sample *out,
                                  struct error *err) {
    struct darwin_task task;
    enum status status = explain(from(base)->kernel->task(from(base)->kernel, pid, &task), pid, err);
    if (status == STATUS_OK)
        *out = to_sample(from(base), &task);
    return status;
}

static enum status darwin_scan(struct processes *base, struct process_sample *out, size_t capacity,
                               size_t *count, struct error *err) {
    struct darwin_processes *self = from(base);
    size_t listed, found = 0;
    int error = self->kernel->list(self->kernel, self->pids, PROCESSES_MAX, &listed);
    if (error == 0 && (listed >= PROCESSES_MAX || listed > capacity))
        return error_set(err, STATUS_TOO_LARGE, "more than %zu processes: none can be judged", capacity);
    if (error != 0) {
        errno = error;
        return error_set_errno(err, "cannot list the processes");
    }
    for (size_t i = 0; i < listed; i++) {
        /* Ended meanwhile, or of another user without root: not measured, so never hot. */
        if (self->pids[i] > 0 && darwin_look_up(base, self->pids[i], &out[found], NULL) == STATUS_OK)
            found++;
    }
    *count = found;
    return STATUS_OK;
}

static bool darwin_has_exited(struct processes *base, const struct process_pin *pin) {
    return from(base)->kernel->has_exited(from(base)->kernel, pin->fd);
}

static void darwin_unpin(struct processes *base, struct process_pin *pin) {
    if (pin->fd >= 0)
        from(base)->kernel->unwatch(from(base)->kernel, pin->fd);
    pin->fd = -1;
}

/* The pinned process as it is now. DENIED: it has exec'd, so signals to its pin would be refused. */
static enum status read_pinned(struct processes *base, const struct process_pin *pin, struct darwin_task *out,
                               struct error *err) {
    struct darwin_kernel *kernel = from(base)->kernel;
    enum status status = explain(kernel->task(kernel, pin->id.pid, out), pin->id.pid, err);
    if (status == STATUS_OK && (out->unique_id != pin->id.start || darwin_has_exited(base, pin)))
        return error_set(err, STATUS_NOT_FOUND, "process %d has ended", pin->id.pid);
    if (status == STATUS_OK && out->id_version != pin->version)
        return error_set(err, STATUS_DENIED, "process %d has become another program", pin->id.pid);
    return status;
}

static enum status darwin_pin(struct processes *base, struct process_id id, struct process_pin *out,
                              struct error *err) {
    struct darwin_kernel *kernel = from(base)->kernel;
    struct darwin_task task;
    enum status status = explain(kernel->task(kernel, id.pid, &task), id.pid, err);
    if (status != STATUS_OK)
        return status;
    struct process_pin pin = {.id = id, .fd = -1, .version = task.id_version};
    status = explain(kernel->watch_exit(kernel, id.pid, &pin.fd), id.pid, err);
    if (status != STATUS_OK)
        return status;
    /* The watch is on whoever has the number; now see that this is still the one that was meant. */
    status = read_pinned(base, &pin, &task, err);
    if (status == STATUS_OK)
        *out = pin;
    else
        darwin_unpin(base, &pin);
    return status;
}

static enum status darwin_inspect(struct processes *base, const struct process_pin *pin,
                                  struct process_facts *out, struct error *err) {
    struct darwin_kernel *kernel = from(base)->kernel;
    struct darwin_task task;
    struct process_facts facts = {0};
    enum status status = read_pinned(base, pin, &task, err);
    if (status != STATUS_OK)
        return status;
    facts.sample = to_sample(from(base), &task);
    facts.uid = task.uid;
    facts.mixed_uids = task.uid != task.real_uid || task.uid != task.saved_uid;
    facts.traced = task.traced;
    double ticks = (double)(kernel->now_ticks(kernel) - task.started_ticks);
    facts.age_ms = (int64_t)(ticks * from(base)->tick_ns / 1e6);
    if (kernel->path(kernel, pin->id.pid, facts.exe, sizeof facts.exe, &facts.exe_device, &facts.exe_inode) !=
        0)
        facts.exe[0] = '\0';
    facts.lineage_count = processes_lineage(base, pin->id.pid, facts.lineage, LINEAGE_MAX);
    status = read_pinned(base, pin, &task, err);
    if (status == STATUS_OK)
        *out = facts;
    return status;
}

static int signal_number(enum process_signal signal) {
    switch (signal) {
    case PROCESS_TERM:
        return SIGTERM;
    case PROCESS_KILL:
        return SIGKILL;
    case PROCESS_STOP:
        return SIGSTOP;
    case PROCESS_CONT:
        return SIGCONT;
    }
    abort();
}

static enum status darwin_signal(struct processes *base, const struct process_pin *pin,
                                 enum process_signal signal, struct error *err) {
    struct darwin_kernel *kernel = from(base)->kernel;
    struct darwin_task task;
    int number = signal_number(signal);
    if (base->pins_signals)
        return explain(kernel->signal_pinned(kernel, pin->id.pid, pin->version, number), pin->id.pid, err);
    enum status status = read_pinned(base, pin, &task, err);
    if (status == STATUS_OK)
        status = explain(kernel->signal_number(kernel, pin->id.pid, number), pin->id.pid, err);
    return status;
}

static void darwin_close(struct processes *base) {
    free(from(base));
}

/* 0: cannot be told. Under Rosetta the timebase describes the Intel Mac that is played, not the one that
 * counts. */
static double nanoseconds_per_tick(const struct darwin_timebase *timebase) {
    if (timebase->translated)
        return timebase->frequency ? 1e9 / (double)timebase->frequency : 0;
    return timebase->denominator ? (double)timebase->numerator / timebase->denominator : 0;
}

enum status processes_darwin_open(struct darwin_kernel *kernel, struct processes **out, struct error *err) {
    double tick_ns = nanoseconds_per_tick(&kernel->timebase);
    if (tick_ns <= 0)
        return error_set(
            err, STATUS_INVALID,
            "the length of a Mach tick cannot be told (Rosetta without hw.tbfrequency?): run the native "
            "build");
    struct darwin_processes *self = xcalloc(1, sizeof *self);
    self->base = (struct processes){.pins_signals = kernel->can_signal_pinned,
                                    .privileged = kernel->is_root,
                                    .scan = darwin_scan,
                                    .look_up = darwin_look_up,
                                    .pin = darwin_pin,
                                    .inspect = darwin_inspect,
                                    .signal = darwin_signal,
                                    .has_exited = darwin_has_exited,
                                    .unpin = darwin_unpin,
                                    .close = darwin_close};
    memcpy(self->base.host_identity, kernel->host_identity, sizeof self->base.host_identity);
    memcpy(self->base.boot_id, kernel->boot_id, sizeof self->base.boot_id);
    self->kernel = kernel;
    self->tick_ns = tick_ns;
    *out = &self->base;
    return STATUS_OK;
}
