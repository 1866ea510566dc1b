#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/queue.h"

static unsigned discarded;

static void discard(void *item) {
    (void)item;
    discarded++;
}

static void items_come_out_in_the_order_in_which_they_went_in(void **state) {
    (void)state;
    int items[7];
    struct queue *queue = queue_create(3, discard);
    assert_int_equal(queue_capacity(queue), 3);
    for (int i = 0; i < 7; i += 2) { /* goes round the ring */
        assert_int_equal(queue_try_push(queue, &items[i % 7]), STATUS_OK);
        assert_int_equal(queue_try_push(queue, &items[(i + 1) % 7]), STATUS_OK);
        assert_int_equal(queue_depth(queue), 2);
        assert_ptr_equal(queue_pop(queue, 0), &items[i % 7]);
        assert_ptr_equal(queue_pop(queue, 0), &items[(i + 1) % 7]);
    }
    queue_destroy(queue);
}

static void a_full_queue_refuses_and_takes_again_after_a_pop(void **state) {
    (void)state;
    int items[3];
    struct queue *queue = queue_create(2, discard);
    assert_int_equal(queue_try_push(queue, &items[0]), STATUS_OK);
    assert_int_equal(queue_try_push(queue, &items[1]), STATUS_OK);
    assert_int_equal(queue_try_push(queue, &items[2]), STATUS_BUSY);
    assert_ptr_equal(queue_pop(queue, 0), &items[0]);
    assert_int_equal(queue_try_push(queue, &items[2]), STATUS_OK);
    assert_ptr_equal(queue_pop(queue, 0), &items[1]);
    assert_ptr_equal(queue_pop(queue, 0), &items[2]);
    queue_destroy(queue);
}

static void an_empty_queue_gives_nothing_when_the_time_is_up(void **state) {
    (void)state;
    struct queue *queue = queue_create(1, discard);
    assert_null(queue_pop(queue, 0));
    assert_null(queue_pop(queue, 1));
    queue_destroy(queue);
}

static void a_closed_queue_refuses_and_is_drained(void **state) {
    (void)state;
    int items[2];
    struct queue *queue = queue_create(4, discard);
    assert_int_equal(queue_try_push(queue, &items[0]), STATUS_OK);
    queue_close(queue);
    assert_int_equal(queue_try_push(queue, &items[1]), STATUS_UNAVAILABLE);
    assert_ptr_equal(queue_pop(queue, -1), &items[0]);
    assert_null(queue_pop(queue, -1));
    queue_destroy(queue);
}

static void what_is_left_at_the_end_is_discarded(void **state) {
    (void)state;
    int items[3];
    struct queue *queue = queue_create(3, discard);
    for (int i = 0; i < 3; i++)
        assert_int_equal(queue_try_push(queue, &items[i]), STATUS_OK);
    assert_ptr_equal(queue_pop(queue, 0), &items[0]);
    assert_int_equal(queue_try_push(queue, &items[0]), STATUS_OK);
    discarded = 0;
    queue_destroy(queue);
    assert_int_equal(discarded, 3);
    queue_destroy(NULL);
}

static void *wait_for_the_end(void *queue) {
    return queue_pop(queue, -1);
}

static void closing_wakes_a_consumer_that_waits_for_ever(void **state) {
    (void)state;
    struct queue *queue = queue_create(1, discard);
    pthread_t consumer;
    void *popped = queue;
    assert_int_equal(pthread_create(&consumer, NULL, wait_for_the_end, queue), 0);
    queue_close(queue);
    assert_int_equal(pthread_join(consumer, &popped), 0);
    assert_null(popped);
    queue_destroy(queue);
}

enum { PRODUCERS = 4, EACH = 5000 };
struct parcel {
    int producer, number;
};
struct producer {
    struct queue *queue;
    int number;
};

static void *produce(void *argument) {
    const struct producer *producer = argument;
    for (int i = 0; i < EACH; i++) {
        struct parcel *parcel = malloc(sizeof *parcel);
        *parcel = (struct parcel){producer->number, i};
        while (queue_try_push(producer->queue, parcel) == STATUS_BUSY)
            sched_yield();
    }
    return NULL;
}

static void many_producers_lose_nothing_and_each_keeps_its_order(void **state) {
    (void)state;
    struct queue *queue = queue_create(8, free);
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    int next[PRODUCERS] = {0};
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){queue, i};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS * EACH; i++) {
        struct parcel *parcel = queue_pop(queue, -1);
        assert_int_equal(parcel->number, next[parcel->producer]++);
        free(parcel);
    }
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(queue_depth(queue), 0);
    queue_destroy(queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_in_which_they_went_in),
        cmocka_unit_test(a_full_queue_refuses_and_takes_again_after_a_pop),
        cmocka_unit_test(an_empty_queue_gives_nothing_when_the_time_is_up),
        cmocka_unit_test(a_closed_queue_refuses_and_is_drained),
        cmocka_unit_test(what_is_left_at_the_end_is_discarded),
        cmocka_unit_test(closing_wakes_a_consumer_that_waits_for_ever),
        cmocka_unit_test(many_producers_lose_nothing_and_each_keeps_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
