#include "sentineld/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Digits only: strtoull alone would take blanks, signs and wrap "-1" around. */
static bool parse_digits(const char **text, uint64_t *out) {
    if (!isdigit((unsigned char)**text))
        return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(*text, &end, 10);
    if (errno == ERANGE)
        return false;
    *text = end;
    *out = value;
    return true;
}

bool quantity_parse_count(const char *text, uint64_t *out) {
    uint64_t value;
    if (!parse_digits(&text, &value) || *text != '\0')
        return false;
    *out = value;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* The factor of the unit that `text` begins with, the longest name first; 0: none. Moves past it. */
static uint64_t parse_unit(const char **text, const struct unit *units, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(units[i].name);
        if (strncmp(*text, units[i].name, length) == 0) {
            *text += length;
            return units[i].factor;
        }
    }
    return 0;
}

bool quantity_parse_bytes(const char *text, uint64_t *out) {
    static const struct unit units[] = {
        {"KiB", 1u << 10}, {"MiB", 1u << 20},  {"GiB", 1u << 30}, {"kB", 1000},
        {"MB", 1000000},   {"GB", 1000000000}, {"B", 1},
    };
    uint64_t value, factor = 1;
    if (!parse_digits(&text, &value))
        return false;
    if (*text != '\0')
        factor = parse_unit(&text, units, sizeof units / sizeof units[0]);
    if (factor == 0 || *text != '\0' || value > UINT64_MAX / factor)
        return false;
    *out = value * factor;
    return true;
}

bool quantity_parse_duration(const char *text, int64_t *out_ms) {
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000},
    };
    uint64_t total = 0;
    if (strcmp(text, "0") == 0) {
        *out_ms = 0;
        return true;
    }
    do {
        uint64_t value, factor;
        if (!parse_digits(&text, &value) ||
            (factor = parse_unit(&text, units, sizeof units / sizeof units[0])) == 0)
            return false;
        if (value > (uint64_t)INT64_MAX / factor || total > (uint64_t)INT64_MAX - value * factor)
            return false;
        total += value * factor;
    } while (*text != '\0');
    *out_ms = (int64_t)total;
    return true;
}

bool quantity_parse_number(const char *text, double *out) {
    char *end;
    if (isspace((unsigned char)*text) || *text == '\0')
        return false;
    double value = strtod(text, &end);
    if (end != text && *end == '%') {
        value /= 100;
        end++;
    }
    if (end == text || *end != '\0' || !isfinite(value))
        return false;
    *out = value;
    return true;
}
