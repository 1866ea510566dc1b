/* The real XNU behind darwin_kernel.h. */
#include <dlfcn.h>
#include <errno.h>
#include <libproc.h>
#include <mach/mach_time.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/event.h>
#include <sys/proc_info.h>
#include <sys/stat.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "helper/darwin_kernel.h"

/* bsd/sys/proc_info_private.h: "This structure is API". Asked for without any privilege. */
enum { PIDUNIQIDENTIFIERINFO = 17 };
struct unique_identifier_info {
    uint8_t uuid[16];
    uint64_t unique_id, parent_unique_id;
    int32_t id_version, original_parent_id_version;
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct unique_identifier_info) == 56, "the kernel compares the size");

/* xnu-10002.61.3, bsd/kern/proc_info.c, psignal_by_audit_token(): only the pid and its version are read. */
typedef int signal_with_audit_token(audit_token_t *token, int signal);
enum { TOKEN_PID = 5, TOKEN_PID_VERSION = 7 };
static signal_with_audit_token *proc_signal_with_token;

static int darwin_list(struct darwin_kernel *kernel, int32_t *pids, size_t capacity, size_t *count) {
    (void)kernel;
    int listed = proc_listallpids(pids, (int)(capacity * sizeof pids[0]));
    if (listed < 0)
        return errno;
    *count = (size_t)listed;
    return 0;
}

static int read_info(int32_t pid, int flavor, void *out, int size) {
    errno = 0;
    int got = proc_pidinfo(pid, flavor, 0, out, size);
    if (got == size)
        return 0;
    return errno ? errno : ESRCH;
}

static int darwin_task(struct darwin_kernel *kernel, int32_t pid, struct darwin_task *out) {
    (void)kernel;
    struct unique_identifier_info before, after;
    struct proc_bsdinfo info;
    struct rusage_info_v4 usage;
    int error = read_info(pid, PIDUNIQIDENTIFIERINFO, &before, sizeof before);
    if (error == 0)
        error = read_info(pid, PROC_PIDTBSDINFO, &info, sizeof info);
    if (error == 0 && proc_pid_rusage(pid, RUSAGE_INFO_V4, (rusage_info_t *)(void *)&usage) != 0)
        error = errno;
    if (error == 0)
        error = read_info(pid, PIDUNIQIDENTIFIERINFO, &after, sizeof after);
    if (error == 0 && before.unique_id != after.unique_id)
        error = ESRCH; /* the number changed hands while we read */
    if (error != 0)
        return error;
    *out = (struct darwin_task){
        .pid = pid,
        .parent = (int32_t)info.pbi_ppid,
        .uid = info.pbi_uid,
        .real_uid = info.pbi_ruid,
        .saved_uid = info.pbi_svuid,
        .traced = (info.pbi_flags & PROC_FLAG_TRACED) != 0,
        .unique_id = after.unique_id,
        .id_version = (uint32_t)after.id_version,
        .own_ticks = usage.ri_user_time + usage.ri_system_time,
        .children_ticks = usage.ri_child_user_time + usage.ri_child_system_time,
        .started_ticks = usage.ri_proc_start_abstime,
    };
    const char *name = info.pbi_name[0] ? info.pbi_name : info.pbi_comm;
    size_t longest = info.pbi_name[0] ? sizeof info.pbi_name : sizeof info.pbi_comm;
    memcpy(out->name, name, strnlen(name, longest < sizeof out->name ? longest : sizeof out->name - 1));
    return 0;
}

static int darwin_path(struct darwin_kernel *kernel, int32_t pid, char *out, size_t size, uint64_t *device,
                       uint64_t *inode) {
    (void)kernel;
    char path[PROC_PIDPATHINFO_MAXSIZE];
    struct stat file;
    if (proc_pidpath(pid, path, sizeof path) <= 0)
        return errno;
    if (strlen(path) >= size)
        return ENAMETOOLONG;
    if (stat(path, &file) != 0)
        return errno;
    memcpy(out, path, strlen(path) + 1);
    *device = (uint64_t)file.st_dev;
    *inode = file.st_ino;
    return 0;
}

static int darwin_watch_exit(struct darwin_kernel *kernel, int32_t pid, int *fd) {
    (void)kernel;
    struct kevent watch;
    int queue = kqueue();
    if (queue < 0)
        return errno;
    EV_SET(&watch, (uintptr_t)pid, EVFILT_PROC, EV_ADD | EV_ENABLE, NOTE_EXIT, 0, NULL);
    if (kevent(queue, &watch, 1, NULL, 0, NULL) != 0) {
        int error = errno;
        close(queue);
        return error;
    }
    *fd = queue;
    return 0;
}

/* The event stays in the queue, so that the queue stays readable. */
static bool darwin_has_exited(struct darwin_kernel *kernel, int fd) {
    (void)kernel;
    struct pollfd queue = {.fd = fd, .events = POLLIN};
    return poll(&queue, 1, 0) != 0;
}

static void darwin_unwatch(struct darwin_kernel *kernel, int fd) {
    (void)kernel;
    close(fd);
}

static int darwin_signal_pinned(struct darwin_kernel *kernel, int32_t pid, uint32_t id_version, int signal) {
    (void)kernel;
    audit_token_t token = {{0}};
    token.val[TOKEN_PID] = (unsigned)pid;
    token.val[TOKEN_PID_VERSION] = id_version;
    int result = proc_signal_with_token(&token, signal);
    return result > 0 ? result : result < 0 ? errno : 0;
}

static int darwin_signal_number(struct darwin_kernel *kernel, int32_t pid, int signal) {
    (void)kernel;
    return pid > 1 && kill(pid, signal) == 0 ? 0 : errno;
}

static uint64_t darwin_now_ticks(struct darwin_kernel *kernel) {
    (void)kernel;
    return mach_absolute_time();
}

static void read_text(const char *name, char *out, size_t size) {
    if (sysctlbyname(name, out, &size, NULL, 0) != 0)
        out[0] = '\0';
}

static struct darwin_timebase read_timebase(void) {
    struct darwin_timebase timebase = {0};
    mach_timebase_info_data_t info;
    int translated = 0;
    size_t size = sizeof translated;
    if (mach_timebase_info(&info) == 0) {
        timebase.numerator = info.numer;
        timebase.denominator = info.denom;
    }
    /* The name does not exist on an Intel Mac. */
    timebase.translated =
        sysctlbyname("sysctl.proc_translated", &translated, &size, NULL, 0) == 0 && translated == 1;
    size = sizeof timebase.frequency;
    if (sysctlbyname("hw.tbfrequency", &timebase.frequency, &size, NULL, 0) != 0)
        timebase.frequency = 0;
    return timebase;
}

enum status processes_open(const char *proc, struct processes **out, struct error *err) {
    static struct darwin_kernel kernel;
    (void)proc;
    /* Newer than the SDK, and absent before macOS 14. The cast by way of memory is what POSIX asks for. */
    void *symbol = dlsym(RTLD_DEFAULT, "proc_signal_with_audittoken");
    memcpy(&proc_signal_with_token, &symbol, sizeof symbol);
    kernel = (struct darwin_kernel){
        .can_signal_pinned = symbol != NULL,
        .is_root = geteuid() == 0,
        .timebase = read_timebase(),
        .list = darwin_list,
        .task = darwin_task,
        .path = darwin_path,
        .watch_exit = darwin_watch_exit,
        .has_exited = darwin_has_exited,
        .unwatch = darwin_unwatch,
        .signal_pinned = darwin_signal_pinned,
        .signal_number = darwin_signal_number,
        .now_ticks = darwin_now_ticks,
    };
    read_text("kern.uuid", kernel.host_identity, sizeof kernel.host_identity - 1);
    read_text("kern.bootsessionuuid", kernel.boot_id, sizeof kernel.boot_id);
    return processes_darwin_open(&kernel, out, err);
}
