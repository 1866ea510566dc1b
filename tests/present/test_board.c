/* src/present/board: rows, versions and bounds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "present/board.h"

enum { MAX_HOSTS = 8, POINTS = 50, MAX_INCIDENTS = 3 };

static struct feature_set *features;

static int open_board(void **state) {
    features = feature_set_create_default();
    *state = board_create(features, MAX_HOSTS, POINTS, MAX_INCIDENTS);
    return 0;
}

static int close_board(void **state) {
    board_destroy(*state);
    feature_set_destroy(features);
    return 0;
}

static void put_host(struct board *board, uint32_t index, const char *name, const struct board_point *point) {
    struct host_row row = {.state = HOST_HEALTHY};
    snprintf(row.host, sizeof row.host, "%s", name);
    board_put_host(board, index, &row, point);
}

static void put_incident(struct board *board, const char *id, int64_t opened_at_ms,
                         enum incident_state state) {
    struct incident_row row = {.incident = {.opened_at_ms = opened_at_ms, .state = state}};
    snprintf(row.incident.id, sizeof row.incident.id, "%s", id);
    board_put_incident(board, &row);
}

static struct board_point point_at(int64_t at_ms) {
    struct board_point point = {.at_ms = at_ms, .score = 0.25, .threshold = NAN, .state = HOST_LEARNING};
    for (size_t i = 0; i < FEATURES_MAX; i++)
        point.values[i] = i ? (double)i : NAN;
    return point;
}

static void a_row_comes_back_as_it_was_put(void **state) {
    struct board *board = *state;
    struct host_row row;
    uint32_t index = 99;
    put_host(board, 3, "web-1", NULL);
    assert_true(board_find_host(board, "web-1", &index));
    assert_int_equal(index, 3);
    assert_true(board_get_host(board, index, &row));
    assert_string_equal(row.host, "web-1");
    assert_int_equal(board_host_count(board), 4);
    assert_false(board_get_host(board, 0, &row));
    assert_false(board_get_host(board, MAX_HOSTS, &row));
    assert_false(board_find_host(board, "web", &index));
}

static void every_change_gets_a_later_version_and_the_walk_gives_only_newer_rows(void **state) {
    struct board *board = *state;
    put_host(board, 0, "a", NULL);
    put_host(board, 1, "b", NULL);
    uint64_t seen = board_version(board);
    put_host(board, 0, "a", NULL);
    assert_int_equal(board_version(board), seen + 1);

    struct host_row row;
    size_t position = 0;
    assert_true(board_next_host(board, seen, &position, &row));
    assert_string_equal(row.host, "a");
    assert_int_equal(position, 1);
    assert_false(board_next_host(board, seen, &position, &row));

    size_t all = 0;
    for (position = 0; board_next_host(board, 0, &position, &row);)
        all++;
    assert_int_equal(all, 2);
}

static void points_come_oldest_first_and_the_newest_are_kept(void **state) {
    struct board *board = *state;
    struct board_point out[POINTS + 1];
    for (int64_t i = 1; i <= 3 * POINTS + 7; i++) {
        struct board_point point = point_at(i * 1000);
        put_host(board, 0, "a", &point);
    }
    size_t count = board_get_points(board, 0, 0, out, POINTS + 1);
    assert_int_equal(count, POINTS);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(out[i].at_ms, (int64_t)(2 * POINTS + 8 + i) * 1000);
    assert_int_equal(board_get_points(board, 0, 155 * 1000, out, POINTS), 3);
    assert_int_equal(out[0].at_ms, 155 * 1000);
    assert_int_equal(board_get_points(board, 0, 0, out, 2), 2);
    assert_int_equal(out[1].at_ms, 157 * 1000);
    assert_int_equal(board_get_points(board, 0, 158 * 1000, out, POINTS), 0);
    assert_int_equal(board_get_points(board, 5, 0, out, POINTS), 0);
}

static void a_point_keeps_its_values_and_what_is_missing(void **state) {
    struct board *board = *state;
    struct board_point in = point_at(1000), out;
    put_host(board, 0, "a", &in);
    assert_int_equal(board_get_points(board, 0, 0, &out, 1), 1);
    assert_true(out.score == 0.25 && isnan(out.threshold));
    assert_int_equal(out.state, HOST_LEARNING);
    assert_true(isnan(out.values[0]));
    for (size_t i = 1; i < feature_set_count(features); i++)
        assert_true(out.values[i] == (double)i);
}

static void incidents_come_newest_first_whatever_the_order_of_arrival(void **state) {
    struct board *board = *state;
    struct incident_row row;
    put_incident(board, "b", 2000, INCIDENT_OPEN);
    put_incident(board, "c", 3000, INCIDENT_OPEN);
    put_incident(board, "a", 1000, INCIDENT_RESOLVED);
    const char *expected[] = {"c", "b", "a"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(board_get_incident(board, i, &row));
        assert_string_equal(row.incident.id, expected[i]);
    }
    assert_false(board_get_incident(board, 3, &row));
}

static void an_incident_is_replaced_by_its_id(void **state) {
    struct board *board = *state;
    struct incident_row row;
    put_incident(board, "a", 1000, INCIDENT_OPEN);
    uint64_t seen = board_version(board);
    put_incident(board, "a", 1000, INCIDENT_RESOLVED);
    assert_int_equal(board_incident_count(board), 1);
    assert_true(board_find_incident(board, "a", &row));
    assert_int_equal(row.incident.state, INCIDENT_RESOLVED);
    size_t position = 0;
    assert_true(board_next_incident(board, seen, &position, &row));
    assert_false(board_next_incident(board, seen, &position, &row));
}

static void a_full_board_forgets_the_oldest_ended_incident(void **state) {
    struct board *board = *state;
    struct incident_row row;
    put_incident(board, "open", 1000, INCIDENT_ESCALATED);
    put_incident(board, "ended-1", 2000, INCIDENT_RESOLVED);
    put_incident(board, "ended-2", 3000, INCIDENT_RESOLVED);
    put_incident(board, "new", 4000, INCIDENT_OPEN);
    assert_int_equal(board_incident_count(board), MAX_INCIDENTS);
    assert_false(board_find_incident(board, "ended-1", &row));
    assert_true(board_find_incident(board, "open", &row));
    assert_true(board_find_incident(board, "new", &row));
    /* One from the archive that is older than everything ended here has no place. */
    put_incident(board, "ancient", 500, INCIDENT_RESOLVED);
    assert_false(board_find_incident(board, "ancient", &row));
    assert_true(board_find_incident(board, "ended-2", &row));
}

static void a_board_full_of_open_incidents_forgets_the_oldest(void **state) {
    struct board *board = *state;
    struct incident_row row;
    for (int i = 0; i <= MAX_INCIDENTS; i++) {
        char id[] = {(char)('a' + i), '\0'};
        put_incident(board, id, 1000 + i, INCIDENT_OPEN);
    }
    assert_int_equal(board_incident_count(board), MAX_INCIDENTS);
    assert_false(board_find_incident(board, "a", &row));
}

static void a_status_that_says_nothing_new_is_no_change(void **state) {
    struct board *board = *state;
    struct board_status status = {.mode_act = true}, out;
    board_put_status(board, &status);
    uint64_t seen = board_version(board);
    board_put_status(board, &status);
    assert_int_equal(board_version(board), seen);
    status.core_depth = 1;
    board_put_status(board, &status);
    assert_int_equal(board_status_version(board), seen + 1);
    board_get_status(board, &out);
    assert_true(out.mode_act && out.core_depth == 1);
}

static void a_failed_reload_keeps_the_time_of_the_last_good_one(void **state) {
    struct board *board = *state;
    struct board_reload reload;
    board_put_reload(board, true, 1000);
    board_put_reload(board, false, 2000);
    board_get_reload(board, &reload);
    assert_false(reload.successful);
    assert_int_equal(reload.last_success_ms, 1000);
}

static void tallies_count_by_their_labels_and_are_bounded(void **state) {
    struct board *board = *state;
    struct board_tally out[4];
    board_count_action(board, "a", "terminate", "terminated");
    board_count_action(board, "a", "terminate", "refused");
    board_count_action(board, "a", "terminate", "terminated");
    assert_int_equal(board_get_action_tallies(board, out, 4), 2);
    assert_int_equal(out[0].count, 2);
    assert_string_equal(out[1].how, "refused");
    assert_int_equal(board_get_incident_tallies(board, out, 4), 0);
    for (int i = 0; i < 10000; i++) {
        char host[16];
        snprintf(host, sizeof host, "h%d", i);
        board_count_incident(board, host, "forest");
    }
    assert_int_equal(board_get_incident_tallies(board, out, 4), MAX_HOSTS * 32);
}

static void two_boards_have_two_epochs(void **state) {
    struct board *other = board_create(features, 1, 1, 1);
    assert_true(board_epoch(other) != board_epoch(*state));
    board_destroy(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_row_comes_back_as_it_was_put, open_board, close_board),
        cmocka_unit_test_setup_teardown(every_change_gets_a_later_version_and_the_walk_gives_only_newer_rows,
                                        open_board, close_board),
        cmocka_unit_test_setup_teardown(points_come_oldest_first_and_the_newest_are_kept, open_board,
                                        close_board),
        cmocka_unit_test_setup_teardown(a_point_keeps_its_values_and_what_is_missing, open_board,
                                        close_board),
        cmocka_unit_test_setup_teardown(incidents_come_newest_first_whatever_the_order_of_arrival, open_board,
                                        close_board),
        cmocka_unit_test_setup_teardown(an_incident_is_replaced_by_its_id, open_board, close_board),
        cmocka_unit_test_setup_teardown(a_full_board_forgets_the_oldest_ended_incident, open_board,
                                        close_board),
        cmocka_unit_test_setup_teardown(a_board_full_of_open_incidents_forgets_the_oldest, open_board,
                                        close_board),
        cmocka_unit_test_setup_teardown(a_status_that_says_nothing_new_is_no_change, open_board, close_board),
        cmocka_unit_test_setup_teardown(a_failed_reload_keeps_the_time_of_the_last_good_one, open_board,
                                        close_board),
        cmocka_unit_test_setup_teardown(tallies_count_by_their_labels_and_are_bounded, open_board,
                                        close_board),
        cmocka_unit_test_setup_teardown(two_boards_have_two_epochs, open_board, close_board),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
