#include <math.h>

#include "present/reply.h"
#include "present/rows.h"

static bool is_learning(const struct host_row *row) {
    return row->assessment.learning_points < row->assessment.learning_target;
}

json_t *host_summary_json(const struct board *board, const struct host_row *row) {
    const struct assessment *seen = &row->assessment;
    int cpu = feature_set_find(board_features(board), "cpu_busy");
    json_t *object = reply_object();
    reply_set(object, "host", reply_text(row->host));
    reply_set(object, "state", reply_text(host_state_name(row->state)));
    reply_set(object, "score", reply_number(seen->score));
    reply_set(object, "threshold", reply_number(seen->threshold));
    reply_set(object, "anomalous", json_boolean(seen->anomalous));
    reply_set(object, "learning", json_boolean(is_learning(row)));
    reply_set(object, "learning_points", reply_count(seen->learning_points));
    reply_set(object, "learning_target", reply_count(seen->learning_target));
    reply_set(object, "cpu_busy", reply_number(cpu < 0 ? NAN : row->values[cpu]));
    reply_set(object, "last_sample", reply_time(row->last_sample_ms));
    reply_set(object, "last_point", reply_time(seen->at_ms));
    reply_set(object, "incident", row->incident_id[0] ? reply_text(row->incident_id) : json_null());
    reply_set(object, "helper", row->helper[0] ? reply_text(row->helper) : json_null());
    return object;
}

static json_t *feature_json(const struct feature_set *set, size_t feature, double value) {
    const struct feature_description *description = feature_set_describe(set, feature);
    json_t *object = reply_object();
    reply_set(object, "feature", reply_text(description->name));
    reply_set(object, "unit", reply_text(description->unit));
    reply_set(object, "help", reply_text(description->help));
    reply_set(object, "value", reply_number(value));
    return object;
}

json_t *host_detail_json(const struct board *board, const struct host_row *row) {
    const struct feature_set *set = board_features(board);
    json_t *object = host_summary_json(board, row);
    reply_set(object, "series", reply_count(row->series_count));
    reply_set(object, "window_points", reply_count(row->window_points));
    reply_set(object, "model_bytes", reply_count(row->model_bytes));

    json_t *features = json_array();
    for (size_t i = 0; i < feature_set_count(set); i++)
        reply_append(features, feature_json(set, i, row->values[i]));
    reply_set(object, "features", features);

    json_t *leading = json_array();
    for (size_t i = 0; i < row->assessment.leading_count; i++) {
        const struct leading_feature *lead = &row->assessment.leading[i];
        json_t *entry = feature_json(set, lead->feature, lead->value);
        reply_set(entry, "rank", reply_count(i + 1));
        reply_set(entry, "share", reply_number(lead->share));
        reply_set(entry, "usual_low", reply_number(lead->usual_low));
        reply_set(entry, "usual_high", reply_number(lead->usual_high));
        reply_append(leading, entry);
    }
    reply_set(object, "leading", leading);
    return object;
}

json_t *point_json(const struct board *board, const struct board_point *point) {
    const struct feature_set *set = board_features(board);
    json_t *object = reply_object();
    reply_set(object, "time", reply_time(point->at_ms));
    reply_set(object, "state", reply_text(host_state_name(point->state)));
    reply_set(object, "score", reply_number(point->score));
    reply_set(object, "threshold", reply_number(point->threshold));
    for (size_t i = 0; i < feature_set_count(set); i++)
        if (isfinite(point->values[i])) /* a feature that a host does not have costs nothing */
            reply_set(object, feature_set_describe(set, i)->name, reply_number(point->values[i]));
    return object;
}
