/* sentinel-helper: the only privileged program of Sentinel. Opens what it needs, gives up the rest, loops. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "helper/loop.h"
#include "helper/sandbox.h"

enum { EXIT_USAGE = 2 };

#ifdef __APPLE__
#define DEFAULT_SOCKET "/var/run/sentinel/helper.sock"
#define DEFAULT_JOURNAL "/var/db/sentinel-helper/journal"
#else
#define DEFAULT_SOCKET "/run/sentinel/helper.sock"
#define DEFAULT_JOURNAL "/var/lib/sentinel-helper/journal"
#endif
#define DEFAULT_POLICY "/etc/sentinel/helper.conf"

enum command { COMMAND_RUN, COMMAND_CHECK_CONFIG, COMMAND_VERIFY_JOURNAL, COMMAND_RESET };

struct options {
    enum command command;
    const char *policy, *socket, *journal;
};

static const char help[] =
    "usage: sentinel-helper [--policy FILE] [--socket PATH] [--journal FILE]\n"
    "       sentinel-helper --check-config FILE | --verify-journal [FILE] | --reset\n"
    "\n"
    "Ends or freezes processes that it measured itself and that root's policy allows,\n"
    "when the server on its socket asks for it.\n"
    "\n"
    "  --policy FILE          root's policy (default " DEFAULT_POLICY ")\n"
    "  --socket PATH          where to listen (default " DEFAULT_SOCKET ")\n"
    "  --journal FILE         every decision (default " DEFAULT_JOURNAL ")\n"
    "  --check-config FILE    explain a policy in plain words; 2 if it is wrong\n"
    "  --verify-journal FILE  check the journal's chain of hashes; 1 if it was edited\n"
    "  --reset                close the breaker; sets a damaged journal aside. The\n"
    "                         helper must not be running\n"
    "  --help, --version\n";

static int stop_pipe[2];

static void on_signal(int signal) {
    (void)signal;
    int saved = errno;
    if (write(stop_pipe[1], "", 1) < 0) {
        /* The pipe is full: it was told already. */
    }
    errno = saved;
}

static bool watch_signals(struct error *err) {
    struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    if (pipe(stop_pipe) != 0 || fcntl(stop_pipe[1], F_SETFL, O_NONBLOCK) != 0 ||
        sigaction(SIGTERM, &stop, NULL) != 0 || sigaction(SIGINT, &stop, NULL) != 0 ||
        sigaction(SIGPIPE, &ignore, NULL) != 0) {
        error_set_errno(err, "cannot watch signals");
        return false;
    }
    return true;
}

static void trouble(struct helper_world *world, const struct error *err) {
    if (world->policy_ok)
        snprintf(world->trouble, sizeof world->trouble, "%.159s", err->text);
    world->policy_ok = false;
    LOG_ERROR("nothing_is_allowed", "error=\"%s\"", err->text);
}

/* A policy or a journal that does not hold leaves a helper that refuses everything and says why. */
static void open_policy(struct helper_world *world, const struct options *options,
                        struct helper_policy *policy) {
    struct error err;
    if (helper_policy_load(options->policy, world->processes->privileged, policy, &err) != STATUS_OK ||
        helper_policy_bind(policy, world->processes, &err) != STATUS_OK) {
        trouble(world, &err);
        policy->rule_count = 0;
        policy->mode_act = false;
    }
    world->policy = policy;
}

static void open_journal(struct helper_world *world, const struct options *options) {
    struct error err;
    world->ledger = xcalloc(1, sizeof *world->ledger);
    if (journal_open(options->journal, ledger_apply, world->ledger, &world->journal, &err) != STATUS_OK)
        trouble(world, &err);
    ledger_set_boot(world->ledger, world->processes->boot_id);
}

static void serve(struct helper_world *world, const struct options *options, int listener) {
    struct error err;
    char when[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_realtime_ms(), when); /* reads /etc/localtime once, before the sandbox */
    struct offers *offers = offers_create(world);
    struct deeds *deeds = deeds_create(world, offers, clock_monotonic_ms());
    struct sessions *sessions = sessions_create(world, offers, deeds, listener);
    if (sandbox_enter(options->journal, &err) == STATUS_OK) {
        LOG_INFO("ready", "mode=%s policy=%s pinned=%s", world->policy->mode_act ? "act" : "observe",
                 world->policy_ok ? "ok" : "broken", world->processes->pins_signals ? "yes" : "no");
        loop_run(world, deeds, sessions, stop_pipe[0]);
        LOG_INFO("stopping", "frozen=released");
    } else {
        LOG_ERROR("sandbox_failed", "error=\"%s\"", err.text);
    }
    sessions_destroy(sessions, clock_monotonic_ms());
    deeds_destroy(deeds, clock_monotonic_ms());
    offers_destroy(offers);
}

/* Pins, connections and deeds at their most, with room for the files of /proc that are open at a time. */
static enum status raise_descriptor_limit(struct error *err) {
    const rlim_t needed = HANDLES_MAX + 2 * CLIENTS_MAX + DEEDS_MAX + 32;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return error_set_errno(err, "cannot read the limit on descriptors");
    if (limit.rlim_cur >= needed)
        return STATUS_OK;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    if (limit.rlim_cur < needed || setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return error_set(err, STATUS_TOO_LARGE,
                         "the helper needs %d descriptors, the limit is %d: LimitNOFILE=256", (int)needed,
                         (int)limit.rlim_max);
    return STATUS_OK;
}

static int run(const struct options *options) {
    struct helper_world world = {.policy_ok = true};
    struct helper_policy *policy = xcalloc(1, sizeof *policy);
    struct error err;
    int listener = -1, result = EXIT_FAILURE;
    if (helper_policy_parse("default", "", policy, &err) != STATUS_OK)
        abort();
    if (raise_descriptor_limit(&err) != STATUS_OK ||
        processes_open("/proc", &world.processes, &err) != STATUS_OK)
        goto out;
    open_policy(&world, options, policy);
    open_journal(&world, options);
    world.watch = watch_create();
    if (!watch_signals(&err) ||
        sessions_listen(options->socket, policy->socket_group, &listener, &err) != STATUS_OK)
        goto out;
    serve(&world, options, listener);
    result = EXIT_SUCCESS;
out:
    if (result != EXIT_SUCCESS)
        fprintf(stderr, "sentinel-helper: %s\n", err.text);
    watch_destroy(world.watch);
    journal_close(world.journal);
    free(world.ledger);
    if (world.processes)
        world.processes->close(world.processes);
    free(policy);
    return result;
}

static int check_config(const struct options *options) {
    struct helper_policy *policy = xcalloc(1, sizeof *policy);
    struct error err;
    bool good = helper_policy_load(options->policy, geteuid() == 0, policy, &err) == STATUS_OK;
    if (good)
        helper_policy_explain(policy, stdout);
    else
        fprintf(stderr, "sentinel-helper: %s\n", err.text);
    free(policy);
    return good ? EXIT_SUCCESS : EXIT_USAGE;
}

static int verify(const struct options *options) {
    struct error err;
    uint64_t lines;
    if (journal_verify(options->journal, &lines, &err) != STATUS_OK) {
        fprintf(stderr, "sentinel-helper: %s\n", err.text);
        return EXIT_FAILURE;
    }
    printf("%s: %llu lines, the chain holds\n", options->journal, (unsigned long long)lines);
    return EXIT_SUCCESS;
}

static bool set_aside(const char *path, struct error *err) {
    char aside[4096], when[CLOCK_RFC3339_SIZE];
    snprintf(aside, sizeof aside, "%s.damaged-%s", path, clock_format_rfc3339(clock_realtime_ms(), when));
    if (rename(path, aside) != 0) {
        error_set_errno(err, "cannot set %s aside", path);
        return false;
    }
    printf("the damaged journal is now %s\n", aside);
    return true;
}

static int reset(const struct options *options) {
    struct processes *processes = NULL;
    struct journal *journal = NULL;
    struct error err;
    enum status status = processes_open("/proc", &processes, &err);
    if (status == STATUS_OK)
        status = journal_open(options->journal, NULL, NULL, &journal, &err);
    if (status == STATUS_CORRUPT && set_aside(options->journal, &err))
        status = journal_open(options->journal, NULL, NULL, &journal, &err);
    if (status == STATUS_OK) {
        struct journal_record record = {.event = JOURNAL_RESET, .at_ms = clock_monotonic_ms()};
        memcpy(record.boot_id, processes->boot_id, sizeof record.boot_id);
        snprintf(record.text, sizeof record.text, "by uid %u", (unsigned)getuid());
        status = journal_append(journal, &record, true, &err);
    }
    if (status == STATUS_OK)
        puts("the breaker is closed");
    else
        fprintf(stderr, "sentinel-helper: %s\n", err.text);
    journal_close(journal);
    if (processes)
        processes->close(processes);
    return status == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool parse_options(int argc, char **argv, struct options *options) {
    enum { POLICY = 256, SOCKET, JOURNAL, CHECK, VERIFY, RESET, HELP, VERSION };
    static const struct option known[] = {{"policy", required_argument, NULL, POLICY},
                                          {"socket", required_argument, NULL, SOCKET},
                                          {"journal", required_argument, NULL, JOURNAL},
                                          {"check-config", required_argument, NULL, CHECK},
                                          {"verify-journal", optional_argument, NULL, VERIFY},
                                          {"reset", no_argument, NULL, RESET},
                                          {"help", no_argument, NULL, HELP},
                                          {"version", no_argument, NULL, VERSION},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case POLICY:
            options->policy = optarg;
            break;
        case SOCKET:
            options->socket = optarg;
            break;
        case JOURNAL:
            options->journal = optarg;
            break;
        case CHECK:
            options->command = COMMAND_CHECK_CONFIG;
            options->policy = optarg;
            break;
        case VERIFY:
            options->command = COMMAND_VERIFY_JOURNAL;
            break;
        case RESET:
            options->command = COMMAND_RESET;
            break;
        case HELP:
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        case VERSION:
            puts("sentinel-helper " SENTINEL_VERSION " (" SENTINEL_REVISION ")");
            exit(EXIT_SUCCESS);
        default:
            return false;
        }
    }
    if (options->command == COMMAND_VERIFY_JOURNAL && optind + 1 == argc)
        options->journal = argv[optind++];
    return optind == argc;
}

int main(int argc, char **argv) {
    struct options options = {.policy = DEFAULT_POLICY, .socket = DEFAULT_SOCKET, .journal = DEFAULT_JOURNAL};
    if (!parse_options(argc, argv, &options)) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    switch (options.command) {
    case COMMAND_RUN:
        return run(&options);
    case COMMAND_CHECK_CONFIG:
        return check_config(&options);
    case COMMAND_VERIFY_JOURNAL:
        return verify(&options);
    case COMMAND_RESET:
        return reset(&options);
    }
    return EXIT_USAGE;
}
