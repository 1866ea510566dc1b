#include "sentineld/flags.h"

#include <getopt.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum flag_type { FLAG_TEXT, FLAG_SWITCH, FLAG_LEVEL, FLAG_FORMAT };

struct flag {
    const char *name;
    enum flag_type type;
    size_t offset;
    const char *initial, *help;
};

#define AT(field) offsetof(struct flags, field)
/* clang-format off */
static const struct flag flags_table[] = {
    {"config.file", FLAG_TEXT, AT(config_file), "", "sentinel.yml; without one the defaults hold (--print-config shows them)"},
    {"web.listen-address", FLAG_TEXT, AT(listen_address), "127.0.0.1:9201", "address and port of page, API and remote write"},
    {"web.config.file", FLAG_TEXT, AT(web_config_file), "", "TLS, users and permissions, in the exporter-toolkit's format"},
    {"web.external-url", FLAG_TEXT, AT(external_url), "", "how others reach this server, where it is not http://listen-address"},
    {"web.enable-lifecycle", FLAG_SWITCH, AT(enable_lifecycle), NULL, "allow POST /-/reload"},
    {"web.insecure-listen", FLAG_SWITCH, AT(insecure_listen), NULL,
     "allow an address other than loopback without --web.config.file"},
    {"storage.path", FLAG_TEXT, AT(storage_path), "sentinel.db", "the SQLite file that incidents are written to"},
    {"log.level", FLAG_LEVEL, AT(log_level), "info", "debug, info, warn or error"},
    {"log.format", FLAG_FORMAT, AT(log_format), "logfmt", "logfmt or json"},
    {"check-config", FLAG_SWITCH, AT(check_config), NULL, "read the configuration, say in plain words what it means, and exit"},
    {"print-config", FLAG_SWITCH, AT(print_config), NULL, "print every setting with its default and exit"},
    {"version", FLAG_SWITCH, AT(version), NULL, "print the version and exit"},
    {"help", FLAG_SWITCH, AT(help), NULL, "print this and exit"},
};
/* clang-format on */

static bool store(const struct flag *flag, const char *value, struct flags *out) {
    void *at = (char *)out + flag->offset;
    switch (flag->type) {
    case FLAG_TEXT:
        *(const char **)at = value;
        return true;
    case FLAG_SWITCH:
        *(bool *)at = true;
        return true;
    case FLAG_LEVEL:
        return log_level_parse(value, at);
    case FLAG_FORMAT:
        return log_format_parse(value, at);
    }
    return false;
}

static void complain_unknown(const char *argument) {
    const char *names[COUNT_OF(flags_table)];
    for (size_t i = 0; i < COUNT_OF(flags_table); i++)
        names[i] = flags_table[i].name;
    char name[64];
    const char *bare = argument + strspn(argument, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(bare, "="), bare);
    const char *nearest = nearest_name(name, names, COUNT_OF(names));
    fprintf(stderr, "sentineld: unknown flag '%s'%s%s%s (sentineld --help)\n", argument,
            nearest ? "; did you mean '--" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

bool flags_parse(int argc, char **argv, struct flags *out) {
    struct option options[COUNT_OF(flags_table) + 1] = {0};
    *out = (struct flags){0};
    for (size_t i = 0; i < COUNT_OF(flags_table); i++) {
        const struct flag *flag = &flags_table[i];
        options[i] = (struct option){flag->name, flag->type == FLAG_SWITCH ? no_argument : required_argument,
                                     NULL, (int)i};
        if (flag->initial)
            store(flag, flag->initial, out);
    }
    opterr = 0;
    optind = 1;
    int at;
    for (;;) {
        int word = optind;
        at = getopt_long(argc, argv, ":h", options, NULL);
        if (at == -1)
            break;
        if (at == 'h') {
            out->help = true;
        } else if (at == ':') {
            fprintf(stderr, "sentineld: flag '%s' needs a value (sentineld --help)\n", argv[word]);
            return false;
        } else if (at == '?') {
            complain_unknown(argv[word]);
            return false;
        } else if (!store(&flags_table[at], optarg, out)) {
            fprintf(stderr, "sentineld: --%s must be one of: %s, not '%s'\n", flags_table[at].name,
                    flags_table[at].help, optarg);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "sentineld: unexpected argument '%s': flags begin with --\n", argv[optind]);
        return false;
    }
    return true;
}

void flags_print_help(FILE *out) {
    fputs("usage: sentineld [flags]\n\n"
          "Receives Prometheus remote write, learns what is normal for each host, and heals what is not.\n\n",
          out);
    for (size_t i = 0; i < COUNT_OF(flags_table); i++) {
        const struct flag *flag = &flags_table[i];
        fprintf(out, "  --%s%s\n        %s", flag->name, flag->type == FLAG_SWITCH ? "" : "=VALUE",
                flag->help);
        if (flag->initial && *flag->initial)
            fprintf(out, " (default %s)", flag->initial);
        fputc('\n', out);
    }
    fputs("\nSIGHUP reads the configuration again; SIGTERM drains and exits 0. A mistake in flags or "
          "configuration "
          "exits 2.\n",
          out);
}

char *flags_to_json(const struct flags *flags) {
    json_t *object = json_object();
    for (size_t i = 0; i < COUNT_OF(flags_table); i++) {
        const struct flag *flag = &flags_table[i];
        char name[64];
        snprintf(name, sizeof name, "--%s", flag->name);
        const void *at = (const char *)flags + flag->offset;
        static const char *const levels[] = {"debug", "info", "warn", "error"};
        const char *value = "";
        switch (flag->type) {
        case FLAG_TEXT:
            value = *(const char *const *)at;
            break;
        case FLAG_SWITCH:
            value = *(const bool *)at ? "true" : "false";
            break;
        case FLAG_LEVEL:
            value = levels[*(const enum log_level *)at];
            break;
        case FLAG_FORMAT:
            value = *(const enum log_format *)at == LOG_FORMAT_JSON ? "json" : "logfmt";
            break;
        }
        json_object_set_new(object, name, json_string(value));
    }
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}
