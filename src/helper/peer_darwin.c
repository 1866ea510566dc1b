#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "helper/peer.h"

/* LOCAL_PEERCRED is copied at connect and decides. LOCAL_PEERPID names whoever used the socket last, so it
 * only says whom to protect; a socket that was handed on is judged by the uid that opened it. */
enum status peer_identify(int fd, struct processes *processes, struct peer *out, struct error *err) {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    socklen_t length = sizeof pid;
    if (getpeereid(fd, &uid, &gid) != 0 || getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &length) != 0)
        return error_set_errno(err, "cannot see who connected");
    struct process_sample sample;
    enum status status = processes->look_up(processes, pid, &sample, err);
    struct peer peer = {.uid = uid};
    if (status == STATUS_OK)
        status = processes->pin(processes, sample.id, &peer.pin, err);
    if (status == STATUS_OK)
        *out = peer;
    return status;
}
