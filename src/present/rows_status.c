#include "present/reply.h"
#include "present/rows.h"

static json_t *queue_json(size_t depth, size_t capacity) {
    json_t *object = reply_object();
    reply_set(object, "depth", reply_count(depth));
    reply_set(object, "capacity", reply_count(capacity));
    return object;
}

json_t *status_json(struct board *board) {
    struct board_status status;
    board_get_status(board, &status);
    struct board_reload reload;
    board_get_reload(board, &reload);

    json_t *object = reply_object();
    reply_set(object, "mode", reply_text(status.mode_act ? "act" : "observe"));
    reply_set(object, "archive_failing", json_boolean(status.archive_failing));
    reply_set(object, "series_active", reply_count(status.series_active));
    reply_set(object, "core_queue", queue_json(status.core_depth, status.core_capacity));
    reply_set(object, "archive_queue", queue_json(status.archive_depth, status.archive_capacity));
    reply_set(object, "config_reload_successful", json_boolean(reload.successful));
    reply_set(object, "config_last_success", reply_time(reload.last_success_ms));
    json_t *helpers = json_array();
    for (size_t i = 0; i < status.helper_count; i++) {
        json_t *helper = reply_object();
        reply_set(helper, "path", reply_text(status.helpers[i].path));
        reply_set(helper, "reachable", json_boolean(status.helpers[i].reachable));
        reply_set(helper, "mode", reply_text(status.helpers[i].mode_act ? "act" : "observe"));
        reply_set(helper, "paused", json_boolean(status.helpers[i].paused));
        reply_set(helper, "policy_ok", json_boolean(status.helpers[i].policy_ok));
        reply_set(helper, "deeds_last_hour", reply_count(status.helpers[i].deeds_last_hour));
        reply_set(helper, "budget_per_hour", reply_count(status.helpers[i].budget_per_hour));
        reply_set(helper, "text", reply_text(status.helpers[i].text));
        reply_append(helpers, helper);
    }
    reply_set(object, "helpers", helpers);
    return object;
}
