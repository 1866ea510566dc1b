/* tests/orient/simulated_host.h - a host as a node_exporter would show it, from a seed.
 *
 * Twelve columns with the habits of real ones: jitter, bursts, timers, a load average that trails the CPU, a
 * drifting memory, disks that are mostly silent, and two features that this host does not have. */
#ifndef SENTINEL_TESTS_ORIENT_SIMULATED_HOST_H
#define SENTINEL_TESTS_ORIENT_SIMULATED_HOST_H

#include <math.h>

#include "base/rng.h"

enum simulated_column {
    CPU_BUSY,
    LOAD_PER_CPU,
    MEMORY_USED,
    SWAP_USED,
    DISK_BYTES,
    DISK_OPERATIONS,
    NETWORK_IN,
    NETWORK_OUT,
    FILESYSTEM_USED,
    CONTEXT_SWITCHES,
    IO_WAIT,
    PRESSURE,
    SIMULATED_COLUMNS
};

/* What an operator would call a change worth a look, in the columns' own units. */
static const double SIMULATED_SMALLEST_CHANGE[SIMULATED_COLUMNS] = {
    [CPU_BUSY] = 0.05,        [LOAD_PER_CPU] = 0.1,     [MEMORY_USED] = 0.02, [SWAP_USED] = 0.02,
    [DISK_BYTES] = 1e6,       [DISK_OPERATIONS] = 50,   [NETWORK_IN] = 1e5,   [NETWORK_OUT] = 1e5,
    [FILESYSTEM_USED] = 0.01, [CONTEXT_SWITCHES] = 500, [IO_WAIT] = 0.05,     [PRESSURE] = 0.05};

struct simulated_host {
    struct rng rng;
    double busy_level;   /* 0.03 idle, 0.35 normally busy */
    double burst_chance; /* per point */
    double burst_left, burst_size;
    double load, memory, filesystem;
    double burner; /* 0..1: how much of the CPU something has seized */
    unsigned long step;
};

static inline double simulated_gauss(struct rng *rng) {
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += rng_uniform(rng);
    }
    return sum - 6;
}

static inline double simulated_lognormal(struct rng *rng, double median, double spread) {
    return median * exp(spread * simulated_gauss(rng));
}

static inline struct simulated_host simulated_host(uint64_t seed, double busy_level, double burst_chance) {
    struct simulated_host host = {.busy_level = busy_level, .burst_chance = burst_chance};
    rng_seed(&host.rng, seed);
    host.load = busy_level;
    host.memory = 0.4;
    host.filesystem = 0.55;
    return host;
}

/* One scrape, `period_s` after the last. */
static inline void simulated_host_step(struct simulated_host *host, double period_s, double *out) {
    struct rng *rng = &host->rng;
    double timer = fmod((double)host->step * period_s, 60) < period_s ? 0.1 * rng_uniform(rng) : 0;
    if (host->burst_left <= 0 && rng_uniform(rng) < host->burst_chance) {
        host->burst_left = 1 + 3 * rng_uniform(rng);
        host->burst_size = 0.1 + 0.4 * rng_uniform(rng);
    }
    double burst = host->burst_left > 0 ? host->burst_size : 0;
    host->burst_left -= 1;
    double own = host->busy_level * (1 + 0.25 * simulated_gauss(rng)) + timer + burst;
    double cpu = own + host->burner;
    cpu = cpu < 0.005 ? 0.005 : cpu;
    cpu = cpu > 0.998 ? 0.998 - 0.002 * rng_uniform(rng) : cpu;
    double running = own + host->burner + 0.05 * rng_uniform(rng);
    host->load += (running - host->load) * (1 - exp(-period_s / 60));
    host->memory += 0.0002 * simulated_gauss(rng) + 0.01 * (0.4 - host->memory) * 0.05;
    host->filesystem += 1e-7;
    bool flush = rng_uniform(rng) < 0.15 || burst > 0;
    out[CPU_BUSY] = cpu;
    out[LOAD_PER_CPU] = host->load;
    out[MEMORY_USED] = host->memory + 0.1 * burst;
    out[SWAP_USED] = 0;
    out[DISK_BYTES] = flush ? simulated_lognormal(rng, 6e4, 1.0) : 0;
    out[DISK_OPERATIONS] = flush ? ceil(out[DISK_BYTES] / 16384) : 0;
    out[NETWORK_IN] = simulated_lognormal(rng, 4e3 + 4e5 * burst, 0.5);
    out[NETWORK_OUT] = simulated_lognormal(rng, 6e3 + 2e5 * burst, 0.5);
    out[FILESYSTEM_USED] = host->filesystem;
    out[CONTEXT_SWITCHES] = 400 + 6000 * own + 50 * simulated_gauss(rng) + 300 * host->burner;
    out[IO_WAIT] = NAN;
    out[PRESSURE] = NAN;
    host->step++;
}

#endif
