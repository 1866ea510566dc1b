/* The socket that the helper listens on: made here, or opened beforehand by systemd or launchd. */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "helper/activation.h"
#include "helper/sessions.h"

/* A socket that nobody answers is left over from a helper that was killed. */
static enum status clear_place(const char *path, const struct sockaddr_un *address, struct error *err) {
    struct stat found;
    if (lstat(path, &found) != 0)
        return errno == ENOENT ? STATUS_OK : error_set_errno(err, "%s", path);
    if (!S_ISSOCK(found.st_mode))
        return error_set(err, STATUS_DENIED,
                         "%s is there and is not a socket: look what it is, then remove it", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return error_set_errno(err, "cannot make a socket");
    bool answered = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    close(fd);
    if (answered)
        return error_set(err, STATUS_BUSY, "another sentinel-helper listens on %s: stop it first", path);
    return unlink(path) == 0 ? STATUS_OK : error_set_errno(err, "cannot replace %s", path);
}

static enum status give_to_group(const char *path, const char *group, struct error *err) {
    if (group[0] == '\0')
        return STATUS_OK;
    const struct group *found = getgrnam(group);
    if (!found)
        return error_set(err, STATUS_INVALID, "socket_group = %s: no such group; groupadd --system %s", group,
                         group);
    if (chown(path, (uid_t)-1, found->gr_gid) != 0)
        return error_set_errno(err, "cannot give %s to group %s", path, group);
    return STATUS_OK;
}

static enum status bind_and_listen(int fd, const char *path, const struct sockaddr_un *address,
                                   const char *group, struct error *err) {
    mode_t before = umask(0117); /* the socket is born 0660 */
    int bound = bind(fd, (const struct sockaddr *)address, sizeof *address);
    umask(before);
    if (bound != 0)
        return error_set_errno(err, "cannot listen on %s; its folder must exist", path);
    enum status status = give_to_group(path, group, err);
    if (status == STATUS_OK && listen(fd, CLIENTS_MAX) != 0)
        status = error_set_errno(err, "cannot listen on %s", path);
    return status;
}

enum status sessions_listen(const char *path, const char *group, int *listener, struct error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (activation_take_socket(listener))
        return STATUS_OK;
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, STATUS_INVALID, "the socket's path has %zu characters; this system takes %zu",
                         strlen(path), sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    enum status status = clear_place(path, &address, err);
    if (status != STATUS_OK)
        return status;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return error_set_errno(err, "cannot make a socket");
    status = bind_and_listen(fd, path, &address, group, err);
    if (status == STATUS_OK)
        *listener = fd;
    else
        close(fd);
    return status;
}
