#include <sys/socket.h>
#include <unistd.h>

#include "helper/peer.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5, asm-generic/socket.h */
#endif

enum status peer_identify(int fd, struct processes *processes, struct peer *out, struct error *err) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return error_set_errno(err, "cannot see who connected");
    struct process_sample sample;
    enum status status = processes->look_up(processes, credentials.pid, &sample, err);
    if (status != STATUS_OK)
        return status;
    struct peer peer = {.uid = credentials.uid};
    status = processes->pin(processes, sample.id, &peer.pin, err);
    if (status != STATUS_OK)
        return status;
    /* The kernel's own pin of who connected is better than one taken a moment later by number. */
    int pidfd = -1;
    length = sizeof pidfd;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == 0) {
        close(peer.pin.fd);
        peer.pin.fd = pidfd;
    }
    *out = peer;
    return STATUS_OK;
}
