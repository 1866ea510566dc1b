#include "present/process_usage.h"

#include <inttypes.h>
#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <libproc.h>
#include <stdlib.h>
#else
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#endif

static const struct process_usage unknown = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};

static void read_limits_and_cpu(struct process_usage *out) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out->cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                           ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) * 1e-6;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        out->max_fds = (double)files.rlim_cur;
}

#if defined(__APPLE__)

void process_usage_read(struct process_usage *out) {
    *out = unknown;
    read_limits_and_cpu(out);
    struct proc_taskallinfo info;
    if (proc_pidinfo(getpid(), PROC_PIDTASKALLINFO, 0, &info, sizeof info) == (int)sizeof info) {
        out->virtual_bytes = (double)info.ptinfo.pti_virtual_size;
        out->resident_bytes = (double)info.ptinfo.pti_resident_size;
        out->threads = (double)info.ptinfo.pti_threadnum;
        out->start_seconds = (double)info.pbsd.pbi_start_tvsec + (double)info.pbsd.pbi_start_tvusec * 1e-6;
        out->open_fds = (double)info.pbsd.pbi_nfiles;
    }
}

#else

static double count_open_fds(void) {
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return NAN;
    double count = -3; /* ".", ".." and the directory's own descriptor */
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* Seconds since the epoch at which this machine started. */
static double read_boot_seconds(void) {
    FILE *file = fopen("/proc/stat", "re");
    if (!file)
        return NAN;
    char line[256];
    double boot = NAN;
    while (fgets(line, sizeof line, file)) {
        uint64_t seconds;
        if (sscanf(line, "btime %" SCNu64, &seconds) == 1)
            boot = (double)seconds;
    }
    fclose(file);
    return boot;
}

/* proc(5): after the command's name, which may hold anything but ends at the last ')', come fields 3 and on;
 * of these 20 is num_threads, 22 starttime, 23 vsize and 24 rss. */
static void read_stat(struct process_usage *out) {
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *rest = strrchr(text, ')');
    uint64_t threads, start_ticks, virtual_bytes, resident_pages;
    if (rest && sscanf(rest + 1,
                       " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %" SCNu64
                       " %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
                       &threads, &start_ticks, &virtual_bytes, &resident_pages) == 4) {
        out->threads = (double)threads;
        out->start_seconds = read_boot_seconds() + (double)start_ticks / (double)sysconf(_SC_CLK_TCK);
        out->virtual_bytes = (double)virtual_bytes;
        out->resident_bytes = (double)resident_pages * (double)sysconf(_SC_PAGESIZE);
    }
}

void process_usage_read(struct process_usage *out) {
    *out = unknown;
    read_limits_and_cpu(out);
    read_stat(out);
    out->open_fds = count_open_fds();
}

#endif
