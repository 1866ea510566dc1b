/* The premise of the helper: its client is in an attacker's hands and knows the protocol. */
#include "helper/harness.h"

#include <sys/uio.h>

#include "helper/journal.h"

enum { BUDGET = 3, ALLOWED = 6, CLIENTS = 3, BURST = 64 };

static uint64_t seed = 88172645463325252U;

static uint32_t random_below(uint32_t bound) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % bound;
}

static void random_bytes(void *out, size_t length) {
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)out)[i] = (uint8_t)random_below(256);
}

static struct helper_request random_request(const struct helper_list *list, int64_t helper_ms) {
    struct helper_request request = {.op = HELPER_ACT, .id = random_below(UINT32_MAX)};
    uint32_t dice = random_below(1000);
    if (dice < 20)
        request.op = HELPER_LIST;
    else if (dice < 25)
        request.op = HELPER_STATUS;
    else if (dice < 30)
        request.op = HELPER_RELEASE;
    else if (dice < 31)
        request.op = HELPER_PAUSE;
    request.act = (struct helper_act_request){.rung = (enum helper_rung)(1 + random_below(5)),
                                              .deadline_ms = helper_ms + (int64_t)random_below(60000)};
    random_bytes(request.act.key, sizeof request.act.key);
    if (list->count && dice % 200 == 0)
        request.act.handle = list->items[random_below((uint32_t)list->count)].handle;
    else
        random_bytes(&request.act.handle, sizeof request.act.handle);
    if (request.op == HELPER_PAUSE)
        request.pause = false;
    return request;
}

/* One hostile process: frames by the thousand, now and then a broken one. Returns how many it sent. */
static uint64_t attack(int64_t until_ms) {
    static struct helper_list list;
    static struct helper_reply reply;
    uint64_t sent = 0;
    while (clock_monotonic_ms() < until_ms) {
        int fd = try_connect();
        if (fd < 0)
            continue;
        bool open = ask(fd, &(struct helper_request){.op = HELPER_HELLO}, &reply);
        int64_t helper_ms = reply.hello.monotonic_ms;
        uint32_t life = 10 + random_below(100);
        for (uint32_t i = 0; open && i < life && clock_monotonic_ms() < until_ms; i++) {
            for (uint32_t n = 0; n < BURST; n++) {
                struct helper_request request = random_request(&list, helper_ms);
                open = open && send_request(fd, &request);
            }
            for (uint32_t n = 0; open && n < BURST; n++, sent++) {
                open = receive_reply(fd, &reply, 3000);
                if (open && reply.op == HELPER_LIST)
                    list = reply.list;
            }
        }
        if (open) {
            uint8_t garbage[64];
            random_bytes(garbage, sizeof garbage);
            send(fd, garbage, sizeof garbage, MSG_NOSIGNAL);
        }
        close(fd);
    }
    return sent;
}

static void a_taken_over_server_gets_no_more_than_the_policy_and_the_budget(void **state) {
    (void)state;
    const char *seconds = getenv("SENTINEL_ATTACK_SECONDS");
    int64_t attack_ms = (seconds ? strtol(seconds, NULL, 10) : 60) * 1000;
    pid_t allowed[ALLOWED], attackers[CLIENTS];
    uint64_t sent[CLIENTS], total = 0;
    int counts[2];
    write_policy("[budget]\nper_minute = 3\nper_hour = 3\nper_day = 3", "");
    start_helper();
    close(greet_helper(&(struct helper_reply){0}));
    for (size_t i = 0; i < ALLOWED; i++)
        allowed[i] = start_load(ALLOWED_UID, 30);
    pid_t other = start_load(OTHER_UID, 30), idle = start_load(ALLOWED_UID, 0);
    long rss_before_kb = helper_rss_kb();
    assert_int_equal(pipe(counts), 0);
    int64_t until_ms = clock_monotonic_ms() + attack_ms;
    for (size_t i = 0; i < CLIENTS; i++) {
        attackers[i] = fork();
        assert_true(attackers[i] >= 0);
        if (attackers[i] == 0) {
            seed += i * 7919;
            uint64_t count = attack(until_ms);
            _exit(write(counts[1], &count, sizeof count) == sizeof count ? 0 : 1);
        }
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(waitpid(attackers[i], NULL, 0), attackers[i]);
        assert_int_equal(read(counts[0], &sent[i], sizeof sent[i]), sizeof sent[i]);
        total += sent[i];
    }
    long rss_after_kb = helper_rss_kb();
    size_t survivors = 0;
    for (size_t i = 0; i < ALLOWED; i++)
        survivors += end_load(allowed[i]);
    print_message(
        "%llu requests (%llu a second): %zu of %d allowed processes ended, budget %d; RSS %ld -> %ld kB\n",
        (unsigned long long)total, (unsigned long long)(total * 1000 / (uint64_t)attack_ms),
        ALLOWED - survivors, ALLOWED, BUDGET, rss_before_kb, rss_after_kb);
    assert_true(end_load(other));
    assert_true(end_load(idle));
    assert_true(ALLOWED - survivors <= BUDGET);
    assert_true(ALLOWED - survivors > 0); /* the attack had teeth: what is allowed was done */
    assert_true(rss_after_kb - rss_before_kb < 600);
    assert_int_equal(stop_helper(SIGTERM), 0);
    uint64_t lines;
    struct error err;
    struct stat journal;
    if (journal_verify(h.journal, &lines, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(stat(h.journal, &journal), 0);
    print_message("journal: %llu lines, %lld bytes, the chain holds\n", (unsigned long long)lines,
                  (long long)journal.st_size);
    assert_true(journal.st_size < 1000 * (attack_ms / 1000 + 20)); /* a flood does not fill the disk */
}

/* ---- wrong peers ---- */

static void another_uid_is_hung_up_on_before_a_byte_is_read(void **state) {
    (void)state;
    int status;
    write_policy("", "");
    start_helper();
    close(greet_helper(&(struct helper_reply){0}));
    assert_int_equal(chmod(h.socket, 0666), 0); /* the file's mode would keep it out already */
    pid_t child = fork();
    if (child == 0) {
        if (setresuid(OTHER_UID, OTHER_UID, OTHER_UID) != 0)
            _exit(1);
        int fd = try_connect();
        _exit(fd >= 0 && is_hung_up(fd, 3000) ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_connection_whose_process_has_ended_is_worth_nothing(void **state) {
    (void)state;
    int pair[2];
    write_policy("", "");
    start_helper();
    close(greet_helper(&(struct helper_reply){0}));
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec byte = {.iov_base = (char[]){0}, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    pid_t child = fork();
    if (child == 0) {
        struct helper_reply reply;
        int fd = greet_helper(&reply);
        control.header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        _exit(sendmsg(pair[0], &message, 0) == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(recvmsg(pair[1], &message, 0), 1);
    int fd;
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    struct helper_reply reply;
    assert_false(ask(fd, &(struct helper_request){.op = HELPER_LIST}, &reply));
    close(fd);
    close(pair[0]);
    close(pair[1]);
}

/* ---- the parser, over the socket ---- */

static void each_broken_frame_is_hung_up_on(void **state) {
    (void)state;
    static const struct {
        uint8_t bytes[16];
        size_t length;
    } frames[] = {
        {{0, 0, 0, 0}, 4},                                       /* empty */
        {{1, 16, 0, 0}, 4},                                      /* 4097 */
        {{255, 255, 255, 255}, 4},                               /* 2^32 - 1 */
        {{8, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0}, 12},              /* version 2 */
        {{8, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0, 0}, 12},              /* operation 9 */
        {{8, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0}, 12},              /* a reserved bit */
        {{9, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0}, 13},           /* a trailing byte */
        {{7, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0}, 11},                 /* cut short */
        {{8, 0, 0, 0, 1, 0x82, 0, 0, 0, 0, 0, 0}, 12},           /* a reply */
        {{12, 0, 0, 0, 1, 6, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}, 16}, /* pause = 2 */
    };
    struct helper_reply reply;
    write_policy("", "");
    start_helper();
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        int fd = greet_helper(&reply);
        assert_int_equal(send(fd, frames[i].bytes, frames[i].length, 0), frames[i].length);
        if (!is_hung_up(fd, 3000))
            fail_msg("frame %zu was accepted", i);
        close(fd);
    }
    int fd = connect_to_helper();
    assert_true(send_request(fd, &(struct helper_request){.op = HELPER_LIST}));
    assert_true(is_hung_up(fd, 3000)); /* not before HELLO */
    close(fd);
}

static void frames_split_at_every_byte_or_sent_together_are_answered(void **state) {
    (void)state;
    uint8_t frames[3 * HELPER_FRAME_MAX];
    struct helper_reply reply;
    size_t length = helper_encode_request(&(struct helper_request){.op = HELPER_HELLO, .id = 1}, frames);
    length += helper_encode_request(
        &(struct helper_request){.op = HELPER_ACT, .id = 2, .act = {.rung = RUNG_FREEZE}}, frames + length);
    length += helper_encode_request(&(struct helper_request){.op = HELPER_STATUS, .id = 3}, frames + length);
    write_policy("", "");
    start_helper();
    for (size_t split = 0; split < length; split++) {
        int fd = connect_to_helper();
        assert_int_equal(send(fd, frames, split, 0), split);
        if (split % 8 == 0)
            usleep(2000);
        assert_int_equal(send(fd, frames + split, length - split, 0), length - split);
        for (uint32_t id = 1; id <= 3; id++) {
            assert_true(receive_reply(fd, &reply, 3000));
            assert_int_equal(reply.id, id);
        }
        close(fd);
    }
}

static void whoever_is_slow_inside_a_frame_is_hung_up_on(void **state) {
    (void)state;
    struct helper_reply reply;
    write_policy("", "");
    start_helper();
    int silent = connect_to_helper(), slow = greet_helper(&reply), good = greet_helper(&reply);
    assert_int_equal(send(slow, "\x08\0\0", 3, 0), 3);
    int64_t began_ms = clock_monotonic_ms();
    assert_true(is_hung_up(slow, 8000));
    assert_true(is_hung_up(silent, 8000));
    assert_in_range(clock_monotonic_ms() - began_ms, 4000, 7500);
    assert_true(ask(good, &(struct helper_request){.op = HELPER_STATUS}, &reply));
    close(silent);
    close(slow);
    close(good);
}

static void a_passed_descriptor_is_hung_up_on(void **state) {
    (void)state;
    struct helper_reply reply;
    write_policy("", "");
    start_helper();
    int fd = greet_helper(&reply);
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {
        .header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    uint8_t frame[HELPER_FRAME_MAX];
    struct iovec bytes = {.iov_base = frame,
                          .iov_len =
                              helper_encode_request(&(struct helper_request){.op = HELPER_STATUS}, frame)};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    assert_true(sendmsg(fd, &message, 0) > 0);
    assert_true(is_hung_up(fd, 3000));
    close(fd);
}

static void a_thousand_idle_connections_keep_nobody_out(void **state) {
    (void)state;
    static int fds[1000];
    struct helper_reply reply;
    write_policy("", "");
    start_helper();
    close(greet_helper(&reply));
    for (size_t i = 0; i < 1000; i++)
        fds[i] = connect_to_helper();
    int fd = greet_helper(&reply);
    assert_true(ask(fd, &(struct helper_request){.op = HELPER_STATUS}, &reply));
    close(fd);
    for (size_t i = 0; i < 1000; i++)
        close(fds[i]);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(another_uid_is_hung_up_on_before_a_byte_is_read),
        TEST(a_connection_whose_process_has_ended_is_worth_nothing),
        TEST(each_broken_frame_is_hung_up_on),
        TEST(frames_split_at_every_byte_or_sent_together_are_answered),
        TEST(whoever_is_slow_inside_a_frame_is_hung_up_on),
        TEST(a_passed_descriptor_is_hung_up_on),
        TEST(a_thousand_idle_connections_keep_nobody_out),
        TEST(a_taken_over_server_gets_no_more_than_the_policy_and_the_budget),
    };
    if (geteuid() != 0) {
        puts("skipped: children of several users need root");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
