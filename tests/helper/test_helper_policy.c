#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/helper_policy.h"
#include "helper/helper_protocol.h"

#define GOOD_RULE "[allow a]\nuid = 1000\nexe = /bin/burn\nmin_age = 10s\nmin_cpu = 50%\nfor = 2s\n"

static struct helper_policy policy;
static struct error err;

static void parse(const char *text) {
    if (helper_policy_parse("helper.conf", text, &policy, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void refuse(const char *text, const char *why) {
    assert_int_equal(helper_policy_parse("helper.conf", text, &policy, &err), STATUS_INVALID);
    if (!strstr(err.text, why))
        fail_msg("'%s' does not say '%s'", err.text, why);
}

static void nothing_written_means_observe_and_nobody(void **state) {
    (void)state;
    parse("# only a comment\n\n");
    assert_false(policy.mode_act);
    assert_int_equal(policy.rule_count, 0);
    assert_true(helper_policy_admits_client(&policy, 0));
    assert_false(helper_policy_admits_client(&policy, 1000));
}

static void every_key_is_understood(void **state) {
    (void)state;
    parse("mode = act\nclient_uid = 0 1000 root\nsocket_group = sentinel\ngrace = 2m\nsample_interval = 1s\n"
          "list_above = 10%\nallow_unpinned_signal = yes\n"
          "[budget]\nper_minute = 1\nper_hour = 2\nper_day = 3\nbreaker_deeds = 4\nbreaker_window = 1h\n"
          "[allow a-b_1]\nuid = 7\nexe = \"/a b/c\" /d\ncgroup = /x.slice\nunit = y.service\ncomm = n m\n"
          "descendant_of = 42\nmin_age = 1h\nmin_cpu = 1.5\nfor = 1m\ncooldown = 3s\nlease = 10s\n"
          "rungs = freeze terminate\n"
          "[protect]\ncomm = sshd\n[protect databases]\nuid = 5\nunit = postgresql.service\n");
    assert_true(policy.mode_act);
    assert_int_equal(policy.client_uid_count, 3);
    assert_int_equal(policy.grace_ms, 120000);
    assert_int_equal(policy.budget.per_day, 3);
    assert_int_equal(policy.budget.breaker_window_ms, 3600000);
    const struct policy_rule *rule = &policy.rules[0];
    assert_string_equal(rule->name, "a-b_1");
    assert_string_equal(rule->match.exes[0].text, "/a b/c");
    assert_string_equal(rule->match.exes[1].text, "/d");
    assert_int_equal(rule->match.comm_count, 2);
    assert_int_equal(rule->descendant_of, 42);
    assert_int_equal(rule->rungs, 1U << RUNG_FREEZE | 1U << RUNG_TERMINATE);
    assert_int_equal(policy.protected_count, 2);
}

static void each_mistake_is_named_with_its_line_and_the_nearest_word(void **state) {
    (void)state;
    refuse("mode = act\ngrase = 5s\n", "helper.conf:2: unknown key 'grase'; did you mean 'grace'?");
    refuse("[alow x]\n", "did you mean 'allow'?");
    refuse("mode = on\n", "expected observe or act");
    refuse("mode = act\nmode = act\n", "given twice");
    refuse("grace\n", "key = value");
    refuse("grace =\n", "nothing stands after");
    refuse("grace = 5\n", "expected a time such as");
    refuse("grace = -5s\n", "expected a time");
    refuse("grace = 1h\n", "out of range");
    refuse("grace = 5s 6s\n", "one value");
    refuse("[budget]\nper_hour = 501\n", "out of range");
    refuse("[budget]\n[budget]\n", "enough");
    refuse("client_uid = no-such-user-here\n", "neither a uid nor a user");
    refuse("[allow A]\n", "NAME of a-z");
    refuse("[allow\n", "expected ']'");
    refuse("[protect]\n", "protects nothing");
    refuse(GOOD_RULE GOOD_RULE, "already");
    refuse(GOOD_RULE "rungs = terminat\n", "did you mean 'terminate'?");
    refuse("[allow a]\nexe = bin/burn\nuid = 1\n", "absolute path");
    refuse("[allow a]\nexe = \"/bin/burn\nuid = 1\n", "quote");
}

static void a_uid_or_a_name_alone_authorises_nobody(void **state) {
    (void)state;
    refuse("[allow a]\nuid = 1000\n", "alone is no identity");
    refuse("[allow a]\nuid = 1000\ncomm = burn\n", "and a name alone is no identity");
    refuse("[allow a]\nexe = /bin/burn\n", "needs a uid");
}

static void a_wrong_policy_leaves_the_old_one_untouched(void **state) {
    (void)state;
    parse(GOOD_RULE);
    refuse("mode = act\nnonsense = 1\n", "unknown key");
    assert_int_equal(policy.rule_count, 1);
    assert_false(policy.mode_act);
}

/* ---- the judge ---- */

static struct process_facts facts;
static int64_t hot_ms[POLICY_RULES_MAX];
static struct policy_subject subject;
static char reason[96];

static bool judge(void) {
    size_t rule;
    return helper_policy_judge(&policy, &subject, &rule, reason);
}

static int a_process_that_is_allowed(void **state) {
    (void)state;
    parse(GOOD_RULE);
    facts = (struct process_facts){.sample = {.id = {500, 1}, .comm = "burn"}, .age_ms = 60000, .uid = 1000};
    strcpy(facts.exe, "/bin/burn");
    strcpy(facts.group, "/user.slice/x.scope");
    hot_ms[0] = 5000;
    subject = (struct policy_subject){.facts = &facts, .cpu = 0.9, .hot_ms = hot_ms};
    return 0;
}

static void who_meets_every_condition_is_allowed(void **state) {
    (void)state;
    assert_true(judge());
}

#define REFUSED_WITH(change, why)                                                                            \
    do {                                                                                                     \
        a_process_that_is_allowed(NULL);                                                                     \
        change;                                                                                              \
        assert_false(judge());                                                                               \
        if (!strstr(reason, why))                                                                            \
            fail_msg("'%s' does not say '%s'", reason, why);                                                 \
    } while (0)

static void every_single_condition_can_refuse(void **state) {
    (void)state;
    REFUSED_WITH(facts.uid = 1001, "uid");
    REFUSED_WITH(strcpy(facts.exe, "/bin/burner"), "exe");
    REFUSED_WITH(facts.exe[0] = '\0', "may not read");
    REFUSED_WITH(facts.age_ms = 9999, "younger than");
    REFUSED_WITH(subject.cpu = 0.49, "uses 0.49");
    REFUSED_WITH(hot_ms[0] = 1999, "hot for 2.0 s");
    REFUSED_WITH(subject.hot_ms = NULL, "hot for");
    REFUSED_WITH(facts.sample.id.pid = 1, "first process");
    REFUSED_WITH(subject.never = "it is the helper", "it is the helper");
    REFUSED_WITH(facts.sample.kernel_thread = true, "kernel thread");
    REFUSED_WITH(facts.foreign_namespace = true, "namespace");
    REFUSED_WITH(facts.mixed_uids = true, "users differ");
    REFUSED_WITH(facts.traced = true, "debugger");
    REFUSED_WITH(parse(GOOD_RULE "comm = other\n"), "comm");
    REFUSED_WITH(parse(GOOD_RULE "cgroup = /user.slice/x\n"), "cgroup");
    REFUSED_WITH(parse(GOOD_RULE "unit = y.scope\n"), "unit");
    REFUSED_WITH(parse(GOOD_RULE "descendant_of = 77\n"), "descendant_of");
    REFUSED_WITH(parse(GOOD_RULE "[protect]\ncomm = burn\n"), "protects");
    REFUSED_WITH(parse(GOOD_RULE "[protect]\nuid = 1000\n"), "protects");
    REFUSED_WITH(parse(GOOD_RULE "[protect]\nunit = user.slice\n"), "protects");
    REFUSED_WITH(parse(GOOD_RULE "[protect]\ncgroup = /user.slice\n"), "protects");
    REFUSED_WITH(parse(GOOD_RULE "[protect]\nexe = /bin/burn\n"), "protects");
    REFUSED_WITH(parse("mode = act\n"), "no [allow]");
}

static void cgroups_are_matched_by_whole_components_and_units_by_the_last_one(void **state) {
    (void)state;
    a_process_that_is_allowed(NULL);
    parse(GOOD_RULE "cgroup = /user.slice\nunit = x.scope\n");
    assert_true(judge());
    strcpy(facts.group, "/user.slice/x.scope/inner");
    assert_false(judge());
    strcpy(facts.group, "/user.slices/x.scope");
    assert_false(judge());
}

static void an_ancestor_counts_only_with_its_start(void **state) {
    (void)state;
    a_process_that_is_allowed(NULL);
    parse(GOOD_RULE "descendant_of = 77\n");
    policy.rules[0].ancestor = (struct process_id){77, 1234};
    facts.lineage[0] = (struct process_id){90, 5};
    facts.lineage[1] = (struct process_id){77, 1235}; /* the number was given to another process */
    facts.lineage_count = 2;
    assert_false(judge());
    facts.lineage[1].start = 1234;
    assert_true(judge());
}

/* ---- the file ---- */

static char folder[PATH_MAX / 2], path[PATH_MAX];

static int a_folder_of_our_own(void **state) {
    (void)state;
    const char *home = getenv("HOME");
    snprintf(folder, sizeof folder, "%s/.sentinel-test-XXXXXX", home ? home : "/root");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/helper.conf", folder);
    FILE *file = fopen(path, "we");
    if (!file)
        return -1;
    fputs("mode = act\n" GOOD_RULE, file);
    fclose(file);
    return chmod(path, 0644);
}

static int without_the_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void refuse_file(enum status status, const char *why) {
    assert_int_equal(helper_policy_load(path, false, &policy, &err), status);
    if (!strstr(err.text, why))
        fail_msg("'%s' does not say '%s'", err.text, why);
}

static void a_file_that_only_we_can_write_is_read(void **state) {
    (void)state;
    assert_int_equal(helper_policy_load(path, false, &policy, &err), STATUS_OK);
    assert_true(policy.mode_act);
}

static void a_file_that_others_can_write_is_refused(void **state) {
    (void)state;
    assert_int_equal(chmod(path, 0664), 0);
    refuse_file(STATUS_DENIED, "can be changed by others");
}

static void a_folder_that_others_can_write_is_refused(void **state) {
    (void)state;
    assert_int_equal(chmod(folder, 01777), 0);
    refuse_file(STATUS_DENIED, "can be changed by others");
}

static void another_owner_is_refused(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(path, 60983, (gid_t)-1), 0);
    refuse_file(STATUS_DENIED, "belongs to uid 60983");
}

static void links_are_refused(void **state) {
    (void)state;
    char other[PATH_MAX];
    snprintf(other, sizeof other, "%s/other", folder);
    assert_int_equal(link(path, other), 0);
    refuse_file(STATUS_DENIED, "hard link");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(other, path), 0);
    refuse_file(STATUS_DENIED, "symbolic link");
    assert_int_equal(unlink(other), 0);
}

static void what_is_no_regular_file_is_refused_without_waiting(void **state) {
    (void)state;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse_file(STATUS_DENIED, "not a regular file");
}

static void a_file_that_is_too_long_or_holds_a_nul_is_refused(void **state) {
    (void)state;
    assert_int_equal(truncate(path, 20), 0);
    assert_int_equal(truncate(path, 21), 0);
    refuse_file(STATUS_CORRUPT, "not a text");
    assert_int_equal(truncate(path, 10 << 20), 0);
    refuse_file(STATUS_TOO_LARGE, "at most 65536");
}

static void the_explanation_is_plain_words(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0;
    parse("mode = act\n" GOOD_RULE "[protect]\ncomm = sshd\n");
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    helper_policy_explain(&policy, out);
    fclose(out);
    assert_non_null(
        strstr(text, "may freeze or terminate processes of uid 1000 running /bin/burn, older than 10 s, "
                     "using at least 50 % of one CPU for 2 s"));
    assert_non_null(strstr(text, "At most 3 deeds a minute, 10 an hour"));
    assert_non_null(strstr(text, "named sshd"));
    free(text);
}

int main(void) {
#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, a_folder_of_our_own, without_the_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_written_means_observe_and_nobody),
        cmocka_unit_test(every_key_is_understood),
        cmocka_unit_test(each_mistake_is_named_with_its_line_and_the_nearest_word),
        cmocka_unit_test(a_uid_or_a_name_alone_authorises_nobody),
        cmocka_unit_test(a_wrong_policy_leaves_the_old_one_untouched),
        cmocka_unit_test_setup(who_meets_every_condition_is_allowed, a_process_that_is_allowed),
        cmocka_unit_test(every_single_condition_can_refuse),
        cmocka_unit_test(cgroups_are_matched_by_whole_components_and_units_by_the_last_one),
        cmocka_unit_test(an_ancestor_counts_only_with_its_start),
        FILE_TEST(a_file_that_only_we_can_write_is_read),
        FILE_TEST(a_file_that_others_can_write_is_refused),
        FILE_TEST(a_folder_that_others_can_write_is_refused),
        FILE_TEST(another_owner_is_refused),
        FILE_TEST(links_are_refused),
        FILE_TEST(what_is_no_regular_file_is_refused_without_waiting),
        FILE_TEST(a_file_that_is_too_long_or_holds_a_nul_is_refused),
        cmocka_unit_test(the_explanation_is_plain_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
