/* sentinelctl - the operator's command line: asks a sentineld, a helper or a file, and prints the answer. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/version.h"
#include "sentinelctl/commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"status", status_main, "hosts: state, score, cpu, helper"},
    {"mode", mode_main, "act or observe: what would happen now, and why"},
    {"incidents", incidents_main, "what happened, newest first"},
    {"actions", actions_main, "what was done to which process, newest first"},
    {"incident", incident_main, "one incident: every transition, every process that was considered"},
    {"check", check_main, "every hop from Prometheus to the database: ok, or what to do"},
    {"helper", helper_main, "the privileged helper: list, status, pause, resume, release"},
    {"backtest", backtest_main, "a table of past points through the model: scores and alerts"},
    {"forest", forest_main, "the plain isolation forest of the paper: fit, score"},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_help(FILE *out) {
    fputs("usage: sentinelctl COMMAND [flags]\n\ncommands:\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    fputs("\nsentinelctl COMMAND --help says more; sentinelctl --version names this build.\n", out);
}

static int unknown_command(const char *name) {
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    const char *nearest = nearest_name(name, names, COMMAND_COUNT);
    fprintf(stderr, "sentinelctl: unknown command '%s'%s%s%s (sentinelctl --help)\n", name,
            nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return 2;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("sentinelctl " SENTINEL_VERSION " (" SENTINEL_REVISION ", " SENTINEL_COMPILER ")");
        return 0;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
