/* tests/helper/fake_kernel.h - a kernel of sixteen processes that do what the test says, behind struct
 * processes. */
#ifndef SENTINEL_TESTS_HELPER_FAKE_KERNEL_H
#define SENTINEL_TESTS_HELPER_FAKE_KERNEL_H

#include <string.h>
#include <unistd.h>

#include "helper/processes.h"

enum { FAKE_PROCESSES = 16 };

struct fake_process {
    struct process_facts facts;
    bool exists, ignores_term, immortal;
    int signals[4]; /* how often each enum process_signal reached it */
};

struct fake_kernel {
    struct processes base; /* first */
    struct fake_process processes[FAKE_PROCESSES];
    size_t pins;
    bool forbids_signals;
};

static struct fake_kernel *fake(struct processes *base) {
    return (struct fake_kernel *)base;
}

static struct fake_process *fake_find(struct processes *base, int32_t pid) {
    for (size_t i = 0; i < FAKE_PROCESSES; i++)
        if (fake(base)->processes[i].exists && fake(base)->processes[i].facts.sample.id.pid == pid)
            return &fake(base)->processes[i];
    return NULL;
}

static inline enum status fake_scan(struct processes *base, struct process_sample *out, size_t capacity,
                                    size_t *count, struct error *err) {
    (void)capacity;
    (void)err;
    *count = 0;
    for (size_t i = 0; i < FAKE_PROCESSES; i++)
        if (fake(base)->processes[i].exists)
            out[(*count)++] = fake(base)->processes[i].facts.sample;
    return STATUS_OK;
}

static inline enum status fake_look_up(struct processes *base, int32_t pid, struct process_sample *out,
                                       struct error *err) {
    const struct fake_process *found = fake_find(base, pid);
    if (!found)
        return error_set(err, STATUS_NOT_FOUND, "no %d", pid);
    *out = found->facts.sample;
    return STATUS_OK;
}

static inline enum status fake_pin(struct processes *base, struct process_id id, struct process_pin *out,
                                   struct error *err) {
    const struct fake_process *found = fake_find(base, id.pid);
    if (!found || !process_id_equals(found->facts.sample.id, id))
        return error_set(err, STATUS_NOT_FOUND, "no %d", id.pid);
    *out = (struct process_pin){.id = id, .fd = -1};
    fake(base)->pins++;
    return STATUS_OK;
}

static inline bool fake_has_exited(struct processes *base, const struct process_pin *pin) {
    const struct fake_process *found = fake_find(base, pin->id.pid);
    return !found || !process_id_equals(found->facts.sample.id, pin->id);
}

static inline enum status fake_inspect(struct processes *base, const struct process_pin *pin,
                                       struct process_facts *out, struct error *err) {
    if (fake_has_exited(base, pin))
        return error_set(err, STATUS_NOT_FOUND, "no %d", pin->id.pid);
    *out = fake_find(base, pin->id.pid)->facts;
    return STATUS_OK;
}

static inline enum status fake_signal(struct processes *base, const struct process_pin *pin,
                                      enum process_signal signal, struct error *err) {
    if (fake_has_exited(base, pin))
        return error_set(err, STATUS_NOT_FOUND, "no %d", pin->id.pid);
    if (fake(base)->forbids_signals)
        return error_set(err, STATUS_DENIED, "the kernel refused");
    struct fake_process *found = fake_find(base, pin->id.pid);
    found->signals[signal]++;
    if (!found->immortal && (signal == PROCESS_KILL || (signal == PROCESS_TERM && !found->ignores_term)))
        found->exists = false;
    return STATUS_OK;
}

static inline void fake_unpin(struct processes *base, struct process_pin *pin) {
    fake(base)->pins--;
    pin->fd = -1;
}

static inline void fake_kernel_init(struct fake_kernel *kernel) {
    *kernel = (struct fake_kernel){.base = {.pins_signals = true,
                                            .boot_id = "boot",
                                            .scan = fake_scan,
                                            .look_up = fake_look_up,
                                            .pin = fake_pin,
                                            .inspect = fake_inspect,
                                            .signal = fake_signal,
                                            .has_exited = fake_has_exited,
                                            .unpin = fake_unpin}};
}

/* A process that the tests' policy allows as soon as it is hot. */
static struct fake_process *fake_start(struct fake_kernel *kernel, int32_t pid, int32_t parent) {
    size_t i = 0;
    while (kernel->processes[i].exists)
        i++;
    kernel->processes[i] = (struct fake_process){
        .exists = true,
        .facts = {.sample = {.id = {pid, 1000 + (uint64_t)pid}, .parent = parent, .comm = "burn"},
                  .age_ms = 60000,
                  .uid = 1000,
                  .exe = "/bin/burn",
                  .group = "/user.slice"}};
    return &kernel->processes[i];
}

#endif
