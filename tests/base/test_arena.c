#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"

static void allocations_are_aligned_and_do_not_overlap(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    static unsigned char *blocks[COUNT];
    struct arena *arena = arena_create(64 << 20);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = arena_alloc(arena, i);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)(i & 0xff), i);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_equal(blocks[i][j], i & 0xff);
    }
    arena_destroy(arena);
}

static void a_block_larger_than_a_chunk_has_a_chunk_of_its_own(void **state) {
    (void)state;
    struct arena *arena = arena_create(8 << 20);
    unsigned char *large = arena_alloc(arena, 4 << 20);
    assert_non_null(large);
    memset(large, 1, 4 << 20);
    assert_non_null(arena_alloc(arena, 100));
    arena_reset(arena);
    assert_non_null(arena_alloc(arena, 100));
    arena_destroy(arena);
}

static void the_ceiling_is_remembered_until_the_reset(void **state) {
    (void)state;
    struct arena *arena = arena_create(1024);
    assert_non_null(arena_alloc(arena, 1000));
    assert_int_equal(arena_used_bytes(arena), 1008);
    assert_null(arena_alloc(arena, 17));
    assert_true(arena_is_exhausted(arena));
    assert_null(arena_alloc(arena, 1));
    arena_reset(arena);
    assert_false(arena_is_exhausted(arena));
    assert_int_equal(arena_used_bytes(arena), 0);
    assert_non_null(arena_alloc(arena, 1024));
    arena_destroy(arena);
}

static void an_absurd_size_is_refused_without_overflow(void **state) {
    (void)state;
    struct arena *arena = arena_create(1024);
    assert_null(arena_alloc(arena, SIZE_MAX));
    arena_reset(arena);
    assert_non_null(arena_alloc(arena, 16));
    assert_null(arena_alloc(arena, SIZE_MAX - 8));
    arena_destroy(arena);
    arena_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_do_not_overlap),
        cmocka_unit_test(a_block_larger_than_a_chunk_has_a_chunk_of_its_own),
        cmocka_unit_test(the_ceiling_is_remembered_until_the_reset),
        cmocka_unit_test(an_absurd_size_is_refused_without_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
