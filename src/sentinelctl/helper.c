/* sentinelctl helper: speaks with the privileged helper itself, over its socket. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "act/helper_client.h"
#include "base/nearest.h"
#include "sentinelctl/command_line.h"
#include "sentinelctl/commands.h"
#include "sentinelctl/report.h"

#ifdef __APPLE__
#define DEFAULT_SOCKET "/var/run/sentinel/helper.sock"
#else
#define DEFAULT_SOCKET "/run/sentinel/helper.sock"
#endif
enum { TIMEOUT_MS = 5000 };

static enum status list(struct helper_client *client, struct error *err) {
    static const struct report_column columns[] = {
        {"pid", "PID"}, {"comm", "NAME"},       {"uid", "UID"},        {"cpu", "CPU"},
        {"age", "AGE"}, {"allowed", "ALLOWED"}, {"reason", "WHY NOT"}, {"where", "WHERE"}};
    struct candidate candidates[CANDIDATES_MAX];
    size_t count = 0;
    enum status status = helper_client_list(client, candidates, CANDIDATES_MAX, &count, err);
    if (status != STATUS_OK)
        return status;
    if (count == 0) {
        puts("no process is hot: the helper would offer nothing");
        return STATUS_OK;
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct candidate *c = &candidates[i];
        char cpu[32], age[32];
        snprintf(cpu, sizeof cpu, "%.0f %%", c->cpu_ratio * 100);
        snprintf(age, sizeof age, "%.1f s", (double)c->age_ms / 1000);
        json_t *row = json_pack("{s:i, s:I, s:s, s:s, s:s}", "pid", (int)c->pid, "uid", (json_int_t)c->uid,
                                "cpu", cpu, "age", age, "allowed", c->allowed ? "yes" : "no");
        /* Names of processes are any bytes; the table replaces what a terminal would obey. */
        json_object_set_new(row, "comm", json_string_nocheck(c->comm));
        json_object_set_new(row, "where", json_string_nocheck(c->where));
        json_object_set_new(row, "reason", json_string_nocheck(c->reason));
        json_array_append_new(rows, row);
    }
    report_table(rows, columns, sizeof columns / sizeof *columns, stdout);
    json_decref(rows);
    return STATUS_OK;
}

static enum status status(struct helper_client *client, struct error *err) {
    struct helper_status seen;
    enum status code = helper_client_status(client, &seen, err);
    if (code != STATUS_OK)
        return code;
    printf("socket          %s\n", helper_client_path(client));
    printf("mode            %s\n", seen.mode_act ? "act" : "observe (signals nobody)");
    printf("paused          %s\n", seen.paused ? "yes (sentinelctl helper resume)" : "no");
    printf("policy          %s%s\n",
           seen.policy_ok ? "ok" : "REFUSED: ", seen.policy_ok ? "" : seen.policy_text);
    printf("breaker         %s%s\n", seen.breaker_open ? "OPEN: " : "closed",
           seen.breaker_open ? seen.policy_text : "");
    printf("pinned signals  %s\n", seen.pinned_signals ? "yes" : "no");
    printf("deeds           %u in the last hour, %u allowed\n", seen.deeds_last_hour, seen.budget_per_hour);
    printf("frozen          %u processes%s\n", seen.frozen,
           seen.frozen ? " (sentinelctl helper release)" : "");
    printf("host            %s\nboot            %s\n", seen.host_identity, seen.boot_id);
    return STATUS_OK;
}

static enum status pause_helper(struct helper_client *client, struct error *err) {
    enum status code = helper_client_pause(client, true, err);
    if (code == STATUS_OK)
        puts("paused: the helper refuses every deed until 'sentinelctl helper resume'");
    return code;
}

static enum status resume(struct helper_client *client, struct error *err) {
    enum status code = helper_client_pause(client, false, err);
    if (code == STATUS_OK)
        puts("resumed: the helper acts within its policy again");
    return code;
}

static enum status release(struct helper_client *client, struct error *err) {
    enum status code = helper_client_release(client, err);
    if (code == STATUS_OK)
        puts("released: nothing is frozen any more");
    return code;
}

static const struct {
    const char *name;
    enum status (*run)(struct helper_client *client, struct error *err);
} operations[] = {
    {"list", list}, {"status", status}, {"pause", pause_helper}, {"resume", resume}, {"release", release},
};
enum { OPERATION_COUNT = sizeof operations / sizeof *operations };

static int wrong_operation(const char *name) {
    const char *names[OPERATION_COUNT];
    for (size_t i = 0; i < OPERATION_COUNT; i++)
        names[i] = operations[i].name;
    const char *nearest = name[0] ? nearest_name(name, names, OPERATION_COUNT) : NULL;
    fprintf(stderr, "sentinelctl helper: '%s' is not list, status, pause, resume or release%s%s%s\n", name,
            nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return 2;
}

int helper_main(int argc, char **argv) {
    const char *socket_path = DEFAULT_SOCKET;
    const struct flag flags[] = {
        {"--socket", "PATH", "the helper's socket (" DEFAULT_SOCKET ")", FLAG_TEXT, &socket_path},
    };
    struct command_line line = {
        .usage = "sentinelctl helper list|status|pause|resume|release [flags]",
        .about =
            "Asks the privileged helper on this host. Only users that its policy admits get an answer.\n\n"
            "  list     the processes it measures hot, and whether its policy would let it touch them\n"
            "  status   mode, policy, budget\n"
            "  pause    refuse every deed until resume\n"
            "  resume   the end of pause\n"
            "  release  let frozen processes go on",
        .flags = flags,
        .flag_count = sizeof flags / sizeof *flags,
        .word_count = 1};
    int code = command_line_parse(&line, argc, argv);
    if (code != GO_ON)
        return code;
    const char *name = line.word_count ? line.words[0] : "";
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        if (strcmp(operations[i].name, name) != 0)
            continue;
        struct helper_client *client = helper_client_create(socket_path, TIMEOUT_MS);
        struct error err;
        enum status result = operations[i].run(client, &err);
        if (result != STATUS_OK)
            fprintf(stderr, "sentinelctl helper %s: %s\n", name, err.text);
        helper_client_destroy(client);
        return result == STATUS_OK ? 0 : 1;
    }
    return wrong_operation(name);
}
