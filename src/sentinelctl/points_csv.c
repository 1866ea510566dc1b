#include "sentinelctl/points_csv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"

/* A line with more is not a table of points but a mistake. */
enum { LINE_BYTES_MAX = 1 << 20, COLUMNS_MAX = 4096 };

struct points_csv {
    FILE *file;
    const char *name;
    enum points_layout layout;
    size_t columns; /* of values */
    char **names;
    char *line;
    size_t line_capacity;
    uint64_t line_number, bytes_read;
    char *time_text;
};

/* STATUS_NOT_FOUND at the end. The line is left without its line end. */
static enum status read_line(struct points_csv *csv, struct error *err) {
    for (;;) {
        errno = 0;
        ssize_t length = getline(&csv->line, &csv->line_capacity, csv->file);
        if (length < 0) {
            return ferror(csv->file) ? error_set_errno(err, "%s: cannot read on", csv->name)
                                     : STATUS_NOT_FOUND;
        }
        csv->line_number++;
        csv->bytes_read += (uint64_t)length;
        if (length > LINE_BYTES_MAX) {
            return error_set(err, STATUS_TOO_LARGE, "%s:%llu: a line of %zd bytes; the limit is %d",
                             csv->name, (unsigned long long)csv->line_number, length, LINE_BYTES_MAX);
        }
        csv->line[strcspn(csv->line, "\r\n")] = '\0';
        if (csv->line[0]) {
            return STATUS_OK;
        }
    }
}

/* Cuts the field off at its comma; *rest is what follows, NULL after the last. */
static char *next_field(char **rest) {
    char *field = *rest;
    char *comma = strchr(field, ',');
    *rest = comma ? comma + 1 : NULL;
    if (comma) {
        *comma = '\0';
    }
    return field;
}

static enum status read_header(struct points_csv *csv, struct error *err) {
    enum status status = read_line(csv, err);
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_INVALID, "%s: empty; the first line must name the columns", csv->name);
    }
    if (status != STATUS_OK) {
        return status;
    }
    char *rest = csv->line;
    if (csv->layout == POINTS_WITH_TIME) {
        next_field(&rest);
    }
    while (rest) {
        if (csv->columns == COLUMNS_MAX) {
            return error_set(err, STATUS_TOO_LARGE, "%s: more than %d columns", csv->name, COLUMNS_MAX);
        }
        csv->names = xrealloc(csv->names, csv->columns + 1, sizeof *csv->names);
        csv->names[csv->columns++] = xstrdup(next_field(&rest));
    }
    if (csv->columns == 0) {
        return error_set(err, STATUS_INVALID, "%s: the header names no column of values%s", csv->name,
                         csv->layout == POINTS_WITH_TIME ? " after the timestamp" : "");
    }
    return STATUS_OK;
}

enum status points_csv_open(FILE *file, const char *name, enum points_layout layout, struct points_csv **out,
                            struct error *err) {
    struct points_csv *csv = xcalloc(1, sizeof *csv);
    csv->file = file;
    csv->name = name;
    csv->layout = layout;
    enum status status = read_header(csv, err);
    if (status != STATUS_OK) {
        points_csv_close(csv);
        return status;
    }
    *out = csv;
    return STATUS_OK;
}

static bool parse_number(const char *text, double *out) {
    if (!text[0] || strcasecmp(text, "nan") == 0 || strcasecmp(text, "null") == 0) {
        *out = NAN;
        return true;
    }
    char *end;
    *out = strtod(text, &end);
    while (*end == ' ') {
        end++;
    }
    return *end == '\0' && isfinite(*out);
}

/* 2024-03-01T12:00:00[.5](Z|+01:00); a blank instead of the T, and no zone for UTC, are common enough. */
static bool parse_rfc3339(const char *text, int64_t *out_ms) {
    struct tm tm = {0};
    const char *at = strptime(text, "%Y-%m-%d", &tm);
    if (!at || (*at != 'T' && *at != 't' && *at != ' ')) {
        return false;
    }
    at = strptime(at + 1, "%H:%M:%S", &tm);
    if (!at) {
        return false;
    }
    double fraction = 0;
    if (*at == '.') {
        char *end;
        fraction = strtod(at, &end);
        at = end;
    }
    int64_t offset_s = 0;
    if (*at == '+' || *at == '-') {
        struct tm zone = {0};
        const char *end = strptime(at + 1, "%H:%M", &zone);
        if (!end) {
            return false;
        }
        offset_s = (*at == '-' ? -1 : 1) * (zone.tm_hour * 3600 + zone.tm_min * 60);
        at = end;
    } else if (*at == 'Z' || *at == 'z') {
        at++;
    }
    *out_ms = ((int64_t)timegm(&tm) - offset_s) * 1000 + (int64_t)(fraction * 1000);
    return *at == '\0';
}

static bool parse_time(const char *text, int64_t *out_ms) {
    double seconds;
    if (parse_number(text, &seconds) && fabs(seconds) < 1e12) {
        *out_ms = (int64_t)llround(seconds * 1000);
        return true;
    }
    return parse_rfc3339(text, out_ms);
}

enum status points_csv_next(struct points_csv *csv, int64_t *timestamp_ms, double *values,
                            struct error *err) {
    enum status status = read_line(csv, err);
    if (status != STATUS_OK) {
        return status;
    }
    unsigned long long line = csv->line_number;
    char *rest = csv->line;
    if (csv->layout == POINTS_WITH_TIME) {
        csv->time_text = next_field(&rest);
        if (!parse_time(csv->time_text, timestamp_ms)) {
            return error_set(err, STATUS_INVALID,
                             "%s:%llu: '%.40s' is no time; write Unix seconds or RFC 3339", csv->name, line,
                             csv->time_text);
        }
    }
    for (size_t c = 0; c < csv->columns; c++) {
        if (!rest) {
            return error_set(err, STATUS_INVALID, "%s:%llu: %zu values where the header names %zu", csv->name,
                             line, c, csv->columns);
        }
        const char *field = next_field(&rest);
        if (!parse_number(field, &values[c])) {
            return error_set(err, STATUS_INVALID, "%s:%llu: column '%s': '%.40s' is no finite number",
                             csv->name, line, csv->names[c], field);
        }
    }
    if (rest) {
        return error_set(err, STATUS_INVALID, "%s:%llu: more values than the %zu that the header names",
                         csv->name, line, csv->columns);
    }
    return STATUS_OK;
}

size_t points_csv_columns(const struct points_csv *csv) {
    return csv->columns;
}

const char *points_csv_column_name(const struct points_csv *csv, size_t column) {
    return csv->names[column];
}

const char *points_csv_time_text(const struct points_csv *csv) {
    return csv->time_text;
}

uint64_t points_csv_bytes_read(const struct points_csv *csv) {
    return csv->bytes_read;
}

void points_csv_close(struct points_csv *csv) {
    if (!csv) {
        return;
    }
    for (size_t c = 0; c < csv->columns; c++) {
        free(csv->names[c]);
    }
    free(csv->names);
    free(csv->line);
    free(csv);
}
