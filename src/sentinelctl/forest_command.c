/* sentinelctl forest: the plain isolation forest of the paper on a table, without time and without a host. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "orient/forest_file.h"
#include "sentinelctl/command_line.h"
#include "sentinelctl/commands.h"
#include "sentinelctl/points_csv.h"

static const size_t FILE_BYTES_MAX = (size_t)1 << 30;

static enum status open_table(const char *path, FILE **file, struct points_csv **csv, struct error *err) {
    *file = fopen(path, "r");
    if (!*file) {
        return error_set_errno(err, "%s: cannot open", path);
    }
    enum status status = points_csv_open(*file, path, POINTS_WITHOUT_TIME, csv, err);
    if (status != STATUS_OK) {
        fclose(*file);
    }
    return status;
}

static enum status read_table(const char *path, double **values, struct feature_matrix *out,
                              struct error *err) {
    FILE *file = NULL;
    struct points_csv *csv = NULL;
    enum status status = open_table(path, &file, &csv, err);
    if (status != STATUS_OK) {
        return status;
    }
    size_t columns = points_csv_columns(csv);
    size_t capacity = 0;
    size_t rows = 0;
    do {
        if (rows == capacity) {
            capacity = capacity ? 2 * capacity : 1024;
            *values = xrealloc(*values, capacity, columns * sizeof **values);
        }
        status = points_csv_next(csv, NULL, *values + rows * columns, err);
        rows += status == STATUS_OK;
    } while (status == STATUS_OK);
    points_csv_close(csv);
    fclose(file);
    *out = (struct feature_matrix){*values, rows, columns};
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status write_model(const struct forest *forest, const char *path, struct error *err) {
    size_t size;
    uint8_t *bytes = forest_encode(forest, &size);
    FILE *file = fopen(path, "wb");
    bool written = file && fwrite(bytes, 1, size, file) == size;
    if (file) {
        written = fclose(file) == 0 && written;
    }
    free(bytes);
    return written ? STATUS_OK : error_set_errno(err, "%s: cannot write", path);
}

static enum status read_model(const char *path, struct forest **out, struct error *err) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        return error_set_errno(err, "%s: cannot open", path);
    }
    uint8_t *bytes = NULL;
    size_t size = 0;
    size_t capacity = 0;
    size_t got;
    do {
        if (size == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 16;
            bytes = xrealloc(bytes, capacity, 1);
        }
        got = fread(bytes + size, 1, capacity - size, file);
        size += got;
    } while (got > 0 && size <= FILE_BYTES_MAX);
    fclose(file);
    struct error reason;
    enum status status = forest_decode(bytes, size, out, &reason);
    free(bytes);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "%s: %s", path, reason.text);
}

static int report(enum status status, const struct error *err) {
    if (status == STATUS_OK) {
        return 0;
    }
    fprintf(stderr, "sentinelctl forest: %s\n", err->text);
    return 1;
}

static int fit(int argc, char **argv) {
    const char *input = NULL;
    const char *output = NULL;
    long trees = 100;
    long subsample = 256;
    long seed = 1;
    const struct flag flags[] = {
        {"--input", "FILE", "table of numbers, the first line names the columns", FLAG_TEXT, &input},
        {"--output", "FILE", "where the forest goes", FLAG_TEXT, &output},
        {"--trees", "N", "trees (100)", FLAG_COUNT, &trees},
        {"--subsample", "N", "rows each tree is grown from (256)", FLAG_COUNT, &subsample},
        {"--seed", "N", "same rows and same seed, same forest (1)", FLAG_COUNT, &seed},
    };
    struct command_line line = {.usage = "sentinelctl forest fit --input FILE --output FILE [flags]",
                                .about = "Grows the isolation forest of the paper.",
                                .flags = flags,
                                .flag_count = sizeof flags / sizeof *flags};
    int code = command_line_parse(&line, argc, argv);
    if (code != GO_ON) {
        return code;
    }
    if (!input || !output) {
        fputs("sentinelctl forest fit: --input and --output are needed\n", stderr);
        return 2;
    }
    struct error err;
    double *values = NULL;
    struct feature_matrix x;
    struct forest *forest = NULL;
    struct forest_params params = {(size_t)trees, (size_t)subsample, (uint64_t)seed};
    enum status status = read_table(input, &values, &x, &err);
    if (status == STATUS_OK) {
        status = forest_train(&x, &params, &forest, &err);
    }
    if (status == STATUS_OK) {
        status = write_model(forest, output, &err);
    }
    forest_destroy(forest);
    free(values);
    return report(status, &err);
}

static enum status score_table(const struct forest *forest, const char *path, struct error *err) {
    FILE *file = NULL;
    struct points_csv *csv = NULL;
    enum status status = open_table(path, &file, &csv, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (points_csv_columns(csv) != forest_columns(forest)) {
        status = error_set(err, STATUS_INVALID, "%s: %zu columns; the forest was grown from %zu", path,
                           points_csv_columns(csv), forest_columns(forest));
    } else {
        double *row = xcalloc(forest_columns(forest), sizeof *row);
        puts("score");
        while ((status = points_csv_next(csv, NULL, row, err)) == STATUS_OK) {
            printf("%.9g\n", forest_score(forest, row));
        }
        free(row);
        if (status == STATUS_NOT_FOUND) {
            status = fflush(stdout) == 0 ? STATUS_OK : error_set_errno(err, "stdout: cannot write");
        }
    }
    points_csv_close(csv);
    fclose(file);
    return status;
}

static int score(int argc, char **argv) {
    const char *input = NULL;
    const char *model = NULL;
    const struct flag flags[] = {
        {"--input", "FILE", "table with the columns of the fit", FLAG_TEXT, &input},
        {"--model", "FILE", "what forest fit wrote", FLAG_TEXT, &model},
    };
    struct command_line line = {.usage = "sentinelctl forest score --model FILE --input FILE > scores.csv",
                                .about = "Writes one score in (0, 1] for each row; near 1 is unusual.",
                                .flags = flags,
                                .flag_count = sizeof flags / sizeof *flags};
    int code = command_line_parse(&line, argc, argv);
    if (code != GO_ON) {
        return code;
    }
    if (!input || !model) {
        fputs("sentinelctl forest score: --input and --model are needed\n", stderr);
        return 2;
    }
    struct error err;
    struct forest *forest = NULL;
    enum status status = read_model(model, &forest, &err);
    if (status == STATUS_OK) {
        status = score_table(forest, input, &err);
    }
    forest_destroy(forest);
    return report(status, &err);
}

int forest_main(int argc, char **argv) {
    if (argc >= 2 && strcmp(argv[1], "fit") == 0) {
        return fit(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "score") == 0) {
        return score(argc - 1, argv + 1);
    }
    bool asked = argc >= 2 && strcmp(argv[1], "--help") == 0;
    fputs("usage: sentinelctl forest fit|score [flags]; 'sentinelctl forest fit --help' says more\n",
          asked ? stdout : stderr);
    return asked ? 0 : 2;
}
