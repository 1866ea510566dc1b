/* src/base/rng.h - random numbers that are the same on every machine.
 *
 * xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018), seeded by
 * splitmix64 as its authors advise. For forests and tests; secrets come from the kernel. By value. */
#ifndef SENTINEL_BASE_RNG_H
#define SENTINEL_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_seed(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound); /* uniform in [0, bound); bound > 0 */
double rng_uniform(struct rng *rng);                 /* [0, 1), 53 bits */

/* One step of splitmix64: also a good mixer for combining seeds. */
uint64_t rng_mix(uint64_t value);

#endif
