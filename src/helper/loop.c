#include "helper/loop.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    SCAN_SHARE = 125,        /* a scan is followed by a rest of this many times its own CPU time, */
    LONGEST_REST_MS = 10000, /* but of no more than this */
    SHORTEST_SCAN_MS = 250,  /* a shorter interval is too coarse in ticks of 10 ms */
    COMPLAINT_MS = 60000,
};

struct pace {
    int64_t scanned_ms, rest_ms, complained_ms;
};

static int64_t cpu_time_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static int64_t later_of(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t earlier_of(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t next_scan_ms(const struct helper_world *world, const struct deeds *deeds,
                            const struct pace *pace) {
    int64_t wanted_ms = deeds_wants_measurement_after_ms(deeds);
    if (wanted_ms)
        return later_of(pace->scanned_ms + SHORTEST_SCAN_MS, wanted_ms + 1);
    return pace->scanned_ms + later_of(world->policy->sample_interval_ms, pace->rest_ms);
}

static void scan(struct helper_world *world, struct pace *pace, int64_t now_ms) {
    struct error err;
    int64_t began_us = cpu_time_us();
    pace->scanned_ms = now_ms;
    if (watch_update(world->watch, world->processes, world->policy, now_ms, &err) != STATUS_OK &&
        now_ms - pace->complained_ms > COMPLAINT_MS) {
        LOG_ERROR("scan_failed", "error=\"%s\"", err.text);
        pace->complained_ms = now_ms;
    }
    pace->rest_ms = earlier_of(LONGEST_REST_MS, (cpu_time_us() - began_us) * SCAN_SHARE / 1000);
}

void loop_run(struct helper_world *world, struct deeds *deeds, struct sessions *sessions, int stop) {
    struct pace pace = {.complained_ms = -COMPLAINT_MS};
    struct pollfd polled[1 + SESSIONS_POLLED_MAX + DEEDS_MAX] = {{.fd = stop, .events = POLLIN}};
    while (!polled[0].revents) {
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= next_scan_ms(world, deeds, &pace))
            scan(world, &pace, now_ms);
        deeds_step(deeds, now_ms);
        sessions_step(sessions, now_ms);
        size_t session_count = sessions_polled(sessions, polled + 1);
        size_t deed_count = deeds_polled(deeds, polled + 1 + session_count);
        int64_t due_ms = earlier_of(next_scan_ms(world, deeds, &pace),
                                    earlier_of(deeds_due_ms(deeds), sessions_due_ms(sessions)));
        int64_t wait_ms = later_of(0, due_ms - clock_monotonic_ms());
        if (poll(polled, 1 + session_count + deed_count, (int)wait_ms) > 0)
            sessions_serve(sessions, polled + 1, session_count, clock_monotonic_ms());
    }
}
