/* sentineld - opens the rooms in the order of the loop, joins them, waits, and closes them in reverse. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/store.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/version.h"
#include "observe/http_server.h"
#include "observe/receiver.h"
#include "observe/web_access.h"
#include "present/api.h"
#include "sentineld/config.h"
#include "sentineld/engine.h"
#include "sentineld/flags.h"

enum { EXIT_USAGE = 2, STOP_GRACE_MS = 3000, ROUTES_MAX = 64 };

/* Everything that lives as long as the program. NULL: not opened. */
struct program {
    struct flags flags;
    struct config config;
    char *config_text, *flags_json, *remote_write_url;
    struct feature_set *features;
    double smallest_change[FEATURES_MAX]; /* of the features; models are made from it as hosts come */
    struct selector_table *selectors;
    struct host_directory *directory;
    struct board *board;
    struct engine *engine;
    struct receiver *receiver;
    struct present *present;
    struct web_access *access;
    struct http_route routes[ROUTES_MAX];
    struct http_server *server;
};

/* ---- opening the rooms ---- */

static enum status secret_from_kernel(void *out, size_t bytes, struct error *err) {
    FILE *file = fopen("/dev/urandom", "rb");
    bool complete = file && fread(out, 1, bytes, file) == bytes;
    if (file)
        fclose(file);
    return complete ? STATUS_OK : error_set_errno(err, "cannot read /dev/urandom");
}

static size_t count_series(void *context) {
    const struct program *program = context;
    return program->receiver ? receiver_series_count(program->receiver) : 0;
}

static enum status open_engine(struct program *program, struct error *err) {
    const struct config *config = &program->config;
    struct store *store;
    enum status status = store_open_sqlite(program->flags.storage_path, &store, err);
    if (status != STATUS_OK)
        return status;
    struct engine_settings settings = {
        .core =
            {
                .set = program->features,
                .policy = &config->policy,
                .directory = program->directory,
                .board = program->board,
                .assembly = {config->settle_ms, config->max_gap_ms, config->max_series_per_host},
                .model =
                    {
                        .learning_points = config->learning_points,
                        .window_points = config->window_points,
                        .trees = config->trees,
                        .subsample_size = config->subsample_size,
                        .false_alarm_rate = config->false_alarm_rate,
                        .seed = config->seed,
                        .new_normal_after_ms = config->new_normal_after_ms,
                    },
                .stale_after_ms = config->stale_after_ms,
                .helpers = config->helpers,
                .helper_count = config->helper_count,
            },
        .queue_capacity = config->queue_batches,
        .archive_capacity = config->queue_records,
        .series_active = count_series,
        .series_context = program,
    };
    for (size_t i = 0; i < feature_set_count(program->features); i++)
        program->smallest_change[i] = feature_set_describe(program->features, i)->smallest_change;
    settings.core.model.smallest_change = program->smallest_change;
    status = secret_from_kernel(&settings.core.id_seed, sizeof settings.core.id_seed, err);
    if (status != STATUS_OK) {
        store_close(store);
        return status;
    }
    return engine_create(&settings, store, &program->engine, err);
}

static void open_receiver(struct program *program) {
    const struct config *config = &program->config;
    const struct receiver_settings settings = {
        .limits =
            {
                .max_decoded_bytes = config->max_decoded_bytes,
                .max_labels_per_series = config->max_labels,
                .max_label_name_bytes = config->max_label_name_bytes,
                .max_label_value_bytes = config->max_label_value_bytes,
                .max_samples = config->max_samples,
            },
        .host_label = config->host_label,
        .threads = config->http_threads,
        .max_series = config->max_series,
        .max_arena_bytes = config->max_request_memory_bytes,
        .max_future_ms = config->max_future_ms,
        .cluster_label = config->cluster_label,
        .replica_label = config->replica_label,
        .max_clusters = config->max_clusters,
        .failover_ms = config->failover_ms,
    };
    program->receiver =
        receiver_create(&settings, program->selectors, program->directory, engine_deliver, program->engine);
}

static void handle_reload(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    (void)request;
    kill(getpid(), SIGHUP); /* the main thread reads the file; its log line and the metric tell how it went */
    response->status = 202;
}

static void access_changed(void *context, const struct error *err) {
    (void)context;
    char text[300];
    if (err)
        LOG_ERROR("web_config_refused", "error=%s", log_quote(err->text, text, sizeof text));
    else
        LOG_INFO("web_config_read", "%s", "");
}

static enum status open_server(struct program *program, struct error *err) {
    const struct config *config = &program->config;
    size_t count = 0, shown;
    const struct http_route *present = present_routes(program->present, &shown);
    if (shown + 2 > ROUTES_MAX)
        abort();
    program->routes[count++] = (struct http_route){.method = "POST",
                                                   .path = "/api/v1/write",
                                                   .handler = receiver_handle_write,
                                                   .context = program->receiver,
                                                   .needs = WEB_MAY_WRITE};
    if (program->flags.enable_lifecycle)
        program->routes[count++] =
            (struct http_route){.method = "POST", .path = "/-/reload", .handler = handle_reload};
    memcpy(&program->routes[count], present, shown * sizeof *present);
    count += shown;
    const struct http_server_settings settings = {
        .listen_address = program->flags.listen_address,
        .threads = config->http_threads,
        .max_connections = config->max_connections,
        .max_body_bytes = config->max_body_bytes,
        .max_event_subscribers = config->max_event_subscribers,
        .head_and_body_timeout_ms = config->request_timeout_ms,
        .event_tick_ms = 500,
        .max_bytes_in_flight = config->max_bytes_in_flight,
        .access = program->access,
    };
    enum status status = http_server_create(&settings, program->routes, count, &program->server, err);
    if (status == STATUS_OK && !http_server_is_loopback(program->server) && !program->access &&
        !program->flags.insecure_listen)
        return error_set(err, STATUS_DENIED,
                         "%.64s is not loopback, and whoever reaches it could send samples: give it users by "
                         "--web.config.file, or say --web.insecure-listen",
                         program->flags.listen_address);
    return status;
}

static enum status open_access(struct program *program, struct error *err) {
    if (!*program->flags.web_config_file)
        return STATUS_OK;
    return web_access_create(program->flags.web_config_file, access_changed, NULL, &program->access, err);
}

static void open_present(struct program *program) {
    const char *address = program->flags.external_url;
    bool has_tls = program->access && web_access_config(program->access)->tls_context;
    size_t size = strlen(program->flags.listen_address) + strlen(address) + sizeof "https:///api/v1/write";
    program->remote_write_url = xcalloc(size, 1);
    snprintf(program->remote_write_url, size, "%s%s/api/v1/write",
             *address ? "" : (has_tls ? "https://" : "http://"),
             *address ? address : program->flags.listen_address);
    program->flags_json = flags_to_json(&program->flags);
    program->present = present_create(&(struct present_settings){
        .board = program->board,
        .started_at_ms = clock_realtime_ms(),
        .remote_write_url = program->remote_write_url,
        .config_text = program->config_text ? program->config_text : "",
        .flags_json = program->flags_json,
        .is_ready = engine_is_ready,
        .ready_context = program->engine,
    });
}

static enum status open_all(struct program *program, struct error *err) {
    const struct config *config = &program->config;
    size_t selector_count;
    const struct series_selector *selectors = feature_set_selectors(program->features, &selector_count);
    program->selectors = selector_table_create(selectors, selector_count);
    program->directory = host_directory_create((uint32_t)config->max_hosts);
    program->board =
        board_create(program->features, config->max_hosts, config->points_per_host, config->max_incidents);
    board_put_reload(program->board, true, clock_realtime_ms());
    enum status status = open_engine(program, err);
    if (status == STATUS_OK)
        status = open_access(program, err);
    if (status == STATUS_OK) {
        open_receiver(program);
        open_present(program);
        status = open_server(program, err);
    }
    if (status == STATUS_OK)
        status = engine_start(program->engine, err);
    if (status == STATUS_OK)
        status = http_server_start(program->server, err);
    return status;
}

static void close_all(struct program *program) {
    if (program->server)
        http_server_stop(program->server, STOP_GRACE_MS);
    if (program->engine)
        engine_stop(program->engine, STOP_GRACE_MS);
    http_server_destroy(program->server);
    web_access_destroy(program->access);
    present_destroy(program->present);
    engine_destroy(program->engine); /* before what it reads and writes */
    receiver_destroy(program->receiver);
    board_destroy(program->board);
    host_directory_destroy(program->directory);
    selector_table_destroy(program->selectors);
    feature_set_destroy(program->features);
    free(program->remote_write_url);
    free(program->flags_json);
    free(program->config_text);
}

/* ---- waiting ---- */

/* A bad file changes nothing but the metric. Of a good one the rules and the mode count from the next point
 * on; limits, models and helpers belong to their rooms and take a restart. */
static void reload(struct program *program) {
    struct config *config = xcalloc(1, sizeof *config);
    struct error err = {0};
    enum status status = STATUS_OK;
    if (*program->flags.config_file)
        status = config_load(program->flags.config_file, program->features, config, NULL, &err);
    else
        config_init_default(config, program->features);
    char text[300];
    if (status == STATUS_OK) {
        engine_set_policy(program->engine, &config->policy);
        LOG_INFO("config_read", "mode=%s rules=%zu", mode_name(config->policy.mode),
                 config->policy.rule_count);
    } else {
        LOG_ERROR("config_refused", "error=%s effect=\"the old one stays\"",
                  log_quote(err.text, text, sizeof text));
    }
    board_put_reload(program->board, status == STATUS_OK, clock_realtime_ms());
    if (program->access)
        web_access_reload(program->access);
    free(config);
}

static void block_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, set, NULL); /* before any thread starts: they inherit it */
}

static void wait_for_the_end(struct program *program, const sigset_t *signals) {
    int signal_number;
    for (;;) {
        if (sigwait(signals, &signal_number) != 0)
            continue;
        if (signal_number != SIGHUP) {
            LOG_INFO("stopping", "signal=%d", signal_number);
            return;
        }
        reload(program);
    }
}

/* ---- before anything is opened ---- */

static bool read_config(struct program *program) {
    struct error err = {0};
    if (!*program->flags.config_file) {
        config_init_default(&program->config, program->features);
        return true;
    }
    if (config_load(program->flags.config_file, program->features, &program->config, &program->config_text,
                    &err) == STATUS_OK)
        return true;
    fprintf(stderr, "sentineld: %s\n", err.text);
    return false;
}

static int run(struct program *program) {
    sigset_t signals;
    struct error err = {0};
    block_signals(&signals);
    log_configure(program->flags.log_level, program->flags.log_format);
    enum status status = open_all(program, &err);
    if (status == STATUS_OK) {
        LOG_INFO("listening", "address=%s mode=%s version=%s storage=%s",
                 http_server_address(program->server), mode_name(program->config.policy.mode),
                 SENTINEL_VERSION, program->flags.storage_path);
        wait_for_the_end(program, &signals);
    } else {
        fprintf(stderr, "sentineld: %s\n", err.text);
    }
    close_all(program);
    if (status == STATUS_DENIED)
        return EXIT_USAGE;
    return status == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    static struct program program;
    if (!flags_parse(argc, argv, &program.flags))
        return EXIT_USAGE;
    if (program.flags.help) {
        flags_print_help(stdout);
        return EXIT_SUCCESS;
    }
    if (program.flags.version) {
        puts("sentineld " SENTINEL_VERSION " (" SENTINEL_REVISION ", " SENTINEL_COMPILER ")");
        return EXIT_SUCCESS;
    }
    if (program.flags.print_config) {
        config_print_defaults(stdout);
        return EXIT_SUCCESS;
    }
    program.features = feature_set_create_default();
    bool readable = read_config(&program);
    if (!readable) {
        close_all(&program);
        return EXIT_USAGE;
    }
    if (program.flags.check_config) {
        config_explain(&program.config, program.features, stdout);
        close_all(&program);
        return EXIT_SUCCESS;
    }
    return run(&program);
}
