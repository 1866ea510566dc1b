#include "helper/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status check_owner(const char *path, const struct stat *found, uint32_t also_owner,
                               struct error *err) {
    if (found->st_uid != 0 && found->st_uid != also_owner)
        return error_set(err, STATUS_DENIED, "%s belongs to uid %u, not to root: chown root %s", path,
                         (unsigned)found->st_uid, path);
    if (!S_ISLNK(found->st_mode) && (found->st_mode & (S_IWGRP | S_IWOTH)))
        return error_set(err, STATUS_DENIED, "%s can be changed by others (mode %04o): chmod go-w %s", path,
                         (unsigned)found->st_mode & 07777, path);
    return STATUS_OK;
}

/* Every folder of `path`, from / to the one that holds the file. */
static enum status check_folders(const char *path, uint32_t also_owner, struct error *err) {
    char folder[PATH_MAX] = "/";
    for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
        struct stat found;
        if (slash != path)
            snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        if (lstat(folder, &found) != 0)
            return error_set_errno(err, "%s", folder);
        if (!S_ISDIR(found.st_mode) && !S_ISLNK(found.st_mode))
            return error_set(err, STATUS_DENIED, "%s is not a folder", folder);
        enum status status = check_owner(folder, &found, also_owner, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* The path as written, and what its folder resolves to: both must hold, since either may be used. */
enum status trusted_folders(const char *path, uint32_t also_owner, struct error *err) {
    char folder[PATH_MAX], resolved[PATH_MAX + 2];
    if (path[0] != '/' || strstr(path, "/../") || strlen(path) >= PATH_MAX)
        return error_set(err, STATUS_DENIED, "%.100s: give an absolute path without ..", path);
    enum status status = check_folders(path, also_owner, err);
    if (status != STATUS_OK)
        return status;
    snprintf(folder, sizeof folder, "%.*s/", (int)(strrchr(path, '/') - path), path);
    if (!realpath(folder, resolved))
        return error_set_errno(err, "%s", folder);
    resolved[strlen(resolved) + 1] = '\0'; /* a slash at its end makes the folder itself one of the checked */
    resolved[strlen(resolved)] = '/';
    return check_folders(resolved, also_owner, err);
}

static enum status check_file(const char *path, const struct stat *file, uint32_t also_owner, size_t size,
                              struct error *err) {
    if (!S_ISREG(file->st_mode))
        return error_set(err, STATUS_DENIED, "%s is not a regular file", path);
    if (file->st_nlink != 1)
        return error_set(err, STATUS_DENIED, "%s has another name too (a hard link): copy it instead", path);
    if ((uint64_t)file->st_size >= size)
        return error_set(err, STATUS_TOO_LARGE, "%s has %lld bytes; at most %zu are read", path,
                         (long long)file->st_size, size - 1);
    return check_owner(path, file, also_owner, err);
}

static enum status read_all(int fd, const char *path, size_t length, char *out, struct error *err) {
    size_t used = 0;
    ssize_t got = 1;
    while (used < length && (got = read(fd, out + used, length - used)) > 0)
        used += (size_t)got;
    char beyond;
    if (got < 0)
        return error_set_errno(err, "%s", path);
    if (used != length || read(fd, &beyond, 1) != 0 || memchr(out, '\0', length))
        return error_set(err, STATUS_CORRUPT, "%s changed while it was read, or is not a text", path);
    out[length] = '\0';
    return STATUS_OK;
}

enum status trusted_file_read(const char *path, uint32_t also_owner, char *out, size_t size,
                              struct error *err) {
    enum status status = trusted_folders(path, also_owner, err);
    if (status != STATUS_OK)
        return status;
    /* Not blocking: a FIFO in its place must not hold the helper up. */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ELOOP)
        return error_set(err, STATUS_DENIED, "%s is a symbolic link: put the file itself there", path);
    if (fd < 0)
        return error_set_errno(err, "%s", path);
    struct stat file;
    if (fstat(fd, &file) != 0)
        status = error_set_errno(err, "%s", path);
    else
        status = check_file(path, &file, also_owner, size, err);
    if (status == STATUS_OK)
        status = read_all(fd, path, (size_t)file.st_size, out, err);
    close(fd);
    return status;
}
