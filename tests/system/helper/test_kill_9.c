/* The helper is killed again and again while requests flow: budgets, keys and the chain must hold. */
#include "helper/harness.h"

#include "helper/journal.h"

enum { DEATHS = 100, BUDGET = 5, BURNERS = 8 };

/* The handle of some allowed process; false: none is listed, or the helper went. */
static bool find_target(int fd, struct helper_handle *out) {
    static struct helper_reply reply;
    if (!ask(fd, &(struct helper_request){.op = HELPER_LIST}, &reply))
        return false;
    for (size_t i = 0; i < reply.list.count; i++) {
        if (!reply.list.items[i].allowed)
            continue;
        *out = reply.list.items[i].handle;
        return true;
    }
    return false;
}

/* Asks for as many endings as it can, each with a key of its own, until it is killed. */
static void ask_for_ever(uint32_t run) {
    static struct helper_reply reply;
    for (uint32_t key = 0;;) {
        int fd = try_connect();
        if (fd < 0 || !ask(fd, &(struct helper_request){.op = HELPER_HELLO}, &reply)) {
            close(fd);
            usleep(1000);
            continue;
        }
        int64_t deadline_ms = reply.hello.monotonic_ms + 60000;
        for (struct helper_request request = {.op = HELPER_ACT}; find_target(fd, &request.act.handle);
             key++) {
            request.act.rung = RUNG_TERMINATE;
            request.act.deadline_ms = deadline_ms;
            memcpy(request.act.key, &run, sizeof run);
            memcpy(request.act.key + 4, &key, sizeof key);
            if (!ask(fd, &request, &reply))
                break;
        }
        usleep(5000);
        close(fd);
    }
}

static void budgets_hold_over_a_hundred_deaths(void **state) {
    (void)state;
    pid_t burners[BURNERS];
    write_policy("[budget]\nper_minute = 5\nper_hour = 5\nper_day = 5\nbreaker_deeds = 100", "");
    for (size_t i = 0; i < BURNERS; i++)
        burners[i] = start_load(ALLOWED_UID, 25);
    pid_t asker = fork();
    assert_true(asker >= 0);
    if (asker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        ask_for_ever((uint32_t)getpid());
    }
    for (unsigned death = 0; death < DEATHS; death++) {
        start_helper();
        close(connect_to_helper());
        /* From before the first measurement to well after a deed; the first few lives are long enough for
         * one. */
        usleep(death < 20 ? 600000 + death * 20000 : (death * 7919) % 300000);
        stop_helper(SIGKILL);
    }
    kill(asker, SIGKILL);
    waitpid(asker, NULL, 0);
    size_t survivors = 0;
    for (size_t i = 0; i < BURNERS; i++)
        survivors += end_load(burners[i]);
    print_message("%d deaths of the helper: %zu of %d processes ended, budget %d\n", DEATHS,
                  BURNERS - survivors, BURNERS, BUDGET);
    assert_true(BURNERS - survivors <= BUDGET);
    assert_true(BURNERS - survivors > 0);
    uint64_t lines;
    struct error err;
    start_helper();
    close(connect_to_helper());
    stop_helper(SIGTERM);
    if (journal_verify(h.journal, &lines, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(budgets_hold_over_a_hundred_deaths, make_folder, remove_folder),
    };
    if (geteuid() != 0) {
        puts("skipped: children of several users need root");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
