#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentineld/config.h"

static struct feature_set *set;

static int set_up(void **state) {
    (void)state;
    set = feature_set_create_default();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    feature_set_destroy(set);
    return 0;
}

static enum status parse(const char *text, struct config *config, struct error *err) {
    return config_parse("sentinel.yml", text, strlen(text), set, config, err);
}

static void assert_refused(const char *text, const char *expected) {
    struct config config = {.trees = 77};
    struct error err = {0};
    assert_int_equal(parse(text, &config, &err), STATUS_INVALID);
    assert_string_equal(err.text, expected);
    assert_int_equal(config.trees, 77);
}

static void an_empty_file_is_the_configuration_of_defaults(void **state) {
    (void)state;
    static const char *const texts[] = {"", "# nothing\n", "observe:\ndecide:\n"};
    struct config defaults, config;
    config_init_default(&defaults, set); /* asserts that every default is within its own bounds */
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error err = {0};
        assert_int_equal(parse(texts[i], &config, &err), STATUS_OK);
        assert_memory_equal(&config, &defaults, sizeof config);
    }
}

static void what_print_config_prints_reads_back_as_the_defaults(void **state) {
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    config_print_defaults(out);
    fclose(out);
    struct config defaults, config;
    struct error err = {0};
    config_init_default(&defaults, set);
    enum status status = config_parse("printed", text, length, set, &config, &err);
    if (status != STATUS_OK)
        fail_msg("%s", err.text);
    free(text);
    assert_int_equal(config.policy.rule_count, defaults.policy.rule_count);
    for (size_t i = 0; i < config.policy.rule_count; i++) {
        const struct rule *a = &config.policy.rules[i], *b = &defaults.policy.rules[i];
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->enabled, b->enabled);
        assert_int_equal(a->trigger, b->trigger);
        assert_int_equal(a->feature, b->feature);
        assert_true(a->above == b->above);
        assert_int_equal(a->points, b->points);
        assert_int_equal(a->of, b->of);
        assert_true(a->leading == b->leading);
        assert_int_equal(a->ladder_count, b->ladder_count);
        assert_memory_equal(a->ladder, b->ladder, sizeof a->ladder);
    }
    config.policy = defaults.policy;
    assert_memory_equal(&config, &defaults, sizeof config);
}

static void every_kind_of_value_is_read(void **state) {
    (void)state;
    struct config config;
    struct error err = {0};
    assert_int_equal(
        parse("mode: act\n"
              "observe: {host_label: node, max_body: 2MiB, settle: 1m30s}\n"
              "orient: {trees: 50, false_alarm_rate: 1%}\n"
              "decide:\n"
              "  normal_points: 5\n"
              "  rules:\n"
              "    - {name: hot, trigger: failsafe, feature: cpu_busy, above: 95%, points: 2, of: 4,\n"
              "       do: [deprioritize, terminate]}\n"
              "    - {name: odd, trigger: forest, leading: [cpu_busy], do: [], enabled: false}\n"
              "act:\n"
              "  helpers: [{host: \"a:9100\", socket: /run/a.sock}]\n",
              &config, &err),
        STATUS_OK);
    assert_int_equal(config.policy.mode, MODE_ACT);
    assert_string_equal(config.host_label, "node");
    assert_int_equal(config.max_body_bytes, 2 << 20);
    assert_int_equal(config.settle_ms, 90000);
    assert_int_equal(config.trees, 50);
    assert_true(config.false_alarm_rate == 0.01);
    assert_int_equal(config.policy.normal_points, 5);
    assert_int_equal(config.policy.rule_count, 2);
    assert_true(config.policy.rules[0].above == 0.95);
    assert_int_equal(config.policy.rules[0].points, 2);
    assert_int_equal(config.policy.rules[0].of, 4);
    assert_int_equal(config.policy.rules[0].ladder[0], ACTION_DEPRIORITIZE);
    assert_int_equal(config.policy.rules[0].ladder[1], ACTION_TERMINATE);
    assert_false(config.policy.rules[1].enabled);
    assert_int_equal(config.policy.rules[1].of, 3);
    assert_true(config.policy.rules[1].leading == UINT64_C(1) << feature_set_find(set, "cpu_busy"));
    assert_int_equal(config.helper_count, 1);
    assert_string_equal(config.helpers[0].socket_path, "/run/a.sock");
}

static void a_mistake_is_named_with_its_line_its_key_and_what_is_right(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"mode: act\nobserv: {}\n",
         "sentinel.yml:2: unknown key 'observ' in the configuration: did you mean 'observe'?"},
        {"observe:\n  setle: 1s\n", "sentinel.yml:2: unknown key 'setle' in observe: did you mean 'settle'?"},
        {"decide:\n  ruls: []\n", "sentinel.yml:2: unknown key 'ruls' in decide: did you mean 'rules'?"},
        {"act:\n  helprs: []\n", "sentinel.yml:2: unknown key 'helprs' in act: did you mean 'helpers'?"},
        {"archive: {zzzzzzzzz: 1}\n",
         "sentinel.yml:1: unknown key 'zzzzzzzzz' in archive: see --print-config for all keys"},
        {"mode: suggest\n", "sentinel.yml:1: mode must be observe or act, not 'suggest'"},
        {"orient:\n\n  learning_points: 1\n",
         "sentinel.yml:3: orient.learning_points must be from 2 to 10000, such as 15, not '1'"},
        {"observe: {settle: 1}\n",
         "sentinel.yml:1: observe.settle must be from 10ms to 600s, such as 1s, not '1'"},
        {"observe: {max_body: [1]}\n",
         "sentinel.yml:1: observe.max_body must be from 1024B to 1024MiB, such as 16MiB, not 'a list'"},
        {"mode: act\nmode: act\n", "sentinel.yml:2: key 'mode' is given twice in the configuration"},
        {"observe: [1]\n", "sentinel.yml:1: observe must be a mapping of keys to values"},
        {"decide: {rules: 7}\n", "sentinel.yml:1: decide.rules must be a list, such as [a, b]"},
        {"decide:\n  rules:\n    - {name: a, trigger: failsafe, feature: cpu_bussy}\n",
         "sentinel.yml:3: unknown feature 'cpu_bussy': did you mean 'cpu_busy'?"},
        {"decide:\n  rules:\n    - {name: a, trigger: failsafe, above: 1}\n",
         "sentinel.yml: rule 'a': a failsafe needs `feature`, such as cpu_busy"},
        {"decide: {rules: [{name: a, trigger: forest, do: [kill]}]}\n",
         "sentinel.yml:1: unknown action 'kill': use terminate, freeze or deprioritize"},
        {"decide: {rules: [{name: a, trigger: forest, points: 65}]}\n",
         "sentinel.yml:1: points must be a whole number from 1 to 64"},
        {"decide: {rules: [{trigger: forest}]}\n", "sentinel.yml:1: a rule needs a name"},
        {"act: {helpers: [{host: a}]}\n",
         "sentinel.yml:1: a helper needs a host (as in the host label) and a socket"},
        {"act:\n  helpers:\n  - {host: a, socket: /s}\n  - {host: b, socket: /s}\n",
         "sentinel.yml:4: socket '/s' is another host's already"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i].text, cases[i].error);
}

static void what_is_not_yaml_is_refused_with_its_line(void **state) {
    (void)state;
    struct config config;
    struct error err = {0};
    assert_int_equal(parse("mode: act\n\tobserve: {\n", &config, &err), STATUS_INVALID);
    assert_memory_equal(err.text, "sentinel.yml:2: not YAML: ", strlen("sentinel.yml:2: not YAML: "));
}

static void a_file_that_is_not_there_is_named(void **state) {
    (void)state;
    struct config config;
    struct error err = {0};
    assert_int_equal(config_load("/nowhere/sentinel.yml", set, &config, NULL, &err), STATUS_SYSTEM);
    assert_string_equal(err.text, "cannot read /nowhere/sentinel.yml: No such file or directory");
}

static void the_policy_is_told_in_plain_words(void **state) {
    (void)state;
    struct config config;
    config_init_default(&config, set);
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    config_explain(&config, set, out);
    fclose(out);
    assert_non_null(strstr(text, "mode observe: nothing is done; what would have been done is recorded."));
    assert_non_null(strstr(text,
                           "rule cpu-failsafe: when cpu_busy is above 0.9 for 3 points in a row, terminate "
                           "the process that explains it."));
    assert_non_null(strstr(text, "no helper is configured"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_is_the_configuration_of_defaults),
        cmocka_unit_test(what_print_config_prints_reads_back_as_the_defaults),
        cmocka_unit_test(every_kind_of_value_is_read),
        cmocka_unit_test(a_mistake_is_named_with_its_line_its_key_and_what_is_right),
        cmocka_unit_test(what_is_not_yaml_is_refused_with_its_line),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(the_policy_is_told_in_plain_words),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
