#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helper/sandbox.h"

/* A sanitizer's own system calls are many and change with the compiler. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { FILTERED = 0 };
#else
enum { FILTERED = 1 };
#endif

/* What the loop needs: poll, the journal, the socket, procfs, the clock, and malloc for the C library. */
static const int plain_calls[] = {
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(fsync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(getsockopt),
    SCMP_SYS(fcntl),
    SCMP_SYS(getpid),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(exit_group),
};

static const int signals[] = {SIGTERM, SIGKILL, SIGSTOP, SIGCONT};

static int add_argument_rules(scmp_filter_ctx filter) {
    int result = 0;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        result |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(pidfd_send_signal), 1,
                                   SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)signals[i]));
    /* Reading only: neither the access mode nor the flags may ask for more. */
    result |=
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                         SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY));
    result |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return result;
}

/* Two of the calls do not exist on every architecture: libseccomp knows them as negative numbers. */
static int add_rules(scmp_filter_ctx filter) {
    int result = add_argument_rules(filter);
    for (size_t i = 0; i < sizeof plain_calls / sizeof plain_calls[0]; i++)
        if (plain_calls[i] >= 0)
            result |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain_calls[i], 0);
    return result;
}

/* Root without its powers: it may signal, and read which program a process runs. Files keep root for their
 * owner, but the filter lets none be opened for writing. */
static enum status drop_capabilities(struct error *err) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) != 0)
        return error_set_errno(err, "cannot read capabilities");
    const uint32_t kept = 1U << CAP_KILL | 1U << CAP_SYS_PTRACE;
    data[0].effective = data[0].permitted &= kept;
    data[1].effective = data[1].permitted = 0;
    data[0].inheritable = data[1].inheritable = 0;
    if (syscall(SYS_capset, &header, data) != 0)
        return error_set_errno(err, "cannot drop capabilities");
    return STATUS_OK;
}

static enum status load_filter(struct error *err) {
    /* EPERM, not death: a helper that dies can be made to, one that refuses cannot. */
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int result = filter ? add_rules(filter) : -ENOMEM;
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    if (result != 0)
        return error_set(err, STATUS_SYSTEM, "cannot load the seccomp filter: %s", strerror(-result));
    return STATUS_OK;
}

enum status sandbox_enter(const char *journal, struct error *err) {
    (void)journal; /* it is open; no path can be opened for writing any more */
    static const struct rlimit none = {0, 0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &none) != 0)
        return error_set_errno(err, "cannot give up privileges");
    enum status status = drop_capabilities(err);
    if (status == STATUS_OK && FILTERED)
        status = load_filter(err);
    return status;
}
