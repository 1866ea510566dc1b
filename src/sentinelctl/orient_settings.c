#include "sentinelctl/orient_settings.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_COUNT, KIND_RATIO, KIND_DURATION };
static const struct key {
    const char *name;
    enum kind kind;
    size_t offset; /* into struct model_settings */
    double least, most;
} KEYS[] = {
    {"learning_points", KIND_COUNT, offsetof(struct model_settings, learning_points), 2, 10000},
    {"window_points", KIND_COUNT, offsetof(struct model_settings, window_points), 16, 1000000},
    {"trees", KIND_COUNT, offsetof(struct model_settings, trees), 1, FOREST_TREES_MAX},
    {"subsample", KIND_COUNT, offsetof(struct model_settings, subsample_size), 2, FOREST_SUBSAMPLE_MAX},
    {"false_alarm_rate", KIND_RATIO, offsetof(struct model_settings, false_alarm_rate), 1e-6, 0.5},
    {"new_normal_after", KIND_DURATION, offsetof(struct model_settings, new_normal_after_ms), 60000,
     30 * 86400000.0},
};

/* Milliseconds for a duration ("6h", "1h30m"), else the number; NaN if it is neither. */
static double parse_value(const char *text, enum kind kind) {
    double total = 0;
    do {
        char *end;
        double number = strtod(text, &end);
        if (end == text) {
            return NAN;
        }
        size_t length = strcspn(end, "0123456789");
        static const struct {
            const char *name;
            double ms;
        } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
        double unit = kind == KIND_DURATION ? NAN : 1;
        for (size_t i = 0; kind == KIND_DURATION && i < sizeof units / sizeof *units; i++) {
            if (strlen(units[i].name) == length && strncmp(end, units[i].name, length) == 0) {
                unit = units[i].ms;
            }
        }
        total += number * unit;
        text = kind == KIND_DURATION ? end + length : end;
    } while (kind == KIND_DURATION && *text);
    return *text == '\0' ? total : NAN;
}

static enum status apply(const char *path, unsigned line, const char *name, const char *text,
                         struct model_settings *settings, struct error *err) {
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        const struct key *key = &KEYS[i];
        if (strcmp(key->name, name) != 0) {
            continue;
        }
        double value = parse_value(text, key->kind);
        if (!(value >= key->least && value <= key->most)) {
            return error_set(err, STATUS_INVALID, "%s:%u: %s: '%.40s' is not from %.9g to %.9g%s", path, line,
                             name, text, key->least, key->most,
                             key->kind == KIND_DURATION ? " ms, written like 90s or 6h" : "");
        }
        void *at = (char *)settings + key->offset;
        switch (key->kind) {
        case KIND_COUNT:
            *(size_t *)at = (size_t)value;
            break;
        case KIND_RATIO:
            *(double *)at = value;
            break;
        case KIND_DURATION:
            *(int64_t *)at = (int64_t)value;
            break;
        }
    }
    return STATUS_OK;
}

/* Cuts comment, blanks and quotes off in place. */
static char *trimmed(char *text) {
    text[strcspn(text, "#\r\n")] = '\0';
    text += strspn(text, " \t\"'");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\"'", text[length - 1])) {
        text[--length] = '\0';
    }
    return text;
}

enum status orient_settings_load(const char *path, struct model_settings *settings, struct error *err) {
    FILE *file = fopen(path, "r");
    if (!file) {
        return error_set_errno(err, "%s: cannot open", path);
    }
    enum status status = STATUS_OK;
    char line[1024];
    bool within = false;
    for (unsigned number = 1; status == STATUS_OK && fgets(line, sizeof line, file); number++) {
        bool indented = line[0] == ' ';
        char *colon = strchr(line, ':');
        if (!colon || line[strspn(line, " ")] == '#') {
            continue;
        }
        *colon = '\0';
        const char *name = trimmed(line);
        if (!indented) {
            within = strcmp(name, "orient") == 0;
        } else if (within) {
            status = apply(path, number, name, trimmed(colon + 1), settings, err);
        }
    }
    fclose(file);
    return status;
}
