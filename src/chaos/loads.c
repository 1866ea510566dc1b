#include "chaos/loads.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "chaos/lifetime.h"

enum {
    PERIOD_MS = 100,       /* of the duty cycle: shorter than any scrape */
    STORM_CHILD_MS = 20,   /* short enough that sampling /proc misses most of them */
    RESPAWN_PAUSE_MS = 200 /* as an eager supervisor */
};

static _Atomic uint64_t sink; /* keeps the compiler from dropping work that nobody reads */

static void burn_until(int64_t end_ms) {
    uint64_t value = (uint64_t)end_ms;
    do {
        for (int i = 0; i < 20000; i++)
            value = rng_mix(value);
    } while (clock_monotonic_ms() < end_ms && !lifetime_is_over());
    sink = value;
}

/* --- cpu ------------------------------------------------------------------------------------------------ */

static double share_now(const struct load_settings *settings, int64_t begun_ms, int64_t now_ms) {
    double ramp_ms = settings->ramp_seconds * 1000.0;
    double passed_ms = (double)(now_ms - begun_ms);
    return passed_ms < ramp_ms ? settings->share * passed_ms / ramp_ms : settings->share;
}

static void *burn_in_share(void *context) {
    const struct load_settings *settings = context;
    int64_t begun_ms = clock_monotonic_ms();
    while (!lifetime_is_over()) {
        int64_t now_ms = clock_monotonic_ms();
        int busy_ms = (int)(PERIOD_MS * share_now(settings, begun_ms, now_ms));
        if (busy_ms > 0)
            burn_until(now_ms + busy_ms);
        if (busy_ms < PERIOD_MS)
            lifetime_sleep_ms(PERIOD_MS - busy_ms);
    }
    return NULL;
}

void load_cpu(const struct load_settings *settings) {
    struct load_settings copy = *settings; /* pthread's argument is not const */
    pthread_t *threads = xcalloc((size_t)settings->threads, sizeof *threads);
    int started = 0;
    while (started < settings->threads && pthread_create(&threads[started], NULL, burn_in_share, &copy) == 0)
        started++;
    if (started < settings->threads)
        fprintf(stderr, "chaos-load: only %d of %d threads could be started\n", started, settings->threads);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

void load_stubborn(const struct load_settings *settings) {
    lifetime_ignore_requests();
    load_cpu(settings);
}

/* --- memory --------------------------------------------------------------------------------------------- */

void load_memory(const struct load_settings *settings) {
    const size_t step = 1 << 20;
    unsigned char **held = xcalloc((size_t)settings->megabytes, sizeof *held);
    /* All of it by half of the time, so that both the growth and the fullness are seen. */
    int pause_ms = settings->seconds * 500 / settings->megabytes;
    int count = 0;
    while (!lifetime_is_over()) {
        if (count < settings->megabytes) {
            held[count] = xcalloc(1, step);
            memset(held[count++], 0x5A, step);
        }
        lifetime_sleep_ms(count < settings->megabytes ? pause_ms : PERIOD_MS);
    }
    for (int i = 0; i < count; i++)
        free(held[i]);
    free(held);
}

/* --- processes ------------------------------------------------------------------------------------------ */

void load_fork_storm(const struct load_settings *settings) {
    while (!lifetime_is_over()) {
        lifetime_reap();
        pid_t child = lifetime_children() < (size_t)settings->children ? lifetime_fork() : -1;
        if (child == 0) {
            burn_until(clock_monotonic_ms() + STORM_CHILD_MS);
            _exit(0);
        }
        if (child < 0)
            lifetime_sleep_ms(1);
    }
}

void load_respawner(const struct load_settings *settings) {
    for (int started = 0; !lifetime_is_over();) {
        lifetime_reap();
        if (lifetime_children() == 0 && started <= settings->respawns) {
            if (started > 0)
                lifetime_sleep_ms(RESPAWN_PAUSE_MS);
            pid_t child = lifetime_fork();
            if (child == 0) {
                load_cpu(settings);
                _exit(0);
            }
            if (child > 0)
                printf("burner pid=%d respawn=%d\n", (int)child, started++);
            fflush(stdout);
        }
        lifetime_sleep_ms(10);
    }
}

static int compare_numbers(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* What a compiler's pass is to the scheduler: some memory, some hundred milliseconds of work, an end. */
static void compile_one_unit(uint64_t seed) {
    struct rng rng;
    rng_seed(&rng, seed);
    size_t count = 200000 + (size_t)rng_below(&rng, 1500000);
    uint64_t *numbers = xcalloc(count, sizeof *numbers);
    for (size_t i = 0; i < count; i++)
        numbers[i] = rng_next(&rng);
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    sink = numbers[count / 2];
    free(numbers);
}

void load_compile(const struct load_settings *settings) {
    for (uint64_t unit = 1; !lifetime_is_over(); unit++) {
        while (lifetime_children() >= (size_t)settings->children && !lifetime_is_over()) {
            lifetime_sleep_ms(5);
            lifetime_reap();
        }
        if (lifetime_fork() == 0) { /* the driver, which starts the pass and waits for it */
            if (lifetime_fork() == 0) {
                compile_one_unit(unit);
                _exit(0);
            }
            while (lifetime_children() > 0 && !lifetime_is_over()) {
                lifetime_reap();
                lifetime_sleep_ms(5);
            }
            _exit(0);
        }
    }
}

/* --- disk ----------------------------------------------------------------------------------------------- */

void load_io(const struct load_settings *settings) {
    char path[512];
    if (snprintf(path, sizeof path, "%s/chaos-load-XXXXXX", settings->folder) >= (int)sizeof path) {
        fprintf(stderr, "chaos-load: the folder's name is too long\n");
        return;
    }
    int fd = mkstemp(path);
    if (fd < 0) {
        perror(path);
        return;
    }
    unlink(path);
    const size_t step = 1 << 20;
    unsigned char *block = xcalloc(1, step);
    off_t size = (off_t)settings->megabytes * (off_t)step;
    for (off_t at = 0; !lifetime_is_over(); at = (at + (off_t)step) % size) {
        memset(block, (int)(at / (off_t)step), step);
        if (pwrite(fd, block, step, at) < 0 || fsync(fd) != 0 || pread(fd, block, step, at) < 0) {
            perror("chaos-load: io");
            break;
        }
    }
    free(block);
    close(fd);
}
