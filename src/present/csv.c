#include "present/csv.h"

#include <string.h>

#include "present/reply.h"

static void write_text(const char *text, FILE *out) {
    const char *guard = text[0] && strchr("=+-@\t\r", text[0]) ? "'" : "";
    if (!strpbrk(text, ",\"\r\n")) {
        fprintf(out, "%s%s", guard, text);
        return;
    }
    fprintf(out, "\"%s", guard);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_value(const json_t *value, FILE *out) {
    if (json_is_string(value))
        write_text(json_string_value(value), out);
    else if (json_is_integer(value))
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        fprintf(out, "%.7g", json_real_value(value));
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "true" : "false", out);
}

void csv_write(const json_t *rows, const char *const *columns, size_t column_count, FILE *out) {
    for (size_t i = 0; i < column_count; i++)
        fprintf(out, "%s%s", i ? "," : "", columns[i]);
    fputs("\r\n", out);
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row) {
        for (size_t i = 0; i < column_count; i++) {
            if (i)
                fputc(',', out);
            write_value(json_object_get(row, columns[i]), out);
        }
        fputs("\r\n", out);
    }
}
