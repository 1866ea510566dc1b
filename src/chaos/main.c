/* chaos-load - real load of a known shape, bounded in time and size, that leaves nothing behind.
 *
 * Prints its pid as the first line on stdout and the moment of its start as the second, so that whoever
 * started it knows what to look for and from when to count. */
#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/clock.h"
#include "base/nearest.h"
#include "base/version.h"
#include "chaos/lifetime.h"
#include "chaos/loads.h"

static const struct {
    const char *name;
    void (*run)(const struct load_settings *settings);
    const char *help;
} shapes[] = {
    {"cpu", load_cpu, "one process with --threads busy threads; --share and --ramp shape it"},
    {"memory", load_memory, "one process that grows to --megabytes and holds them"},
    {"fork-storm", load_fork_storm, "--children busy children at any time, each gone after 20 ms"},
    {"io", load_io, "writes, syncs and reads an unnamed file of --megabytes in --folder"},
    {"respawner", load_respawner, "starts its burner again, --respawns times, whenever it is ended"},
    {"stubborn", load_stubborn, "as cpu, and deaf to SIGTERM, SIGINT and SIGHUP"},
    {"compile", load_compile, "innocent: --children short-lived processes at work, as in a build"},
};
enum { SHAPE_COUNT = sizeof shapes / sizeof *shapes };

struct options {
    struct load_settings load;
    bool die_with_parent;
    long user; /* -1: stay who we are */
};

enum option_kind { OPTION_INTEGER, OPTION_SHARE, OPTION_USER, OPTION_TEXT, OPTION_FLAG };

#define LOAD(member) offsetof(struct options, load.member)
static const struct {
    const char *name, *unit, *help;
    enum option_kind kind;
    size_t offset;
    double min, max;
} option_table[] = {
    {"--seconds", "N", "ends after this time (60)", OPTION_INTEGER, LOAD(seconds), 1, 600},
    {"--threads", "N", "busy threads (one per processor)", OPTION_INTEGER, LOAD(threads), 1, 256},
    {"--share", "S", "of each thread's time that is busy (1.0)", OPTION_SHARE, LOAD(share), 0, 1},
    {"--ramp", "N", "seconds in which the share grows from 0 (0)", OPTION_INTEGER, LOAD(ramp_seconds), 0,
     600},
    {"--megabytes", "N", "size of memory or file (256); never above half of the machine's memory",
     OPTION_INTEGER, LOAD(megabytes), 1, 4096},
    {"--children", "N", "alive at once (processors x 2)", OPTION_INTEGER, LOAD(children), 1,
     LIFETIME_CHILDREN_MAX},
    {"--respawns", "N", "how often a burner that was ended comes back (5)", OPTION_INTEGER, LOAD(respawns), 0,
     50},
    {"--folder", "DIR", "where io writes (/tmp)", OPTION_TEXT, LOAD(folder), 0, 0},
    {"--user", "UID", "root only: become this user and group after the start", OPTION_USER,
     offsetof(struct options, user), 1, 4294967294.0},
    {"--die-with-parent", "", "end when the process that started this one is gone", OPTION_FLAG,
     offsetof(struct options, die_with_parent), 0, 0},
};
#undef LOAD
enum { OPTION_COUNT = sizeof option_table / sizeof *option_table };

static void print_help(void) {
    puts("usage: chaos-load SHAPE [options]\n\n"
         "Puts real load of a known shape on this machine, for a bounded time, and leaves nothing behind.\n"
         "The first line of the output is its pid, the second the Unix time of its start.\n\nshapes:");
    for (size_t i = 0; i < SHAPE_COUNT; i++)
        printf("  %-12s %s\n", shapes[i].name, shapes[i].help);
    puts("\noptions:");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char head[32];
        snprintf(head, sizeof head, "%s %s", option_table[i].name, option_table[i].unit);
        printf("  %-19s %s\n", head, option_table[i].help);
    }
    puts("  --help, --version");
}

_Noreturn static void usage_error(const char *what, const char *text, const char *nearest) {
    fprintf(stderr, "chaos-load: %s '%s'", what, text);
    if (nearest)
        fprintf(stderr, "; did you mean '%s'?", nearest);
    fputs(" (chaos-load --help)\n", stderr);
    exit(2);
}

static double parse_number(const char *text, size_t option) {
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    bool in_range = value >= option_table[option].min && value <= option_table[option].max;
    bool whole = option_table[option].kind == OPTION_SHARE || (in_range && value == (double)(int64_t)value);
    if (end == text || *end || errno || !in_range || !whole) {
        fprintf(stderr, "chaos-load: %s: '%s' is not %s from %g to %.0f\n", option_table[option].name, text,
                option_table[option].kind == OPTION_SHARE ? "a number" : "a whole number",
                option_table[option].min, option_table[option].max);
        exit(2);
    }
    return value;
}

static void set_option(struct options *options, size_t option, const char *text) {
    void *place = (char *)options + option_table[option].offset;
    switch (option_table[option].kind) {
    case OPTION_INTEGER:
        *(int *)place = (int)parse_number(text, option);
        break;
    case OPTION_SHARE:
        *(double *)place = parse_number(text, option);
        break;
    case OPTION_USER:
        *(long *)place = (long)parse_number(text, option);
        break;
    case OPTION_TEXT:
        *(const char **)place = text;
        break;
    case OPTION_FLAG:
        *(bool *)place = true;
        break;
    }
}

/* The index of the option, or the end of the program. */
static size_t find_option(const char *name) {
    const char *names[OPTION_COUNT];
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        names[i] = option_table[i].name;
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    usage_error("unknown option", name, nearest_name(name, names, OPTION_COUNT));
}

static size_t find_shape(const char *name) {
    const char *names[SHAPE_COUNT];
    for (size_t i = 0; i < SHAPE_COUNT; i++) {
        names[i] = shapes[i].name;
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    usage_error("unknown shape", name, nearest_name(name, names, SHAPE_COUNT));
}

static void parse_options(int argc, char **argv, struct options *options) {
    for (int i = 2; i < argc; i++) {
        size_t option = find_option(argv[i]);
        if (option_table[option].kind == OPTION_FLAG)
            set_option(options, option, NULL);
        else if (i + 1 < argc)
            set_option(options, option, argv[++i]);
        else
            usage_error("a value is missing after", argv[i], NULL);
    }
}

/* A machine that swaps shows nothing but swapping, and may not come back. */
static void respect_the_machine(struct load_settings *load) {
    int64_t pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    int64_t half = pages / 2 * page_bytes / (1 << 20);
    if (half > 0 && load->megabytes > half) {
        fprintf(stderr, "chaos-load: --megabytes %d is more than half of the memory; taking %d\n",
                load->megabytes, (int)half);
        load->megabytes = (int)half;
    }
}

/* After the start rather than before it, so that the program may lie in a folder that only root can enter. */
static void become(long user) {
    if (user < 0 || (user == (long)getuid() && user == (long)geteuid()))
        return;
    if (setgroups(0, NULL) != 0 || setgid((gid_t)user) != 0 || setuid((uid_t)user) != 0) {
        fprintf(stderr, "chaos-load: cannot become uid %ld: %s (only root can)\n", user, strerror(errno));
        exit(1);
    }
#ifdef __linux__
    /* A change of user hides a process's details from its own user, as if it held secrets. */
    prctl(PR_SET_DUMPABLE, 1);
#endif
}

int main(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        print_help();
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("chaos-load " SENTINEL_VERSION " (" SENTINEL_REVISION ")");
        return 0;
    }
    int processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
    struct options options = {
        .load = {.seconds = 60,
                 .threads = processors,
                 .share = 1.0,
                 .megabytes = 256,
                 .children = processors * 2,
                 .respawns = 5,
                 .folder = "/tmp"},
        .user = -1,
    };
    size_t shape = find_shape(argv[1]);
    parse_options(argc, argv, &options);
    respect_the_machine(&options.load);
    become(options.user);
    int64_t now_ms = clock_realtime_ms();
    printf("%d\nstarted=%lld.%03d\n", (int)getpid(), (long long)(now_ms / 1000), (int)(now_ms % 1000));
    fflush(stdout);
    lifetime_begin(options.load.seconds, options.die_with_parent);
    shapes[shape].run(&options.load);
    lifetime_end();
}
