/* Linux: procfs for facts, pidfds for identity.
 *
 * Measured on Linux 6.18 with 200 forced reuses of a number: kill(2) hit the stranger 200 times, a pidfd
 * opened before the reuse never. Comparing start times alone is too weak for strangers of the same 10 ms
 * tick; here it is only used between a measurement and the pin, and a process must have been hot for
 * many ticks to be measured. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "helper/processes.h"

enum {
    KERNEL_THREAD_FLAG = 0x00200000, /* PF_KTHREAD, linux/sched.h */
    CAP_KILL_BIT = 5,                /* linux/capability.h */
    TEXT_MAX = 4096,                 /* of a file of /proc; status has about 1,500 bytes */
};

struct linux_processes {
    struct processes base; /* first: the table is handed out as its address */
    int proc_fd;
    DIR *proc; /* kept open: opendir allocates */
    uint64_t tick_ns;
};

static struct linux_processes *from(struct processes *base) {
    return (struct linux_processes *)base;
}

/* Whole small files only; procfs makes them in one read. */
static enum status read_file(int dir_fd, const char *path, char *out, size_t size, struct error *err) {
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, out, size - 1) : -1;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    if (length < 0 && (errno == ENOENT || errno == ESRCH))
        return error_set(err, STATUS_NOT_FOUND, "/proc/%s: it has ended", path);
    if (length < 0)
        return error_set_errno(err, "/proc/%s", path);
    out[length] = '\0';
    return STATUS_OK;
}

static void copy_text(char *out, size_t size, const char *text, size_t length) {
    if (length >= size)
        length = size - 1;
    memcpy(out, text, length);
    out[length] = '\0';
}

/* proc(5): pid (comm) state ppid ... The comm may hold anything, ") R 1 1\n(" too: the last ')' ends it. */
static bool parse_stat(const char *text, uint64_t tick_ns, struct process_sample *out) {
    enum { STATE, PARENT, FLAGS = 6, UTIME = 11, STIME, CHILD_UTIME, CHILD_STIME, START = 19, FIELDS };
    const char *comm = strchr(text, '('), *comm_end = strrchr(text, ')');
    if (!comm || !comm_end || comm_end < comm)
        return false;
    const char *field[FIELDS], *at = comm_end;
    for (size_t i = STATE; i < FIELDS; i++) {
        at = strchr(at, ' ');
        if (!at)
            return false;
        field[i] = ++at;
    }
#define NUMBER(name) strtoull(field[name], NULL, 10)
    *out = (struct process_sample){
        .id = {.pid = (int32_t)strtol(text, NULL, 10), .start = NUMBER(START)},
        .parent = (int32_t)NUMBER(PARENT),
        .own_ns = (NUMBER(UTIME) + NUMBER(STIME)) * tick_ns,
        .children_ns = (NUMBER(CHILD_UTIME) + NUMBER(CHILD_STIME)) * tick_ns,
        .kernel_thread = (NUMBER(FLAGS) & KERNEL_THREAD_FLAG) != 0,
    };
#undef NUMBER
    copy_text(out->comm, sizeof out->comm, comm + 1, (size_t)(comm_end - comm - 1));
    return out->id.pid > 0;
}

static enum status linux_look_up(struct processes *base, int32_t pid, struct process_sample *out,
                                 struct error *err) {
    char path[32], text[TEXT_MAX];
    snprintf(path, sizeof path, "%d/stat", pid);
    enum status status = read_file(from(base)->proc_fd, path, text, sizeof text, err);
    if (status != STATUS_OK)
        return status;
    if (!parse_stat(text, from(base)->tick_ns, out) || out->id.pid != pid)
        return error_set(err, STATUS_CORRUPT, "/proc/%s does not read as proc(5) says", path);
    return STATUS_OK;
}

static enum status linux_scan(struct processes *base, struct process_sample *out, size_t capacity,
                              size_t *count, struct error *err) {
    size_t found = 0;
    rewinddir(from(base)->proc);
    for (struct dirent *entry; (entry = readdir(from(base)->proc)) != NULL;) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        if (found == capacity)
            return error_set(err, STATUS_TOO_LARGE, "more than %zu processes: none can be judged", capacity);
        int32_t pid = (int32_t)strtol(entry->d_name, NULL, 10);
        struct error why = {0};
        enum status status = linux_look_up(base, pid, &out[found], &why);
        bool hidden = status == STATUS_SYSTEM && (why.sys_errno == EACCES || why.sys_errno == EPERM);
        if (status == STATUS_OK) {
            found++;
        } else if (status != STATUS_NOT_FOUND && !hidden) { /* not seen is not measured, so never hot */
            if (err)
                *err = why;
            return status;
        }
    }
    *count = found;
    return STATUS_OK;
}

static bool linux_has_exited(struct processes *base, const struct process_pin *pin) {
    (void)base;
    struct pollfd exit = {.fd = pin->fd, .events = POLLIN};
    return poll(&exit, 1, 0) != 0;
}

static void linux_unpin(struct processes *base, struct process_pin *pin) {
    (void)base;
    if (pin->fd >= 0)
        close(pin->fd);
    pin->fd = -1;
}

static enum status linux_pin(struct processes *base, struct process_id id, struct process_pin *out,
                             struct error *err) {
    struct process_pin pin = {.id = id, .fd = (int)syscall(SYS_pidfd_open, id.pid, 0)};
    if (pin.fd < 0 && errno == ESRCH)
        return error_set(err, STATUS_NOT_FOUND, "process %d has ended", id.pid);
    if (pin.fd < 0)
        return error_set_errno(err, "cannot pin process %d (pidfd_open)", id.pid);
    struct process_sample now;
    enum status status = linux_look_up(base, id.pid, &now, err);
    if (status == STATUS_OK && (now.id.start != id.start || linux_has_exited(base, &pin)))
        status = error_set(err, STATUS_NOT_FOUND, "process %d has ended", id.pid);
    if (status == STATUS_OK)
        *out = pin;
    else
        linux_unpin(base, &pin);
    return status;
}

/* The rest of the line of /proc/PID/status that begins with `name`; "" if there is none. */
static const char *status_line(const char *text, const char *name) {
    const char *line = strstr(text, name);
    return line ? line + strlen(name) : "";
}

static void read_uids(const char *status, struct process_facts *out) {
    char *rest;
    unsigned long uid[4]; /* real, effective, saved, file system */
    const char *at = status_line(status, "\nUid:");
    out->mixed_uids = *at == '\0';
    for (size_t i = 0; i < 4; i++, at = rest) {
        uid[i] = strtoul(at, &rest, 10);
        out->mixed_uids |= uid[i] != uid[0];
    }
    out->uid = (uint32_t)uid[0];
}

/* NSpid lists its number in every pid namespace from procfs' own downwards. */
static bool in_foreign_namespace(const char *status) {
    const char *at = status_line(status, "\nNSpid:");
    size_t numbers = 0;
    for (char *rest; *at && *at != '\n'; at = rest) {
        strtoul(at, &rest, 10);
        if (rest == at)
            break;
        numbers++;
    }
    return numbers != 1;
}

/* cgroup v2 is the line "0::/path"; a v1 host has "1:name=systemd:/path" for the same purpose. */
static void read_group(const char *text, char *out, size_t size) {
    const char *line = strncmp(text, "0::", 3) == 0 ? text + 3 : strstr(text, "\n0::");
    if (line && *line == '\n')
        line += 4;
    const char *v1 = strstr(text, ":name=systemd:");
    if ((!line || strncmp(line, "/\n", 2) == 0) && v1)
        line = v1 + strlen(":name=systemd:");
    copy_text(out, size, line ? line : "", line ? strcspn(line, "\n") : 0);
}

/* Reading exe needs the same user or CAP_SYS_PTRACE: not being allowed is normal, and means "". */
static void read_exe(int proc_fd, int32_t pid, struct process_facts *out) {
    char path[32];
    struct stat file;
    snprintf(path, sizeof path, "%d/exe", pid);
    ssize_t length = readlinkat(proc_fd, path, out->exe, sizeof out->exe - 1);
    if (length <= 0 || (size_t)length == sizeof out->exe - 1 || fstatat(proc_fd, path, &file, 0) != 0) {
        out->exe[0] = '\0';
        return;
    }
    out->exe[length] = '\0';
    out->exe_device = file.st_dev;
    out->exe_inode = file.st_ino;
}

static enum status read_facts(struct processes *base, int32_t pid, struct process_facts *out,
                              struct error *err) {
    int proc_fd = from(base)->proc_fd;
    char path[32], text[TEXT_MAX];
    enum status status = linux_look_up(base, pid, &out->sample, err);
    snprintf(path, sizeof path, "%d/status", pid);
    if (status == STATUS_OK)
        status = read_file(proc_fd, path, text, sizeof text, err);
    if (status != STATUS_OK)
        return status;
    read_uids(text, out);
    out->foreign_namespace = in_foreign_namespace(text);
    out->traced = strtoul(status_line(text, "\nTracerPid:"), NULL, 10) != 0;
    snprintf(path, sizeof path, "%d/cgroup", pid);
    status = read_file(proc_fd, path, text, sizeof text, err);
    if (status != STATUS_OK)
        return status;
    read_group(text, out->group, sizeof out->group);
    read_exe(proc_fd, pid, out);
    struct timespec since_boot; /* field 22 counts suspended time too */
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    out->age_ms = (int64_t)since_boot.tv_sec * 1000 + since_boot.tv_nsec / 1000000 -
                  (int64_t)(out->sample.id.start * (from(base)->tick_ns / 1000000));
    out->lineage_count = processes_lineage(base, pid, out->lineage, LINEAGE_MAX);
    return STATUS_OK;
}

static enum status linux_inspect(struct processes *base, const struct process_pin *pin,
                                 struct process_facts *out, struct error *err) {
    struct process_facts facts = {0};
    enum status status = read_facts(base, pin->id.pid, &facts, err);
    if (status != STATUS_OK)
        return status;
    if (linux_has_exited(base, pin) || !process_id_equals(facts.sample.id, pin->id))
        return error_set(err, STATUS_NOT_FOUND, "process %d has ended", pin->id.pid);
    *out = facts;
    return STATUS_OK;
}

static int signal_number(enum process_signal signal) {
    switch (signal) {
    case PROCESS_TERM:
        return SIGTERM;
    case PROCESS_KILL:
        return SIGKILL;
    case PROCESS_STOP:
        return SIGSTOP;
    case PROCESS_CONT:
        return SIGCONT;
    }
    abort();
}

static enum status linux_signal(struct processes *base, const struct process_pin *pin,
                                enum process_signal signal, struct error *err) {
    (void)base;
    assert(pin->fd >= 0);
    if (syscall(SYS_pidfd_send_signal, pin->fd, signal_number(signal), NULL, 0) == 0)
        return STATUS_OK;
    if (errno == ESRCH)
        return error_set(err, STATUS_NOT_FOUND, "process %d has ended", pin->id.pid);
    if (errno == EPERM)
        return error_set(err, STATUS_DENIED,
                         "the kernel refused to signal process %d: the helper lacks CAP_KILL", pin->id.pid);
    return error_set_errno(err, "cannot signal process %d", pin->id.pid);
}

static void linux_close(struct processes *base) {
    closedir(from(base)->proc); /* closes proc_fd too */
    free(from(base));
}

static void read_line(const char *path, char *out, size_t size) {
    if (read_file(AT_FDCWD, path, out, size, NULL) != STATUS_OK)
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static bool has_cap_kill(int proc_fd) {
    char text[TEXT_MAX];
    if (read_file(proc_fd, "self/status", text, sizeof text, NULL) != STATUS_OK)
        return true; /* unknown: ask for the stricter policy */
    return strtoull(status_line(text, "\nCapEff:"), NULL, 16) >> CAP_KILL_BIT & 1;
}

enum status processes_open(const char *proc, struct processes **out, struct error *err) {
    DIR *dir = opendir(proc);
    if (!dir)
        return error_set_errno(err, "cannot open %s", proc);
    struct linux_processes *self = xcalloc(1, sizeof *self);
    *self = (struct linux_processes){
        .base = {.scan = linux_scan,
                 .look_up = linux_look_up,
                 .pin = linux_pin,
                 .inspect = linux_inspect,
                 .signal = linux_signal,
                 .has_exited = linux_has_exited,
                 .unpin = linux_unpin,
                 .close = linux_close},
        .proc = dir,
        .proc_fd = dirfd(dir),
        .tick_ns = 1000000000U / (uint64_t)sysconf(_SC_CLK_TCK),
    };
    int self_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    self->base.pins_signals = self_fd >= 0;
    if (self_fd >= 0)
        close(self_fd);
    self->base.privileged = geteuid() == 0 || has_cap_kill(self->proc_fd);
    read_line("/etc/machine-id", self->base.host_identity, sizeof self->base.host_identity);
    read_line("/proc/sys/kernel/random/boot_id", self->base.boot_id, sizeof self->base.boot_id);
    struct process_sample init;
    if (linux_look_up(&self->base, 1, &init, NULL) != STATUS_OK) {
        linux_close(&self->base);
        return error_set(err, STATUS_DENIED,
                         "%s/1 cannot be seen: other users' processes are hidden (hidepid= of procfs, or "
                         "ProtectProc= of the unit); show them to the helper",
                         proc);
    }
    *out = &self->base;
    return STATUS_OK;
}
