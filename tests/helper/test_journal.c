#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/journal.h"
#include "helper/ledger.h"
#include "helper/sha256.h"

static char folder[PATH_MAX / 2], path[PATH_MAX];
static struct error err;

static int set_up(void **state) {
    (void)state;
    const char *home = getenv("HOME");
    snprintf(folder, sizeof folder, "%s/.sentinel-test-XXXXXX", home ? home : "/root");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/journal", folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static struct journal *open_journal(journal_reader *reader, void *context) {
    struct journal *journal = NULL;
    if (journal_open(path, reader, context, &journal, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return journal;
}

static struct journal_record sample(uint8_t key) {
    return (struct journal_record){.event = JOURNAL_BEGIN,
                                   .at_ms = 1000,
                                   .boot_id = "boot-a",
                                   .key = {key},
                                   .rung = RUNG_TERMINATE,
                                   .process = {4321, UINT64_MAX},
                                   .uid = 1000,
                                   .kind = 0xfeedface,
                                   .rule = "chaos",
                                   .comm = "x\" sha256=\n",
                                   .text = "why \"not\" sha256=1"};
}

static void write_three(void) {
    struct journal *journal = open_journal(NULL, NULL);
    for (uint8_t i = 1; i <= 3; i++) {
        struct journal_record record = sample(i);
        assert_int_equal(journal_append(journal, &record, true, &err), STATUS_OK);
    }
    journal_close(journal);
}

struct readings {
    size_t count;
    struct journal_record last;
};

static void remember(void *context, const struct journal_record *record) {
    struct readings *seen = context;
    seen->count++;
    seen->last = *record;
}

static void sha_256_of_the_standards_examples(void **state) {
    (void)state;
    static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                  0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                  0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    static const uint8_t two_blocks[] = {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26,
                                         0x93, 0x0c, 0x3e, 0x60, 0x39, 0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff,
                                         0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1};
    static const char long_text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t out[SHA256_BYTES];
    struct sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, "abc", 3);
    sha256_end(&hash, out);
    assert_memory_equal(out, abc, sizeof abc);
    sha256_begin(&hash);
    sha256_add(&hash, long_text, 20);
    sha256_add(&hash, long_text + 20, strlen(long_text) - 20);
    sha256_end(&hash, out);
    assert_memory_equal(out, two_blocks, sizeof two_blocks);
}

static void records_read_back_as_they_were_written(void **state) {
    (void)state;
    struct readings seen = {0};
    write_three();
    journal_close(open_journal(remember, &seen));
    struct journal_record wanted = sample(3);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.last.event, wanted.event);
    assert_int_equal(seen.last.at_ms, wanted.at_ms);
    assert_memory_equal(seen.last.key, wanted.key, sizeof wanted.key);
    assert_int_equal(seen.last.process.pid, wanted.process.pid);
    assert_true(seen.last.process.start == wanted.process.start);
    assert_int_equal(seen.last.kind, wanted.kind);
    assert_string_equal(seen.last.rule, "chaos");
    assert_string_equal(seen.last.comm, "x? sha256=?");
    assert_string_equal(seen.last.text, "why ?not? sha256=1");
}

/* Replaces the byte at `at` (from the end if negative). */
static void damage(long at, char byte) {
    FILE *file = fopen(path, "r+e");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    fputc(byte, file);
    fclose(file);
}

static void an_edit_anywhere_breaks_the_chain(void **state) {
    (void)state;
    struct stat file;
    uint64_t lines;
    write_three();
    assert_int_equal(journal_verify(path, &lines, &err), STATUS_OK);
    assert_int_equal(lines, 3);
    assert_int_equal(stat(path, &file), 0);
    FILE *original = fopen(path, "re");
    assert_non_null(original);
    char *bytes = malloc((size_t)file.st_size);
    assert_int_equal(fread(bytes, 1, (size_t)file.st_size, original), file.st_size);
    fclose(original);
    for (long i = 0; i < file.st_size - 1; i += 7) {
        damage(i, bytes[i] == '7' ? '8' : '7');
        assert_int_equal(journal_verify(path, &lines, &err), STATUS_CORRUPT);
        damage(i, bytes[i]);
    }
    damage(10, '\0');
    assert_int_equal(journal_verify(path, &lines, &err), STATUS_CORRUPT);
    struct journal *journal = NULL;
    assert_int_equal(journal_open(path, NULL, NULL, &journal, &err), STATUS_CORRUPT);
    assert_non_null(strstr(err.text, "line 1 was changed"));
    free(bytes);
}

static void a_line_taken_out_breaks_the_chain(void **state) {
    (void)state;
    char text[4096];
    uint64_t lines;
    write_three();
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    char *second = memchr(text, '\n', length);
    file = fopen(path, "we");
    assert_non_null(file);
    fwrite(second + 1, 1, (size_t)(text + length - second - 1), file);
    fclose(file);
    assert_int_equal(journal_verify(path, &lines, &err), STATUS_CORRUPT);
}

static void a_last_line_cut_short_is_taken_away(void **state) {
    (void)state;
    struct stat file;
    struct readings seen = {0};
    write_three();
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(truncate(path, file.st_size - 20), 0);
    struct journal *journal = open_journal(remember, &seen);
    assert_int_equal(seen.count, 2);
    struct journal_record record = sample(9);
    assert_int_equal(journal_append(journal, &record, true, &err), STATUS_OK);
    journal_close(journal);
    seen.count = 0;
    journal_close(open_journal(remember, &seen));
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.last.key[0], 9);
}

static void a_second_helper_is_kept_out(void **state) {
    (void)state;
    struct journal *first = open_journal(NULL, NULL), *second = NULL;
    assert_int_equal(journal_open(path, NULL, NULL, &second, &err), STATUS_BUSY);
    journal_close(first);
}

static void a_full_disk_is_an_error_and_leaves_the_file_as_it_was(void **state) {
    (void)state;
    struct rlimit before, little;
    uint64_t lines;
    write_three();
    struct journal *journal = open_journal(NULL, NULL);
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = before;
    little.rlim_cur = (rlim_t)file.st_size + 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    signal(SIGXFSZ, SIG_IGN);
    struct journal_record record = sample(4);
    assert_int_equal(journal_append(journal, &record, true, &err), STATUS_SYSTEM);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(journal_verify(path, &lines, &err), STATUS_OK);
    assert_int_equal(lines, 3);
    assert_int_equal(journal_append(journal, &record, true, &err), STATUS_OK);
    journal_close(journal);
    assert_int_equal(journal_verify(path, &lines, &err), STATUS_OK);
    assert_int_equal(lines, 4);
}

static void a_journal_that_others_can_write_or_a_link_is_refused(void **state) {
    (void)state;
    struct journal *journal = NULL;
    write_three();
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(journal_open(path, NULL, NULL, &journal, &err), STATUS_DENIED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(journal_open(path, NULL, NULL, &journal, &err), STATUS_SYSTEM);
}

/* ---- what the lines add up to ---- */

static struct ledger ledger;

static void apply(struct journal_record record, enum journal_event event, int64_t at_ms, const char *boot) {
    record.event = event;
    record.at_ms = at_ms;
    snprintf(record.boot_id, sizeof record.boot_id, "%s", boot);
    ledger_apply(&ledger, &record);
}

static int empty_ledger(void **state) {
    (void)state;
    memset(&ledger, 0, sizeof ledger);
    return 0;
}

static void deeds_count_in_their_windows_and_kinds(void **state) {
    (void)state;
    struct journal_record other = sample(2);
    other.kind = 1;
    apply(sample(1), JOURNAL_BEGIN, 1000, "a");
    apply(other, JOURNAL_BEGIN, 2000, "a");
    assert_int_equal(ledger_deeds_since(&ledger, 0), 2);
    assert_int_equal(ledger_deeds_since(&ledger, 1000), 1);
    assert_int_equal(ledger_deeds_of_kind_since(&ledger, 1, 0), 1);
    apply(sample(1), JOURNAL_RESET, 1500, "a");
    assert_int_equal(ledger_breaker_deeds(&ledger, 1, 0), 1);
    assert_int_equal(ledger_breaker_deeds(&ledger, sample(1).kind, 0), 0);
}

static void a_reboot_makes_no_deed_older_than_it_was(void **state) {
    (void)state;
    apply(sample(1), JOURNAL_BEGIN, 1000, "a");
    apply(sample(2), JOURNAL_BEGIN, 50000, "a");
    apply(sample(2), JOURNAL_START, 60000, "a");
    ledger_set_boot(&ledger, "b");
    assert_int_equal(ledger_deeds_since(&ledger, 5 - 60000), 2);
    assert_int_equal(ledger_deeds_since(&ledger, 5 - 20000), 1);
    assert_int_equal(ledger_deeds_since(&ledger, 5 - 10000), 0);
}

static void an_answer_is_found_by_its_key(void **state) {
    (void)state;
    struct journal_record ending = sample(1);
    apply(sample(1), JOURNAL_BEGIN, 1000, "a");
    assert_false(ledger_find(&ledger, sample(1).key)->ended);
    ending.outcome = HELPER_KILLED;
    apply(ending, JOURNAL_END, 2000, "a");
    assert_true(ledger_find(&ledger, sample(1).key)->ended);
    assert_int_equal(ledger_find(&ledger, sample(1).key)->record.outcome, HELPER_KILLED);
    assert_int_equal(ledger_find(&ledger, sample(1).key)->record.at_ms, 1000);
    assert_null(ledger_find(&ledger, sample(3).key));
    ending = sample(3);
    ending.outcome = HELPER_REFUSED;
    ledger_remember(&ledger, &ending);
    assert_int_equal(ledger_find(&ledger, sample(3).key)->record.outcome, HELPER_REFUSED);
    assert_int_equal(ledger_deeds_since(&ledger, 0), 1);
}

static void switches_keep_their_last_position(void **state) {
    (void)state;
    apply(sample(1), JOURNAL_PAUSED, 1, "a");
    apply(sample(1), JOURNAL_BREAKER, 2, "a");
    assert_true(ledger.paused && ledger.breaker_open);
    apply(sample(1), JOURNAL_RESUMED, 3, "a");
    apply(sample(1), JOURNAL_RESET, 4, "a");
    assert_false(ledger.paused || ledger.breaker_open);
}

static void a_successor_is_of_the_same_kind(void **state) {
    (void)state;
    struct process_facts a = {
        .sample = {.id = {10, 1}, .comm = "x"}, .uid = 5, .exe = "/bin/x", .group = "/g"};
    struct process_facts b = {
        .sample = {.id = {11, 2}, .comm = "y"}, .uid = 5, .exe = "/bin/x", .group = "/h"};
    assert_int_equal(ledger_kind(&a), ledger_kind(&b));
    b.uid = 6;
    assert_int_not_equal(ledger_kind(&a), ledger_kind(&b));
}

int main(void) {
#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LEDGER_TEST(name) cmocka_unit_test_setup(name, empty_ledger)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha_256_of_the_standards_examples),
        FILE_TEST(records_read_back_as_they_were_written),
        FILE_TEST(an_edit_anywhere_breaks_the_chain),
        FILE_TEST(a_line_taken_out_breaks_the_chain),
        FILE_TEST(a_last_line_cut_short_is_taken_away),
        FILE_TEST(a_second_helper_is_kept_out),
        FILE_TEST(a_full_disk_is_an_error_and_leaves_the_file_as_it_was),
        FILE_TEST(a_journal_that_others_can_write_or_a_link_is_refused),
        LEDGER_TEST(deeds_count_in_their_windows_and_kinds),
        LEDGER_TEST(a_reboot_makes_no_deed_older_than_it_was),
        LEDGER_TEST(an_answer_is_found_by_its_key),
        LEDGER_TEST(switches_keep_their_last_position),
        LEDGER_TEST(a_successor_is_of_the_same_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
