#include "sentinelctl/report.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"

enum { CELL_SIZE = 1024 };

bool report_format_parse(const char *command, const char *text, enum report_format *out) {
    static const char *const names[] = {
        [REPORT_TABLE] = "table", [REPORT_JSON] = "json", [REPORT_CSV] = "csv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum report_format)i;
            return true;
        }
    }
    fprintf(stderr, "sentinelctl %s: --format is table, json or csv, not '%s'\n", command, text);
    return false;
}

bool report_parse_time(const char *text, int64_t *unix_ms) {
    struct tm utc = {0};
    const char *fraction = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    if (!fraction || fraction[0] != '.' || strspn(fraction + 1, "0123456789") != 3 ||
        strcmp(fraction + 4, "Z") != 0)
        return false;
    *unix_ms = (int64_t)timegm(&utc) * 1000 + strtol(fraction + 1, NULL, 10);
    return true;
}

static void copy_printable(const char *text, char *out, size_t size) {
    size_t used = 0;
    for (; *text && used + 1 < size; text++) {
        unsigned char byte = (unsigned char)*text;
        /* C0, DEL, and C1 as UTF-8 writes it: a terminal obeys all of them. */
        bool c1 = byte == 0xC2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xA0;
        if (c1)
            text++;
        out[used++] = byte < 0x20 || byte == 0x7F || c1 ? '?' : *text;
    }
    out[used] = '\0';
}

static const char *cell(const json_t *value, bool epoch, char out[CELL_SIZE]) {
    out[0] = '\0';
    int64_t unix_ms;
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        if (epoch && report_parse_time(text, &unix_ms))
            snprintf(out, CELL_SIZE, "%.3f", (double)unix_ms / 1000);
        else
            copy_printable(text, out, CELL_SIZE);
    } else if (json_is_integer(value)) {
        snprintf(out, CELL_SIZE, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        snprintf(out, CELL_SIZE, "%.10g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        snprintf(out, CELL_SIZE, "%s", json_is_true(value) ? "true" : "false");
    }
    return out;
}

/* --- table ---------------------------------------------------------------------------------------------- */

/* Characters, not bytes: near enough to columns of a terminal for what hosts and processes are called. */
static size_t width(const char *text) {
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static const char *table_cell(const json_t *row, const char *key, char out[CELL_SIZE]) {
    cell(json_object_get(row, key), false, out);
    return out[0] ? out : "-";
}

static void print_padded(const char *text, size_t to, bool is_last, FILE *out) {
    fputs(text, out);
    for (size_t at = width(text); !is_last && at < to + 2; at++)
        fputc(' ', out);
}

void report_table(const json_t *rows, const struct report_column *columns, size_t count, FILE *out) {
    char text[CELL_SIZE];
    size_t *widths = xcalloc(count, sizeof *widths);
    size_t index;
    const json_t *row;
    for (size_t c = 0; c < count; c++) {
        widths[c] = width(columns[c].title);
        json_array_foreach(rows, index, row) {
            size_t needed = width(table_cell(row, columns[c].key, text));
            if (needed > widths[c])
                widths[c] = needed;
        }
    }
    for (size_t c = 0; c < count; c++)
        print_padded(columns[c].title, widths[c], c + 1 == count, out);
    fputc('\n', out);
    json_array_foreach(rows, index, row) {
        for (size_t c = 0; c < count; c++)
            print_padded(table_cell(row, columns[c].key, text), widths[c], c + 1 == count, out);
        fputc('\n', out);
    }
    free(widths);
}

void report_pairs(const json_t *object, const char *const *keys, size_t count, FILE *out) {
    char text[CELL_SIZE];
    size_t longest = 0;
    for (size_t i = 0; i < count; i++)
        if (strlen(keys[i]) > longest)
            longest = strlen(keys[i]);
    for (size_t i = 0; i < count; i++)
        if (cell(json_object_get(object, keys[i]), false, text)[0])
            fprintf(out, "%-*s  %s\n", (int)longest, keys[i], text);
}

/* --- csv and json --------------------------------------------------------------------------------------- */

static void print_csv_cell(const char *text, FILE *out) {
    if (!strpbrk(text, "\",")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

/* The keys as an array of strings. */
static json_t *split_keys(const char *keys, const json_t *rows) {
    json_t *array = json_array();
    const char *key;
    json_t *value;
    if (!keys) {
        json_t *first = json_array_get(rows, 0);
        json_object_foreach(first, key, value) json_array_append_new(array, json_string(key));
        return array;
    }
    for (const char *end; *keys; keys = *end ? end + 1 : end) {
        end = keys + strcspn(keys, ",");
        json_array_append_new(array, json_stringn(keys, (size_t)(end - keys)));
    }
    return array;
}

void report_csv(const json_t *rows, const char *keys, bool epoch, FILE *out) {
    json_t *names = split_keys(keys, rows);
    char text[CELL_SIZE];
    size_t index, c;
    const json_t *row, *name;
    json_array_foreach(names, c, name) {
        fputs(c ? "," : "", out);
        print_csv_cell(cell(name, false, text), out);
    }
    fputc('\n', out);
    json_array_foreach(rows, index, row) {
        json_array_foreach(names, c, name) {
            fputs(c ? "," : "", out);
            print_csv_cell(cell(json_object_get(row, json_string_value(name)), epoch, text), out);
        }
        fputc('\n', out);
    }
    json_decref(names);
}

void report_json(const json_t *value, FILE *out) {
    json_dumpf(value, out, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    fputc('\n', out);
}
