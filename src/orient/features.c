/* The default features: what a node_exporter on Linux or macOS tells about the health of its host.
 *
 * Names differ between the two systems on purpose (memory, swap) and some exist on Linux only (pressure, run
 * queue, faults), so a feature lists its forms and the first whose inputs are all there is taken. Ratios are
 * sums over sums: cpu_busy weighs every processor alike, filesystem_used every byte. */
#include "orient/features.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Everything that any feature reads. The order is the bit in an observation's `inputs`. */
enum input {
    CPU_ALL,
    CPU_IDLE,
    CPU_KERNEL,
    CPU_WAITING,
    CPU_PER_PROCESSOR,
    LOAD1,
    MEMORY_TOTAL,
    MEMORY_AVAILABLE,
    DARWIN_MEMORY_TOTAL,
    DARWIN_MEMORY_INTERNAL,
    DARWIN_MEMORY_PURGEABLE,
    DARWIN_MEMORY_WIRED,
    DARWIN_MEMORY_COMPRESSED,
    SWAP_TOTAL,
    SWAP_FREE,
    DARWIN_SWAP_TOTAL,
    DARWIN_SWAP_USED,
    DISK_READ_BYTES,
    DISK_WRITTEN_BYTES,
    DISK_READS,
    DISK_WRITES,
    NETWORK_IN_BYTES,
    NETWORK_OUT_BYTES,
    FILESYSTEM_SIZE,
    FILESYSTEM_AVAILABLE,
    PRESSURE_CPU,
    PRESSURE_IO,
    PRESSURE_MEMORY,
    CONTEXT_SWITCHES,
    PROCESSES_RUNNING,
    MAJOR_FAULTS,
    FORKS,
    INPUT_COUNT
};

/* clang-format off */
#define WHERE(label, alternatives) .matchers = {{label, alternatives, false}}, .matcher_count = 1
#define WHERE_NOT(label, alternatives) .matchers = {{label, alternatives, true}}, .matcher_count = 1
/* A loop-back device carries what the host says to itself; pseudo file systems have no disk to fill. */
#define LOOPBACK "lo|lo0"
#define PSEUDO_FILESYSTEMS "tmpfs|ramfs|devtmpfs|devfs|squashfs|nsfs|autofs|fuse.lxcfs|iso9660|erofs"

static const struct series_selector selectors[INPUT_COUNT] = {
    [CPU_ALL] = {.metric = "node_cpu_seconds_total"},
    /* iowait counts as idle: a processor that waits for a disk can run something else, and nothing that
     * terminates a process would help it. macOS has no such mode. */
    [CPU_IDLE] = {.metric = "node_cpu_seconds_total", WHERE("mode", "idle|iowait")},
    [CPU_KERNEL] = {.metric = "node_cpu_seconds_total", WHERE("mode", "system|irq|softirq")},
    [CPU_WAITING] = {.metric = "node_cpu_seconds_total", WHERE("mode", "iowait")},
    [CPU_PER_PROCESSOR] = {.metric = "node_cpu_seconds_total", WHERE("mode", "idle")},
    [LOAD1] = {.metric = "node_load1"},
    [MEMORY_TOTAL] = {.metric = "node_memory_MemTotal_bytes"},
    [MEMORY_AVAILABLE] = {.metric = "node_memory_MemAvailable_bytes"},
    [DARWIN_MEMORY_TOTAL] = {.metric = "node_memory_total_bytes"},
    [DARWIN_MEMORY_INTERNAL] = {.metric = "node_memory_internal_bytes"},
    [DARWIN_MEMORY_PURGEABLE] = {.metric = "node_memory_purgeable_bytes"},
    [DARWIN_MEMORY_WIRED] = {.metric = "node_memory_wired_bytes"},
    [DARWIN_MEMORY_COMPRESSED] = {.metric = "node_memory_compressed_bytes"},
    [SWAP_TOTAL] = {.metric = "node_memory_SwapTotal_bytes"},
    [SWAP_FREE] = {.metric = "node_memory_SwapFree_bytes"},
    [DARWIN_SWAP_TOTAL] = {.metric = "node_memory_swap_total_bytes"},
    [DARWIN_SWAP_USED] = {.metric = "node_memory_swap_used_bytes"},
    [DISK_READ_BYTES] = {.metric = "node_disk_read_bytes_total"},
    [DISK_WRITTEN_BYTES] = {.metric = "node_disk_written_bytes_total"},
    [DISK_READS] = {.metric = "node_disk_reads_completed_total"},
    [DISK_WRITES] = {.metric = "node_disk_writes_completed_total"},
    [NETWORK_IN_BYTES] = {.metric = "node_network_receive_bytes_total", WHERE_NOT("device", LOOPBACK)},
    [NETWORK_OUT_BYTES] = {.metric = "node_network_transmit_bytes_total", WHERE_NOT("device", LOOPBACK)},
    [FILESYSTEM_SIZE] = {.metric = "node_filesystem_size_bytes", WHERE_NOT("fstype", PSEUDO_FILESYSTEMS)},
    [FILESYSTEM_AVAILABLE] = {.metric = "node_filesystem_avail_bytes", WHERE_NOT("fstype", PSEUDO_FILESYSTEMS)},
    [PRESSURE_CPU] = {.metric = "node_pressure_cpu_waiting_seconds_total"},
    [PRESSURE_IO] = {.metric = "node_pressure_io_waiting_seconds_total"},
    [PRESSURE_MEMORY] = {.metric = "node_pressure_memory_waiting_seconds_total"},
    [CONTEXT_SWITCHES] = {.metric = "node_context_switches_total"},
    [PROCESSES_RUNNING] = {.metric = "node_procs_running"},
    [MAJOR_FAULTS] = {.metric = "node_vmstat_pgmajfault"},
    [FORKS] = {.metric = "node_forks_total"},
};
/* clang-format on */

enum term_kind { TERM_END, TERM_VALUE, TERM_RATE, TERM_COUNT };
struct term {
    enum term_kind kind;
    enum input input;
    double coefficient;
};

enum { FORMS_MAX = 2, TERMS_MAX = 4 };
/* numerator / denominator, or one minus that. Without a denominator: the numerator alone. */
struct form {
    struct term numerator[TERMS_MAX + 1], denominator[TERMS_MAX + 1];
    bool one_minus;
};

struct feature {
    struct feature_description description;
    struct form forms[FORMS_MAX];
    size_t form_count;
};

/* clang-format off */
#define VALUE(input) {TERM_VALUE, input, 1}
#define MINUS_VALUE(input) {TERM_VALUE, input, -1}
#define RATE(input) {TERM_RATE, input, 1}
#define SERIES_COUNT(input) {TERM_COUNT, input, 1}

static const struct feature default_features[] = {
    {{"cpu_busy", "ratio", "Share of processor time that is neither idle nor waiting for a disk.", 0.05},
     {{{RATE(CPU_IDLE)}, {RATE(CPU_ALL)}, true}}, 1},
    {{"cpu_kernel", "ratio", "Share of processor time spent in the kernel and in interrupts.", 0.05},
     {{{RATE(CPU_KERNEL)}, {RATE(CPU_ALL)}, false}}, 1},
    {{"cpu_waiting", "ratio", "Share of processor time idle while a disk was being waited for (Linux).", 0.05},
     {{{RATE(CPU_WAITING)}, {RATE(CPU_ALL)}, false}}, 1},
    {{"load_per_cpu", "1", "Load average over one minute, per processor.", 0.25},
     {{{VALUE(LOAD1)}, {SERIES_COUNT(CPU_PER_PROCESSOR)}, false}}, 1},
    {{"memory_used", "ratio", "Share of memory that is not available to new work.", 0.02},
     {{{VALUE(MEMORY_AVAILABLE)}, {VALUE(MEMORY_TOTAL)}, true},
      {{VALUE(DARWIN_MEMORY_INTERNAL), MINUS_VALUE(DARWIN_MEMORY_PURGEABLE), VALUE(DARWIN_MEMORY_WIRED),
        VALUE(DARWIN_MEMORY_COMPRESSED)}, {VALUE(DARWIN_MEMORY_TOTAL)}, false}}, 2},
    {{"swap_used", "ratio", "Share of swap space in use.", 0.02},
     {{{VALUE(SWAP_FREE)}, {VALUE(SWAP_TOTAL)}, true},
      {{VALUE(DARWIN_SWAP_USED)}, {VALUE(DARWIN_SWAP_TOTAL)}, false}}, 2},
    {{"disk_bytes", "bytes/s", "Bytes read from and written to disks.", 2e6},
     {{{RATE(DISK_READ_BYTES), RATE(DISK_WRITTEN_BYTES)}, {{0}}, false}}, 1},
    {{"disk_operations", "1/s", "Reads and writes completed by disks.", 100},
     {{{RATE(DISK_READS), RATE(DISK_WRITES)}, {{0}}, false}}, 1},
    {{"network_in", "bytes/s", "Bytes received, loop-back left out.", 2e5},
     {{{RATE(NETWORK_IN_BYTES)}, {{0}}, false}}, 1},
    {{"network_out", "bytes/s", "Bytes sent, loop-back left out.", 2e5},
     {{{RATE(NETWORK_OUT_BYTES)}, {{0}}, false}}, 1},
    {{"filesystem_used", "ratio", "Share of all real file systems that is not available.", 0.005},
     {{{VALUE(FILESYSTEM_AVAILABLE)}, {VALUE(FILESYSTEM_SIZE)}, true}}, 1},
    {{"pressure_cpu", "ratio", "Share of time in which some task waited for a processor (Linux).", 0.05},
     {{{RATE(PRESSURE_CPU)}, {{0}}, false}}, 1},
    {{"pressure_io", "ratio", "Share of time in which some task waited for input or output (Linux).", 0.05},
     {{{RATE(PRESSURE_IO)}, {{0}}, false}}, 1},
    {{"pressure_memory", "ratio", "Share of time in which some task waited for memory (Linux).", 0.02},
     {{{RATE(PRESSURE_MEMORY)}, {{0}}, false}}, 1},
    {{"context_switches", "1/s", "Context switches (Linux).", 2000},
     {{{RATE(CONTEXT_SWITCHES)}, {{0}}, false}}, 1},
    {{"processes_running", "1", "Tasks that run or could run (Linux).", 2},
     {{{VALUE(PROCESSES_RUNNING)}, {{0}}, false}}, 1},
    {{"major_faults", "1/s", "Page faults that needed a disk (Linux).", 50},
     {{{RATE(MAJOR_FAULTS)}, {{0}}, false}}, 1},
    {{"forks", "1/s", "Processes and threads started (Linux).", 20},
     {{{RATE(FORKS)}, {{0}}, false}}, 1},
};
/* clang-format on */

_Static_assert(COUNT_OF(default_features) <= FEATURES_MAX, "more features than a point has room for");
_Static_assert((int)INPUT_COUNT <= (int)SELECTORS_MAX, "more inputs than an observation has bits for");

struct feature_set {
    const struct feature *features;
    size_t count;
    const struct series_selector *selectors;
    size_t selector_count;
};

struct feature_set *feature_set_create_default(void) {
    struct feature_set *set = xcalloc(1, sizeof *set);
    set->features = default_features;
    set->count = COUNT_OF(default_features);
    set->selectors = selectors;
    set->selector_count = INPUT_COUNT;
    return set;
}

size_t feature_set_count(const struct feature_set *set) {
    return set->count;
}

const struct feature_description *feature_set_describe(const struct feature_set *set, size_t feature) {
    assert(feature < set->count);
    return &set->features[feature].description;
}

int feature_set_find(const struct feature_set *set, const char *name) {
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->features[i].description.name, name) == 0)
            return (int)i;
    }
    return -1;
}

const struct series_selector *feature_set_selectors(const struct feature_set *set, size_t *count) {
    *count = set->selector_count;
    return set->selectors;
}

void feature_set_destroy(struct feature_set *set) {
    free(set);
}

static double term_value(const struct term *term, const struct input_reading *reading) {
    if (reading->missing_count > 0)
        return NAN;
    switch (term->kind) {
    case TERM_VALUE:
        return reading->count ? term->coefficient * reading->sum : NAN;
    case TERM_RATE:
        return reading->rate_count ? term->coefficient * reading->rate_sum : NAN;
    case TERM_COUNT:
        return reading->count ? term->coefficient * (double)reading->count : NAN;
    case TERM_END:
        break;
    }
    assert(!"a term without a kind ends the list");
    return NAN;
}

/* NaN as soon as one term is missing. */
static double terms_sum(const struct term *terms, const struct input_reading *inputs) {
    double sum = 0;
    for (; terms->kind != TERM_END; terms++)
        sum += term_value(terms, &inputs[terms->input]);
    return sum;
}

static double form_compute(const struct form *form, const struct input_reading *inputs) {
    double value = terms_sum(form->numerator, inputs);
    if (form->denominator[0].kind != TERM_END) {
        double denominator = terms_sum(form->denominator, inputs);
        /* No swap space configured, no processor time passed: there is no share to speak of. */
        if (!(denominator > 0))
            return NAN;
        value /= denominator;
    }
    return form->one_minus ? 1 - value : value;
}

void feature_set_compute(const struct feature_set *set, const struct input_reading *inputs, double *out) {
    for (size_t i = 0; i < set->count; i++) {
        const struct feature *feature = &set->features[i];
        out[i] = NAN;
        for (size_t form = 0; form < feature->form_count && isnan(out[i]); form++)
            out[i] = form_compute(&feature->forms[form], inputs);
    }
}
