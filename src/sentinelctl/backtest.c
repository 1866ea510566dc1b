/* sentinelctl backtest: the model of sentineld on a table, point after point. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "orient/model.h"
#include "sentinelctl/command_line.h"
#include "sentinelctl/commands.h"
#include "sentinelctl/orient_settings.h"
#include "sentinelctl/points_csv.h"

struct backtest {
    bool explain;
    struct model_settings settings;
    struct points_csv *csv;
    struct model *model;
    double *values;
};

/* ---- Progress, on a terminal only ---- */

struct progress {
    bool shown;
    uint64_t total_bytes; /* 0: unknown, the input is a pipe */
    unsigned last_percent;
};

static struct progress progress_start(void) {
    struct stat in;
    bool is_file = fstat(STDIN_FILENO, &in) == 0 && S_ISREG(in.st_mode);
    return (struct progress){.shown = is_file && in.st_size > 0 && isatty(STDERR_FILENO) == 1,
                             .total_bytes = is_file ? (uint64_t)in.st_size : 0};
}

static void progress_update(struct progress *progress, uint64_t bytes) {
    enum { WIDTH = 40 };
    if (!progress->shown) {
        return;
    }
    unsigned percent = (unsigned)(100 * bytes / progress->total_bytes);
    if (percent == progress->last_percent) {
        return;
    }
    progress->last_percent = percent;
    unsigned filled = percent * WIDTH / 100;
    fprintf(stderr, "\rbacktest [%-*.*s] %3u %%%s", (int)WIDTH, (int)filled,
            "########################################", percent, percent >= 100 ? "\n" : "");
}

/* ---- One row ---- */

/* While there is no model yet nothing is unusual: 0. */
static void print_row(const struct backtest *backtest, const struct assessment *seen) {
    double score = isnan(seen->score) ? 0 : seen->score;
    printf("%s,%.9g,%.9g", points_csv_time_text(backtest->csv), score, seen->alert ? score : 0.0);
    if (backtest->explain) {
        putchar(',');
        for (size_t i = 0; i < seen->leading_count; i++) {
            const struct leading_feature *leading = &seen->leading[i];
            printf("%s%s %.0f%% %.6g (%.6g..%.6g)", i ? "; " : "",
                   points_csv_column_name(backtest->csv, leading->feature), 100 * leading->share,
                   leading->value, leading->usual_low, leading->usual_high);
        }
    }
    putchar('\n');
}

static enum status run_rows(struct backtest *backtest, struct error *err) {
    struct progress progress = progress_start();
    for (;;) {
        int64_t timestamp_ms;
        enum status status = points_csv_next(backtest->csv, &timestamp_ms, backtest->values, err);
        if (status != STATUS_OK) {
            return status == STATUS_NOT_FOUND ? STATUS_OK : status;
        }
        struct assessment seen;
        model_observe(backtest->model, timestamp_ms, backtest->values, &seen);
        print_row(backtest, &seen);
        struct training *training = model_training_due(backtest->model);
        if (training) {
            training_run(training);
            model_adopt(backtest->model, training);
        }
        progress_update(&progress, points_csv_bytes_read(backtest->csv));
    }
}

static enum status run(struct backtest *backtest, struct error *err) {
    enum status status = points_csv_open(stdin, "stdin", POINTS_WITH_TIME, &backtest->csv, err);
    if (status != STATUS_OK) {
        return status;
    }
    size_t columns = points_csv_columns(backtest->csv);
    if (columns > MODEL_COLUMNS_MAX) {
        return error_set(err, STATUS_TOO_LARGE, "stdin: %zu columns; a model has at most %d", columns,
                         MODEL_COLUMNS_MAX);
    }
    backtest->model = model_create(columns, &backtest->settings);
    backtest->values = xcalloc(columns, sizeof *backtest->values);
    puts(backtest->explain ? "timestamp,score,alert,leading" : "timestamp,score,alert");
    status = run_rows(backtest, err);
    if (status == STATUS_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        return error_set_errno(err, "stdout: cannot write");
    }
    return status;
}

int backtest_main(int argc, char **argv) {
    long seed = 1;
    const char *config = NULL;
    struct backtest backtest = {0};
    const struct flag flags[] = {
        {"--config.file", "FILE", "a sentinel.yml; its section orient counts (defaults without)", FLAG_TEXT,
         &config},
        {"--seed", "N", "of the forests (1)", FLAG_COUNT, &seed},
        {"--explain", "", "adds the columns that lead: share, value, usual range", FLAG_SWITCH,
         &backtest.explain},
    };
    struct command_line line = {
        .usage = "sentinelctl backtest [flags] < in.csv > out.csv",
        .about =
            "What the model would have said. In: 'timestamp,<column>,...', Unix seconds or RFC 3339, an\n"
            "empty field is a missing value. Out: 'timestamp,score,alert'; alert is the score where a\n"
            "notification would be raised, else 0. A row's score depends on that row and earlier ones.",
        .flags = flags,
        .flag_count = sizeof flags / sizeof *flags};
    int code = command_line_parse(&line, argc, argv);
    if (code != GO_ON) {
        return code;
    }
    struct error err;
    enum status status = config ? orient_settings_load(config, &backtest.settings, &err) : STATUS_OK;
    backtest.settings.seed = (uint64_t)seed;
    if (status != STATUS_OK) {
        fprintf(stderr, "sentinelctl backtest: %s\n", err.text);
        return 2;
    }
    status = run(&backtest, &err);
    if (status != STATUS_OK) {
        fprintf(stderr, "sentinelctl backtest: %s\n", err.text);
    }
    points_csv_close(backtest.csv);
    model_destroy(backtest.model);
    free(backtest.values);
    return status == STATUS_OK ? 0 : 1;
}
