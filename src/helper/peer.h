/* src/helper/peer.h - who is at the other end of a connection?
 *
 * The uid, fixed by the kernel at connect, decides. The process is pinned so that a socket handed on after
 * its owner died is worth nothing, and so that clients and their ancestors are never touched. */
#ifndef SENTINEL_HELPER_PEER_H
#define SENTINEL_HELPER_PEER_H

#include "helper/processes.h"

struct peer {
    uint32_t uid;
    struct process_pin pin; /* the caller unpins it */
};

MUST_CHECK enum status peer_identify(int fd, struct processes *processes, struct peer *out,
                                     struct error *err);

#endif
