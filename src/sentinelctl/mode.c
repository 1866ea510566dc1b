/* sentinelctl mode: would a deed be done now? One line, its first word is for scripts. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sentinelctl/command_line.h"
#include "sentinelctl/commands.h"
#include "sentinelctl/http_get.h"

static bool is_text(const json_t *object, const char *key, const char *expected) {
    const char *text = json_string_value(json_object_get(object, key));
    return text && strcmp(text, expected) == 0;
}

static bool is_true(const json_t *object, const char *key) {
    return json_is_true(json_object_get(object, key));
}

static bool would_act(const json_t *helper) {
    return is_true(helper, "reachable") && is_true(helper, "policy_ok") && !is_true(helper, "paused") &&
           is_text(helper, "mode", "act");
}

/* The word and the reason. */
static const char *describe(const json_t *runtime) {
    const json_t *helpers = json_object_get(runtime, "helpers"), *helper;
    size_t index, acting = 0;
    json_array_foreach(helpers, index, helper) acting += would_act(helper);
    if (!is_text(runtime, "mode", "act"))
        return "observe: the server only records what it would do";
    if (json_array_size(helpers) == 0)
        return "observe: no helper is configured";
    if (acting == 0)
        return "observe: no helper would act (sentinelctl check says why)";
    return acting == json_array_size(helpers) ? "act"
                                              : "act: some helpers would not (sentinelctl check says why)";
}

int mode_main(int argc, char **argv) {
    const char *server = DEFAULT_SERVER;
    const struct flag flags[] = {FLAG_SERVER(server)};
    struct command_line line = {
        .usage = "sentinelctl mode [flags]",
        .about = "Prints 'act' if a deed would be done now, else 'observe: ' and the reason.",
        .flags = flags,
        .flag_count = sizeof flags / sizeof *flags};
    int code = command_line_parse(&line, argc, argv);
    if (code != GO_ON)
        return code;
    json_t *runtime;
    struct error err;
    if (http_get_data(server, "/api/v1/status/runtimeinfo", &runtime, &err) != STATUS_OK) {
        fprintf(stderr, "sentinelctl mode: %s: %s\n", server, err.text);
        return 1;
    }
    puts(describe(runtime));
    json_decref(runtime);
    return 0;
}
