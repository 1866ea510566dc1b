#include "sentinelctl/command_line.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/nearest.h"

static void print_help(const struct command_line *line) {
    printf("usage: %s\n\n%s\n", line->usage, line->about);
    if (line->flag_count)
        puts("\nflags:");
    for (size_t i = 0; i < line->flag_count; i++) {
        char head[48];
        snprintf(head, sizeof head, "%s%s%s", line->flags[i].name, line->flags[i].unit[0] ? "=" : "",
                 line->flags[i].unit);
        printf("  %-26s %s\n", head, line->flags[i].help);
    }
}

static int unknown_flag(const struct command_line *line, const char *command, const char *name) {
    const char **names = xcalloc(line->flag_count + 1, sizeof *names);
    for (size_t i = 0; i < line->flag_count; i++)
        names[i] = line->flags[i].name;
    const char *nearest = nearest_name(name, names, line->flag_count);
    free(names);
    fprintf(stderr, "sentinelctl %s: unknown flag '%s'%s%s%s (sentinelctl %s --help)\n", command, name,
            nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "", command);
    return 2;
}

static int set_flag(const struct flag *flag, const char *command, const char *value) {
    switch (flag->kind) {
    case FLAG_TEXT:
        *(const char **)flag->out = value;
        return GO_ON;
    case FLAG_COUNT: {
        char *end;
        errno = 0;
        long count = strtol(value, &end, 10);
        if (end == value || *end || errno || count < 1) {
            fprintf(stderr, "sentinelctl %s: %s: '%s' is not a whole number above 0\n", command, flag->name,
                    value);
            return 2;
        }
        *(long *)flag->out = count;
        return GO_ON;
    }
    case FLAG_SWITCH:
        *(bool *)flag->out = true;
        return GO_ON;
    }
    return GO_ON;
}

/* Takes argv[*at] and, where the value is the next argument, moves *at on. */
static int parse_flag(const struct command_line *line, int argc, char **argv, int *at) {
    const char *text = argv[*at], *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    for (size_t i = 0; i < line->flag_count; i++) {
        const struct flag *flag = &line->flags[i];
        if (strcmp(flag->name, name) != 0)
            continue;
        bool is_switch = flag->kind == FLAG_SWITCH;
        if (is_switch != (equals == NULL) && is_switch) {
            fprintf(stderr, "sentinelctl %s: %s takes no value\n", argv[0], name);
            return 2;
        }
        if (!is_switch && !equals && *at + 1 >= argc) {
            fprintf(stderr, "sentinelctl %s: a value is missing: %s=%s\n", argv[0], name, flag->unit);
            return 2;
        }
        return set_flag(flag, argv[0], is_switch ? NULL : equals ? equals + 1 : argv[++*at]);
    }
    return unknown_flag(line, argv[0], name);
}

int command_line_parse(struct command_line *line, int argc, char **argv) {
    size_t words_allowed = line->word_count;
    line->word_count = 0;
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            print_help(line);
            return 0;
        }
        if (argv[at][0] == '-' && argv[at][1] != '\0') {
            int code = parse_flag(line, argc, argv, &at);
            if (code != GO_ON)
                return code;
        } else if (line->word_count < words_allowed) {
            line->words[line->word_count++] = argv[at];
        } else {
            fprintf(stderr, "sentinelctl %s: '%s' is one argument too many (usage: %s)\n", argv[0], argv[at],
                    line->usage);
            return 2;
        }
    }
    return GO_ON;
}
