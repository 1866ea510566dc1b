/* tests/support/board_story.h - a scripted fleet on a board, for tests and pictures of what people see.
 *
 * web-1   was healed two minutes ago: LEARNING, HEALTHY, ANOMALY, HEALING, and proven well again
 * web-2   breaks `break_after_ms` after the start and is healed while one watches
 * build-7 is anomalous now; the helper refuses every candidate, so the incident is ESCALATED
 * edge-3  sends nothing any more: STALE
 * new-9   has 9 of 15 points
 * pool-*  as many healthy hosts as are asked for
 *
 * Same arguments, same story. One thread. */
#ifndef SENTINEL_TESTS_SUPPORT_BOARD_STORY_H
#define SENTINEL_TESTS_SUPPORT_BOARD_STORY_H

#include "present/board.h"

struct board_story;

/* Fills the board with the ten minutes before `now_ms`. */
struct board_story *board_story_create(struct board *board, size_t pool_hosts, int64_t now_ms,
                                       int64_t break_after_ms);
/* Every host's points up to `now_ms`, one every two seconds. */
void board_story_advance(struct board_story *story, int64_t now_ms);
void board_story_destroy(struct board_story *story);

#endif
